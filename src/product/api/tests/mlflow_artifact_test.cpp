#include "mlflow_house.h"

// The artifact proxy without a socket; streaming and hostile clients are in tests/clients/test_mlflow_artifacts.py.
namespace maru::api {
namespace {

const std::string kProxy = "/api/2.0/mlflow-artifacts/";

std::string part_path(const Json& credential) {
  const std::string url = credential["url"].as_string();
  REQUIRE(url.rfind("http://maru.test/", 0) == 0);
  return url.substr(std::string("http://maru.test").size());
}

}  // namespace

TEST_CASE("artifacts of runs and of free paths are put, listed, sent and removed") {
  MlflowHouse house;
  const std::string run = house.run();
  const auto experiment = house.tracking->runs().get_run(run)->experiment_id;
  const std::string root = experiment + "/" + run + "/artifacts";
  CHECK(house.ask(Method::kPut, kProxy + "artifacts/" + root + "/a/b.txt", "xyz").status == 200);
  CHECK(house.ask(Method::kPut, kProxy + "artifacts/free/c", "").status == 200);
  CHECK(house.ask(Method::kGet, kProxy + "artifacts?path=" + root).body ==
        R"({"files":[{"path":"a","is_dir":true}]})");
  CHECK(house.ask(Method::kGet, kProxy + "artifacts?path=" + root + "/a/").body ==
        R"({"files":[{"path":"b.txt","is_dir":false,"file_size":3}]})");
  CHECK(house.ask(Method::kGet, kProxy + "artifacts").body ==
        R"({"files":[{"path":"free","is_dir":true}]})");
  CHECK(house.call(Method::kGet, "artifacts/list?run_id=" + run + "&path=a").dump() ==
        R"({"root_uri":"mlflow-artifacts:/)" + root +
            R"(","files":[{"path":"a/b.txt","is_dir":false,"file_size":3}]})");
  const Response sent = house.ask(Method::kGet, "/get-artifact?path=a/b.txt&run_id=" + run);
  CHECK(sent.status == 200);
  CHECK(*base::read_file(sent.file_path) == "xyz");
  CHECK(sent.headers.get("Content-Disposition") == "attachment; filename=b.txt");
  CHECK(sent.headers.get("Content-Type") == "text/plain");
  CHECK(house.ask(Method::kDelete, kProxy + "artifacts/" + root + "/").status == 200);
  CHECK(house.failure(Method::kGet, "/get-artifact?path=a/b.txt&run_id=" + run) ==
        "404 RESOURCE_DOES_NOT_EXIST");
  CHECK(house.ask(Method::kGet, kProxy + "artifacts/free/c").status == 200);
}

TEST_CASE("one range of bytes is sent, several or none that fit are not") {
  MlflowHouse house;
  REQUIRE(house.ask(Method::kPut, kProxy + "artifacts/x", "0123456789").status == 200);
  struct Case {
    const char* asked;
    int status;
    const char* range;
  };
  for (const auto& [asked, status, range] :
       {Case{"bytes=0-0", 206, "bytes 0-0/10"}, Case{"bytes=5-", 206, "bytes 5-9/10"},
        Case{"bytes=-3", 206, "bytes 7-9/10"}, Case{"bytes=-30", 206, "bytes 0-9/10"},
        Case{"bytes=0-10", 206, "bytes 0-9/10"}, Case{"bytes=10-", 416, "bytes */10"},
        Case{"bytes=-0", 416, "bytes */10"}, Case{"bytes=3-2", 200, ""}, Case{"bytes=a-b", 200, ""},
        Case{"bytes=0-1,3-4", 200, ""}, Case{"rows=0-1", 200, ""}, Case{"bytes=-", 200, ""},
        Case{"bytes=99999999999999999999-", 200, ""}}) {
    const Response response = house.ask(Method::kGet, kProxy + "artifacts/x", "", {"Range", asked});
    CHECK_MESSAGE(response.status == status, asked);
    CHECK_MESSAGE(response.headers.get("Content-Range") == range, asked);
  }
}

TEST_CASE("paths are refused when any decoding leads elsewhere") {
  MlflowHouse house;
  for (const char* bad : {"../x", "a/../x", "%2e%2e/x", "%252e%252e/x", "a/%2e%2e", "%2fx", "a#b",
                          "a%23b", "a\\b", "%5cx", "C:/x", "file:///x", "a//b", "./a", "a/."}) {
    CHECK_MESSAGE(
        house.failure(Method::kPut, kProxy + "artifacts/" + bad) == "400 INVALID_PARAMETER_VALUE",
        bad);
    CHECK_MESSAGE(house.failure(Method::kGet, kProxy + "artifacts?path=" + bad) ==
                      "400 INVALID_PARAMETER_VALUE",
                  bad);
  }
  // What only looks odd is a name.
  for (const char* good : {"100%", "a..b", "...", "%zz", "a%20b", "한글/x y"})
    CHECK_MESSAGE(house.ask(Method::kPut, kProxy + "artifacts/" + good, "x").status == 200, good);
}

TEST_CASE("parts are taken by signed addresses, for a while") {
  MlflowHouse house;
  const auto begin = [&](int parts) {
    return *base::parse_json(
        house
            .ask(Method::kPost, kProxy + "mpu/create/dir",
                 Json::object({{"path", "C:\\me\\big.bin"}, {"num_parts", parts}}).dump())
            .body);
  };
  const Json upload = begin(2);
  Json parts = Json::array();
  for (int number : {2, 1}) {
    const std::string path = part_path(upload["credentials"].at(std::size_t(number - 1)));
    const Response put = house.ask(Method::kPut, path, number == 1 ? "first" : "second", {"X", ""},
                                   base::Role::kNone);
    REQUIRE(put.status == 200);
    parts.push(Json::object({{"part_number", number}, {"etag", put.headers.get("ETag")}}));
  }
  const Json body =
      Json::object({{"path", "big.bin"}, {"upload_id", upload["upload_id"]}, {"parts", parts}});
  CHECK(house.ask(Method::kPost, kProxy + "mpu/complete/dir", body.dump()).body == "{}");
  const Response sent = house.ask(Method::kGet, kProxy + "artifacts/dir/big.bin");
  CHECK(*base::read_file(sent.file_path) == "firstsecond");

  const std::string fresh = part_path(begin(1)["credentials"].at(0));
  const auto put = [&](const std::string& path) {
    return house.ask(Method::kPut, path, "x", {"X", ""}, base::Role::kNone).status;
  };
  CHECK(put(fresh + "0") == 403);
  CHECK(put(fresh.substr(0, fresh.find('?'))) == 403);
  std::string other = fresh;
  other.replace(fresh.find("/1?"), 3, "/2?");
  CHECK(put(other) == 403);
  CHECK(put(fresh) == 200);
  house.clock.advance_us(std::int64_t{24} * 3600 * 1'000'000 + 1);
  CHECK(put(fresh) == 403);
  CHECK(house.failure(Method::kPost, kProxy + "mpu/create/dir", R"({"path":"a","num_parts":0})") ==
        "400 INVALID_PARAMETER_VALUE");
  CHECK(house.failure(Method::kPost, kProxy + "mpu/abort/dir", R"({"path":"a","upload_id":"x"})") ==
        "404 RESOURCE_DOES_NOT_EXIST");

  const Json signed_url =
      *base::parse_json(house.ask(Method::kGet, kProxy + "presigned/dir/big.bin").body);
  CHECK(signed_url["file_size"].as_int() == 11);
  const std::string path = part_path(signed_url);
  CHECK(house.ask(Method::kGet, path, "", {"X", ""}, base::Role::kNone).status == 200);
  CHECK(house.ask(Method::kGet, path + "1", "", {"X", ""}, base::Role::kNone).status == 403);
}

TEST_CASE("the server says what it is") {
  MlflowHouse house;
  const Response version = house.ask(Method::kGet, "/version");
  CHECK(version.body == "3.6.0");
  CHECK(version.headers.get("X-Maru-Version") == "1.2.3");
  CHECK(house.ask(Method::kGet, "/health").body == "OK");
  CHECK(house.failure(Method::kGet, "/api/3.0/mlflow/none") == "404 ENDPOINT_NOT_FOUND");
  CHECK(house.failure(Method::kGet, "/ajax-api/2.0/preview/x") == "404 ENDPOINT_NOT_FOUND");
}

}  // namespace maru::api

#include <doctest/doctest.h>

#include "address.h"
#include "maru/base/file.h"
#include "maru/connect/source.h"
#include "sigv4.h"

namespace maru::connect {

TEST_CASE("an address is told from a path") {
  for (const char* text : {"postgresql://h/d?table=t", "postgresql+psycopg2://h/d", "mysql://h/d",
                           "S3://b/k", "https://h/x.csv", "sqlite:///x.db"})
    CHECK(is_address(text));
  for (const char* text : {"/a/b.csv", "a.csv", "file://x", "s3:/b", "", "C://x"})
    CHECK_FALSE(is_address(text));
}

TEST_CASE("the parts of an address") {
  const auto sql =
      parse_address("postgresql://me:p%40ss@DB.example.com:5433/shop?table=a.b&sslmode=require");
  REQUIRE(sql.has_value());
  CHECK(sql->user == "me");
  CHECK(sql->password == "p@ss");
  CHECK(sql->host == "db.example.com");
  CHECK(sql->port == "5433");
  CHECK(sql->path == "/shop");
  CHECK(sql->option("table") == "a.b");
  CHECK(sql->check_options({"table"}).error().message.find("sslmode") != std::string::npos);
  const auto web = parse_address("https://h/x.csv?a=1&token=2#secret=n&format=csv");
  REQUIRE(web.has_value());
  CHECK(web->plain == "https://h/x.csv?a=1&token=2");
  CHECK(web->option("secret") == "n");
  CHECK(parse_address("sqlite:////a/b.db?table=t")->path == "/a/b.db");
  CHECK(parse_address("sqlite:///a/b.db?table=t")->path == "/a/b.db");
  CHECK(parse_address("mysql://[::1]:3306/d")->port == "3306");
  CHECK_FALSE(parse_address("mysql:///d?table=t").has_value());
  CHECK_FALSE(parse_address("mysql://h/d?table=%4").has_value());
}

TEST_CASE("what is shown holds no secret") {
  const auto hides = [](const char* text) {
    return shown_address(text).find("s3cret") == std::string::npos;
  };
  CHECK(hides("postgresql://u:s3cret@h/d?table=t"));
  CHECK(hides("mysql://u:s3cret@h/d?query=select 1"));
  CHECK(hides("postgresql://h/d?user=u&password=s3cret&table=t"));
  CHECK(hides("https://h/x.csv?X-Amz-Signature=s3cret&X-Amz-Credential=s3cret&a=b"));
  CHECK(hides("https://h/x.csv?access_token=s3cret#secret=n"));
  CHECK(hides("s3://b/k?secret_key=s3cret"));
  CHECK(shown_address("s3://b/k*.csv?region=eu&secret=name") ==
        "s3://b/k*.csv?region=eu&secret=name");
  CHECK(shown_address("https://h/x.csv?token=&b=1") == "https://h/x.csv?token=&b=1");
}

TEST_CASE("a relative path is seen from its folder") {
  CHECK(located("a.csv", "/w") == "/w/a.csv");
  CHECK(located("/a.csv", "/w") == "/a.csv");
  CHECK(located("sqlite:///shop.db?table=t", "/w") == "sqlite:////w/shop.db?table=t");
  CHECK(located("sqlite:////x/shop.db?table=t", "/w") == "sqlite:////x/shop.db?table=t");
  CHECK(located("sqlite:///etc/passwd?table=t", "/w") == "sqlite:////etc/passwd?table=t");
  CHECK(located("s3://b/k", "/w") == "s3://b/k");
}

TEST_CASE("requests are signed as the documentation's examples are") {
  // "Examples: Signature Calculations in AWS Signature Version 4", S3 API reference.
  const AwsCredentials example{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                               ""};
  constexpr std::int64_t kThen = 1'369'353'600'000'000;
  const auto signature = [&](const char* url) {
    http::ClientRequest request;
    request.url = url;
    sign_aws(request, example, "us-east-1", "s3", kThen);
    const std::string all(request.headers.get("Authorization"));
    return all.substr(all.find("Signature=") + 10);
  };
  CHECK(signature("https://examplebucket.s3.amazonaws.com/?lifecycle=") ==
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
  CHECK(signature("https://examplebucket.s3.amazonaws.com/?max-keys=2&prefix=J") ==
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

}  // namespace maru::connect

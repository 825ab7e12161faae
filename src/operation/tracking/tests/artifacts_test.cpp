#include "house.h"
#include "maru/base/fault.h"

namespace maru::tracking {
namespace {

using base::Code;

void put(Artifacts& artifacts, const std::string& owner, const std::string& path,
         const std::string& bytes) {
  const auto writer = artifacts.create(owner, path);
  REQUIRE(writer.has_value());
  REQUIRE((*writer)->write(bytes).has_value());
  REQUIRE((*writer)->commit().has_value());
}

std::vector<std::string> names(const std::vector<ArtifactEntry>& entries) {
  std::vector<std::string> out;
  for (const auto& entry : entries) out.push_back(entry.name + (entry.folder ? "/" : ""));
  return out;
}

// An upload in parts of `pieces`; the etags that its parts were given.
struct Upload {
  std::string id;
  std::vector<UploadPart> parts;
};
Upload upload(Artifacts& artifacts, const ArtifactPlace& place,
              const std::vector<std::string>& pieces) {
  Upload out;
  out.id = *artifacts.begin_upload(place.owner, place.path, static_cast<int>(pieces.size()));
  for (std::size_t i = pieces.size(); i > 0; --i) {  // the last part first
    const auto writer = artifacts.create_part(out.id, static_cast<int>(i));
    REQUIRE(writer.has_value());
    REQUIRE((*writer)->write(pieces[i - 1]).has_value());
    const auto part = (*writer)->commit();
    REQUIRE(part.has_value());
    out.parts.push_back({static_cast<int>(i), part->sha256});
  }
  return out;
}

}  // namespace

TEST_CASE("a folder is listed one level deep, by name") {
  TestHouse house;
  auto& artifacts = house.tracking->artifacts();
  const std::string run = house.run(house.experiment("e"), "r");
  for (const char* path : {"a.txt", "model/MLmodel", "model/data/x", "model/data/y", "model-2/z",
                           "빈 파일.txt", "model.txt"})
    put(artifacts, run, path, path);
  CHECK(names(*artifacts.list(run, "")) ==
        std::vector<std::string>{"a.txt", "model-2/", "model.txt", "model/", "빈 파일.txt"});
  CHECK(names(*artifacts.list(run, "model")) == std::vector<std::string>{"MLmodel", "data/"});
  CHECK(names(*artifacts.list(run, "model/data")) == std::vector<std::string>{"x", "y"});
  CHECK(artifacts.list(run, "a.txt")->empty());
  CHECK(artifacts.list(run, "none")->empty());
  CHECK(artifacts.list(run, "..").error().code == Code::kInvalidArgument);
  CHECK(artifacts.open(run, "model").error().code == Code::kInvalidArgument);
  CHECK(artifacts.open(run, "none").error().code == Code::kNotFound);
  CHECK(artifacts.open(run, "model/data/x")->artifact.bytes == 12);
}

TEST_CASE("a name is a file or a folder, never both") {
  TestHouse house;
  auto& artifacts = house.tracking->artifacts();
  const std::string run = house.run(house.experiment("e"), "r");
  put(artifacts, run, "a/b", "1");
  CHECK(artifacts.put_artifact(run, "a", "2").error().code == Code::kInvalidArgument);
  CHECK(artifacts.put_artifact(run, "a/b/c", "2").error().code == Code::kInvalidArgument);
  CHECK(artifacts.put_artifact(run, "a/b", "2").has_value());
  CHECK(*artifacts.read_artifact(run, "a/b") == "2");
  REQUIRE(artifacts.remove(run, "a").has_value());
  CHECK(artifacts.list(run, "")->empty());
  CHECK(artifacts.put_artifact(run, "a", "").has_value());
  CHECK(artifacts.remove(run, "").has_value());
  CHECK(artifacts.list_artifacts(run)->empty());
  // "1" was written over, "2" was refused and removed, "" was removed: all of them are for the collector.
  CHECK(house.db->query("SELECT sha256 FROM freed_blobs")->size() == 3);
}

TEST_CASE("a writer that is not committed leaves nothing") {
  TestHouse house;
  auto& artifacts = house.tracking->artifacts();
  const std::string run = house.run(house.experiment("e"), "r");
  {
    const auto writer = artifacts.create(run, "half");
    REQUIRE((*writer)->write("some").has_value());
  }
  CHECK(artifacts.list(run, "")->empty());
  CHECK(house.blobs->list()->empty());
  CHECK(artifacts.create("nobody", "x").error().code == Code::kNotFound);
}

TEST_CASE("paths of the proxy lead to runs, logged models, versions, or stay free") {
  TestHouse house;
  auto& artifacts = house.tracking->artifacts();
  const std::string experiment = house.experiment("e"), run = house.run(experiment, "r");
  const auto place = [&](const std::string& path) {
    const auto found = artifacts.place(path);
    return found ? found->owner + "|" + found->path : "error";
  };
  CHECK(place(experiment + "/" + run + "/artifacts") == run + "|");
  CHECK(place(experiment + "/" + run + "/artifacts/a/b") == run + "|a/b");
  CHECK(place("own/prefix/" + run + "/artifacts/a") == run + "|a");
  CHECK(place("team/artifacts/a") == "/|team/artifacts/a");
  CHECK(place(run + "/artifactsx/a") == "/|" + run + "/artifactsx/a");
  CHECK(place("") == "/|");
  const auto model = house.tracking->logged_models().create({experiment, "m", "", run, {}, {}});
  REQUIRE(model.has_value());
  CHECK(place(experiment + "/models/" + model->id + "/artifacts/MLmodel") ==
        model->id + "|MLmodel");
  put(artifacts, Artifacts::kFreeOwner, "team/artifacts/a", "x");
  CHECK(names(*artifacts.list(Artifacts::kFreeOwner, "team")) ==
        std::vector<std::string>{"artifacts/"});
}

TEST_CASE("the runs and logged models that have a file of one content and name") {
  TestHouse house;
  auto& artifacts = house.tracking->artifacts();
  const std::string experiment = house.experiment("e");
  std::vector<std::string> runs = {house.run(experiment, "a"), house.run(experiment, "b")};
  std::sort(runs.begin(), runs.end());
  for (const auto& run : runs) {
    put(artifacts, run, "이름.txt", "same");
    put(artifacts, run, "model/이름.txt", "same");
  }
  const std::string other = house.run(experiment, "c");
  put(artifacts, other, "my이름.txt", "same");
  put(artifacts, other, "x", "same");
  put(artifacts, other, "model/이름.txt", "else");
  put(artifacts, Artifacts::kFreeOwner, "이름.txt", "same");  // nobody's
  const std::string sha256 = artifacts.list_artifacts(runs[0])->front().sha256;
  CHECK(*artifacts.owners_of(sha256, "이름.txt", 10) == runs);
  CHECK(*artifacts.owners_of(sha256, "이름.txt", 1) == std::vector{runs[0]});
  CHECK(*artifacts.owners_of(sha256, "x", 10) == std::vector{other});
  CHECK(artifacts.owners_of(sha256, "none", 10)->empty());
}

TEST_CASE("parts come in any order, again, and become one artifact") {
  TestHouse house;
  auto& artifacts = house.tracking->artifacts();
  const ArtifactPlace place{house.run(house.experiment("e"), "r"), "big.bin"};
  Upload sent = upload(artifacts, place, {"one-", "", "three"});
  {
    const auto again = artifacts.create_part(sent.id, 2);  // a retry with other bytes
    REQUIRE((*again)->write("two-").has_value());
    sent.parts[1].etag = (*again)->commit()->sha256;
  }
  auto wrong = sent.parts;
  wrong[0].etag = std::string(64, '0');
  CHECK(artifacts.complete_upload(sent.id, place, wrong).error().code == Code::kInvalidArgument);
  wrong.pop_back();
  CHECK(artifacts.complete_upload(sent.id, place, wrong).error().code == Code::kInvalidArgument);
  CHECK(artifacts.complete_upload(sent.id, {place.owner, "other"}, sent.parts).error().code ==
        Code::kNotFound);
  REQUIRE(artifacts.complete_upload(sent.id, place, sent.parts).has_value());
  CHECK(*artifacts.read_artifact(place.owner, "big.bin") == "one-two-three");
  CHECK(artifacts.complete_upload(sent.id, place, sent.parts).has_value());  // the answer was lost
  CHECK(artifacts.abort_upload(sent.id).error().code == Code::kFailedPrecondition);
  CHECK(artifacts.create_part(sent.id, 1).error().code == Code::kNotFound);
  CHECK(house.blobs->list()->size() == 1);  // the parts are gone
}

TEST_CASE("what an upload left is freed when it is aborted or too old") {
  TestHouse house;
  auto& artifacts = house.tracking->artifacts();
  const ArtifactPlace place{house.run(house.experiment("e"), "r"), "big.bin"};
  // The same bytes in two uploads: one must not take the other's.
  const Upload first = upload(artifacts, place, {"same", "bytes"});
  const Upload second = upload(artifacts, place, {"same", "bytes"});
  CHECK(house.blobs->list()->size() == 4);
  REQUIRE(artifacts.abort_upload(first.id).has_value());
  CHECK(house.blobs->list()->size() == 2);
  CHECK(artifacts.complete_upload(first.id, place, first.parts).error().code ==
        Code::kInvalidArgument);
  REQUIRE(artifacts.complete_upload(second.id, place, second.parts).has_value());
  const Upload late = upload(artifacts, place, {"x"});
  CHECK(*artifacts.collect_uploads(house.clock.now_us()) == 0);
  house.clock.advance_us(1);
  CHECK(*artifacts.collect_uploads(house.clock.now_us()) == 3);
  CHECK(house.blobs->list()->size() == 1);
  CHECK(artifacts.complete_upload(late.id, place, late.parts).error().code == Code::kNotFound);
  CHECK(artifacts.begin_upload(place.owner, "x", 0).error().code == Code::kInvalidArgument);
  CHECK(artifacts.begin_upload(place.owner, "x", Artifacts::kMaxParts).has_value());
  CHECK(artifacts.begin_upload(place.owner, "x", Artifacts::kMaxParts + 1).error().code ==
        Code::kInvalidArgument);
}

TEST_CASE("a full disk fails the write and nothing else") {
  TestHouse house;
  auto& artifacts = house.tracking->artifacts();
  const std::string run = house.run(house.experiment("e"), "r");
  base::set_faults("blob.write:1:enospc");
  CHECK(artifacts.put_artifact(run, "a", "x").error().code == Code::kNoSpace);
  base::set_faults("");
  CHECK(artifacts.put_artifact(run, "a", "x").has_value());
}

TEST_CASE("a signature is this home's own, and the same after a restart") {
  TestHouse house, other;
  const std::string signature = *house.tracking->artifacts().sign("text");
  CHECK(signature.size() == 64);
  CHECK(signature != *house.tracking->artifacts().sign("texT"));
  CHECK(signature != *other.tracking->artifacts().sign("text"));
  house.close();
  house.open();
  CHECK(*house.tracking->artifacts().sign("text") == signature);
}

}  // namespace maru::tracking

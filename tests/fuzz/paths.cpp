// Names and paths that clients choose: what is let through leads nowhere but down, however often somebody decodes it.
#include "../../src/operation/tracking/src/mlflow_names.h"
#include "../../src/operation/tracking/src/names.h"
#include "../../src/product/api/src/mlflow/artifact_files.h"
#include "driver.h"
#include "maru/base/check.h"
#include "maru/base/text.h"

using namespace maru;

namespace {

void leads_down(std::string_view path) {
  MARU_CHECK(!path.starts_with('/'));
  MARU_CHECK(path.find('\\') == path.npos && path.find('\0') == path.npos);
  for (const auto& part : base::split(path, '/')) MARU_CHECK(part != "..");
}

}  // namespace

void fuzz_one(std::string_view input) {
  const std::string text(input);
  if (tracking::check_path(text)) {
    leads_down(text);
    for (const auto& part : base::split(text, '/')) MARU_CHECK(!part.empty() && part != ".");
  }
  if (const auto path = api::mlflow::safe_path(text)) {
    std::string seen = *path;
    for (int i = 0; i < 20; ++i) {
      leads_down(seen);
      seen = http::percent_decode(seen);
    }
  }
  if (const auto path = api::mlflow::proxy_path(text)) MARU_CHECK(path->size() <= text.size());
  if (tracking::check_key("key", text)) {
    MARU_CHECK(!text.starts_with('/'));
    for (const auto& part : base::split(text, '/')) MARU_CHECK(part != "..");
  }
  if (tracking::check_model_name(text))
    MARU_CHECK(text.find('/') == text.npos && text.find(':') == text.npos && text != "..");
  if (tracking::check_name("name", text)) MARU_CHECK(!text.empty() && text.find('/') == text.npos);
  static_cast<void>(tracking::check_label("label", text));
  static_cast<void>(tracking::check_experiment_name(text));
  static_cast<void>(tracking::check_tag_key(text));
  static_cast<void>(tracking::check_alias(text));
  static_cast<void>(tracking::check_logged_model_name(text));
  MARU_CHECK(http::percent_decode(http::percent_encode(text)) == text);
}

std::vector<std::string> fuzz_seeds() {
  return {"a/b/c.txt",
          "%252e%252e/%25252e./x",
          "..%2f..%5c..\\/etc/passwd",
          "C:/x",
          "file:///etc/passwd",
          "mlflow-artifacts://host:5/1/ab/artifacts/model",
          "http://h/api/2.0/mlflow-artifacts/artifacts/1/a/../b",
          "runs:/0123/model#frag?x=1;y",
          "서울/모델 1",
          "a//./b/"};
}

#include "fallback.h"

#include <algorithm>
#include <cmath>

#include "declared.h"
#include "maru/base/text.h"

namespace maru::serve {
namespace {

using base::Code;
using base::fail;
using base::Json;
using model::Task;

tl::unexpected<base::Error> wrong(const std::string& what, std::string hint = {}) {
  return fail(Code::kInvalidArgument, "fallback: " + what, std::move(hint));
}

class ConstantEvaluator final : public model::Evaluator {
 public:
  ConstantEvaluator(Task task, std::vector<double> scores)
      : task_(task), scores_(std::move(scores)) {}
  base::Status predict(const model::InputBatch& batch, model::Predictions& out) const override {
    out.task = task_;
    out.rows = batch.rows;
    out.width = scores_.size();
    out.scores.clear();
    for (std::size_t row = 0; row < batch.rows; ++row)
      out.scores.insert(out.scores.end(), scores_.begin(), scores_.end());
    return {};
  }
  std::string_view engine() const override { return "fallback"; }
  std::string reason() const override { return "declared on the endpoint"; }

 private:
  const Task task_;
  const std::vector<double> scores_;
};

class FallbackBundle final : public model::Bundle {
 public:
  FallbackBundle(model::Signature signature, std::vector<double> scores)
      : signature_(std::move(signature)), evaluator_(signature_.task, std::move(scores)) {}
  const model::Signature& signature() const override { return signature_; }
  const Json& metadata() const override { return metadata_; }
  const data::Table& sample() const override { return sample_; }
  const model::Evaluator& evaluator() const override { return evaluator_; }
  std::uint64_t file_bytes() const override { return 0; }
  std::uint64_t memory_bytes() const override { return sizeof(FallbackBundle); }

 private:
  const model::Signature signature_;
  const Json metadata_ = Json::object({{"learner", "fallback"}});
  const data::Table sample_;
  const ConstantEvaluator evaluator_;
};

base::Result<double> probability_of(const Json& json, bool positive) {
  if (json.is_null()) return positive ? 1.0 : 0.0;
  const double p = json.as_double(-1);
  if (!json.is_number() || !(p >= 0 && p <= 1))
    return wrong("`probability` must lie between 0 and 1: " + json.dump());
  return p;
}

}  // namespace

base::Result<std::shared_ptr<const model::Bundle>> fallback_bundle(const Json& declared) {
  if (declared.is_null()) return std::shared_ptr<const model::Bundle>();
  if (!declared.is_object()) return wrong("must be an object", R"({"prediction": 12.5})");
  static const std::vector<std::string> kKnown = {"prediction", "classes", "probability"};
  TRY(known_keys(declared, "fallback has an unknown key:", kKnown));
  model::Signature signature;
  signature.open = true;
  const Json& prediction = declared["prediction"];
  if (prediction.is_number()) {
    if (declared.has("classes") || declared.has("probability"))
      return wrong("a number has no `classes` and no `probability`");
    signature.task = Task::kRegression;
    return std::make_shared<FallbackBundle>(std::move(signature),
                                            std::vector{prediction.as_double()});
  }
  for (const Json& name : declared["classes"].items())
    signature.classes.push_back(name.as_string());
  if (!prediction.is_string() || signature.classes.size() < 2)
    return wrong("`prediction` must be a number, or one of `classes`",
                 R"({"prediction": "no", "classes": ["no", "yes"], "probability": 0.1})");
  const auto at =
      std::find(signature.classes.begin(), signature.classes.end(), prediction.as_string());
  if (at == signature.classes.end())
    return wrong("`prediction` is none of `classes`: " + prediction.as_string());
  const auto k = static_cast<std::size_t>(at - signature.classes.begin());
  const std::size_t count = signature.classes.size();
  signature.task = count == 2 ? Task::kBinary : Task::kMulticlass;
  TRY_ASSIGN(const double p, probability_of(declared["probability"], count > 2 || k == 1));
  if (count == 2) {
    signature.threshold = k == 1 ? p : std::nextafter(p, 2.0);
    return std::make_shared<FallbackBundle>(std::move(signature), std::vector{p});
  }
  std::vector<double> scores(count, (1 - p) / static_cast<double>(count - 1));
  scores[k] = p;
  if (*std::max_element(scores.begin(), scores.end()) > p)
    return wrong("`probability` is smaller than that of another class: " + base::format_double(p));
  return std::make_shared<FallbackBundle>(std::move(signature), std::move(scores));
}

base::Status check_fallback(const model::Bundle& fallback, const model::Bundle& model) {
  if (model.tensors() != nullptr)
    return fail(Code::kFailedPrecondition,
                "a fallback is an answer of columns; this model answers with tensors");
  const model::Signature &a = fallback.signature(), &b = model.signature();
  if (a.task != b.task || a.classes != b.classes)
    return fail(Code::kFailedPrecondition,
                "the fallback does not answer as the model does: the model's task is " +
                    std::string(model::task_name(b.task)) +
                    (b.classes.empty() ? "" : " of " + base::join(b.classes, ", ")));
  return {};
}

}  // namespace maru::serve

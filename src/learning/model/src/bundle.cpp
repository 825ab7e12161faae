#include <algorithm>
#include <array>
#include <cmath>

#include "foreign_bundle.h"
#include "maru/base/file.h"
#include "maru/base/hash.h"
#include "maru/base/id.h"
#include "maru/model/model.h"
#include "mlflow_files.h"
#include "onnx_io.h"
#include "ort.h"
#include "plan.h"
#include "table_json.h"

namespace maru::model {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;
using base::Status;

constexpr std::int64_t kFormat = 1;
constexpr double kTolerance =
    1e-6;  // of max(1, |score|): what float32 inside a tree ensemble may cost
constexpr std::size_t kMaxSampleRows = 256;
constexpr std::size_t kMaxJsonBytes = 256u << 20;

tl::unexpected<base::Error> corrupt(const std::string& what) {
  return fail(Code::kDataLoss, "the model folder is damaged: " + what,
              "import the model again, or restore it from a backup");
}

double difference(double a, double b) {
  if (a == b || (std::isnan(a) && std::isnan(b))) return 0;
  const double d = std::fabs(a - b) / std::max(1.0, std::fabs(b));
  return std::isnan(d) ? std::numeric_limits<double>::infinity() : d;
}

// The largest difference and where it is.
struct Worst {
  double value = 0;
  std::size_t at = 0;
};
Worst worst_of(const std::vector<double>& got, const std::vector<double>& want) {
  Worst out;
  for (std::size_t i = 0; i < got.size() && i < want.size(); ++i) {
    const double d = difference(got[i], want[i]);
    if (d > out.value) out = {d, i};
  }
  return out;
}

// Serves with one engine and says why that one.
class ServingEvaluator final : public Evaluator {
 public:
  ServingEvaluator(std::unique_ptr<Evaluator> inner, std::string reason)
      : inner_(std::move(inner)), reason_(std::move(reason)) {}
  Status predict(const InputBatch& batch, Predictions& out) const override {
    return inner_->predict(batch, out);
  }
  Status explain(const InputBatch& batch, Explanation& out) const override {
    return inner_->explain(batch, out);
  }
  std::string_view engine() const override { return inner_->engine(); }
  std::string reason() const override { return reason_; }

 private:
  std::unique_ptr<Evaluator> inner_;
  std::string reason_;
};

class LoadedBundle final : public Bundle {
 public:
  const Signature& signature() const override { return signature_; }
  const Json& metadata() const override { return metadata_; }
  const data::Table& sample() const override { return sample_; }
  const Evaluator& evaluator() const override { return *evaluator_; }
  std::uint64_t file_bytes() const override { return file_bytes_; }
  std::uint64_t memory_bytes() const override { return memory_bytes_; }

  Status read(const std::string& folder);

 private:
  Status read_files(const std::string& folder, std::string& onnx, Json& sample);
  Status choose_engine(const std::string& onnx, const Json& sample);
  Result<std::string> try_native(const std::string& onnx, const std::vector<double>& wanted);

  Signature signature_;
  Json metadata_;
  data::Table sample_;
  std::unique_ptr<Evaluator> evaluator_;
  std::uint64_t file_bytes_ = 0, memory_bytes_ = 0;
};

// maru.json without its own hash.
std::string index_hash(const Json& index) {
  Json rest = Json::object();
  for (const auto& [key, value] : index.members())
    if (key != "sha256") rest.set(key, value);
  return base::sha256_hex(rest.dump());
}

Result<Json> read_json_file(const std::string& path) {
  TRY_ASSIGN(const std::string text, base::read_file(path, kMaxJsonBytes));
  base::JsonLimits limits;
  limits.max_bytes = kMaxJsonBytes;
  limits.max_tokens = 50'000'000;
  auto json = base::parse_json(text, limits);
  if (!json)
    return corrupt(base::file_name(path) + " cannot be read (" + json.error().message + ")");
  return std::move(*json);
}

Status LoadedBundle::read_files(const std::string& folder, std::string& onnx, Json& sample) {
  auto index = read_json_file(base::join_path(folder, "maru.json"));
  if (!index) {
    if (index.error().code == Code::kNotFound)
      return fail(Code::kNotFound, "there is no Maru model in " + folder,
                  "a model folder has maru.json, model.onnx and MLmodel");
    return tl::unexpected(std::move(index).error());
  }
  if ((*index)["format"].as_int() > kFormat)
    return fail(Code::kUnimplemented, "the model was made by a newer Maru", "upgrade Maru");
  if ((*index)["sha256"].as_string() != index_hash(*index))
    return corrupt("maru.json does not match its hash");
  for (const char* needed : {"model.onnx", "sample.json"})
    if (!(*index)["files"].has(needed))
      return corrupt(std::string("maru.json does not list ") + needed);
  TRY_ASSIGN(file_bytes_, base::file_size(base::join_path(folder, "maru.json")));
  for (const auto& [name, hash] : (*index)["files"].members()) {
    // A name from a file is no path.
    if (name.empty() || name.find('/') != std::string::npos || name.front() == '.')
      return corrupt("maru.json lists an odd name");
    auto bytes = base::read_file(base::join_path(folder, name), kMaxOnnxBytes);
    if (!bytes)
      return bytes.error().code == Code::kNotFound
                 ? Status(corrupt(name + " is missing"))
                 : Status(tl::unexpected(std::move(bytes).error()));
    if (base::sha256_hex(*bytes) != hash.as_string())
      return corrupt(name + " does not match its hash");
    file_bytes_ += bytes->size();
    if (name == "model.onnx") onnx = std::move(*bytes);
  }
  TRY_ASSIGN(sample, read_json_file(base::join_path(folder, "sample.json")));
  TRY_ASSIGN(signature_, Signature::from_json((*index)["signature"]));
  metadata_ = (*index)["metadata"];
  return {};
}

Result<std::string> LoadedBundle::try_native(const std::string& onnx,
                                             const std::vector<double>& wanted) {
  TRY_ASSIGN(const transform::Graph graph, read_onnx(onnx));
  TRY_ASSIGN(Plan plan, compile_plan(graph, signature_));
  if (sample_.rows() == 0)
    return fail(Code::kUnimplemented, "there are no sample rows to check the native plan on");
  InputBatch batch;
  TRY(fill_from_table(signature_, sample_, batch));
  std::vector<double> got;
  TRY(plan.run(batch, got));
  if (got.size() != wanted.size())
    return corrupt("sample.json has another number of scores than rows");
  const Worst worst = worst_of(got, wanted);
  if (worst.value > kTolerance)
    return fail(Code::kUnimplemented, "the native plan differs from ONNX Runtime by " +
                                          base::format_double(worst.value) + " on sample row " +
                                          std::to_string(worst.at / plan.output.width));
  memory_bytes_ = plan.bytes();
  evaluator_ = native_evaluator(std::move(plan), signature_, &batch);
  return "every node is known; " + std::to_string(sample_.rows()) +
         " sample rows differ from ONNX Runtime by at most " + base::format_double(worst.value);
}

Status LoadedBundle::choose_engine(const std::string& onnx, const Json& sample) {
  std::vector<double> wanted;
  for (const Json& score : sample["scores"].items()) wanted.push_back(score.as_double());
  auto native = try_native(onnx, wanted);
  if (native) {
    evaluator_ = std::make_unique<ServingEvaluator>(std::move(evaluator_), std::move(*native));
    return {};
  }
  if (native.error().code != Code::kUnimplemented) return tl::unexpected(std::move(native).error());
  const std::uint64_t before = allocated_bytes();
  TRY_ASSIGN(std::unique_ptr<Evaluator> inner, load_onnxruntime(onnx, signature_));
  const std::uint64_t after = allocated_bytes();
  // Another thread may have freed meanwhile: never less than the file.
  memory_bytes_ = std::max<std::uint64_t>(after > before ? after - before : 0, onnx.size());
  evaluator_ = std::make_unique<ServingEvaluator>(std::move(inner), native.error().message);
  return {};
}

Status LoadedBundle::read(const std::string& folder) {
  std::string onnx;
  Json sample;
  TRY(read_files(folder, onnx, sample));
  TRY_ASSIGN(sample_, table_from_json(sample["columns"]));
  TRY(choose_engine(onnx, sample));
  memory_bytes_ += table_bytes(sample_) + metadata_.dump().size() * 2;
  return {};
}

Json array_of(const std::vector<double>& values) {
  Json out = Json::array();
  for (const double value : values) out.push(value);
  return out;
}

// Only what the graph reads, and no more rows than a check needs.
data::Table small_sample(const Signature& signature, const data::Table& table) {
  std::vector<std::string> names;
  for (const Input& input : signature.inputs) names.push_back(input.name);
  return table.select(names).slice(0, std::min(kMaxSampleRows, table.rows()));
}

Status write_folder(const std::string& folder, const std::string& onnx, const BundleFacts& facts,
                    const data::Table& sample, const std::vector<double>& sample_scores,
                    std::size_t width) {
  TRY(base::make_folders(folder));
  const std::string onnx_hash = base::sha256_hex(onnx);
  auto files = mlflow_files(facts.signature, width, onnx_hash, onnx.size());
  files.emplace_back("model.onnx", onnx);
  files.emplace_back("sample.json", Json::object({{"columns", table_to_json(sample)},
                                                  {"scores", array_of(sample_scores)}})
                                        .dump());
  Json hashes = Json::object();
  for (const auto& [name, text] : files) hashes.set(name, base::sha256_hex(text));
  Json index = Json::object({{"format", kFormat},
                             {"signature", facts.signature.to_json()},
                             {"metadata", facts.metadata},
                             {"files", std::move(hashes)}});
  // Read back once, so that the hash is over what a reader sees (a NaN becomes text).
  TRY_ASSIGN(index, base::parse_json(index.dump()));
  index.set("sha256", index_hash(index));
  for (const auto& [name, text] : files)
    TRY(base::write_file_atomic(base::join_path(folder, name), text));
  return base::write_file_atomic(base::join_path(folder, "maru.json"), index.dump_pretty() + "\n");
}

Status compare(const char* engine, const Predictions& got, const Predictions& expected,
               const data::Table& rows) {
  if (got.scores.size() != expected.scores.size() || got.width != expected.width)
    return fail(Code::kRefused, "the stored model answers in another shape than the trained one: " +
                                    std::to_string(got.rows) + " x " + std::to_string(got.width) +
                                    " for " + std::to_string(expected.rows) + " x " +
                                    std::to_string(expected.width));
  const Worst worst = worst_of(got.scores, expected.scores);
  if (worst.value <= kTolerance) return {};
  return fail(Code::kRefused,
              std::string("the stored model does not repeat the trained one's answers (") + engine +
                  "): row " + std::to_string(worst.at / got.width) + " of " +
                  std::to_string(rows.rows()) + " gives " +
                  base::format_double(got.scores[worst.at]) + " instead of " +
                  base::format_double(expected.scores[worst.at]),
              "this is a defect of Maru or a damaged disk: the model was not registered");
}

Status replay(const Bundle& bundle, const std::string& onnx, const data::Table& rows,
              const Predictions& expected) {
  InputBatch batch;
  TRY(fill_from_table(bundle.signature(), rows, batch));
  Predictions got;
  TRY(bundle.evaluator().predict(batch, got));
  TRY(compare(std::string(bundle.evaluator().engine()).c_str(), got, expected, rows));
  if (bundle.evaluator().engine() == "onnxruntime") return {};
  TRY_ASSIGN(const std::unique_ptr<Evaluator> reference,
             load_onnxruntime(onnx, bundle.signature()));
  TRY(reference->predict(batch, got));
  return compare("onnxruntime", got, expected, rows);
}

// Removes a half-made folder unless it was published.
class Draft {
 public:
  explicit Draft(std::string path) : path_(std::move(path)) {}
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;
  ~Draft() {
    if (!published_) (void)base::remove_tree(path_);
  }
  const std::string& path() const { return path_; }
  Status publish(const std::string& target) {
    TRY(base::rename_durable(path_, target));
    published_ = true;
    return {};
  }

 private:
  std::string path_;
  bool published_ = false;
};

}  // namespace

Result<std::shared_ptr<const Bundle>> Bundle::create(const std::string& folder,
                                                     const transform::Graph& graph,
                                                     const BundleFacts& facts,
                                                     const data::Table& replay_rows,
                                                     const Predictions& expected) {
  if (base::path_exists(folder))
    return fail(Code::kAlreadyExists, "there is something already at " + folder,
                "choose another folder");
  TRY_ASSIGN(const Signature checked, Signature::from_json(facts.signature.to_json()));
  TRY_ASSIGN(const std::string onnx,
             write_onnx(graph, Json::object({{"maru.task", task_name(checked.task)}})));
  if (graph.outputs.front().name != "scores")
    return fail(Code::kInvalidArgument,
                "the first output of a model is `scores`: " + graph.outputs.front().name);
  const data::Table sample = small_sample(facts.signature, facts.sample);
  TRY_ASSIGN(const std::unique_ptr<OrtSession> session, OrtSession::open(onnx, facts.signature));
  std::vector<double> sample_scores;
  if (sample.rows() > 0) {
    InputBatch batch;
    TRY(fill_from_table(facts.signature, sample, batch));
    TRY(session->run(batch, sample_scores));
  }
  const std::string parent = base::parent_path(folder);
  if (!parent.empty()) TRY(base::make_folders(parent));
  Draft draft(folder + ".tmp-" + base::new_id(base::system_clock()));
  TRY(write_folder(draft.path(), onnx, facts, sample, sample_scores, session->width()));
  TRY_ASSIGN(std::shared_ptr<const Bundle> bundle, load(draft.path()));
  TRY(replay(*bundle, onnx, replay_rows, expected));
  TRY(draft.publish(folder));
  return bundle;
}

Result<std::shared_ptr<const Bundle>> Bundle::load(const std::string& folder) {
  const std::string index = base::join_path(folder, "maru.json"),
                    onnx = base::join_path(folder, "model.onnx");
  if (!base::path_exists(index) && base::path_exists(onnx)) return load_foreign_bundle(onnx);
  auto bundle = std::make_shared<LoadedBundle>();
  TRY(bundle->read(folder));
  return bundle;
}

}  // namespace maru::model

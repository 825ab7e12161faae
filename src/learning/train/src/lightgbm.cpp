#include <LightGBM/c_api.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>

#include "learners.h"
#include "maru/base/log.h"
#include "maru/base/text.h"
#include "params.h"
#include "tree_text.h"

namespace maru::train {
namespace {

using base::Code;
using base::fail;

constexpr int kTypeFloat = C_API_DTYPE_FLOAT32, kTypeDouble = C_API_DTYPE_FLOAT64;
constexpr int kTimedRound = 7;   // each so many rounds, the time that measuring takes is taken
constexpr int kFewRounds = 200;  // without validation rows nothing says when to stop

void on_log(const char* message) {
  std::string_view text = message;
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  if (!text.empty()) base::log(base::LogLevel::kDebug, "lightgbm", {{"text", text}});
}

base::Status checked(int result, const char* doing) {
  if (result == 0) return {};
  return fail(Code::kInternal, std::string(doing) + ": " + LGBM_GetLastError());
}

struct FreeDataset {
  void operator()(void* handle) const { LGBM_DatasetFree(handle); }
};
struct FreeBooster {
  void operator()(void* handle) const { LGBM_BoosterFree(handle); }
};
using Dataset = std::shared_ptr<void>;
using Booster = std::shared_ptr<void>;

std::string dataset_params(const LearnOptions& options) {
  return "max_bin=255 feature_pre_filter=false use_missing=true zero_as_missing=false "
         "enable_bundle=true verbosity=-1 deterministic=true "
         "force_row_wise=true data_random_seed=" +
         std::to_string(options.seed % 2147483647) +
         " num_threads=" + std::to_string(std::max<std::size_t>(1, options.threads));
}

base::Result<Dataset> make_dataset(const Matrix& matrix, const std::string& params,
                                   const Dataset* reference) {
  constexpr auto kMost = static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max());
  if (matrix.features.rows > kMost || matrix.features.columns > kMost)
    return fail(Code::kTooLarge,
                "too many rows for the tree learner: " + std::to_string(matrix.features.rows),
                "train on a sample");
  DatasetHandle handle = nullptr;
  TRY(checked(LGBM_DatasetCreateFromMat(matrix.features.values.data(), kTypeDouble,
                                        static_cast<std::int32_t>(matrix.features.rows),
                                        static_cast<std::int32_t>(matrix.features.columns), 1,
                                        params.c_str(),
                                        reference != nullptr ? reference->get() : nullptr, &handle),
              "preparing the rows for trees"));
  Dataset out(handle, FreeDataset{});
  const std::vector<float> labels(matrix.labels.begin(), matrix.labels.end());
  TRY(checked(LGBM_DatasetSetField(out.get(), "label", labels.data(),
                                   static_cast<int>(labels.size()), kTypeFloat),
              "setting the labels"));
  return out;
}

// The metric to stop by, in Maru's words, and what it is for LightGBM.
struct StopMetric {
  std::string name, library, objective;
  bool larger = false;
};

StopMetric stop_metric(const Labels& labels, const std::string& wanted) {
  if (labels.task == model::Task::kRegression) {
    if (wanted == "mae") return {"mae", "l1", "regression_l1", false};
    return {"rmse", "rmse", "regression", false};
  }
  if (labels.task == model::Task::kMulticlass)
    return {"log_loss", "multi_logloss",
            "multiclass num_class=" + std::to_string(labels.classes.size()), false};
  if (wanted == "roc_auc" || wanted == "pr_auc") return {"roc_auc", "auc", "binary", true};
  return {"log_loss", "binary_logloss", "binary", false};
}

std::string booster_params(const Params& p, const StopMetric& metric, const LearnOptions& options) {
  const auto text = [&p](const char* name) {
    const double value = p[name];
    const bool whole = std::floor(value) == value;  // integer parameters refuse "31.0"
    return " " + std::string(name) + "=" +
           (whole ? std::to_string(static_cast<std::int64_t>(value)) : base::format_double(value));
  };
  std::string out = dataset_params(options) + " objective=" + metric.objective +
                    " metric=" + metric.library +
                    " seed=" + std::to_string(options.seed % 2147483647);
  for (const char* name : {"num_leaves", "learning_rate", "min_data_in_leaf",
                           "min_sum_hessian_in_leaf", "feature_fraction", "lambda_l1", "lambda_l2",
                           "min_gain_to_split", "max_depth", "path_smooth"})
    out += text(name);
  if (p["bagging_fraction"] < 1) out += text("bagging_fraction") + " bagging_freq=1";
  if (p["extra_trees"] != 0) out += " extra_trees=true";
  return out;
}

// A feature whose gain counts nothing is never split on.
base::Result<std::string> drop_params(const Config& config, const std::vector<std::string>& names) {
  const base::Json& drop = config.params["drop"];
  if (drop.size() == 0) return std::string();
  std::vector<std::string> gains(names.size(), "1");
  for (const base::Json& name : drop.items()) {
    const auto at = std::find(names.begin(), names.end(), name.as_string());
    if (at == names.end())
      return fail(Code::kInvalidArgument, "there is no feature to drop: " + name.dump(),
                  base::did_you_mean(name.as_string(), names));
    gains[static_cast<std::size_t>(at - names.begin())] = "0";
  }
  return " feature_contri=" + base::join(gains, ",");
}

base::Result<std::string> model_text(void* booster, int rounds) {
  std::string text(1 << 20, '\0');
  std::int64_t length = 0;
  for (int attempt = 0; attempt < 2; ++attempt) {
    TRY(checked(
        LGBM_BoosterSaveModelToString(booster, 0, rounds, C_API_FEATURE_IMPORTANCE_GAIN,
                                      static_cast<std::int64_t>(text.size()), &length, text.data()),
        "reading the trees"));
    const bool fits = static_cast<std::size_t>(length) <= text.size();
    text.resize(static_cast<std::size_t>(length));
    if (fits) break;
  }
  while (!text.empty() && text.back() == '\0') text.pop_back();
  return text;
}

// The grown booster itself answers: reading the text back would start a thread for every core.
base::Result<std::vector<double>> predict_with(void* booster, int rounds, std::size_t width,
                                               std::size_t threads,
                                               const model::FeatureMatrix& rows) {
  std::vector<double> out(rows.rows * width);
  if (rows.rows == 0) return out;
  LGBM_RegisterLogCallback(on_log);
  std::int64_t length = 0;
  const std::string params =
      "verbosity=-1 num_threads=" + std::to_string(std::max<std::size_t>(1, threads));
  TRY(checked(LGBM_BoosterPredictForMat(
                  booster, rows.values.data(), kTypeDouble, static_cast<std::int32_t>(rows.rows),
                  static_cast<std::int32_t>(rows.columns), 1, C_API_PREDICT_NORMAL, 0, rounds,
                  params.c_str(), &length, out.data()),
              "predicting with the trees"));
  return out;
}

// The curve holds the first rounds and then every tenth, thinned to this many points.
constexpr std::size_t kCurvePoints = 200;
struct CurvePoint {
  int round;
  double train, valid;
};

base::Json curve_json(const std::vector<CurvePoint>& points) {
  base::Json out = base::Json::array();
  const std::size_t step = points.size() / kCurvePoints + 1;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (i % step != 0 && i + 1 != points.size()) continue;
    base::Json point = base::Json::object();
    point.set("round", points[i].round).set("train", points[i].train).set("valid", points[i].valid);
    out.push(std::move(point));
  }
  return out;
}

struct Progression {
  int best_round = 0;
  double best = std::numeric_limits<double>::quiet_NaN(),
         train = std::numeric_limits<double>::quiet_NaN();
  bool cut = false;
  double scoring_s = 0;
  std::vector<CurvePoint> curve;
};

class TreeLearner final : public Prepared {
 public:
  TreeLearner(Labels labels, const Matrix& train_rows, const Matrix& valid_rows, Dataset train,
              Dataset valid)
      : labels_(std::move(labels)),
        names_(train_rows.features.names),
        columns_(train_rows.features.columns),
        one_class_(std::adjacent_find(valid_rows.labels.begin(), valid_rows.labels.end(),
                                      std::not_equal_to<>()) == valid_rows.labels.end()),
        train_(std::move(train)),
        valid_(std::move(valid)) {}

  base::Result<Trained> fit(const Config& config, const LearnOptions& options) override {
    TRY_ASSIGN(const Params params, Params::read(config, lightgbm_params()));
    // The area under a curve says nothing when the validation rows have one class.
    const StopMetric metric = stop_metric(labels_, one_class_ ? "" : options.metric);
    TRY_ASSIGN(const std::string dropped, drop_params(config, names_));
    LGBM_RegisterLogCallback(on_log);
    BoosterHandle handle = nullptr;
    TRY(checked(
        LGBM_BoosterCreate(train_.get(),
                           (booster_params(params, metric, options) + dropped).c_str(), &handle),
        "starting the tree learner"));
    const Booster booster(handle, FreeBooster{});
    if (valid_)
      TRY(checked(LGBM_BoosterAddValidData(booster.get(), valid_.get()),
                  "adding the validation rows"));
    const int fixed = static_cast<int>(params["rounds"]);
    const int most = fixed > 0 ? fixed
                     : valid_  ? options.max_rounds
                               : std::min(options.max_rounds, kFewRounds);
    TRY_ASSIGN(const Progression run, train_rounds(booster.get(), metric, most, config, options));

    Trained out;
    out.config = config;
    out.metric = metric.name;
    out.rounds = run.best_round;
    out.train_score = run.train;
    out.valid_score = run.best;
    out.cut = run.cut;
    out.scoring_s = run.scoring_s;
    out.curve = curve_json(run.curve);
    std::vector<double> gain(columns_, 0.0);
    TRY(checked(LGBM_BoosterFeatureImportance(booster.get(), run.best_round,
                                              C_API_FEATURE_IMPORTANCE_GAIN, gain.data()),
                "reading importances"));
    out.importance = rank_importance(names_, gain);
    TRY_ASSIGN(const std::string text, model_text(booster.get(), run.best_round));
    out.text_model = trees_only(text);
    TRY_ASSIGN(Forest forest, parse_lightgbm_text(out.text_model));
    auto shared = std::make_shared<const Forest>(std::move(forest));
    out.append = [shared, task = labels_.task](transform::Graph& graph,
                                               const std::string& features) {
      return append_forest(*shared, task, graph, features);
    };
    out.predict = [train = train_, valid = valid_, booster, rounds = run.best_round,
                   width = score_width(labels_),
                   threads = options.threads](const model::FeatureMatrix& rows) {
      return predict_with(booster.get(), rounds, width, threads, rows);
    };
    return out;
  }

 private:
  static base::Result<double> score_of(void* booster, int data) {
    std::array<double, 4> values{};
    int length = 0;
    TRY(checked(LGBM_BoosterGetEval(booster, data, &length, values.data()), "measuring the trees"));
    return length > 0 ? values[0] : std::numeric_limits<double>::quiet_NaN();
  }

  base::Result<Progression> train_rounds(void* booster, const StopMetric& metric, int most,
                                         const Config& config, const LearnOptions& options) {
    Progression run;
    Pace pace(options, "train " + config.learner);
    for (int round = 1; round <= most; ++round) {
      int finished = 0;
      TRY(checked(LGBM_BoosterUpdateOneIter(booster, &finished), "growing a tree"));
      const bool timed = round % kTimedRound == 0;
      const std::int64_t grown_ns = timed ? pace.now_ns() : 0;
      const bool keep = round <= 10 || round % 10 == 0;
      double train = std::numeric_limits<double>::quiet_NaN(), valid = train;
      if (keep) {
        TRY_ASSIGN(train, score_of(booster, 0));
      }
      if (valid_) {
        TRY_ASSIGN(valid, score_of(booster, 1));
      }
      if (timed) run.scoring_s += kTimedRound * static_cast<double>(pace.now_ns() - grown_ns) / 1e9;
      if (!std::isnan(train)) run.curve.push_back({round, train, valid});
      const bool better =
          !valid_ || std::isnan(run.best) || (metric.larger ? valid > run.best : valid < run.best);
      if (better) {
        run.best = valid;
        run.best_round = round;
      }
      if (finished !=
          0) {  // nothing left to split: this round added no tree, unless it is the only one
        run.best_round = std::max(1, std::min(run.best_round, round - 1));
        break;
      }
      if (valid_ && round - run.best_round >= options.early_stopping_rounds) break;
      if (pace.stop()) {
        run.cut = true;
        break;
      }
      pace.report(static_cast<double>(round) / most, "round " + std::to_string(round));
    }
    for (const CurvePoint& point : run.curve)
      if (point.round <= run.best_round) run.train = point.train;
    return run;
  }

  Labels labels_;
  std::vector<std::string> names_;
  std::size_t columns_;
  bool one_class_;
  Dataset train_, valid_;
};

}  // namespace

base::Result<std::shared_ptr<Prepared>> prepare_lightgbm(const Labels& labels, const Matrix& train,
                                                         const Matrix& valid,
                                                         const LearnOptions& options) {
  LGBM_RegisterLogCallback(on_log);
  if (train.features.columns == 0)
    return fail(Code::kInvalidArgument, "there are no features to train on");
  const std::string params = dataset_params(options);
  TRY_ASSIGN(Dataset train_set, make_dataset(train, params, nullptr));
  Dataset valid_set;
  if (valid.features.rows > 0) {
    TRY_ASSIGN(valid_set, make_dataset(valid, params, &train_set));
  }
  Labels kept;
  kept.task = labels.task;
  kept.classes = labels.classes;
  return std::make_shared<TreeLearner>(std::move(kept), train, valid, std::move(train_set),
                                       std::move(valid_set));
}

}  // namespace maru::train

#include "transfer/digest.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <tuple>

#include "maru/base/hash.h"

namespace maru::tracking {
namespace {

class Hasher {
 public:
  void number(std::int64_t value) {
    hash_.update(std::string_view(reinterpret_cast<const char*>(&value), sizeof value));
  }
  void real(double value) { number(std::bit_cast<std::int64_t>(settled(value))); }
  void text(std::string_view value) {
    number(static_cast<std::int64_t>(value.size()));
    hash_.update(value);
  }
  void texts(const Text& values) {
    number(static_cast<std::int64_t>(values.size()));
    for (const auto& [key, value] : values) {
      text(key);
      text(value);
    }
  }
  void points(const std::vector<Point>& values) {
    static_assert(sizeof(Point) == 24);
    number(static_cast<std::int64_t>(values.size()));
    hash_.update(std::string_view(reinterpret_cast<const char*>(values.data()),
                                  values.size() * sizeof(Point)));
  }
  void files(const std::vector<Artifact>& values) {
    number(static_cast<std::int64_t>(values.size()));
    for (const auto& file : values) {
      text(file.path);
      text(file.sha256);
    }
  }
  std::string done() { return hash_.hex_digest(); }

 private:
  base::Sha256 hash_;
};

}  // namespace

double settled(double value) {
  if (std::isnan(value)) return std::numeric_limits<double>::quiet_NaN();
  return value == 0 ? 0.0 : value;
}

void settle(std::vector<Point>& points) {
  for (auto& point : points) point.value = settled(point.value);
  if (!std::is_sorted(points.begin(), points.end(), earlier))
    std::stable_sort(points.begin(), points.end(), earlier);
  points.erase(std::unique(points.begin(), points.end()), points.end());
}

std::string digest_of(const WholeRun& whole) {
  const Run& run = whole.run;
  Hasher out;
  for (const auto* text : {&run.id, &run.name, &run.status, &run.user, &run.state}) out.text(*text);
  out.number(run.start_us);
  out.number(run.end_us);
  out.texts(run.params);
  out.texts(run.tags);
  std::vector<const TailEntry::Series*> series;
  for (const auto& one : whole.series) series.push_back(&one);
  std::sort(series.begin(), series.end(),
            [](const auto* a, const auto* b) { return a->key < b->key; });
  for (const auto* one : series) {
    out.text(one->key);
    out.points(one->points);
  }
  std::vector<const DatasetInput*> inputs;
  for (const auto& one : run.datasets) inputs.push_back(&one);
  std::sort(inputs.begin(), inputs.end(), [](const auto* a, const auto* b) {
    return std::tie(a->dataset.name, a->dataset.digest) <
           std::tie(b->dataset.name, b->dataset.digest);
  });
  for (const auto* one : inputs) {
    const Dataset& d = one->dataset;
    for (const auto* text : {&d.name, &d.digest, &d.source_type, &d.source, &d.schema, &d.profile})
      out.text(*text);
    out.texts(one->tags);
  }
  auto in = run.input_models;
  std::sort(in.begin(), in.end());
  in.erase(std::unique(in.begin(), in.end()), in.end());
  for (const auto& id : in) out.text(id);
  std::map<std::string, std::int64_t> outputs;
  for (const auto& model : run.output_models) outputs[model.model_id] = model.step;
  for (const auto& [id, step] : outputs) {
    out.text(id);
    out.number(step);
  }
  out.files(whole.artifacts);
  return out.done();
}

std::string digest_of(const LoggedModel& model, bool deleted, const std::vector<Artifact>& files) {
  Hasher out;
  for (const auto* text : {&model.id, &model.name, &model.model_type, &model.source_run_id,
                           &model.status, &model.status_message})
    out.text(*text);
  out.number(deleted ? 1 : 0);
  out.number(model.created_us);
  out.number(model.updated_us);
  out.texts(model.params);
  out.texts(model.tags);
  const auto key = [](const ModelMetric& m) {
    return std::tie(m.point.key, m.point.time_ms, m.point.step, m.run_id, m.dataset_name,
                    m.dataset_digest);
  };
  std::map<decltype(key(ModelMetric{})), double> points;
  for (const auto& metric : model.metrics) points.insert_or_assign(key(metric), metric.point.value);
  for (const auto& [name, value] : points) {
    out.text(std::get<0>(name));
    out.number(std::get<1>(name));
    out.number(std::get<2>(name));
    out.text(std::get<3>(name));
    out.text(std::get<4>(name));
    out.text(std::get<5>(name));
    constexpr double kMost = std::numeric_limits<double>::max();
    out.real(std::isinf(value) ? std::copysign(kMost, value) : value);
  }
  out.files(files);
  return out.done();
}

std::string digest_of(const ModelVersion& version) {
  Hasher out;
  for (const auto* text : {&version.model, &version.stage, &version.description, &version.run_id,
                           &version.run_link, &version.source, &version.user_id})
    out.text(*text);
  out.number(version.created_us);
  out.number(version.updated_us);
  out.texts(version.tags);
  return out.done();
}

}  // namespace maru::tracking

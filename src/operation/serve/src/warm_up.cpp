#include "warm_up.h"

#include <algorithm>
#include <vector>

#include "maru/model/tensor.h"

namespace maru::serve {
namespace {

constexpr std::size_t kRows = 32;          // sample rows
constexpr std::size_t kRounds = 8;         // of them one by one, and of tensors of zeros
constexpr std::int64_t kNs = 200'000'000;  // and no longer

// The p99 of a number of times, in their unit; -1 without any.
std::int64_t p99_of(std::vector<std::int64_t>& times) {
  if (times.empty()) return -1;
  const std::size_t at = (times.size() * 99 + 99) / 100 - 1;
  std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(at), times.end());
  return times[at];
}

// The least p99 of the rounds, for neighbours on the machine are no fault of the model; -1 for a model without sample rows.
base::Result<std::int64_t> ask_samples(const model::Bundle& bundle, base::Clock& clock) {
  const data::Table sample = bundle.sample().slice(0, std::min(kRows, bundle.sample().rows()));
  if (sample.rows() == 0) return -1;
  model::InputBatch batch;
  model::Predictions out;
  const std::int64_t start_ns = clock.monotonic_ns();
  std::int64_t p99_ns = -1;
  for (std::size_t round = 0; round < kRounds; ++round) {
    std::vector<std::int64_t> times;
    for (std::size_t row = 0; row < sample.rows(); ++row) {
      TRY(model::fill_from_table(bundle.signature(), sample.slice(row, 1), batch));
      const std::int64_t row_ns = clock.monotonic_ns();
      TRY(bundle.evaluator().predict(batch, out));
      times.push_back(clock.monotonic_ns() - row_ns);
    }
    const std::int64_t p99_of_round = p99_of(times);
    if (round > 0) p99_ns = p99_ns < 0 ? p99_of_round : std::min(p99_ns, p99_of_round);
    if (clock.monotonic_ns() - start_ns > kNs) {
      if (round == 0)
        p99_ns = p99_of_round;  // slow enough that the first calls' costs do not count
      break;
    }
  }
  TRY(model::fill_from_table(bundle.signature(), sample, batch));
  TRY(bundle.evaluator().predict(batch, out));
  return p99_ns;
}

// Zeros and empty texts; one wherever any extent will do.
std::vector<model::TensorValue> zeros(const std::vector<model::TensorSpec>& specs) {
  std::vector<model::TensorValue> out;
  for (const model::TensorSpec& spec : specs) {
    model::TensorValue& tensor = out.emplace_back();
    tensor.name = spec.name;
    tensor.type = spec.type;
    for (const std::int64_t extent : spec.shape) tensor.shape.push_back(extent < 0 ? 1 : extent);
    const auto count = model::element_count(tensor.name, tensor.shape);
    if (!count) return {};
    if (tensor.type == model::Datatype::kBytes)
      tensor.texts.resize(*count);
    else
      tensor.bytes.assign(*count * model::datatype_size(tensor.type), '\0');
  }
  return out;
}

// The p99 without the first call, which pays for all; -1 for a model that does not take zeros.
std::int64_t ask_zeros(const model::TensorModel& model, base::Clock& clock) {
  const std::vector<model::TensorValue> inputs = zeros(model.inputs());
  if (inputs.empty()) return -1;
  std::vector<std::int64_t> times;
  const std::int64_t start_ns = clock.monotonic_ns();
  for (std::size_t round = 0; round <= kRounds && clock.monotonic_ns() - start_ns <= kNs; ++round) {
    std::vector<model::TensorValue> outputs;
    const std::int64_t call_ns = clock.monotonic_ns();
    if (!model.run(inputs, {}, outputs)) return -1;
    times.push_back(clock.monotonic_ns() - call_ns);
  }
  if (times.size() > 1) times.erase(times.begin());
  return p99_of(times);
}

}  // namespace

base::Result<std::int64_t> warm_up(const model::Bundle& bundle, base::Clock& clock,
                                   Rehearsal* rehearsal, const Purpose& purpose) {
  std::vector<std::int64_t> logged;
  if (rehearsal != nullptr && !purpose.takes_over.empty())
    logged = rehearsal->ask(purpose.takes_over, bundle);
  TRY_ASSIGN(const std::int64_t p99_ns, ask_samples(bundle, clock));
  if (p99_ns >= 0) return p99_ns;
  if (logged.size() > 1) {
    logged.erase(logged.begin());
    return p99_of(logged);
  }
  const model::TensorModel* tensors = bundle.tensors();
  if (tensors == nullptr || (tensors->waits() && !purpose.bounded)) return -1;
  return ask_zeros(*tensors, clock);
}

}  // namespace maru::serve

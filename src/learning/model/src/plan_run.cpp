#include <algorithm>
#include <array>
#include <cmath>

#include "plan.h"

namespace maru::model {
namespace {

constexpr std::size_t kBlockDoubles = 16'384;  // scratch of a block of rows stays in the L2 cache

struct Scratch {
  std::vector<double> reals;
  std::vector<std::int64_t> ints;
  Forest::Scratch forest;
};

Scratch& thread_scratch() {
  thread_local Scratch scratch;
  return scratch;
}

// One operand of the block: where its first row is, how far apart rows and columns are (0: shared).
template <class T>
struct View {
  T* data;
  std::size_t row, column;
  T& at(std::size_t r, std::size_t c) const { return data[r * row + c * column]; }
};

class Block {
 public:
  Block(const Plan& plan, const InputBatch& batch, Scratch& scratch, std::size_t capacity,
        std::size_t first, std::size_t rows)
      : plan_(plan),
        batch_(batch),
        scratch_(scratch),
        capacity_(capacity),
        first_(first),
        rows_(rows) {}

  void run() {
    for (const Step& step : plan_.steps) execute(step);
  }

  View<const double> reals(const Ref& ref) const {
    const std::size_t column = ref.width > 1 ? 1 : 0;
    switch (ref.place) {
      case Ref::Place::kConstant:
        return {plan_.real_constants.data() + ref.offset, 0, column};
      case Ref::Place::kNumbers:
        return {batch_.columns[ref.offset].numbers.data() + first_, 1, 0};
      default:
        return {scratch_.reals.data() + ref.offset * capacity_, ref.width, column};
    }
  }

 private:
  View<const std::int64_t> ints(const Ref& ref) const {
    const std::size_t column = ref.width > 1 ? 1 : 0;
    switch (ref.place) {
      case Ref::Place::kConstant:
        return {plan_.int_constants.data() + ref.offset, 0, column};
      case Ref::Place::kTimes:
        return {batch_.columns[ref.offset].times.data() + first_, 1, 0};
      default:
        return {scratch_.ints.data() + ref.offset * capacity_, ref.width, column};
    }
  }
  double* real_out(const Step& step) const {
    return scratch_.reals.data() + step.out.offset * capacity_;
  }
  std::int64_t* int_out(const Step& step) const {
    return scratch_.ints.data() + step.out.offset * capacity_;
  }

  // out[i] = f(row, column) over the block.
  template <class Out, class F>
  void each(Out* out, std::uint32_t width, F f) const {
    for (std::size_t r = 0; r < rows_; ++r)
      for (std::size_t c = 0; c < width; ++c) *out++ = f(r, c);
  }
  template <class F>
  void real1(const Step& step, F f) const {
    const auto a = reals(step.in[0]);
    each(real_out(step), step.out.width,
         [&](std::size_t r, std::size_t c) { return f(a.at(r, c)); });
  }
  template <class F>
  void real2(const Step& step, F f) const {
    const auto a = reals(step.in[0]), b = reals(step.in[1]);
    each(real_out(step), step.out.width,
         [&](std::size_t r, std::size_t c) { return f(a.at(r, c), b.at(r, c)); });
  }
  template <class F>
  void int2(const Step& step, F f) const {
    const auto a = ints(step.in[0]), b = ints(step.in[1]);
    each(int_out(step), step.out.width,
         [&](std::size_t r, std::size_t c) { return f(a.at(r, c), b.at(r, c)); });
  }
  template <class F>
  void compare(const Step& step, F f) const {
    const auto a = reals(step.in[0]), b = reals(step.in[1]);
    each(int_out(step), step.out.width,
         [&](std::size_t r, std::size_t c) { return std::int64_t{f(a.at(r, c), b.at(r, c))}; });
  }
  // Wraps around as the machine does.
  template <class F>
  void wrap2(const Step& step, F f) const {
    int2(step, [&](std::int64_t a, std::int64_t b) {
      return static_cast<std::int64_t>(
          f(static_cast<std::uint64_t>(a), static_cast<std::uint64_t>(b)));
    });
  }

  void execute(const Step& step) {
    if (step.op <= Op::kRealWhere)
      number_step(step);
    else if (step.op <= Op::kIntWhere)
      integer_step(step);
    else
      row_step(step);
  }

  void number_step(const Step& step) const {
    switch (step.op) {
      case Op::kAdd:
        return real2(step, [](double a, double b) { return a + b; });
      case Op::kSub:
        return real2(step, [](double a, double b) { return a - b; });
      case Op::kMul:
        return real2(step, [](double a, double b) { return a * b; });
      case Op::kDiv:
        return real2(step, [](double a, double b) { return a / b; });
      case Op::kClip: {
        const double low = *reals(step.in[1]).data, high = *reals(step.in[2]).data;
        return real1(step, [&](double a) { return a < low ? low : a > high ? high : a; });
      }
      case Op::kSigmoid:
        return real1(step, [](double a) {
          return a >= 0 ? 1 / (1 + std::exp(-a)) : 1 - 1 / (1 + std::exp(a));
        });
      case Op::kExp:
        return real1(step, [](double a) { return std::exp(a); });
      case Op::kSqrt:
        return real1(step, [](double a) { return std::sqrt(a); });
      case Op::kAbs:
        return real1(step, [](double a) { return std::fabs(a); });
      case Op::kNeg:
        return real1(step, [](double a) { return -a; });
      case Op::kFloor:
        return real1(step, [](double a) { return std::floor(a); });
      case Op::kRound:  // halves to even, as ONNX says and the default rounding mode does
        return real1(step, [](double a) { return std::nearbyint(a); });
      case Op::kLog:
        return real1(step, [](double a) { return std::log(a); });
      case Op::kRelu:
        return real1(step, [](double a) { return a > 0 ? a : std::isnan(a) ? a : 0.0; });
      case Op::kTanh:
        return real1(step, [](double a) { return std::tanh(a); });
      case Op::kIsNan:
        return compare(step, [](double a, double) { return std::isnan(a) ? 1 : 0; });
      case Op::kRealEqual:
        return compare(step, [](double a, double b) { return a == b ? 1 : 0; });
      case Op::kRealLess:
        return compare(step, [](double a, double b) { return a < b ? 1 : 0; });
      default: {
        const auto condition = ints(step.in[0]);
        const auto a = reals(step.in[1]), b = reals(step.in[2]);
        return each(real_out(step), step.out.width, [&](std::size_t r, std::size_t c) {
          return condition.at(r, c) != 0 ? a.at(r, c) : b.at(r, c);
        });
      }
    }
  }

  void integer_step(const Step& step) const {
    switch (step.op) {
      case Op::kIntAdd:
        return wrap2(step, [](std::uint64_t a, std::uint64_t b) { return a + b; });
      case Op::kIntSub:
        return wrap2(step, [](std::uint64_t a, std::uint64_t b) { return a - b; });
      case Op::kIntMul:
        return wrap2(step, [](std::uint64_t a, std::uint64_t b) { return a * b; });
      // Divisors are positive constants: compile_plan has seen to it. Div truncates, Mod is floored, as in ONNX.
      case Op::kIntDiv:
        return int2(step, [](std::int64_t a, std::int64_t b) { return a / b; });
      case Op::kIntMod:
        return int2(step,
                    [](std::int64_t a, std::int64_t b) { return a % b + (a % b < 0 ? b : 0); });
      case Op::kIntEqual:
        return int2(step, [](std::int64_t a, std::int64_t b) { return std::int64_t{a == b}; });
      case Op::kIntLess:
        return int2(step, [](std::int64_t a, std::int64_t b) { return std::int64_t{a < b}; });
      default: {
        const auto condition = ints(step.in[0]), a = ints(step.in[1]), b = ints(step.in[2]);
        return each(int_out(step), step.out.width, [&](std::size_t r, std::size_t c) {
          return condition.at(r, c) != 0 ? a.at(r, c) : b.at(r, c);
        });
      }
    }
  }

  template <class T, class Get>
  void concat(const Step& step, T* out, Get get) const {
    std::size_t at = 0;
    for (const Ref& ref : step.in) {
      const auto piece = get(ref);
      for (std::size_t r = 0; r < rows_; ++r)
        for (std::size_t c = 0; c < ref.width; ++c)
          out[r * step.out.width + at + c] = piece.at(r, c);
      at += ref.width;
    }
  }

  void text_step(const Step& step) const {
    const TextCodes& codes = plan_.codes[step.index];
    const std::vector<std::string>& texts = batch_.columns[step.in[0].offset].texts;
    for (std::size_t r = 0; r < rows_; ++r) {
      const double code = codes.find(texts[first_ + r]);
      if (step.op == Op::kTextCode)
        real_out(step)[r] = code;
      else
        int_out(step)[r] = static_cast<std::int64_t>(code);
    }
  }

  // How often the words of each column stand between the spaces of a text.
  void count_words(const Step& step) const {
    const TextCodes& codes = plan_.codes[step.index];
    const std::vector<std::string>& texts = batch_.columns[step.in[0].offset].texts;
    for (std::size_t r = 0; r < rows_; ++r) {
      double* row = real_out(step) + r * step.out.width;
      std::fill(row, row + step.out.width, 0.0);
      std::string_view text = texts[first_ + r];
      while (!text.empty()) {
        const std::size_t end = std::min(text.find(' '), text.size());
        const double code = end > 0 ? codes.find(text.substr(0, end)) : -1;
        if (code >= 0) row[static_cast<std::size_t>(code)] += 1;
        text.remove_prefix(std::min(end + 1, text.size()));
      }
    }
  }

  void softmax(const Step& step) const {
    const auto in = reals(step.in[0]);
    const std::size_t width = step.out.width;
    for (std::size_t r = 0; r < rows_; ++r) {
      double* row = real_out(step) + r * width;
      double top = -std::numeric_limits<double>::infinity(), sum = 0;
      for (std::size_t c = 0; c < width; ++c) top = std::max(top, in.at(r, c));
      for (std::size_t c = 0; c < width; ++c) sum += row[c] = std::exp(in.at(r, c) - top);
      for (std::size_t c = 0; c < width; ++c) row[c] /= sum;
    }
  }

  // The same order of additions whatever the number of rows.
  void matmul(const Step& step) const {
    const auto in = reals(step.in[0]);
    const double* weights = plan_.real_constants.data() + step.in[1].offset;
    const std::size_t inner = step.in[0].width, width = step.out.width;
    for (std::size_t r = 0; r < rows_; ++r) {
      double* row = real_out(step) + r * width;
      std::fill(row, row + width, 0.0);
      for (std::size_t i = 0; i < inner; ++i) {
        const double x = in.at(r, i);
        for (std::size_t k = 0; k < width; ++k) row[k] += x * weights[i * width + k];
      }
    }
  }

  void row_step(const Step& step) const {
    switch (step.op) {
      case Op::kIntToReal: {
        const auto a = ints(step.in[0]);
        return each(real_out(step), step.out.width,
                    [&](std::size_t r, std::size_t c) { return static_cast<double>(a.at(r, c)); });
      }
      case Op::kRealToFloat:
        return real1(step, [](double a) { return static_cast<double>(static_cast<float>(a)); });
      case Op::kRealToBool:
        return compare(step, [](double a, double) { return a != 0 ? 1 : 0; });
      case Op::kRealConcat:
        return concat(step, real_out(step), [&](const Ref& ref) { return reals(ref); });
      case Op::kIntConcat:
        return concat(step, int_out(step), [&](const Ref& ref) { return ints(ref); });
      case Op::kRealGather: {
        const auto a = reals(step.in[0]);
        return each(real_out(step), step.out.width,
                    [&](std::size_t r, std::size_t c) { return a.at(r, step.picks[c]); });
      }
      case Op::kIntGather: {
        const auto a = ints(step.in[0]);
        return each(int_out(step), step.out.width,
                    [&](std::size_t r, std::size_t c) { return a.at(r, step.picks[c]); });
      }
      case Op::kSoftmax:
        return softmax(step);
      case Op::kMatMul:
        return matmul(step);
      case Op::kForest: {
        const auto in = reals(step.in[0]);
        const Forest& forest = plan_.forests[step.index];
        forest.evaluate_rows(in.data, in.row, rows_, real_out(step), step.out.width,
                             scratch_.forest);
        return;
      }
      case Op::kWordCounts:
        return count_words(step);
      default:
        return text_step(step);
    }
  }

  const Plan& plan_;
  const InputBatch& batch_;
  Scratch& scratch_;
  std::size_t capacity_, first_, rows_;
};

// `look`(block, first row, rows) after each block of rows [first, first + count) has run.
template <class Look>
void each_block(const Plan& plan, const InputBatch& batch, std::size_t first, std::size_t count,
                Look look) {
  if (count == 0) return;
  Scratch& scratch = thread_scratch();
  const std::size_t columns = std::max<std::size_t>(1, std::max(plan.real_width, plan.int_width));
  const std::size_t capacity =
      std::min(count, std::clamp<std::size_t>(kBlockDoubles / columns, 1, 64));
  if (scratch.reals.size() < plan.real_width * capacity)
    scratch.reals.resize(plan.real_width * capacity);
  if (scratch.ints.size() < plan.int_width * capacity)
    scratch.ints.resize(plan.int_width * capacity);
  const std::size_t end = first + count;
  for (; first < end; first += capacity) {
    const std::size_t rows = std::min(capacity, end - first);
    Block block(plan, batch, scratch, capacity, first, rows);
    block.run();
    look(block, first, rows);
  }
}

}  // namespace

base::Status Plan::run(const InputBatch& batch, std::vector<double>& out) const {
  const std::size_t width = output.width;
  out.resize(batch.rows * width);
  each_block(*this, batch, 0, batch.rows,
             [&](const Block& block, std::size_t first, std::size_t rows) {
               const auto answer = block.reals(output);
               for (std::size_t r = 0; r < rows; ++r)
                 for (std::size_t c = 0; c < width; ++c)
                   out[(first + r) * width + c] = answer.at(r, c);
             });
  return {};
}

void Plan::read(const InputBatch& batch, std::size_t first, std::size_t rows,
                const std::vector<Ref>& refs, std::vector<std::vector<double>>& out) const {
  out.resize(refs.size());
  for (std::size_t i = 0; i < refs.size(); ++i) out[i].resize(rows * refs[i].width);
  each_block(*this, batch, first, rows,
             [&](const Block& block, std::size_t from, std::size_t some) {
               for (std::size_t i = 0; i < refs.size(); ++i) {
                 const auto values = block.reals(refs[i]);
                 const std::size_t width = refs[i].width;
                 for (std::size_t r = 0; r < some; ++r)
                   for (std::size_t c = 0; c < width; ++c)
                     out[i][(from - first + r) * width + c] = values.at(r, c);
               }
             });
}

std::size_t Plan::bytes() const {
  std::size_t total = sizeof(Plan) + steps.capacity() * sizeof(Step) +
                      real_constants.capacity() * sizeof(double) +
                      int_constants.capacity() * sizeof(std::int64_t);
  for (const Step& step : steps)
    total += step.in.capacity() * sizeof(Ref) + step.picks.capacity() * sizeof(std::uint32_t);
  for (const Forest& forest : forests) total += sizeof(Forest) + forest.bytes();
  for (const TextCodes& code : codes) total += sizeof(TextCodes) + code.bytes();
  return total;
}

}  // namespace maru::model

#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "binding.h"
#include "forest.h"
#include "maru/model/model.h"
#include "text_codes.h"

namespace maru::model {

// The name in a graph of what the model itself says, where post-processing follows it and makes `scores`.
inline constexpr const char* kModelScores = "maru/model_scores";

enum class Op : std::uint8_t {
  // numbers, element by element
  kAdd,
  kSub,
  kMul,
  kDiv,
  kClip,
  kSigmoid,
  kExp,
  kSqrt,
  kAbs,
  kNeg,
  kFloor,
  kRound,
  kLog,
  kRelu,
  kTanh,
  kIsNan,
  kRealEqual,
  kRealLess,
  kRealWhere,
  // integers (and truth values 0/1), element by element
  kIntAdd,
  kIntSub,
  kIntMul,
  kIntDiv,
  kIntMod,
  kIntEqual,
  kIntLess,
  kIntWhere,
  // between the two
  kIntToReal,
  kRealToFloat,
  kRealToBool,
  // by row
  kRealConcat,
  kIntConcat,
  kRealGather,
  kIntGather,
  kSoftmax,
  kMatMul,
  kForest,
  kTextCode,
  kTextIndex,
  kWordCounts,
};

// Where an operand lies. Rows of a scratch value are `width` apart; a constant is one row that all rows share.
struct Ref {
  enum class Place : std::uint8_t {
    kScratch,
    kConstant,
    kNumbers,
    kTimes,
    kTexts
  } place = Place::kScratch;
  std::uint32_t offset = 0;  // scratch: in columns; constant: in elements; else the batch's column
  std::uint32_t width = 1;
};

struct Step {
  Op op;
  Ref out;
  std::vector<Ref> in;
  std::uint32_t index = 0;           // of a forest, of text codes
  std::vector<std::uint32_t> picks;  // kRealGather, kIntGather
};

// A graph as a list of steps over two flat scratch areas (doubles; integers and truth values). Floats are kept as doubles that were rounded to
// float. Every step treats rows one by one, so that a row's bits do not depend on its neighbours.
struct Plan {
  std::vector<Step> steps;
  std::vector<double> real_constants;
  std::vector<std::int64_t> int_constants;
  std::vector<Forest> forests;
  std::vector<TextCodes> codes;
  std::uint32_t real_width = 0, int_width = 0;  // scratch columns
  Ref output;
  Ref model_output;  // what the model itself says, before post-processing; most often `output`

  base::Status run(const InputBatch& batch, std::vector<double>& out) const;
  // What lies at `refs` (of doubles) for rows [first, first + rows), row-major each, after the whole plan has run.
  void read(const InputBatch& batch, std::size_t first, std::size_t rows,
            const std::vector<Ref>& refs, std::vector<std::vector<double>>& out) const;
  std::size_t bytes() const;
};

// kUnimplemented names the node that the plan does not know; kDataLoss what is wrong with the graph.
base::Result<Plan> compile_plan(const transform::Graph& graph, const Signature& signature);
std::unique_ptr<Evaluator> native_evaluator(Plan plan, const Signature& signature,
                                            const InputBatch* background);

}  // namespace maru::model

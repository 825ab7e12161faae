#include <algorithm>

#include "batch.h"
#include "maru/model/model.h"
#include "ort.h"

namespace maru::model {
namespace {
constexpr std::size_t kChunkRows =
    4096;  // bounds what the inputs of a chunk and ONNX Runtime's intermediates take
}

base::Result<FeatureMatrix> run_features(const transform::Graph& graph, const Signature& signature,
                                         const data::Table& table) {
  TRY_ASSIGN(const std::string bytes, write_onnx(graph, base::Json::object()));
  TRY_ASSIGN(const std::unique_ptr<OrtSession> session, OrtSession::open(bytes, signature));
  FeatureMatrix out;
  out.rows = table.rows();
  out.columns = session->width();
  out.names = graph.output_columns;
  out.values.resize(out.rows * out.columns);
  InputBatch batch;
  std::vector<double> chunk;
  for (std::size_t from = 0; from < out.rows; from += kChunkRows) {
    const std::size_t count = std::min(kChunkRows, out.rows - from);
    TRY(fill_table_rows(signature, table, from, count, batch));
    TRY(session->run(batch, chunk));
    std::copy(chunk.begin(), chunk.end(),
              out.values.begin() + static_cast<std::ptrdiff_t>(from * out.columns));
  }
  return out;
}

}  // namespace maru::model

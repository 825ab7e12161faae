#include "tensor_rows.h"

#include <algorithm>
#include <numeric>

namespace maru::serve {
namespace {

// Elements [from, from + count) of the rows of a tensor.
model::TensorValue slice(const model::TensorValue& tensor, std::size_t from, std::size_t count) {
  model::TensorValue out;
  out.name = tensor.name;
  out.type = tensor.type;
  out.shape = tensor.shape;
  const auto rows = static_cast<std::size_t>(tensor.shape.front());
  out.shape.front() = static_cast<std::int64_t>(count);
  if (rows == 0) return out;
  const std::size_t bytes = tensor.bytes.size() / rows, texts = tensor.texts.size() / rows;
  out.bytes = tensor.bytes.substr(from * bytes, count * bytes);
  const auto begin = tensor.texts.begin() + static_cast<std::ptrdiff_t>(from * texts);
  out.texts.assign(begin, begin + static_cast<std::ptrdiff_t>(count * texts));
  return out;
}

}  // namespace

std::int64_t rows_of(const std::vector<model::TensorValue>& tensors) {
  std::int64_t out = 0;
  for (const model::TensorValue& tensor : tensors) {
    if (tensor.shape.empty() || (out != 0 && tensor.shape.front() != out)) return 0;
    out = tensor.shape.front();
  }
  return std::max<std::int64_t>(0, out);
}

bool same_but_rows(const std::vector<model::TensorValue>& a,
                   const std::vector<model::TensorValue>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const model::TensorValue& x, const model::TensorValue& y) {
                      return x.name == y.name && x.type == y.type &&
                             x.shape.size() == y.shape.size() &&
                             std::equal(x.shape.begin() + 1, x.shape.end(), y.shape.begin() + 1);
                    });
}

std::vector<model::TensorValue> join_rows(
    const std::vector<const std::vector<model::TensorValue>*>& parts) {
  std::vector<model::TensorValue> out = *parts.front();
  for (std::size_t i = 0; i < out.size(); ++i) {
    for (std::size_t part = 1; part < parts.size(); ++part) {
      const model::TensorValue& more = (*parts[part])[i];
      out[i].shape.front() += more.shape.front();
      out[i].bytes += more.bytes;
      out[i].texts.insert(out[i].texts.end(), more.texts.begin(), more.texts.end());
    }
  }
  return out;
}

std::vector<std::vector<model::TensorValue>> split_rows(
    const std::vector<model::TensorValue>& outputs, const std::vector<std::int64_t>& rows) {
  const std::int64_t all = std::accumulate(rows.begin(), rows.end(), std::int64_t{0});
  for (const model::TensorValue& output : outputs) {
    if (output.shape.empty() || output.shape.front() != all) return {};
  }
  std::vector<std::vector<model::TensorValue>> out(rows.size());
  std::size_t from = 0;
  for (std::size_t part = 0; part < rows.size(); ++part) {
    const auto count = static_cast<std::size_t>(rows[part]);
    for (const model::TensorValue& output : outputs)
      out[part].push_back(slice(output, from, count));
    from += count;
  }
  return out;
}

}  // namespace maru::serve

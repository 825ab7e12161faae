#include "response_cache.h"

#include "maru/base/hash.h"

namespace maru::serve {
namespace {

constexpr std::uint64_t kEntryBytes = 256;  // what an entry costs beside its tensors, about

// Each text with its length, so that no two calls spell the same bytes.
void add(std::string& out, std::string_view text) {
  out += std::to_string(text.size());
  out += ':';
  out += text;
}

}  // namespace

std::string content_of(const std::vector<model::TensorValue>& tensors,
                       const std::vector<std::string>& wanted, const base::Json& params) {
  std::string out;
  out.reserve(bytes_of(tensors) + 64 * tensors.size());
  for (const model::TensorValue& tensor : tensors) {
    add(out, tensor.name);
    add(out, model::datatype_name(tensor.type));
    for (const std::int64_t extent : tensor.shape) out += std::to_string(extent) + ',';
    add(out, tensor.bytes);
    for (const std::string& text : tensor.texts) add(out, text);
    out += ';';
  }
  for (const std::string& name : wanted) add(out, name);
  if (!params.is_null()) out += ';' + params.dump();
  return base::sha256_hex(out);
}

std::uint64_t bytes_of(const std::vector<model::TensorValue>& tensors) {
  std::uint64_t out = 0;
  for (const model::TensorValue& tensor : tensors) {
    out += sizeof(tensor) + tensor.name.size() + tensor.bytes.size() + 8 * tensor.shape.size();
    for (const std::string& text : tensor.texts) out += sizeof(text) + text.size();
  }
  return out;
}

const std::vector<model::TensorValue>* ResponseCache::find(const std::string& content,
                                                           std::int64_t now_ns) {
  const auto found = by_content_.find(content);
  if (found == by_content_.end()) return nullptr;
  if (now_ns - found->second->kept_ns > keep_ns_) {
    erase(found->second);
    return nullptr;
  }
  order_.splice(order_.begin(), order_, found->second);
  return &order_.front().outputs;
}

void ResponseCache::keep(const std::string& content, const std::vector<model::TensorValue>& outputs,
                         std::int64_t now_ns) {
  const std::uint64_t bytes = bytes_of(outputs) + kEntryBytes;
  if (bytes > max_bytes_) return;
  if (const auto found = by_content_.find(content); found != by_content_.end())
    erase(found->second);
  while (!order_.empty() && bytes_ + bytes > max_bytes_) erase(std::prev(order_.end()));
  order_.push_front({content, outputs, bytes, now_ns});
  by_content_.emplace(content, order_.begin());
  bytes_ += bytes;
}

void ResponseCache::erase(std::list<Kept>::iterator at) {
  bytes_ -= at->bytes;
  by_content_.erase(at->content);
  order_.erase(at);
}

}  // namespace maru::serve

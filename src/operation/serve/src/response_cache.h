#pragma once
#include <cstdint>
#include <list>
#include <string>
#include <unordered_map>
#include <vector>

#include "maru/model/tensor.h"

namespace maru::serve {

// The SHA-256 of what a call of a version depends on: names, types, shapes and elements of its tensors, the outputs it wants, and the model's own parameters.
std::string content_of(const std::vector<model::TensorValue>& tensors,
                       const std::vector<std::string>& wanted, const base::Json& params);
std::uint64_t bytes_of(const std::vector<model::TensorValue>& tensors);

// Answers by content, the least lately used given up first, bounded in bytes and in age. Not thread safe: the lane's lock guards it.
class ResponseCache {
 public:
  ResponseCache(std::uint64_t max_bytes, std::int64_t keep_ns)
      : max_bytes_(max_bytes), keep_ns_(keep_ns) {}
  const std::vector<model::TensorValue>* find(const std::string& content, std::int64_t now_ns);
  void keep(const std::string& content, const std::vector<model::TensorValue>& outputs,
            std::int64_t now_ns);
  std::uint64_t bytes() const { return bytes_; }

 private:
  struct Kept {
    std::string content;
    std::vector<model::TensorValue> outputs;
    std::uint64_t bytes = 0;
    std::int64_t kept_ns = 0;
  };
  void erase(std::list<Kept>::iterator at);

  const std::uint64_t max_bytes_;
  const std::int64_t keep_ns_;
  std::uint64_t bytes_ = 0;
  std::list<Kept> order_;  // the latest used first
  std::unordered_map<std::string, std::list<Kept>::iterator> by_content_;
};

}  // namespace maru::serve

#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "maru/base/clock.h"
#include "maru/base/json.h"
#include "maru/base/result.h"
#include "maru/model/tensor.h"

namespace maru::model {

// A message between this process and a worker: u32 bytes of the head, u64 bytes of the body, the head as JSON, the body. Little endian.
struct Frame {
  base::Json head;
  std::string body;
};

inline constexpr std::size_t kMaxFrameHead = 1u << 20, kMaxFrameBody = 1u << 30;

// Over a stream socket, whole, until `deadline_ns` of the clock: kDeadlineExceeded; kUnavailable when the other end has gone; kDataLoss for what is no frame.
base::Status send_frame(int channel, const base::Json& head,
                        const std::vector<std::string_view>& body, base::Clock& clock,
                        std::int64_t deadline_ns);
base::Result<Frame> receive_frame(int channel, base::Clock& clock, std::int64_t deadline_ns);

// Tensors as the body of a frame and the list that describes them: [{"name", "datatype", "shape", "bytes"}]. Elements of BYTES are u32 length and bytes.
class PackedTensors {
 public:
  explicit PackedTensors(const std::vector<const TensorValue*>& tensors);  // which must outlive it
  const base::Json& list() const { return list_; }
  const std::vector<std::string_view>& parts() const { return parts_; }

 private:
  base::Json list_ = base::Json::array();
  std::vector<std::string> texts_;
  std::vector<std::string_view> parts_;
};
// kDataLoss when the list and the bytes do not agree.
base::Result<std::vector<TensorValue>> unpack_tensors(const base::Json& list,
                                                      std::string_view body);

}  // namespace maru::model

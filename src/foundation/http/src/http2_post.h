#pragma once
#include <utility>

#include "http2.h"
#include "post.h"

namespace maru::http {

// What comes back to the connection's thread, if the connection still lives. Of any thread; may outlive the connection.
template <class Task>
std::function<void()> Http2::poster(Task task) {
  return [core = core_, loop = &loop_, weak = connection_, task = std::move(task)] {
    core->post(*loop, [weak, task] {
      if (const auto connection = weak.lock()) connection->with_http2(task);
    });
  };
}

template <class Task>
void Http2::post(Task task) {
  poster(std::move(task))();
}

}  // namespace maru::http

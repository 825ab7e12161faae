#pragma once
#include "connection.h"

#include <boost/asio/post.hpp>

namespace maru::http {

template <class Task>
bool ServerCore::post(IoLoop& loop, Task task) {
  const std::shared_lock lock(post_mutex);
  if (stopped) return false;
  asio::post(loop.context, std::move(task));
  return true;
}

}  // namespace maru::http

#pragma once
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace maru::http::test {

// A bare TCP peer on loopback: sends exactly the bytes it is told to.
class Peer {
 public:
  explicit Peer(std::uint16_t port) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      ::close(fd_);
      fd_ = -1;
    }
  }
  Peer(Peer&& other) noexcept : fd_(std::exchange(other.fd_, -1)), left_(std::move(other.left_)) {}
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer() {
    if (fd_ >= 0) ::close(fd_);
  }
  bool connected() const { return fd_ >= 0; }
  int fd() const { return fd_; }
  void finish_sending() { ::shutdown(fd_, SHUT_WR); }

  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t done = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (done <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(done));
    }
    return true;
  }

  // More bytes into left_; false at the end or after the time limit.
  bool more(int timeout_ms = 10'000) {
    pollfd wait{fd_, POLLIN, 0};
    if (::poll(&wait, 1, timeout_ms) <= 0) return false;
    char bytes[65536];
    const ssize_t got = ::recv(fd_, bytes, sizeof bytes, 0);
    if (got <= 0) {
      closed_ = true;
      return false;
    }
    left_.append(bytes, static_cast<std::size_t>(got));
    return true;
  }
  bool wait_for(std::string_view text) {
    while (left_.find(text) == std::string::npos) {
      if (!more()) return false;
    }
    return true;
  }
  std::string all() {
    while (more()) {
    }
    return std::exchange(left_, {});
  }
  bool closed() const { return closed_; }
  std::string& left() { return left_; }

  struct Answer {
    int status = 0;
    std::string head;
    std::string body;
  };
  // One response with Content-Length or chunks; status 0 when the connection ended first.
  Answer answer(bool head_only = false) {
    Answer out;
    if (!wait_for("\r\n\r\n")) return out;
    const std::size_t end = left_.find("\r\n\r\n") + 4;
    out.head = left_.substr(0, end);
    left_.erase(0, end);
    out.status = std::stoi(out.head.substr(9, 3));
    if (head_only || out.status == 204 || out.status == 304 || out.status == 100) return out;
    const std::size_t length = out.head.find("Content-Length: ");
    if (length != std::string::npos) {
      const std::size_t size = std::stoul(out.head.substr(length + 16));
      while (left_.size() < size && more()) {
      }
      out.body = left_.substr(0, size);
      left_.erase(0, size);
    } else if (out.head.find("Transfer-Encoding: chunked") != std::string::npos) {
      out.body = chunks();
    }
    return out;
  }

 private:
  std::string chunks() {
    std::string body;
    for (;;) {
      if (!wait_for("\r\n")) return body + "<cut off>";
      const std::size_t line = left_.find("\r\n");
      const std::size_t size = std::stoul(left_.substr(0, line), nullptr, 16);
      while (left_.size() < line + 2 + size + 2) {
        if (!more()) return body + "<cut off>";
      }
      body += left_.substr(line + 2, size);
      left_.erase(0, line + 2 + size + 2);
      if (size == 0) return body;
    }
  }

  int fd_ = -1;
  bool closed_ = false;
  std::string left_;
};

}  // namespace maru::http::test

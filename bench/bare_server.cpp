// The least an answer over HTTP/1.1 costs on a machine: one thread, epoll, a fixed answer to whatever comes in one piece. A yardstick for targets that were
// set on another machine, and nothing else.    bare_server PORT
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

int main(int count, char** words) {
  constexpr std::string_view kAnswer =
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
      "15\r\n\r\n{\"status\":\"ok\"}";
  if (count != 2) return 2;
  const int door = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const int on = 1;
  ::setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in place{};
  place.sin_family = AF_INET;
  place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  place.sin_port = htons(static_cast<std::uint16_t>(std::atoi(words[1])));
  if (::bind(door, reinterpret_cast<sockaddr*>(&place), sizeof place) != 0 ||
      ::listen(door, 1024) != 0)
    return 1;
  const int poll = ::epoll_create1(0);
  const auto watch = [poll](int fd) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    ::epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
  };
  watch(door);
  static char bytes[65536];
  for (;;) {
    epoll_event events[128];
    const int ready = ::epoll_wait(poll, events, 128, -1);
    for (int i = 0; i < ready; ++i) {
      const int fd = events[i].data.fd;
      if (fd == door) {
        const int peer = ::accept4(door, nullptr, nullptr, SOCK_NONBLOCK);
        if (peer < 0) continue;
        ::setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        watch(peer);
      } else if (::read(fd, bytes, sizeof bytes) <= 0 ||
                 ::write(fd, kAnswer.data(), kAnswer.size()) < 0) {
        ::close(fd);
      }
    }
  }
}

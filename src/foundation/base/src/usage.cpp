#include "maru/base/usage.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "maru/base/file.h"

namespace maru::base {
namespace {

double seconds_of(const rusage& usage) {
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::uint64_t resident_bytes_of(const std::string& process) {
  std::FILE* file = std::fopen(("/proc/" + process + "/statm").c_str(), "re");
  if (file == nullptr) return 0;
  unsigned long long pages = 0, resident = 0;
  const int read = std::fscanf(file, "%llu %llu", &pages, &resident);
  std::fclose(file);
  return read == 2 ? resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) : 0;
}

// proc(5): fields 14 to 17 of stat, behind the name in parentheses, are the clock ticks of the process and of its ended children.
double cpu_seconds_of(const std::string& process) {
  std::FILE* file = std::fopen(("/proc/" + process + "/stat").c_str(), "re");
  if (file == nullptr) return 0;
  unsigned long long user = 0, system = 0, ended_user = 0, ended_system = 0;
  const int read = std::fscanf(
      file, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %llu %llu", &user,
      &system, &ended_user, &ended_system);
  std::fclose(file);
  if (read != 4) return 0;
  return static_cast<double>(user + system + ended_user + ended_system) /
         static_cast<double>(::sysconf(_SC_CLK_TCK));
}

// Each thread has those that it started.
std::vector<std::string> children() {
  std::vector<std::string> out;
  const auto threads = list_folder("/proc/self/task");
  if (!threads) return out;
  for (const std::string& thread : *threads) {
    std::FILE* file = std::fopen(("/proc/self/task/" + thread + "/children").c_str(), "re");
    if (file == nullptr) continue;
    for (int id = 0; std::fscanf(file, "%d", &id) == 1;) out.push_back(std::to_string(id));
    std::fclose(file);
  }
  return out;
}

}  // namespace

ProcessUsage process_usage() {
  ProcessUsage out;
  rusage mine{}, ended{};
  ::getrusage(RUSAGE_SELF, &mine);
  ::getrusage(RUSAGE_CHILDREN, &ended);
  out.cpu_seconds = seconds_of(mine);
  out.resident_bytes = resident_bytes_of("self");
  out.children_cpu_seconds = seconds_of(ended);
  for (const std::string& child : children()) {
    ++out.children;
    out.children_cpu_seconds += cpu_seconds_of(child);
    out.children_resident_bytes += resident_bytes_of(child);
  }
  return out;
}

}  // namespace maru::base

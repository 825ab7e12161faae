// GET /metrics: what serving counts, the prediction log, and this process and its machine.
#include <sys/sysinfo.h>

#include <algorithm>
#include <atomic>
#include <cstdio>

#include "maru/base/text.h"
#include "maru/base/usage.h"
#include "routes.h"

namespace maru::api {
namespace {

void head(std::string& out, const char* name, const char* type, const char* help) {
  out.append("# HELP ").append(name).append(" ").append(help).append("\n# TYPE ");
  out.append(name).append(" ").append(type).append("\n");
}

void single(std::string& out, const char* name, const char* type, const char* help, double value) {
  head(out, name, type, help);
  out.append(name).append(" ").append(base::format_double(value)).append("\n");
}

std::string label(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

void log_metrics(std::string& out, const Services& s) {
  const auto endpoints = s.server->list();
  head(out, "maru_log_rows_total", "counter",
       "Rows of the prediction log: accepted, and of them written");
  for (const auto& status : endpoints) {
    const auto counts = s.log->counts(status.config.name);
    const std::string labels = "{endpoint=\"" + label(status.config.name) + "\",outcome=\"";
    out += "maru_log_rows_total" + labels + "accepted\"} " + std::to_string(counts.accepted) + "\n";
    out += "maru_log_rows_total" + labels + "written\"} " + std::to_string(counts.written) + "\n";
  }
  head(out, "maru_log_shed_total", "counter",
       "Rows that are not in the prediction log because the queue was full or they are too large");
  for (const auto& status : endpoints) {
    const auto counts = s.log->counts(status.config.name);
    for (std::size_t i = 0; i < monitor::kShedReasons; ++i)
      out += "maru_log_shed_total{endpoint=\"" + label(status.config.name) + "\",reason=\"" +
             std::string(monitor::shed_reason_name(static_cast<monitor::ShedReason>(i))) + "\"} " +
             std::to_string(counts.shed_by[i]) + "\n";
  }
}

// Jiffies of the machine so far: all, and those that were idle or waited for a disk.
struct Jiffies {
  std::uint64_t all = 0, idle = 0;
};
Jiffies read_jiffies() {
  Jiffies out;
  std::FILE* file = std::fopen("/proc/stat", "r");
  if (file == nullptr) return out;
  unsigned long long part[8] = {};
  const int read =
      std::fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &part[0], &part[1], &part[2],
                  &part[3], &part[4], &part[5], &part[6], &part[7]);
  std::fclose(file);
  for (int i = 0; i < read; ++i) out.all += part[i];
  if (read > 4) out.idle = part[3] + part[4];
  return out;
}

// Of the machine since the last time somebody asked.
double cpu_utilization() {
  static std::atomic<std::uint64_t> last_all{0}, last_idle{0};
  const Jiffies now = read_jiffies();
  const std::uint64_t all = now.all - std::min(now.all, last_all.exchange(now.all)),
                      idle = now.idle - std::min(now.idle, last_idle.exchange(now.idle));
  return all == 0 ? 0 : 1 - static_cast<double>(std::min(idle, all)) / static_cast<double>(all);
}

void process_metrics(std::string& out, const Services& s) {
  const base::ProcessUsage usage = base::process_usage();
  single(out, "process_cpu_seconds_total", "counter", "CPU time of this process",
         usage.cpu_seconds);
  single(out, "process_resident_memory_bytes", "gauge", "Memory of this process",
         static_cast<double>(usage.resident_bytes));
  single(out, "maru_children_cpu_seconds_total", "counter",
         "CPU time of the processes that this one started: models in Python, commands",
         usage.children_cpu_seconds);
  single(out, "maru_children_resident_memory_bytes", "gauge", "Memory of those that run",
         static_cast<double>(usage.children_resident_bytes));
  single(out, "process_start_time_seconds", "gauge", "When this process began, since 1970",
         static_cast<double>(s.started_us) * 1e-6);
  struct sysinfo machine {};
  if (::sysinfo(&machine) != 0) return;
  const double unit = machine.mem_unit, total = static_cast<double>(machine.totalram) * unit,
               free = static_cast<double>(machine.freeram + machine.bufferram) * unit;
  single(out, "nv_cpu_utilization", "gauge",
         "CPU utilization rate of the machine [0.0 - 1.0], since the last time this was asked",
         cpu_utilization());
  single(out, "nv_cpu_memory_total_bytes", "gauge", "CPU total memory (RAM), in bytes", total);
  single(out, "nv_cpu_memory_used_bytes", "gauge", "CPU used memory (RAM), in bytes", total - free);
}

}  // namespace

void add_metrics_route(Router& router, const Services& s) {
  router.add(Method::kGet, "/metrics", {Permission::kRead, RunOn::kServe},
             [s](const Request&, Context&) -> base::Result<Response> {
               std::string text = s.server->metrics_text();
               log_metrics(text, s);
               text += s.importer->metrics_text();
               text += s.streams->metrics_text();
               process_metrics(text, s);
               return Response::text(std::move(text), 200,
                                     "text/plain; version=0.0.4; charset=utf-8");
             });
}

}  // namespace maru::api

#include "maru/base/fault.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <mutex>
#include <string>
#include <vector>

#include "maru/base/text.h"

namespace maru::base {
namespace {

enum class Action { kEio, kEnospc, kKill };

struct Rule {
  std::string name;
  long at = 1;
  Action action = Action::kEio;
  long passed = 0;
};

struct Faults {
  std::mutex mutex;
  std::vector<Rule> rules;
};

Faults& faults() {
  static Faults instance;
  return instance;
}

// 0 off, 1 on, 2 the environment was not read yet.
std::atomic<int> armed{2};

void load(std::string_view spec) {
  std::vector<Rule> rules;
  for (const std::string& part : split(spec, ',')) {
    const std::vector<std::string> words = split(trim(part), ':');
    if (words.size() != 3) continue;
    Rule rule;
    rule.name = words[0];
    rule.at = std::strtol(words[1].c_str(), nullptr, 10);
    if (words[2] == "kill")
      rule.action = Action::kKill;
    else if (words[2] == "enospc")
      rule.action = Action::kEnospc;
    else if (words[2] != "eio")
      continue;
    rules.push_back(std::move(rule));
  }
  Faults& all = faults();
  const std::lock_guard lock(all.mutex);
  all.rules = std::move(rules);
  armed.store(all.rules.empty() ? 0 : 1, std::memory_order_release);
}

int pass(std::string_view name) {
  Faults& all = faults();
  const std::lock_guard lock(all.mutex);
  int result = 0;
  for (Rule& rule : all.rules) {
    if (rule.name != "*" && rule.name != name) continue;
    if (++rule.passed != rule.at) continue;
    if (rule.action == Action::kKill) ::kill(::getpid(), SIGKILL);
    result = rule.action == Action::kEnospc ? ENOSPC : EIO;
  }
  return result;
}

}  // namespace

int fault_point(std::string_view name) {
  const int state = armed.load(std::memory_order_relaxed);
  if (state == 0) return 0;
  if (state == 2) {
    static std::once_flag once;
    std::call_once(once, [] {
      if (armed.load() != 2) return;
      const char* spec = std::getenv("MARU_FAULT");
      load(spec == nullptr ? "" : spec);
    });
    if (armed.load() == 0) return 0;
  }
  return pass(name);
}

void set_faults(std::string_view spec) { load(spec); }

}  // namespace maru::base

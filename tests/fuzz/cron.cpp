// Cron expressions: parsed or refused; text of shares and seconds likewise.
#include "driver.h"
#include "maru/pipeline/pipeline.h"
#include "maru/steps/project_file.h"

void fuzz_one(std::string_view input) {
  static_cast<void>(maru::pipeline::Cron::parse(input));
  static_cast<void>(maru::steps::parse_share(input));
  static_cast<void>(maru::steps::parse_seconds(input));
}

std::vector<std::string> fuzz_seeds() {
  return {"0 3 * * *", "*/5 0-6,22 1 JAN-MAR mon", "@daily", "20%", "60s", "1d", "0.2", "1h30m"};
}

#pragma once
#include <string>
#include <string_view>
#include <vector>

// One fuzzer is one file that defines these two; driver.cpp mutates the seeds and calls fuzz_one with each.
// fuzz_one must return for every input: a sanitizer report, a failed check or a crash is a finding.
void fuzz_one(std::string_view input);
std::vector<std::string> fuzz_seeds();

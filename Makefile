# The commands of this repository; `make help` lists them. Each installs what is missing first (tools/setup).
.DEFAULT_GOAL := help
.PHONY: help setup build web demo test bench check format asan tsan fuzz dist build-times clean

JOBS ?= $(shell nproc)
PRESET ?= release
BUILD := build/$(PRESET)

help:
	@sed -n 's/^\([a-z-]*\):.*## */\1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup:
	@tools/setup

web: setup
	@tools/web

build: web ## build/release/maru (PRESET=dev, asan, tsan or clang for another build)
	@cmake --preset $(PRESET) >/dev/null || cmake --preset $(PRESET)
	@ninja -C $(BUILD) -j $(JOBS) maru

demo: build ## the whole loop on the flights data; leaves the server up and prints its URL
	@$(BUILD)/maru demo

test: ## every test that needs no other server; ends with one line "N passed, M failed"
	@tools/setup --clients
	@python3 tools/test --preset release --jobs $(JOBS)

bench: build ## benchmarks, each beside its target
	@python3 bench/run --binary $(BUILD)/maru

check: setup ## format, lint, tidy, header self-sufficiency, duplicate report
	@tools/check

format: setup ## rewrites our C++ sources in the house style
	@git ls-files -co --exclude-standard 'src/*.h' 'src/*.cpp' 'tests/*.cpp' 'bench/*.cpp' | xargs clang-format -i

asan: setup ## unit and scenario tests and a pass of each fuzzer under AddressSanitizer and UndefinedBehaviorSanitizer
	@python3 tools/test --preset asan --jobs $(JOBS) --only unit,scenario,fuzz

tsan: setup ## the unit and scenario tests under ThreadSanitizer
	@python3 tools/test --preset tsan --jobs $(JOBS) --only unit,scenario

FUZZ_SECONDS ?= 60
fuzz: setup ## fuzzers of every parser of foreign bytes, FUZZ_SECONDS each
	@python3 tests/fuzz/run --seconds $(FUZZ_SECONDS)

dist: ## maru-<version>-linux-x86_64.tar.gz: runs on a bare Debian 12
	@$(MAKE) --no-print-directory build PRESET=release
	@tools/dist build/release/maru .

build-times: ## the ten slowest files of the last build
	@python3 tools/build_times $(BUILD) 10

clean:
	@rm -rf build web/dist

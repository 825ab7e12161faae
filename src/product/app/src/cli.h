#pragma once

namespace maru::app {

// Parses the command line, runs the verb and returns the exit code of DESIGN §7.
int run_cli(int argc, char** argv);

}  // namespace maru::app

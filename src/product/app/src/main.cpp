#include "cli.h"

int main(int argc, char** argv) { return maru::app::run_cli(argc, argv); }

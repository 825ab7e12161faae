#pragma once
#include <span>

#include "maru/store/database.h"

namespace maru::tracking {
std::span<const store::Migration> migrations();
}

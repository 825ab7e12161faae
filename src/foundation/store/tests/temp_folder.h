#pragma once
#include <stdlib.h>

#include <string>

#include "maru/base/file.h"

namespace maru::store {

// A folder of its own for one test, removed afterwards.
class TempFolder {
 public:
  TempFolder() : path_("/tmp/maru-store-XXXXXX") {
    if (::mkdtemp(path_.data()) == nullptr) path_.clear();
  }
  ~TempFolder() { static_cast<void>(base::remove_tree(path_)); }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace maru::store

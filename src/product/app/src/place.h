#pragma once
#include <string>

#include "maru/base/result.h"
#include "session.h"

namespace maru::app {

std::string temporary_folder();  // $TMPDIR, or /tmp

// A home that goes away with its owner, or the one that was named.
class Place {
 public:
  static base::Result<Place> find(const std::string& named);
  Place(Place&& other) noexcept;
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  Place& operator=(Place&&) = delete;
  ~Place();
  const std::string& folder() const { return folder_; }

 private:
  Place() = default;
  std::string folder_, remove_;
};

// "/models/churn.v2.ubj" -> "churn.v2"
std::string model_name_of(const std::string& path);
// Takes a model file in as the champion of its name.
base::Status import_champion(Session& session, const std::string& path, const std::string& name);

}  // namespace maru::app

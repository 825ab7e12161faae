#pragma once
#include <optional>
#include <string>

#include "maru/store/database.h"
#include "maru/tracking/registry.h"

// What webhooks are told, in the caller's transaction. A model that is a prompt (MLflow's tag) has events of its own.
namespace maru::tracking {

struct RegistryPlace {
  const std::string& project;
  const std::string& model;
};

base::Status tell_model_created(store::Writer& writer, std::int64_t now_us, const std::string& name,
                                const std::string& description, const Text& tags);
base::Status tell_version_created(store::Writer& writer, std::int64_t now_us,
                                  const std::string& project, const ModelVersion& version);
// Without a value: it was removed.
base::Status tell_model_tag(store::Writer& writer, std::int64_t now_us, const RegistryPlace& place,
                            const std::string& key, const std::optional<std::string>& value);
base::Status tell_version_tag(store::Writer& writer, std::int64_t now_us,
                              const RegistryPlace& place, int version, const std::string& key,
                              const std::optional<std::string>& value);
// version 0: the alias was removed.
base::Status tell_alias(store::Writer& writer, std::int64_t now_us, const RegistryPlace& place,
                        const std::string& alias, int version);

struct RunFacts {
  const std::string& id;
  const std::string& experiment_id;
  const std::string& name;
  const std::string& status;
};
base::Status tell_run(store::Writer& writer, std::int64_t now_us, const char* action,
                      const RunFacts& run);

}  // namespace maru::tracking

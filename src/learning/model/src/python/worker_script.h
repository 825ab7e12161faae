#pragma once

namespace maru::model {

// What a child process runs: it loads a model with mlflow.pyfunc and answers frames (frames.h) on the channel.
extern const char* const kWorkerScript;

}  // namespace maru::model

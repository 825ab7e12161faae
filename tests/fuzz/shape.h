#pragma once
#include <cstdint>
#include <string_view>

#include "maru/base/json.h"
#include "maru/base/rng.h"

// A generator that the input decides.
maru::base::Rng rng_of(std::string_view input);
// The document with some of its values replaced by ones of another type, size or sign, left out, repeated, or put one level deeper.
// `input` is one of the texts that come in.
maru::base::Json misshape(maru::base::Json document, maru::base::Rng& rng, std::string_view input);

#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "maru/data/table.h"
#include "maru/transform/features.h"

namespace maru::transform {

// The pieces between spaces; other white space is part of a piece, as for ONNX Runtime's StringSplit with " ". Empty pieces are left out.
std::vector<std::string_view> pieces_of(std::string_view text);
// The word that a piece is: in lower case (ASCII), without ASCII punctuation around it.
std::string word_of(std::string_view piece);

// Reads a text column as sentences: the words that say most about the target become 0/1 columns. False, and `out` as it was, when the texts are no sentences
// (fewer than kLeastWords words each on average) or no word comes often enough.
inline constexpr double kLeastWords = 2;
bool fit_words(const data::Column& column, const std::vector<double>& target, double prior,
               const FitOptions& options, FeatureColumn& out);

}  // namespace maru::transform

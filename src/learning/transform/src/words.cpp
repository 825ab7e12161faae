#include "words.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <unordered_map>

#include "maru/base/text.h"

namespace maru::transform {
namespace {

constexpr std::size_t kTreeWords = 256;  // 0/1 columns that trees can make something of
constexpr std::size_t kLinearWords = 2000;
constexpr std::size_t kCells = 8'000'000;       // rows x words: bounds the memory of training
constexpr std::size_t kMostSpellings = 20'000;  // of all words of a column together
constexpr double kEverywhere = 0.95;            // a word in more of the rows says nothing

struct Word {
  std::string text;
  std::uint64_t rows = 0;
  double sum = 0;  // of the target
  std::size_t last_row = 0;
  std::map<std::string, std::uint64_t> spellings;
};

struct Words {
  std::vector<Word> all;
  std::uint64_t pieces = 0, present = 0;
};

Words count_words(const data::Column& column, const std::vector<double>& target) {
  Words out;
  std::unordered_map<std::string, std::size_t> known;
  for (std::size_t row = 0; row < column.codes.size(); ++row) {
    if (!column.is_valid(row) || column.codes[row] < 0) continue;
    ++out.present;
    for (const std::string_view piece :
         pieces_of(column.dictionary[static_cast<std::size_t>(column.codes[row])])) {
      ++out.pieces;
      std::string text = word_of(piece);
      if (text.empty()) continue;
      const auto [at, fresh] = known.emplace(std::move(text), out.all.size());
      if (fresh) {
        out.all.emplace_back();
        out.all.back().text = at->first;
      }
      Word& word = out.all[at->second];
      ++word.spellings[std::string(piece)];
      if (word.last_row == row + 1) continue;  // once a row
      word.last_row = row + 1;
      ++word.rows;
      word.sum += target[row];
    }
  }
  return out;
}

// How far the target's mean among the rows with the word is from the mean of all, in units of its noise.
double weight_of(const Word& word, double prior) {
  const auto rows = static_cast<double>(word.rows);
  return std::fabs(word.sum / rows - prior) * std::sqrt(rows);
}

// The most telling first; ties by how often they come, then by bytes.
std::vector<const Word*> telling(const Words& words, double prior, std::uint64_t min_count,
                                 std::size_t most) {
  std::vector<const Word*> out;
  const double everywhere = kEverywhere * static_cast<double>(words.present);
  for (const Word& word : words.all)
    if (word.rows >= min_count && static_cast<double>(word.rows) <= everywhere)
      out.push_back(&word);
  std::sort(out.begin(), out.end(), [&](const Word* a, const Word* b) {
    const double x = weight_of(*a, prior), y = weight_of(*b, prior);
    if (x != y) return x > y;
    return a->rows != b->rows ? a->rows > b->rows : a->text < b->text;
  });
  if (out.size() > most) out.resize(most);
  return out;
}

}  // namespace

std::vector<std::string_view> pieces_of(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (end > 0) out.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::string word_of(std::string_view piece) {
  const auto around = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    const bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
    return byte < 0x80 && !letter && !(byte >= '0' && byte <= '9');
  };
  while (!piece.empty() && around(piece.front())) piece.remove_prefix(1);
  while (!piece.empty() && around(piece.back())) piece.remove_suffix(1);
  return base::to_lower_ascii(piece);
}

bool fit_words(const data::Column& column, const std::vector<double>& target, double prior,
               const FitOptions& options, FeatureColumn& out) {
  const Words words = count_words(column, target);
  if (words.present == 0 ||
      static_cast<double>(words.pieces) < kLeastWords * static_cast<double>(words.present))
    return false;
  const std::size_t most =
      std::min(options.target == Target::kTrees ? kTreeWords : kLinearWords,
               std::max<std::size_t>(16, kCells / std::max<std::size_t>(1, column.rows())));
  const auto kept = telling(words, prior, options.min_count, most);
  if (kept.empty()) return false;
  out.encoding = Encoding::kWords;
  out.reason =
      std::to_string(words.all.size()) + " words, " + std::to_string(kept.size()) + " kept";
  for (const Word* word : kept) {
    const auto index = static_cast<std::int64_t>(out.vocabulary.size());
    out.vocabulary.push_back(word->text);
    for (const auto& [spelling, count] : word->spellings) {
      if (out.spellings.size() >= kMostSpellings && spelling != word->spellings.begin()->first)
        continue;
      out.spellings.push_back(spelling);
      out.spelling_of.push_back(index);
    }
  }
  return true;
}

}  // namespace maru::transform

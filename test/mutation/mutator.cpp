#include "test/mutation/mutator.hpp"

#include <fmt/format.h>

#include <array>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "dsl/lex/token_buffer.hpp"

namespace kaspar::mutation {
namespace {

using namespace std::literals;
using Random = std::mt19937_64;

// Bytes that mean something to the lexer, and some that mean nothing.
constexpr std::string_view telling_bytes =
    "{}[]()|>=,:.\"\\$#?!-+*/%<&;'`\n\r\t _09azAZ\0\x7F\x80\xC3\xEF\xFF"sv;

std::size_t below(Random& random, std::size_t count) {
  return std::uniform_int_distribution<std::size_t>(0, count - 1)(random);
}

struct Extent {
  std::size_t begin;
  std::size_t end;
};

std::vector<Extent> tokens_of(const std::string& text) {
  const dsl::TokenBuffer buffer =
      dsl::lex(std::make_shared<const dsl::SourceBuffer>("mutant", text));
  // A byte-order mark is no part of the source's text, but of the file's.
  const std::size_t mark = text.size() - buffer.source->text().size();
  std::vector<Extent> extents;
  for (const dsl::Token& token : buffer.tokens) {
    if (token.span.end > token.span.begin)
      extents.push_back({token.span.begin + mark, token.span.end + mark});
  }
  return extents;
}

std::vector<Extent> lines_of(const std::string& text) {
  std::vector<Extent> extents;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size() - 1) + 1;
    extents.push_back({begin, end});
    begin = end;
  }
  return extents;
}

std::string cut(const std::string& text, Extent extent) {
  return text.substr(extent.begin, extent.end - extent.begin);
}

std::string mutate_byte(std::string& text, Random& random) {
  const std::size_t at = below(random, text.size() + 1);
  const char byte = below(random, 4) == 0 ? static_cast<char>(below(random, 256))
                                          : telling_bytes[below(random, telling_bytes.size())];
  switch (below(random, 4)) {
    case 0:
      text.insert(at, 1, byte);
      return fmt::format("byte {} inserted at {}", static_cast<unsigned char>(byte), at);
    case 1:
      text.erase(std::min(at, text.size() - 1), 1);
      return fmt::format("byte at {} deleted", at);
    case 2:
      text[std::min(at, text.size() - 1)] = byte;
      return fmt::format("byte at {} is {}", at, static_cast<unsigned char>(byte));
    default:
      text.resize(at);
      return fmt::format("cut off at {}", at);
  }
}

std::string swap(std::string& text, Extent a, Extent b) {
  if (a.begin > b.begin) std::swap(a, b);
  if (a.begin == b.begin) return "nothing";
  const std::string first = cut(text, a);
  const std::string second = cut(text, b);
  text.replace(b.begin, second.size(), first);
  text.replace(a.begin, first.size(), second);
  return fmt::format("{} and {} swapped", a.begin, b.begin);
}

/// Of tokens and of lines: deletes, repeats, swaps or replaces one.
std::string mutate_extent(std::string& text, const std::vector<Extent>& extents,
                          const std::string& other, std::string_view what, Random& random) {
  const Extent one = extents[below(random, extents.size())];
  const std::string own = cut(text, one);
  const std::string gap = what == "token" ? " " : "";
  switch (below(random, 5)) {
    case 0:
      text.erase(one.begin, own.size());
      return fmt::format("{} at {} deleted", what, one.begin);
    case 1:
      text.insert(one.end, gap + own);
      return fmt::format("{} at {} repeated", what, one.begin);
    case 2:
      return fmt::format("{}: {}", what, swap(text, one, extents[below(random, extents.size())]));
    case 3:
      text.insert(one.end, gap + other);
      return fmt::format("{} inserted at {}", what, one.end);
    default:
      text.replace(one.begin, own.size(), other);
      return fmt::format("{} at {} replaced", what, one.begin);
  }
}

}  // namespace

Original read_original(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (!file || text.empty()) throw std::runtime_error(fmt::format("cannot read {}", path));
  Original original{.path = path, .text = std::move(text), .tokens = {}};
  for (const Extent token : tokens_of(original.text))
    original.tokens.push_back(cut(original.text, token));
  return original;
}

Mutator::Mutator(std::vector<Original> originals) : originals_(std::move(originals)) {}

Mutant Mutator::make(std::uint64_t seed, std::uint64_t number) const {
  std::seed_seq sequence{seed, seed >> 32, number, number >> 32};
  Random random(sequence);
  const Original& original = originals_[below(random, originals_.size())];
  Mutant mutant{.path = original.path, .text = original.text, .history = {}};
  const std::size_t most_mutations = below(random, 3) == 0 ? 3 : 1;
  for (std::size_t left = 1 + below(random, most_mutations); left > 0 && !mutant.text.empty();
       --left) {
    const Original& other = originals_[below(random, originals_.size())];
    std::string done;
    const auto tokens = tokens_of(mutant.text);
    switch (const std::size_t kind = below(random, 4); kind) {
      case 0:
        done = mutate_byte(mutant.text, random);
        break;
      case 1:
        done = mutate_extent(
            mutant.text, lines_of(mutant.text),
            cut(other.text, lines_of(other.text)[below(random, lines_of(other.text).size())]),
            "line", random);
        break;
      default:
        // From the same file, or, to meet what it has nothing of, from another.
        if (tokens.empty()) break;
        const auto& stock = kind == 2 ? original.tokens : other.tokens;
        done =
            mutate_extent(mutant.text, tokens, stock[below(random, stock.size())], "token", random);
    }
    mutant.history += mutant.history.empty() ? done : "; " + done;
  }
  return mutant;
}

}  // namespace kaspar::mutation

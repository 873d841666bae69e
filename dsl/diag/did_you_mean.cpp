#include <algorithm>
#include <vector>

#include "dsl/diag/diagnostic.hpp"

namespace kaspar::dsl {
namespace {

// Names longer than this are not typed by people; comparing them would only cost time.
constexpr std::size_t longest_name = 64;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = lower(a[i - 1]) == lower(b[j - 1]);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0u : 1u)});
      if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
          lower(a[i - 2]) == lower(b[j - 1])) {
        row[j] = std::min(row[j], before_last[j - 2] + 1);
      }
    }
    std::swap(before_last, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

}  // namespace

std::string_view did_you_mean(std::string_view name,
                              const std::vector<std::string_view>& candidates) {
  if (name.empty() || name.size() > longest_name) return {};
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(1, name.size() / 3) + 1;
  bool tie = false;
  for (const std::string_view candidate : candidates) {
    if (candidate == name || candidate == best || candidate.size() > longest_name) continue;
    // A one-letter name is a letter away from every other: nothing can be told from that.
    if (std::min(name.size(), candidate.size()) < 2) continue;
    const std::size_t longer = std::max(name.size(), candidate.size());
    if (longer - std::min(name.size(), candidate.size()) > best_distance) continue;
    const std::size_t distance = edit_distance(name, candidate);
    // As many as three are a slip of the same word only where it begins alike.
    constexpr std::size_t many = 3;
    if (distance >= many && lower(name.front()) != lower(candidate.front())) continue;
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
      tie = false;
    } else if (distance == best_distance && !best.empty()) {
      tie = true;
    }
  }
  return tie ? std::string_view{} : best;
}

}  // namespace kaspar::dsl

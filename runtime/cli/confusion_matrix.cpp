#include "runtime/cli/confusion_matrix.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <set>

namespace kaspar::cli {

std::string ConfusionMatrix::text() const {
  std::set<std::string> labels;
  for (const auto& [pair, count] : counts_) labels.insert({pair.first, pair.second});

  constexpr std::size_t narrowest = 6;  // columns stay apart where labels are short
  const std::string corner = "true \\ predicted";
  std::size_t first = corner.size();
  for (const std::string& label : labels) first = std::max(first, label.size());

  std::string table;
  auto out = std::back_inserter(table);
  fmt::format_to(out, "{:<{}}", corner, first);
  for (const std::string& label : labels) {
    fmt::format_to(out, "  {:>{}}", label, std::max(narrowest, label.size()));
  }
  table += '\n';
  for (const std::string& truth : labels) {
    fmt::format_to(out, "{:<{}}", truth, first);
    for (const std::string& predicted : labels) {
      const auto found = counts_.find({truth, predicted});
      fmt::format_to(out, "  {:>{}}", found == counts_.end() ? 0 : found->second,
                     std::max(narrowest, predicted.size()));
    }
    table += '\n';
  }
  return table;
}

}  // namespace kaspar::cli

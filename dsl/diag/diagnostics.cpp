#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <tuple>

#include "dsl/diag/diagnostic.hpp"

namespace kaspar::dsl {

void Diagnostics::sort() {
  std::map<const SourceBuffer*, std::size_t> order;
  for (const Diagnostic& entry : entries_) order.try_emplace(entry.source.get(), order.size());
  std::stable_sort(entries_.begin(), entries_.end(), [&](const Diagnostic& a, const Diagnostic& b) {
    if (a.source != b.source) return order[a.source.get()] < order[b.source.get()];
    return a.span.begin < b.span.begin;
  });
}

void Diagnostics::append(const Diagnostics& others) {
  using Identity = std::tuple<std::string_view, std::uint32_t, DiagnosticCode, std::string_view>;
  const auto identity = [](const Diagnostic& entry) {
    return Identity{entry.source->path(), entry.span.begin, entry.code, entry.message};
  };
  std::set<Identity> known;
  entries_.reserve(entries_.size() + others.entries_.size());  // for `known` views the messages
  for (const Diagnostic& entry : entries_) known.insert(identity(entry));
  for (const Diagnostic& entry : others.entries_) {
    if (!known.contains(identity(entry))) entries_.push_back(entry);
  }
  // A source without diagnostics goes, and another may come to lie where it was.
  for (const Diagnostic& entry : others.entries_) {
    const auto hidden = others.hidden_.find(entry.source.get());
    if (hidden != others.hidden_.end()) hidden_.insert(*hidden);
  }
}

bool Diagnostics::hides(const SourceBuffer& source, std::uint32_t offset) const noexcept {
  const auto spans = hidden_.find(&source);
  if (spans == hidden_.end()) return false;
  const auto next = spans->second.upper_bound(offset);
  return next != spans->second.begin() && offset < std::prev(next)->second;
}

std::size_t Diagnostics::errors() const noexcept {
  return static_cast<std::size_t>(
      std::count_if(entries_.begin(), entries_.end(),
                    [](const Diagnostic& entry) { return entry.severity == Severity::Error; }));
}

}  // namespace kaspar::dsl

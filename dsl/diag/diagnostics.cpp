#include <algorithm>
#include <map>

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

bool Diagnostics::hides(const SourceBuffer& source, std::uint32_t offset) const noexcept {
  return std::any_of(hidden_.begin(), hidden_.end(), [&](const Hidden& hidden) {
    return hidden.source == &source && hidden.span.begin <= offset && offset < hidden.span.end;
  });
}

std::size_t Diagnostics::errors() const noexcept {
  return static_cast<std::size_t>(
      std::count_if(entries_.begin(), entries_.end(),
                    [](const Diagnostic& entry) { return entry.severity == Severity::Error; }));
}

}  // namespace kaspar::dsl

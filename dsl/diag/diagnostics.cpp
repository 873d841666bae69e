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

void Diagnostics::append(const Diagnostics& others) {
  const auto same = [](const Diagnostic& a, const Diagnostic& b) {
    return a.code == b.code && a.span == b.span && a.message == b.message &&
           a.source->path() == b.source->path();
  };
  const std::size_t before = entries_.size();
  for (const Diagnostic& entry : others.entries_) {
    const auto end = entries_.begin() + static_cast<std::ptrdiff_t>(before);
    if (std::none_of(entries_.begin(), end, [&](const Diagnostic& e) { return same(e, entry); })) {
      entries_.push_back(entry);
    }
  }
  // A source without diagnostics goes, and another may come to lie where it was.
  for (const Hidden& hidden : others.hidden_) {
    if (std::any_of(others.entries_.begin(), others.entries_.end(),
                    [&](const Diagnostic& e) { return e.source.get() == hidden.source; })) {
      hidden_.push_back(hidden);
    }
  }
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

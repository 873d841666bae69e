// What is told of a resource that a run uses: which files it was made of, what was tried with it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace kaspar {

struct ResourceFacts {
  std::string sha256;  // of the file, and those beside it that it names; empty: it is none
  std::uint64_t bytes = 0;
  std::size_t golden_rows = 0;  // that were reproduced; 0: none were given
  double golden_deviation = 0;  // the largest, as the tolerance counts it
};

/// A Resource may be one, too.
class DescribedResource {
 public:
  [[nodiscard]] virtual ResourceFacts facts() const = 0;

 protected:
  ~DescribedResource() = default;
};

}  // namespace kaspar

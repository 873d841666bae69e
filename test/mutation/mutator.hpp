// Damages pipeline files as typing, merging and broken disks do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace kaspar::mutation {

/// A file that the mutants start from.
struct Original {
  std::string path;
  std::string text;
  std::vector<std::string> tokens;  // as written, for mutants of every file
};

[[nodiscard]] Original read_original(const std::string& path);

struct Mutant {
  std::string path;  // of its original: what it names is found beside that
  std::string text;
  std::string history;  // what was done to it
};

class Mutator {
 public:
  /// Not empty.
  explicit Mutator(std::vector<Original> originals);

  /// The same seed and number always give the same mutant.
  [[nodiscard]] Mutant make(std::uint64_t seed, std::uint64_t number) const;

 private:
  std::vector<Original> originals_;
};

}  // namespace kaspar::mutation

// A place in a file of the user's.
#pragma once

#include <cstdint>
#include <string>

namespace kaspar {

/// Where an item or stage stands in its file; lines and columns count from 1, columns in code
/// points.
struct Place {
  std::string file;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
};

}  // namespace kaspar

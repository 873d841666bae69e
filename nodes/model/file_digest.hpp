// What tells one state of a model's files from another.
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string>

namespace kaspar::nodes {

struct FileDigest {
  std::string sha256;  // in hexadecimal digits, as `cat FILES | sha256sum` prints it
  std::uint64_t bytes = 0;
};

/// Of the files' bytes, one after the other. The error tells why one cannot be read.
[[nodiscard]] std::expected<FileDigest, std::string> digest_of(std::span<const std::string> files);

}  // namespace kaspar::nodes

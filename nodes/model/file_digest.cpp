#include "nodes/model/file_digest.hpp"

#include <fmt/core.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "nodes/model/file_bytes.hpp"

namespace kaspar::nodes {
namespace {

constexpr std::size_t piece = 1u << 20;

}  // namespace

std::expected<FileDigest, std::string> digest_of(std::span<const std::string> files) {
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context{EVP_MD_CTX_new(),
                                                                   EVP_MD_CTX_free};
  FileDigest digest;
  if (!context || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1) return digest;
  std::vector<std::byte> bytes;
  try {
    for (const std::string& path : files) {
      FileBytes file(path);
      for (std::uint64_t at = 0; at < file.size(); at += bytes.size()) {
        bytes.resize(std::min<std::uint64_t>(piece, file.size() - at));
        file.read(at, bytes);
        if (EVP_DigestUpdate(context.get(), bytes.data(), bytes.size()) != 1) return digest;
      }
      digest.bytes += file.size();
    }
  } catch (const FileRefused& refused) {
    return std::unexpected(refused.reason);
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> result{};
  unsigned size = 0;
  if (EVP_DigestFinal_ex(context.get(), result.data(), &size) != 1) return digest;
  for (unsigned i = 0; i < size; ++i) digest.sha256 += fmt::format("{:02x}", result[i]);
  return digest;
}

}  // namespace kaspar::nodes

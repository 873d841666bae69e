#include "runtime/cli/deployed_files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <utility>

namespace kaspar::cli {
namespace {

namespace fs = std::filesystem;

std::unexpected<Failure> refuse(std::string message, std::string help = {}) {
  return std::unexpected(
      Failure{.status = ExitStatus::Usage, .message = std::move(message), .help = std::move(help)});
}

std::expected<std::string, Failure> bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (!file) return refuse(fmt::format("cannot read `{}`", path));
  return bytes;
}

/// The folders that both are in.
fs::path common_folder(const fs::path& a, const fs::path& b) {
  fs::path common;
  for (auto left = a.begin(), right = b.begin();
       left != a.end() && right != b.end() && *left == *right; ++left, ++right) {
    common /= *left;
  }
  return common;
}

bool is_plain(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.';
}

}  // namespace

std::expected<DeployedFiles, Failure> read_deployed_files(const std::string& pipeline,
                                                          const std::set<std::string>& paths,
                                                          const std::set<std::string>& models) {
  std::map<fs::path, std::string> given;  // by whole path, not through links
  const auto whole = [](const std::string& path) { return fs::absolute(path).lexically_normal(); };
  const fs::path own = whole(pipeline);
  given[own] = pipeline;
  std::set<fs::path> of_models;
  for (const std::string& path : models) of_models.insert(whole(path));
  for (const std::string& path : paths) given[whole(path)] = path;
  fs::path folder = own.parent_path();
  for (const auto& [path, text] : given) folder = common_folder(folder, path.parent_path());

  DeployedFiles deployed{.pipeline = own.lexically_relative(folder).generic_string()};
  std::set<std::string> keys;
  for (const auto& [path, text] : given) {
    DeployedFile file{.path = path.lexically_relative(folder).generic_string(),
                      .model = of_models.contains(path)};
    if (!std::ranges::all_of(file.path, [](char c) { return is_plain(c) || c == '/'; })) {
      return refuse(fmt::format("a ConfigMap cannot have the file `{}`", text),
                    "give it a name of letters, digits, `-`, `_` and `.`");
    }
    file.key = file.path;
    std::ranges::replace(file.key, '/', '_');
    while (!keys.insert(file.key).second) file.key += '_';
    auto bytes = bytes_of(text);
    if (!bytes) return std::unexpected(std::move(bytes.error()));
    file.bytes = std::move(*bytes);
    deployed.files.push_back(std::move(file));
  }
  return deployed;
}

std::string content_hash(const std::vector<const DeployedFile*>& files) {
  std::uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
  const auto add = [&](std::string_view text) {
    for (const char c : text) {
      hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
    }
  };
  for (const DeployedFile* file : files) {
    add(fmt::format("{}:{}:{}:", file->path.size(), file->path, file->bytes.size()));
    add(file->bytes);
  }
  return fmt::format("{:016x}", hash);
}

}  // namespace kaspar::cli

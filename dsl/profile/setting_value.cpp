#include "dsl/profile/setting_value.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "runtime/core/timestamp.hpp"

namespace kaspar::dsl {

std::optional<std::chrono::milliseconds> read_setting_duration(const toml::node& node) {
  const auto text = node.value<std::string>();
  if (!node.is_string() || !text) return std::nullopt;
  const auto value = parse_duration(*text);
  if (!value || *value < 0) return std::nullopt;
  return std::chrono::milliseconds{*value};
}

std::optional<std::uint64_t> read_setting_size(const toml::node& node) {
  if (const auto* whole = node.as_integer()) {
    if (whole->get() < 0) return std::nullopt;
    return static_cast<std::uint64_t>(whole->get());
  }
  const auto* string = node.as_string();
  if (string == nullptr) return std::nullopt;
  const std::string& text = string->get();
  std::uint64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc{}) return std::nullopt;
  const std::string_view unit(end, text.data() + text.size());
  static constexpr std::array<std::pair<std::string_view, std::uint64_t>, 7> units{
      {{"B", 1},
       {"KB", 1'000},
       {"MB", 1'000'000},
       {"GB", 1'000'000'000},
       {"KiB", 1u << 10},
       {"MiB", 1u << 20},
       {"GiB", 1u << 30}}};
  for (const auto& [name, factor] : units) {
    std::uint64_t bytes = 0;
    if (name == unit && !__builtin_mul_overflow(count, factor, &bytes)) return bytes;
  }
  return std::nullopt;
}

std::optional<std::string> read_reference(const toml::table& table, const Environment& environment,
                                          References references, ProfileDocument& document) {
  constexpr std::string_view form =
      "write `{ env = \"NAME\" }` or `{ file = \"/run/secrets/name\" }`";
  const bool one = table.size() == 1;
  const auto* env = one ? table.get_as<std::string>("env") : nullptr;
  const auto* path = one ? table.get_as<std::string>("file") : nullptr;
  if (references == References::Elsewhere && (env != nullptr || path != nullptr))
    return "elsewhere";
  if (env != nullptr) {
    if (auto value = environment(env->get())) return value;
    document.error(DiagnosticCode::K0704, document.span_of(*env),
                   fmt::format("the environment variable `{}` is not set", env->get()));
    return std::nullopt;
  }
  if (path != nullptr) {
    constexpr std::uintmax_t largest = 64u << 10;
    std::error_code failed;
    const bool fits = std::filesystem::is_regular_file(path->get(), failed) &&
                      std::filesystem::file_size(path->get(), failed) <= largest;
    std::ifstream file;
    if (fits) file.open(path->get(), std::ios::binary);
    std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    if (!fits || !file) {
      document.error(DiagnosticCode::K0702, document.span_of(*path),
                     fmt::format("the file `{}` cannot be read", path->get()),
                     "it is a file of at most 64 KiB; the path starts from the working directory");
      return std::nullopt;
    }
    if (text.ends_with('\n')) text.pop_back();
    if (text.ends_with('\r')) text.pop_back();
    return text;
  }
  document.error(DiagnosticCode::K0702, document.span_of(table), "this is no value of an option",
                 std::string{form});
  return std::nullopt;
}

}  // namespace kaspar::dsl

#include "nodes/vectorize/scaler.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string_view>

#include <toml++/toml.h>

#include "runtime/core/toml_text.hpp"

namespace kaspar::nodes::vectorize {
namespace {

// The two arrays of a vector of 200,000 elements, in full digits; toml++ takes some fifty times it.
constexpr std::uintmax_t max_file_size = 8u << 20;

Issue issue(DiagnosticCode code, std::string message, std::string label, std::string help = {}) {
  return {.code = code,
          .place = {.part = IssuePlace::Part::File},
          .message = std::move(message),
          .label = std::move(label),
          .help = std::move(help)};
}

Issue damaged(const std::string& path, std::string why) {
  std::string message = fmt::format("the scaler file `{}` is damaged: {}", path, why);
  return issue(DiagnosticCode::K0405, std::move(message), std::move(why),
               "it holds `mean = …` and `std = …`, each a number or an array of numbers");
}

std::expected<std::vector<double>, Issue> read_numbers(const toml::table& table,
                                                       std::string_view name, const Type& type,
                                                       const std::string& path, bool is_float) {
  const toml::node* node = table.get(name);
  if (node == nullptr) return std::unexpected(damaged(path, fmt::format("it has no `{}`", name)));
  // As the column's type will hold it.
  const auto number = [is_float](const toml::node& from) -> std::optional<double> {
    if (!from.is_number()) return std::nullopt;
    const double value = *from.value<double>();
    return is_float ? static_cast<double>(static_cast<float>(value)) : value;
  };
  const std::size_t width = type.elements();
  std::vector<double> numbers;
  if (const toml::array* array = node->as_array()) {
    for (const toml::node& element : *array) {
      const std::optional<double> value = number(element);
      if (!value) {
        return std::unexpected(
            damaged(path, fmt::format("`{}` holds something but numbers", name)));
      }
      numbers.push_back(*value);
    }
    if (numbers.size() != width || !type.is_vector()) {
      return std::unexpected(
          issue(DiagnosticCode::K0403,
                type.is_vector()
                    ? fmt::format("the scaler's `{}` has {} numbers, the vector has {}", name,
                                  numbers.size(), width)
                    : fmt::format("the scaler's `{}` is an array of {}, the column is a scalar",
                                  name, numbers.size()),
                fmt::format("`{}` has {} numbers", name, numbers.size()),
                type.is_vector()
                    ? fmt::format("use a scaler of width {}, or one number for all elements", width)
                    : "write one number"));
    }
  } else if (const std::optional<double> value = number(*node)) {
    numbers.assign(width, *value);
  } else {
    return std::unexpected(
        damaged(path, fmt::format("`{}` is neither a number nor an array of numbers", name)));
  }
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const bool fine = std::isfinite(numbers[i]) && (name == "mean" || numbers[i] > 0);
    if (!fine) {
      return std::unexpected(
          damaged(path, fmt::format("`{}` must be finite{}, but number {} is {}", name,
                                    name == "mean" ? "" : " and above 0", i + 1, numbers[i])));
    }
  }
  return numbers;
}

}  // namespace

std::expected<std::shared_ptr<const Scaler>, Issue> load_scaler(const std::string& path,
                                                                const Type& type) {
  std::error_code error;
  const bool regular = std::filesystem::is_regular_file(path, error);
  std::ifstream file(path, std::ios::binary);
  if (!regular || !file) {
    std::string why = error      ? error.message()
                      : !regular ? "not a regular file"
                                 : std::string{std::strerror(errno)};
    if (!why.empty() && why[0] >= 'A' && why[0] <= 'Z')
      why[0] = static_cast<char>(why[0] - 'A' + 'a');
    return std::unexpected(issue(DiagnosticCode::K0405,
                                 fmt::format("the scaler file `{}` cannot be opened", path), why,
                                 "paths are relative to the pipeline file"));
  }
  if (std::filesystem::file_size(path, error) > max_file_size) {
    return std::unexpected(damaged(path, "it is larger than 8 MiB"));
  }
  std::ostringstream read;
  read << file.rdbuf();
  const std::string_view text = read.view();
  if (const auto refused = refuse_for_toml(text)) {
    return std::unexpected(damaged(
        path, fmt::format("line {}: {}", line_of(text, refused->offset), refused->message)));
  }
  toml::table table;
  try {
    table = toml::parse(text, std::string_view{path});
  } catch (const toml::parse_error& bad) {
    return std::unexpected(
        damaged(path, fmt::format("line {}: {}", bad.source().begin.line, bad.description())));
  }
  const bool is_float = type.scalar == ScalarType::F32;
  auto mean = read_numbers(table, "mean", type, path, is_float);
  if (!mean) return std::unexpected(std::move(mean.error()));
  auto std = read_numbers(table, "std", type, path, is_float);
  if (!std) return std::unexpected(std::move(std.error()));
  return std::make_shared<const Scaler>(std::move(*mean), std::move(*std));
}

}  // namespace kaspar::nodes::vectorize

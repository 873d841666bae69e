#include "runtime/cli/json_difference.hpp"

#include <fmt/format.h>
#include <simdjson.h>

#include <cmath>
#include <map>

namespace kaspar::cli {
namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;

bool is_integer(element value) {
  return value.type() == element_type::INT64 || value.type() == element_type::UINT64;
}

bool is_number(element value) { return is_integer(value) || value.type() == element_type::DOUBLE; }

bool same_number(element expected, element got, double tolerance) {
  // Beyond 2^53 doubles are not exact; both integers of one kind are compared as such.
  if (tolerance == 0 && is_integer(expected) && expected.type() == got.type()) {
    return simdjson::minify(expected) == simdjson::minify(got);
  }
  return within(double(expected), double(got), tolerance);
}

/// The parser refuses documents nested deeper than 1024.
class Comparison {
 public:
  explicit Comparison(double tolerance) : tolerance_(tolerance) {}

  std::optional<std::string> compare(element expected, element got, const std::string& path) const {
    if (is_number(expected) && is_number(got)) {
      if (same_number(expected, got, tolerance_)) return std::nullopt;
      return differs(expected, got, path);
    }
    if (expected.type() != got.type()) return differs(expected, got, path);
    if (expected.is_array()) return arrays(expected, got, path);
    if (expected.is_object()) return objects(expected, got, path);
    if (simdjson::minify(expected) == simdjson::minify(got)) return std::nullopt;
    return differs(expected, got, path);
  }

 private:
  static std::optional<std::string> differs(element expected, element got,
                                            const std::string& path) {
    return fmt::format("at {} is {} in place of {}", shown(path), simdjson::minify(got),
                       simdjson::minify(expected));
  }
  static std::string shown(const std::string& path) {
    return path.empty() ? std::string{"the top"} : fmt::format("`{}`", path);
  }

  std::optional<std::string> arrays(simdjson::dom::array expected, simdjson::dom::array got,
                                    const std::string& path) const {
    auto other = got.begin();
    std::size_t index = 0;
    for (const element value : expected) {
      if (!(other != got.end())) break;
      if (auto found = compare(value, *other, fmt::format("{}[{}]", path, index))) return found;
      ++other;
      ++index;
    }
    if (expected.size() == got.size()) return std::nullopt;
    return fmt::format("{} has {} elements in place of {}", shown(path), got.size(),
                       expected.size());
  }

  static std::map<std::string_view, element> members(simdjson::dom::object object) {
    std::map<std::string_view, element> found;
    for (const auto& [name, value] : object) found[name] = value;
    return found;
  }

  std::optional<std::string> objects(simdjson::dom::object expected, simdjson::dom::object got,
                                     const std::string& path) const {
    const auto wanted = members(expected);
    auto others = members(got);
    for (const auto& [name, value] : wanted) {
      const std::string place = path.empty() ? std::string{name} : fmt::format("{}.{}", path, name);
      const auto other = others.find(name);
      if (other == others.end()) return fmt::format("`{}` is missing", place);
      if (auto found = compare(value, other->second, place)) return found;
      others.erase(other);
    }
    if (others.empty()) return std::nullopt;
    return fmt::format("`{}{}{}` is not expected", path, path.empty() ? "" : ".",
                       others.begin()->first);
  }

  double tolerance_;
};

}  // namespace

bool within(double expected, double got, double tolerance) noexcept {
  return expected == got || std::abs(expected - got) <= tolerance;
}

std::optional<std::string> json_difference(std::string_view expected, std::string_view got,
                                           double tolerance) {
  simdjson::dom::parser expected_parser;
  simdjson::dom::parser got_parser;
  element wanted;
  element found;
  if (const auto error = expected_parser.parse(simdjson::padded_string(expected)).get(wanted)) {
    return fmt::format("what is expected is no JSON: {}", simdjson::error_message(error));
  }
  if (const auto error = got_parser.parse(simdjson::padded_string(got)).get(found)) {
    return fmt::format("it is no JSON: {}", simdjson::error_message(error));
  }
  return Comparison(tolerance).compare(wanted, found, "");
}

}  // namespace kaspar::cli

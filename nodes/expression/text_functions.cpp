// len lower upper trim contains starts_with ends_with
#include <algorithm>
#include <string_view>

#include "nodes/expression/argument_rules.hpp"
#include "nodes/expression/case_mapping.hpp"
#include "nodes/expression/function_kernel.hpp"
#include "nodes/expression/functions.hpp"
#include "nodes/expression/kernel_loops.hpp"

namespace kaspar::nodes::expression {
namespace {

struct CountCodePoints {
  std::int64_t operator()(std::string_view text) const {
    // Every byte but those that continue a code point.
    return std::ranges::count_if(
        text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; });
  }
};
struct CountBytes {
  std::int64_t operator()(std::string_view bytes) const {
    return static_cast<std::int64_t>(bytes.size());
  }
};

void count_elements(const Instruction& instruction, Frame& frame) {
  auto* const out = frame.values<std::int64_t>(instruction.out);
  const std::int64_t width = instruction.a.type.width;
  for_each_row(frame.rows(instruction), [=](std::size_t row) { out[row] = width; });
}

struct Trim {
  std::string_view operator()(std::string_view text) const {
    constexpr std::string_view blanks = " \t\n\v\f\r";
    const std::size_t first = text.find_first_not_of(blanks);
    if (first == text.npos) return {};
    return text.substr(first, text.find_last_not_of(blanks) + 1 - first);
  }
};
struct Contains {
  bool operator()(std::string_view text, std::string_view part) const {
    return text.find(part) != text.npos;
  }
};
struct StartsWith {
  bool operator()(std::string_view text, std::string_view part) const {
    return text.starts_with(part);
  }
};
struct EndsWith {
  bool operator()(std::string_view text, std::string_view part) const {
    return text.ends_with(part);
  }
};

template <LetterCase wanted>
void change_case(const Instruction& instruction, Frame& frame) {
  constexpr char first = wanted == LetterCase::Lower ? 'A' : 'a';
  constexpr char last = wanted == LetterCase::Lower ? 'Z' : 'z';
  const auto changes = [](char c) {
    return static_cast<signed char>(c) < 0 || (c >= first && c <= last);
  };
  auto* const out = frame.values<std::string_view>(instruction.out);
  const auto* const a = frame.values<std::string_view>(instruction.a);
  for_each_row(frame.rows(instruction), [&](std::size_t row) {
    const std::string_view text = a[row];
    if (std::ranges::none_of(text, changes)) {
      out[row] = text;
    } else if (std::ranges::none_of(text, [](char c) { return static_cast<signed char>(c) < 0; })) {
      char* const room = frame.batch->text().allocate(text.size());
      std::ranges::transform(text, room, [](char c) {
        return c >= first && c <= last ? static_cast<char>(c ^ 0x20) : c;
      });
      out[row] = {room, text.size()};
    } else {
      frame.text.clear();
      append_in_case(frame.text, text, wanted);
      out[row] = frame.batch->text().copy(frame.text);
    }
  });
}

using Text = std::string_view;

const FunctionKernel len_function{.select = [](const Expression& call) -> Kernel {
  const Type& type = call.children[0].type;
  if (type.is_vector()) return count_elements;
  return type.scalar == ScalarType::Bytes ? map_kernel<std::int64_t, Text, CountBytes>
                                          : map_kernel<std::int64_t, Text, CountCodePoints>;
}};
const FunctionKernel lower_function{
    .select = [](const Expression&) -> Kernel { return change_case<LetterCase::Lower>; }};
const FunctionKernel upper_function{
    .select = [](const Expression&) -> Kernel { return change_case<LetterCase::Upper>; }};
const FunctionKernel trim_function{
    .select = [](const Expression&) -> Kernel { return map_kernel<Text, Text, Trim>; }};
const FunctionKernel contains_function{
    .select = [](const Expression&) -> Kernel { return map_kernel<bool, Text, Text, Contains>; }};
const FunctionKernel starts_with_function{
    .select = [](const Expression&) -> Kernel { return map_kernel<bool, Text, Text, StartsWith>; }};
const FunctionKernel ends_with_function{
    .select = [](const Expression&) -> Kernel { return map_kernel<bool, Text, Text, EndsWith>; }};

Resolution resolve_len(std::span<const Argument> arguments) {
  const Type& type = arguments[0].type;
  if (!type.is_vector() && !type.is_text()) {
    return std::unexpected(wrong_argument("len", "a `string`, `bytes` or a vector", arguments, 0));
  }
  if (auto checked = not_null("len", arguments, 0); !checked) {
    return std::unexpected(std::move(checked.error()));
  }
  return Signature{.parameters = {type}, .result = {.scalar = ScalarType::I64}};
}

Resolution resolve_case(std::string_view name, std::span<const Argument> arguments) {
  Resolution resolution = text_arguments(name, arguments, ScalarType::String);
  if (!resolution || knows_unicode_case()) return resolution;
  Issue issue =
      wrong_argument(name, "text where the system knows upper and lower case", arguments, 0);
  issue.message = "this system has no locale `C.UTF-8`, so that upper and lower case are unknown";
  issue.help = "install Debian's package `libc-bin`";
  return std::unexpected(std::move(issue));
}

template <const std::string_view& name>
Resolution resolve_test(std::span<const Argument> arguments) {
  return text_arguments(name, arguments, ScalarType::Bool);
}

constexpr std::string_view contains = "contains";
constexpr std::string_view starts_with = "starts_with";
constexpr std::string_view ends_with = "ends_with";

}  // namespace

std::vector<FunctionDescriptor> text_functions() {
  return {
      {.name = "len",
       .summary = "Code points of a string, bytes of `bytes`, elements of a vector",
       .parameters = "x",
       .examples = {"len(\"héllo\") == 5", "len(\"\") == 0"},
       .resolve = resolve_len,
       .kernel = &len_function},
      {.name = "lower",
       .summary = "A string in lower case, by Unicode's simple mapping: a code point becomes one",
       .parameters = "text",
       .examples = {"lower(\"Kaspar\") == \"kaspar\"", "lower(\"ÄRGER\") == \"ärger\""},
       .resolve =
           [](std::span<const Argument> arguments) { return resolve_case("lower", arguments); },
       .kernel = &lower_function},
      {.name = "upper",
       .summary = "A string in upper case, by Unicode's simple mapping: a code point becomes one, "
                  "`ß` stays",
       .parameters = "text",
       .examples = {"upper(\"Kaspar\") == \"KASPAR\"", "upper(\"größe\") == \"GRÖßE\""},
       .resolve =
           [](std::span<const Argument> arguments) { return resolve_case("upper", arguments); },
       .kernel = &upper_function},
      {.name = "trim",
       .summary = "A string without the ASCII white space at its ends",
       .parameters = "text",
       .examples = {"trim(\"  a b\\n\") == \"a b\""},
       .resolve =
           [](std::span<const Argument> arguments) {
             return text_arguments("trim", arguments, ScalarType::String);
           },
       .kernel = &trim_function},
      {.name = contains,
       .summary = "Whether a string has another in it; the empty one is in all",
       .parameters = "text, part",
       .examples = {"contains(\"kaspar\", \"spa\") == true"},
       .least_arguments = 2,
       .most_arguments = 2,
       .resolve = resolve_test<contains>,
       .kernel = &contains_function},
      {.name = starts_with,
       .summary = "Whether a string starts with another",
       .parameters = "text, part",
       .examples = {"starts_with(\"kaspar\", \"kas\") == true"},
       .least_arguments = 2,
       .most_arguments = 2,
       .resolve = resolve_test<starts_with>,
       .kernel = &starts_with_function},
      {.name = ends_with,
       .summary = "Whether a string ends with another",
       .parameters = "text, part",
       .examples = {"ends_with(\"kaspar\", \"kas\") == false"},
       .least_arguments = 2,
       .most_arguments = 2,
       .resolve = resolve_test<ends_with>,
       .kernel = &ends_with_function},
  };
}

}  // namespace kaspar::nodes::expression

#include "nodes/model/golden.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string_view>
#include <type_traits>
#include <vector>

namespace kaspar::nodes {
namespace {

constexpr std::uintmax_t largest_file = 4u << 20;

Issue golden_issue(DiagnosticCode code, std::string message, std::string help = {}) {
  return {.code = code,
          .place = {.part = IssuePlace::Part::Param, .name = "golden"},
          .message = std::move(message),
          .help = std::move(help)};
}

/// The numbers of a line; false where something is none.
bool read_numbers(std::string_view line, std::vector<double>& numbers) {
  numbers.clear();
  while (true) {
    const std::size_t comma = std::min(line.find(','), line.size());
    std::string_view field = line.substr(0, comma);
    while (field.starts_with(' ')) field.remove_prefix(1);
    while (field.ends_with(' ')) field.remove_suffix(1);
    double value = 0;
    const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
    if (error != std::errc{} || end != field.data() + field.size()) return false;
    numbers.push_back(value);
    if (comma == line.size()) return true;
    line.remove_prefix(comma + 1);
  }
}

class GoldenCheck {
 public:
  GoldenCheck(const AppliedModel& applied, const GoldenFile& golden)
      : program_(*applied.program),
        out_(applied.out),
        golden_(golden),
        memory_(program_.make_memory()) {
    for (const ProgramInput& input : program_.inputs) arguments_ += input.width;
  }

  std::expected<GoldenResult, Issue> run(std::string_view text) {
    std::vector<double> numbers;
    std::size_t number = 0;
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      std::string_view line = text.substr(0, end);
      text.remove_prefix(std::min(end + 1, text.size()));
      if (line.ends_with('\r')) line.remove_suffix(1);
      ++number;
      if (line.empty()) continue;
      if (!read_numbers(line, numbers) || numbers.size() != arguments_ + out_.width) {
        return std::unexpected(golden_issue(
            DiagnosticCode::K0405,
            fmt::format("line {} of `{}` is not {} numbers separated by commas", number,
                        golden_.path, arguments_ + out_.width),
            fmt::format("a line is the {} values of the arguments, then the {} of `out`",
                        arguments_, out_.width)));
      }
      if (auto same = compare(numbers, number); !same) {
        return std::unexpected(std::move(same.error()));
      }
      ++result_.rows;
    }
    if (result_.rows != 0) return result_;
    return std::unexpected(golden_issue(
        DiagnosticCode::K0405, fmt::format("the golden file `{}` is empty", golden_.path)));
  }

 private:
  std::expected<void, Issue> compare(const std::vector<double>& numbers, std::size_t line) {
    std::size_t next = 0;
    for (const ProgramInput& input : program_.inputs) {
      with_lane_type(input.element, [&]<class T>(T) {
        if constexpr (!std::is_same_v<T, std::string_view>) {
          T* to = memory_.lanes().lanes_at<T>(input.first);
          for (std::size_t i = 0; i < input.width; ++i) {
            to[i * lanes] = static_cast<T>(numbers[next++]);
          }
        }
      });
    }
    program_.run(memory_.lanes());
    for (std::size_t i = 0; i < out_.width; ++i) {
      const double is = with_lane_type(out_.element, [&]<class T>(T) -> double {
        if constexpr (std::is_same_v<T, std::string_view>)
          return 0;
        else
          return static_cast<double>(memory_.lanes().lanes_at<T>(out_.first)[i * lanes]);
      });
      const double wanted = numbers[next + i];
      const double most = golden_.tolerance * std::max(1.0, std::abs(wanted));
      if (std::abs(is - wanted) <= most) {
        const double off = std::abs(is - wanted) / std::max(1.0, std::abs(wanted));
        result_.deviation = std::max(result_.deviation, off);
        continue;
      }
      if ((std::isnan(is) && std::isnan(wanted)) || is == wanted) continue;
      return std::unexpected(golden_issue(
          DiagnosticCode::K0406,
          fmt::format("the model gives {} for `out{}` of line {}, and `{}` has {}", is,
                      out_.width == 1 ? std::string{} : fmt::format("[{}]", i), line, golden_.path,
                      wanted),
          fmt::format(
              "if the model was trained anew, make the file again from its framework; if not, the "
              "export computes something else, or the `tolerance` of {} is too small",
              golden_.tolerance)));
    }
    return {};
  }

  const Program& program_;
  const ProgramOutput& out_;
  const GoldenFile& golden_;
  ProgramMemory memory_;
  std::size_t arguments_ = 0;
  GoldenResult result_;
};

}  // namespace

std::expected<GoldenResult, Issue> check_golden(const AppliedModel& applied,
                                                const GoldenFile& golden) {
  if (golden.path.empty()) return GoldenResult{};
  const auto is_text = [](const auto& port) { return port.element == Element::String; };
  if (std::ranges::any_of(applied.program->inputs, is_text) || is_text(applied.out)) {
    return std::unexpected(golden_issue(DiagnosticCode::K0405,
                                        "golden vectors of a model with strings are not read",
                                        "leave `golden` out"));
  }
  std::error_code failed;
  if (!std::filesystem::is_regular_file(golden.path, failed)) {
    return std::unexpected(golden_issue(DiagnosticCode::K0405,
                                        fmt::format("no file `{}`", golden.path),
                                        "paths are relative to the pipeline file"));
  }
  if (std::filesystem::file_size(golden.path, failed) > largest_file) {
    return std::unexpected(golden_issue(
        DiagnosticCode::K0405,
        fmt::format("the golden file `{}` is larger than 4 MiB", golden.path), "keep some lines"));
  }
  std::ifstream file(golden.path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (!file) {
    return std::unexpected(
        golden_issue(DiagnosticCode::K0405, fmt::format("`{}` cannot be read", golden.path)));
  }
  return GoldenCheck(applied, golden).run(text);
}

}  // namespace kaspar::nodes

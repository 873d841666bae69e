#include "dsl/check/params.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "dsl/check/constants.hpp"
#include "dsl/check/functions.hpp"

namespace kaspar::dsl {
namespace {

// Parameters whose defaults refer to each other in a row.
constexpr std::size_t deepest_references = 64;

/// Less, equal or greater as -1, 0, 1; values of one scalar type.
int compare(const Value& a, const Value& b) {
  const auto order = [](const auto& left, const auto& right) {
    return left < right ? -1 : right < left ? 1 : 0;
  };
  if (const auto* left = a.get<std::int64_t>()) return order(*left, *b.get<std::int64_t>());
  if (const auto* left = a.get<double>()) return order(*left, *b.get<double>());
  if (const auto* left = a.get<std::string>()) return order(*left, *b.get<std::string>());
  if (const auto* left = a.get<bool>()) return order(*left, *b.get<bool>());
  return order(*a.get<std::chrono::milliseconds>(), *b.get<std::chrono::milliseconds>());
}

struct Bounds {
  std::optional<Value> least;
  std::optional<Value> most;
  std::optional<std::vector<Value>> one_of;
};

class ParamChecker {
 public:
  ParamChecker(Program& program, ParamDefinition& param)
      : program_(program),
        param_(param),
        written_(*param.written),
        file_(*param.file),
        report_(file_.report) {}

  void run() {
    const std::optional<Type> type = check_type(written_.type, report_);
    if (!type) return;
    if (type->is_vector() || type->optional) {
      report_.error(
          DiagnosticCode::K0302, written_.type.span,
          fmt::format("a parameter is one value, never null, and this is `{}`", to_string(*type)),
          fmt::format("write `{}`", to_string(type->scalar)));
      return;
    }
    param_.type = *type;
    if (!written_.value || written_.value->kind == ast::Node::Kind::Error) return;
    auto value =
        constant_of(*written_.value, *type, fmt::format("the parameter `{}`", written_.name.text),
                    program_, file_);
    const bool bounded = bounds();
    if (!value || !bounded) return;
    if (const std::string wrong = out_of_bounds(*value); !wrong.empty()) {
      report_.error(DiagnosticCode::K0302, written_.value->span,
                    fmt::format("the default of `{}` {}", written_.name.text, wrong));
      return;
    }
    if (param_.outside != nullptr && !take_outside(*param_.outside, *value)) return;
    param_.value = std::move(value);
  }

 private:
  bool bounds() {
    bool fine = true;
    for (const ast::Entry& entry : written_.options.entries) {
      const std::string& name = entry.name.text;
      if (!seen_.insert(name).second) {
        report_.error(DiagnosticCode::K0202, entry.name.span,
                      fmt::format("option `{}` is given twice", name));
        fine = false;
      } else if (name == "min" || name == "max") {
        auto& bound = name == "min" ? bounds_.least : bounds_.most;
        bound = value_of(*entry.value, fmt::format("`{}`", name));
        fine = fine && bound;
      } else if (name == "one_of") {
        fine = choices(*entry.value) && fine;
      } else {
        report_.unknown(entry.name.span, "option", name, {"min", "max", "one_of"});
        fine = false;
      }
    }
    return fine;
  }

  bool choices(const ast::Node& node) {
    if (node.kind != ast::Node::Kind::List) {
      if (node.kind != ast::Node::Kind::Error) {
        report_.error(DiagnosticCode::K0302, node.span, "option `one_of` takes a list of values");
      }
      return false;
    }
    bounds_.one_of.emplace();
    bool fine = true;
    for (const auto& child : node.children) {
      auto value = value_of(*child, "a value of `one_of`");
      fine = fine && value;
      if (value) bounds_.one_of->push_back(std::move(*value));
    }
    return fine;
  }

  std::optional<Value> value_of(const ast::Node& node, std::string_view what) {
    if (node.kind == ast::Node::Kind::Error) return std::nullopt;
    return constant_of(node, param_.type, what, program_, file_);
  }

  /// "is less than its `min`, 1"; empty where it is within.
  [[nodiscard]] std::string out_of_bounds(const Value& value) const {
    if (const auto* number = value.get<double>(); number != nullptr && std::isnan(*number)) {
      const bool bounded = bounds_.least || bounds_.most || bounds_.one_of;
      return bounded ? "is not a number, and it has bounds" : "";
    }
    if (bounds_.least && compare(value, *bounds_.least) < 0) {
      return fmt::format("is less than its `min`, {}", text_of(*bounds_.least, param_.type));
    }
    if (bounds_.most && compare(value, *bounds_.most) > 0) {
      return fmt::format("is more than its `max`, {}", text_of(*bounds_.most, param_.type));
    }
    if (bounds_.one_of && std::ranges::none_of(*bounds_.one_of, [&](const Value& choice) {
          return compare(value, choice) == 0;
        })) {
      std::string choices;
      for (const Value& choice : *bounds_.one_of) {
        choices += (choices.empty() ? "`" : ", `") + text_of(choice, param_.type) + "`";
      }
      return fmt::format("is none of its `one_of`: {}", choices);
    }
    return {};
  }

  bool take_outside(const OutsideValue& outside, Value& value) {
    std::optional<Value> given;
    if (outside.text) {
      given = read_value(*outside.value.get<std::string>(), param_.type.scalar);
    } else {
      given = typed(outside.value);
    }
    const auto refuse = [&](std::string message) {
      program_.diagnostics.add({.code = DiagnosticCode::K0701,
                                .source = outside.source,
                                .span = outside.value_span,
                                .message = std::move(message)});
    };
    if (!given) {
      refuse(fmt::format("the parameter `{}` is `{}`, and this is none", written_.name.text,
                         to_string(param_.type)));
      return false;
    }
    if (const std::string wrong = out_of_bounds(*given); !wrong.empty()) {
      refuse(fmt::format("the value of `{}` {}", written_.name.text, wrong));
      return false;
    }
    value = std::move(*given);
    return true;
  }

  /// A value that has a type already: a whole number is a float too, text a duration or a time.
  [[nodiscard]] std::optional<Value> typed(const Value& value) const {
    const ScalarType type = param_.type.scalar;
    if (value.get<bool>() != nullptr) {
      return type == ScalarType::Bool ? std::optional(value) : std::nullopt;
    }
    if (value.get<std::int64_t>() != nullptr) {
      if (type == ScalarType::Timestamp) return value;
      return adapted(value, ScalarType::I64, type);
    }
    if (value.get<double>() != nullptr) return adapted(value, ScalarType::F64, type);
    const auto* text = value.get<std::string>();
    const bool as_text = type == ScalarType::String || type == ScalarType::Bytes ||
                         type == ScalarType::Timestamp || type == ScalarType::Duration;
    return text != nullptr && as_text ? read_value(*text, type) : std::nullopt;
  }

  Program& program_;
  ParamDefinition& param_;
  const ast::Param& written_;
  FileDefinitions& file_;
  Report& report_;
  Bounds bounds_;
  std::set<std::string> seen_;
};

}  // namespace

void check_param(Program& program, std::size_t index) {
  ParamDefinition& param = program.params[index];
  if (param.state == CheckState::Checked) return;
  if (param.state == CheckState::Checking) {
    param.file->report.error(
        DiagnosticCode::K0504, param.written->name.span,
        fmt::format("the parameter `{}` depends on itself", param.written->name.text));
    return;
  }
  if (program.depth >= deepest_references) {
    param.file->report.error(
        DiagnosticCode::K0101, param.written->name.span,
        fmt::format("more than {} parameters that depend on each other", deepest_references));
    param.state = CheckState::Checked;
    return;
  }
  param.state = CheckState::Checking;
  ++program.depth;
  ParamChecker(program, param).run();
  --program.depth;
  param.state = CheckState::Checked;
}

void take_outside_values(Program& program, std::span<const OutsideValue> values,
                         Diagnostics& diagnostics) {
  const FileDefinitions& file = *program.files.front();
  std::vector<std::string_view> names;
  for (const auto& [name, definition] : file.by_name) {
    if (definition.kind == Definition::Kind::Param) names.push_back(name);
  }
  const auto upper = [](std::string name) {
    std::ranges::transform(name, name.begin(), [](char c) {
      return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    return name;
  };
  for (const OutsideValue& value : values) {
    if (value.from_environment) {
      // The environment is not kaspar's own: a variable that no parameter has means nothing.
      for (ParamDefinition& param : program.params) {
        if (param.file == &file && param.outside == nullptr &&
            upper(param.written->name.text) == value.name) {
          param.outside = &value;
        }
      }
      continue;
    }
    const auto found = file.by_name.find(value.name);
    if (found == file.by_name.end() || found->second.kind != Definition::Kind::Param) {
      if (found != file.by_name.end() && found->second.kind == Definition::Kind::Unknown) continue;
      Diagnostic diagnostic{.code = DiagnosticCode::K0701,
                            .source = value.source,
                            .span = value.name_span,
                            .message = fmt::format("the file has no parameter `{}`", value.name)};
      suggest(diagnostic, value.name, names);
      diagnostics.add(std::move(diagnostic));
      continue;
    }
    ParamDefinition& param = program.params[found->second.index];
    if (param.outside == nullptr) param.outside = &value;
  }
}

std::vector<ResolvedParam> resolved_params(const Program& program) {
  const auto origin = [](const OutsideValue* value) -> std::string {
    if (value == nullptr) return "default";
    if (value->from_environment) return "environment variable KASPAR_PARAM_" + value->name;
    if (value->on_command_line) return "command line";
    return fmt::format("{}:{}", value->source->path(),
                       value->source->position(value->value_span.begin).line);
  };
  std::vector<ResolvedParam> params;
  for (const ParamDefinition& param : program.params) {
    if (param.file != program.files.front().get() || !param.value) continue;
    params.push_back({.name = param.written->name.text,
                      .type = param.type,
                      .value = text_of(*param.value, param.type),
                      .origin = origin(param.outside),
                      .secret = param.outside != nullptr && param.outside->secret});
  }
  return params;
}

}  // namespace kaspar::dsl

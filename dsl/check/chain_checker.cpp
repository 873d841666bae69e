#include "dsl/check/chain_checker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "dsl/check/stage_checker.hpp"

namespace kaspar::dsl {
namespace {

class ChainChecker {
 public:
  ChainChecker(const ast::Chain& chain, bool damaged, const ErrorHandling& on_error,
               Program& program, FileDefinitions& file)
      : program_(program), file_(file), report_(file.report), on_error_(on_error) {
    made_.written = &chain;
    made_.damaged = damaged;
    made_.plan.name = chain.stream.text;
    made_.plan.place = place_of(file, chain.from);
  }

  CheckedChain run(const std::vector<CheckedInput>& inputs) {
    join(inputs);
    stages();
    return std::move(made_);
  }

 private:
  const ast::Chain& chain() const { return *made_.written; }

  /// The columns that the inputs bring, which must be the same.
  void join(const std::vector<CheckedInput>& inputs) {
    const CheckedInput* first = nullptr;
    made_.end.header = !inputs.empty();
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const CheckedInput& input = inputs[i];
      made_.end.header = made_.end.header && input.header;
      if (input.unknown || (input.end != nullptr && input.end->scope.unknown)) {
        scope().unknown = true;
        continue;
      }
      if (first == nullptr) {
        first = &input;
        inherit(input);
      } else if (!same_columns(input, i)) {
        scope().unknown = true;
        continue;
      }
      bind(input);
    }
    made_.plan.inherited = made_.plan.slots.size();
  }

  void inherit(const CheckedInput& input) {
    if (input.end == nullptr) return;
    const Scope& before = input.end->scope;
    if (!bounded(before.columns.columns.size())) {
      scope().unknown = true;
      return;
    }
    scope().poisoned = before.poisoned;
    scope().present = before.present;
    for (const Column& column : before.columns.columns) {
      const Slot slot = static_cast<Slot>(made_.plan.slots.size());
      made_.plan.slots.push_back(column);
      scope().columns.columns.push_back(column);
      scope().slots.push_back(slot);
    }
  }

  /// Streams that each add columns to the one before would take memory as the square of the file.
  bool bounded(std::size_t columns) {
    constexpr std::size_t most_carried = 500'000;
    const bool fitted = program_.carried <= most_carried;
    program_.carried += columns;
    if (program_.carried <= most_carried) return true;
    if (fitted) {
      report_.error(DiagnosticCode::K0101, chain().from,
                    fmt::format("the streams of a program have at most {} columns", most_carried),
                    "leave out by `keep` what no chain needs");
    }
    return false;
  }

  void bind(const CheckedInput& input) {
    ChainInput plan = input.plan;
    if (input.end != nullptr) {
      const Scope& before = input.end->scope;
      for (std::size_t i = 0; i < made_.plan.slots.size(); ++i) {
        const auto at = before.find(made_.plan.slots[i].name);
        if (at) plan.columns.push_back({.from = before.slots[*at], .to = static_cast<Slot>(i)});
      }
    }
    made_.plan.inputs.push_back(std::move(plan));
  }

  bool same_columns(const CheckedInput& input, std::size_t number) {
    static const Scope none;
    const Scope& other = input.end != nullptr ? input.end->scope : none;
    std::erase_if(scope().present,
                  [&](const std::string& field) { return !other.present.contains(field); });
    for (const std::string& name : other.poisoned) scope().poisoned.insert(name);
    std::vector<std::string> differences;
    const auto known = [&](const std::string& name) {
      return !scope().poisoned.contains(name.substr(0, name.find('.')));
    };
    for (const Column& column : scope().columns.columns) {
      if (!known(column.name)) continue;
      const auto at = other.find(column.name);
      if (!at) {
        differences.push_back(
            fmt::format("`{}` has no column `{}`", chain().inputs[number].text, column.name));
      } else if (other.columns.columns[*at].type != column.type) {
        differences.push_back(
            fmt::format("column `{}` is `{}` in `{}` and `{}` in `{}`", column.name,
                        to_string(column.type), chain().inputs[0].text,
                        to_string(other.columns.columns[*at].type), chain().inputs[number].text));
      }
    }
    for (const Column& column : other.columns.columns) {
      if (known(column.name) && !scope().find(column.name)) {
        differences.push_back(
            fmt::format("`{}` has no column `{}`", chain().inputs[0].text, column.name));
      }
    }
    if (differences.empty()) return true;
    constexpr std::size_t most_listed = 5;
    const std::size_t more = differences.size() - std::min(differences.size(), most_listed);
    differences.resize(differences.size() - more);
    if (more != 0) differences.push_back(fmt::format("and {} more", more));
    report_.add({.code = DiagnosticCode::K0302,
                 .span = chain().inputs[number].span,
                 .message = fmt::format("`{}` and `{}` have different columns, and a merge has the "
                                        "same of all",
                                        chain().inputs[0].text, chain().inputs[number].text),
                 .notes = std::move(differences),
                 .help = "bring them to the same columns by `derive` and `keep`"});
    return false;
  }

  void stages() {
    bool ended = false;
    for (const ast::Stage& stage : chain().stages) {
      if (ended && stage.damaged) continue;
      if (ended) {
        report_.error(DiagnosticCode::K0101, stage.word.span,
                      fmt::format("nothing follows a `{}`", last_),
                      last_ == "to" ? "write another chain `from` the same source or stream"
                                    : "read its streams in chains of their own");
        made_.damaged = true;
        break;
      }
      ended = stage.word.text == "to" || stage.word.text == "route";
      last_ = stage.word.text;
      made_.damaged = made_.damaged || stage.damaged;
      if (ended && !stage.damaged && !chain().stream.empty()) {
        report_.error(DiagnosticCode::K0101, stage.word.span,
                      fmt::format("a `stream` ends in no `{}`: other chains read it", last_),
                      fmt::format("write `from {} |> {} …` as a chain of its own",
                                  chain().stream.text, last_));
        made_.damaged = true;
        break;
      }
      StageChecker(stage, made_, on_error_, program_, file_).run();
    }
    if (!ended && !made_.damaged && chain().stream.empty()) {
      report_.error(DiagnosticCode::K0502, chain().from, "a chain without a sink",
                    "end it with `|> to SINK`");
    }
  }

  Scope& scope() { return made_.end.scope; }

  Program& program_;
  FileDefinitions& file_;
  Report& report_;
  const ErrorHandling& on_error_;
  CheckedChain made_;
  std::string_view last_;
};

}  // namespace

CheckedChain check_chain(const ast::Chain& chain, bool damaged,
                         const std::vector<CheckedInput>& inputs, const ErrorHandling& on_error,
                         Program& program, FileDefinitions& file) {
  return ChainChecker(chain, damaged, on_error, program, file).run(inputs);
}

}  // namespace kaspar::dsl

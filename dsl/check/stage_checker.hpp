// One stage of a chain: what it reads, what it makes, and where its failed rows go.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "dsl/check/chain_checker.hpp"
#include "dsl/check/options.hpp"

namespace kaspar::dsl {

class StageChecker {
 public:
  /// Adds the stage to the chain's plan and its columns to the chain's scope.
  StageChecker(const ast::Stage& stage, CheckedChain& chain, const ErrorHandling& on_error,
               Program& program, FileDefinitions& file)
      : stage_(stage),
        chain_(chain),
        scope_(chain.end.scope),
        on_error_(on_error),
        program_(program),
        file_(file),
        report_(file.report),
        expressions_(program, file, scope_) {}

  void run();

 private:
  /// An operand and where it stands.
  struct Placed {
    Operand operand;
    Span span;
  };

  [[nodiscard]] const NodeDescriptor* find_node();
  void filter(const NodeDescriptor& node);
  void derive(const NodeDescriptor& node);
  void keep(const NodeDescriptor& node);
  void route(const NodeDescriptor& node);
  void general(const NodeDescriptor& node);

  [[nodiscard]] bool parse(StageCall& call);
  [[nodiscard]] bool apply(StageCall& call);
  [[nodiscard]] bool sink();
  [[nodiscard]] bool column_name(const ast::Name& name);
  [[nodiscard]] bool operand(const ast::Node& node, std::vector<Placed>& operands);
  /// Computes what the stage cannot read as it is in a stage before.
  void compute(std::vector<Placed>& operands, bool& fallible);

  [[nodiscard]] StagePlan planned(const NodeDescriptor& node) const;
  [[nodiscard]] Slot add_slot(const Column& column);
  [[nodiscard]] std::optional<Inferred> infer(const NodeDescriptor& node, const StageCall& call,
                                              const std::vector<Span>& operands,
                                              const std::map<std::string, Span>& options);
  void report_issue(const Issue& issue, const std::vector<Span>& operands,
                    const std::map<std::string, Span>& options);
  void finish(StagePlan plan, bool fallible);
  void check_policy();
  void lose();

  const ast::Stage& stage_;
  CheckedChain& chain_;
  Scope& scope_;
  const ErrorHandling& on_error_;
  Program& program_;
  FileDefinitions& file_;
  Report& report_;
  ExpressionChecker expressions_;
  std::optional<ErrorPolicy> own_;
  std::optional<std::size_t> model_;  // index into Program::models
};

}  // namespace kaspar::dsl

// The items of one file: enters what they define, then checks it.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dsl/check/definitions.hpp"
#include "dsl/check/options.hpp"

namespace kaspar::dsl {

class ItemChecker {
 public:
  /// `main`: the program's own file, not one that is used.
  ItemChecker(Program& program, FileDefinitions& file, bool main)
      : program_(program), file_(file), report_(file.report), main_(main) {}

  /// Enters every name of the file.
  void define();
  /// Checks what was entered: parameters, schemas, functions, endpoints, models.
  void check();

  /// The topic or file of an endpoint, and where it stands.
  struct Named {
    bool file = false;
    std::string cluster;  // of a topic
    std::string name;
    Span span;
  };
  [[nodiscard]] const std::vector<Named>& read() const noexcept { return read_; }
  [[nodiscard]] const std::vector<Named>& written() const noexcept { return written_; }

 private:
  void define_item(std::size_t index, const ast::Item& item);
  void define_route(std::size_t index, const ast::Chain& chain);
  [[nodiscard]] bool belongs(const ast::Item& item);
  void enter(const ast::Item& item, const ast::Name& name, Definition::Kind kind,
             std::size_t index);
  [[nodiscard]] Definition* entered(const ast::Name& name);

  void endpoint(const ast::Item& item, const ast::Endpoint& written);
  [[nodiscard]] bool check_endpoint(const ast::Endpoint& written, EndpointPlan& endpoint,
                                    EndpointText& text);
  [[nodiscard]] bool same_group(const CheckedOptions& options, const EndpointPlan& endpoint);
  [[nodiscard]] bool known_cluster(const CheckedOptions& options, const EndpointPlan& endpoint);
  [[nodiscard]] bool best_effort(CheckedOptions& options, EndpointPlan& endpoint);
  void model(const ast::Item& item, const ast::Model& written);
  [[nodiscard]] bool load(const ast::Model& written, ModelPlan& model, ModelDefinition& definition);
  void add_issue(const Issue& issue, Span span);

  Program& program_;
  FileDefinitions& file_;
  Report& report_;
  bool main_;
  std::vector<Named> read_;                            // by sources
  std::vector<Named> written_;                         // by sinks
  std::optional<std::pair<std::string, Span>> group_;  // of the first source that has one
  std::pair<std::string, Span> cluster_;               // of that source
};

}  // namespace kaspar::dsl

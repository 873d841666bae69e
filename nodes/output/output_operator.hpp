// The operator of `to`: makes the records that a chain's sink gets.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/core/node_descriptor.hpp"

namespace kaspar::nodes::output {

enum class Format : std::uint8_t { Text, Json, Csv };

/// One field of the value: a column or an expression.
struct OutputField {
  std::vector<std::string> path;  // its names, the outermost first; empty: it stands alone
  Expression expression;
  std::string before;  // what is written before it: in JSON braces and names, commas
};

struct OutputHeader {
  std::string name;
  Expression expression;
};

struct OutputLayout {
  std::optional<Expression> key;
  std::vector<OutputField> fields;  // those of one object stand together
  std::string after;                // the braces that close what the fields' `before` opened
  bool single = false;              // `value` is one value: no braces around it
  Format format = Format::Json;
  std::vector<OutputHeader> headers;
  bool pass_headers = false;
  bool source_timestamp = false;
  bool needs_timestamp = false;  // a value, key or header is `meta.timestamp`
};

/// Text of a string or bytes is passed on as a view. A row with a number that is not finite fails
/// with K0904, one without the timestamp that is to be written with K0905.
class MakeOutputs final : public Operator {
 public:
  explicit MakeOutputs(OutputLayout layout) : layout_(std::move(layout)) {}
  [[nodiscard]] std::unique_ptr<OperatorState> make_state() const override;
  void process(Batch& batch, OperatorState* state) const noexcept override;

 private:
  OutputLayout layout_;
};

}  // namespace kaspar::nodes::output

// Where the columns of a schema stand in a JSON object.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <simdjson.h>

#include "runtime/core/schema.hpp"

namespace kaspar::nodes::json {

/// What was found for a column.
struct Found {
  enum class Kind : std::uint8_t {
    Missing,   // or null
    Value,     // `value`
    NoObject,  // something on the way to it is neither an object nor null: `value`
  };
  Kind kind = Kind::Missing;
  simdjson::dom::element value;
};

/// A tree of keys, immutable once made. A column's path is its `from "a.b"`, else its name.
class JsonFields {
 public:
  explicit JsonFields(const Schema& schema);

  /// Fills `found`, one for each column. Of a key that comes twice the last one counts, with all
  /// that is in it. Allocates nothing.
  void find(simdjson::dom::object object, std::vector<Found>& found) const noexcept;

  /// The path of a column as messages show it.
  [[nodiscard]] const std::string& path(std::size_t column) const { return paths_[column]; }

 private:
  struct Node {
    std::map<std::string, Node, std::less<>> children;
    std::vector<std::size_t> columns;  // that end here
    std::vector<std::size_t> below;    // that end here or further down
  };
  static void find(const Node& node, simdjson::dom::object object,
                   std::vector<Found>& found) noexcept;

  Node root_;
  std::vector<std::string> paths_;
};

}  // namespace kaspar::nodes::json

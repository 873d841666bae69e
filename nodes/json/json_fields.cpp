#include "nodes/json/json_fields.hpp"

#include <algorithm>

namespace kaspar::nodes::json {

JsonFields::JsonFields(const Schema& schema) {
  for (std::size_t i = 0; i < schema.columns.size(); ++i) {
    const Column& column = schema.columns[i];
    paths_.push_back(column.origin.empty() ? column.name : column.origin);
    Node* node = &root_;
    std::string_view rest = paths_.back();
    while (true) {
      const std::size_t dot = std::min(rest.find('.'), rest.size());
      node = &node->children[std::string{rest.substr(0, dot)}];
      node->below.push_back(i);
      if (dot == rest.size()) break;
      rest.remove_prefix(dot + 1);
    }
    node->columns.push_back(i);
  }
}

void JsonFields::find(simdjson::dom::object object, std::vector<Found>& found) const noexcept {
  std::ranges::fill(found, Found{});
  find(root_, object, found);
}

void JsonFields::find(const Node& node, simdjson::dom::object object,
                      std::vector<Found>& found) noexcept {
  for (const auto& [key, value] : object) {
    const auto child = node.children.find(key);
    if (child == node.children.end()) continue;
    const Node& next = child->second;
    for (const std::size_t column : next.below) found[column] = {};
    if (value.is_null()) continue;
    for (const std::size_t column : next.columns) found[column] = {Found::Kind::Value, value};
    if (next.children.empty()) continue;
    if (value.is_object()) {
      find(next, value.get_object().value_unsafe(), found);
      continue;
    }
    for (const std::size_t column : next.below) {
      if (found[column].kind == Found::Kind::Missing)
        found[column] = {Found::Kind::NoObject, value};
    }
  }
}

}  // namespace kaspar::nodes::json

// Where an endpoint of a plan stands in its file, for what is found out about it later.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "dsl/source/source_buffer.hpp"

namespace kaspar::dsl {

struct EndpointText {
  std::shared_ptr<const SourceBuffer> source;
  Span kind;
  std::map<std::string, Span> options;  // values, by the options' names

  /// The option's value, else the endpoint's kind.
  [[nodiscard]] Span place_of(const std::string& option) const {
    const auto found = options.find(option);
    return found == options.end() ? kind : found->second;
  }
};

}  // namespace kaspar::dsl

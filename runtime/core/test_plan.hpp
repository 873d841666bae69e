// A `test` of a pipeline file: what is fed to its sources and what its sinks must get.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/core/place.hpp"

namespace kaspar {

/// A record's key or value, or one of its headers, as a test gives it.
struct TestValue {
  enum class Kind : std::uint8_t {
    Null,  // there must be none
    Text,  // these bytes
    Json,  // a JSON document of this meaning
  };
  Kind kind = Kind::Null;
  std::string text;
};

struct TestHeader {
  std::string name;
  TestValue value;
};

/// A record for a source.
struct TestFeed {
  std::size_t source = 0;  // index into Plan::sources
  TestValue key;
  TestValue value;
  std::vector<TestHeader> headers;
  std::int64_t timestamp = -1;  // milliseconds since 1970 UTC; -1: none
  Place place;
};

/// A record of a sink, in the order of the sink's expectations. What is empty is not compared.
struct TestExpectation {
  std::size_t sink = 0;  // index into Plan::sinks
  bool none = false;     // the sink gets nothing
  std::optional<TestValue> key;
  std::optional<TestValue> value;
  std::vector<TestHeader> headers;  // others may be there too
  std::optional<std::int64_t> timestamp;
  double tolerance = 0;  // of numbers: |is - expected| <= tolerance
  // Of an error row:
  std::optional<std::string> raw, stage, code, message, topic;
  std::optional<std::int64_t> partition, offset;
  Place place;
};

struct TestPlan {
  std::string name;
  std::vector<TestFeed> feeds;
  std::vector<TestExpectation> expectations;
  Place place;
};

}  // namespace kaspar

// What the tests of models share.
#pragma once

#include <cstdlib>
#include <expected>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "nodes/model/register_model.hpp"
#include "runtime/core/batch.hpp"
#include "runtime/core/node_descriptor.hpp"
#include "runtime/core/run_settings.hpp"
#include "test/unit/catch.hpp"

namespace kaspar::test {

inline const std::string fixtures = "nodes/model/fixtures/";

inline const NodeRegistry& nodes() {
  static const NodeRegistry& registry = []() -> const NodeRegistry& {
    static NodeRegistry made;
    nodes::register_model(made);
    return made;
  }();
  return registry;
}

inline std::expected<std::shared_ptr<const Resource>, Issue> load(
    const std::string& path, std::vector<std::string> labels = {}) {
  Params params;
  if (!labels.empty()) {
    ValueList list;
    for (std::string& label : labels) list.push_back({std::move(label)});
    params["labels"].data = std::move(list);
  }
  return nodes()
      .find(NodeRole::Model, "onnx")
      ->load_model(path, params, RunSettings{}.memory_budget);
}

inline StageCall call_with(std::shared_ptr<const Resource> model, Type type,
                           std::size_t arguments = 1) {
  StageCall call;
  for (std::size_t i = 0; i < arguments; ++i) {
    call.operands.push_back(
        {.role = "",
         .expression = {.kind = Expression::Kind::Column, .type = type, .slot = 0, .text = "x"}});
  }
  call.name = "y";
  call.model = std::move(model);
  return call;
}

inline std::expected<Inferred, Issue> infer(const StageCall& call) {
  return nodes().find(NodeRole::Stage, "apply")->infer(call);
}

/// One stage `apply m(arguments) as y` over columns of its own, the arguments first.
struct AppliedColumns {
  StageCall call;
  Inferred inferred;
  std::vector<Column> slots;
  std::vector<Slot> writes;
  std::unique_ptr<Operator> op;
  std::unique_ptr<OperatorState> state;

  AppliedColumns(std::shared_ptr<const Resource> model, std::vector<Column> arguments,
                 Params params = {})
      : slots(std::move(arguments)) {
    for (std::size_t i = 0; i < slots.size(); ++i) {
      call.operands.push_back({.role = "",
                               .expression = {.kind = Expression::Kind::Column,
                                              .type = slots[i].type,
                                              .slot = static_cast<Slot>(i),
                                              .text = slots[i].name}});
    }
    call.name = "y";
    call.model = std::move(model);
    call.params = std::move(params);
    auto result = infer(call);
    REQUIRE(result);
    inferred = std::move(*result);
    for (const Column& column : inferred.columns) {
      writes.push_back(static_cast<Slot>(slots.size()));
      slots.push_back(column);
    }
    op = nodes()
             .find(NodeRole::Stage, "apply")
             ->make_operator({.call = call, .writes = writes, .resource = inferred.resource});
    state = op->make_state();
  }
  void run(Batch& batch) {
    batch.begin_stage(3);
    op->process(batch, state.get());
    batch.end_stage();
  }
};

/// One stage `apply m(x) as y`.
struct Applied : AppliedColumns {
  Applied(std::shared_ptr<const Resource> model, Type type, Params params = {})
      : AppliedColumns(std::move(model), {{.name = "x", .type = type}}, std::move(params)) {}
};

/// The numbers of a CSV file among the fixtures.
inline std::vector<std::vector<float>> rows_of(const std::string& name) {
  std::ifstream file(fixtures + name + ".csv");
  REQUIRE(file);
  std::vector<std::vector<float>> rows;
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    rows.emplace_back();
    for (std::string field; std::getline(fields, field, ',');) {
      rows.back().push_back(std::stof(field));
    }
  }
  REQUIRE(rows.size() >= 37);
  return rows;
}

inline const Type window{.scalar = ScalarType::F32, .width = 60};

inline RecordBatch make_records(std::size_t count) {
  RecordBatch records;
  records.records.resize(count);
  return records;
}

/// A folder of its own, removed at the end.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "kaspar-model-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path_); }
  [[nodiscard]] std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

inline std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  REQUIRE(file);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void write(const std::string& path, std::string_view bytes) {
  std::filesystem::remove(path);  // replacing a file's bytes would wait for the disk
  std::ofstream(path, std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace kaspar::test

// `parse json` on any records: a row is filled or fails by a code that the parser may give, and
// does so again when it comes alone. The first byte chooses the schema, records are split at byte
// 0.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <numeric>
#include <string_view>
#include <vector>

#include "nodes/json/json_parser.hpp"

namespace {

using namespace kaspar;
using nodes::json::JsonParser;

std::vector<Column> columns_of(unsigned choice) {
  const auto column = [](const char* name, ScalarType scalar, std::uint32_t width, bool optional,
                         const char* origin = "") {
    return Column{.name = name,
                  .type = {.scalar = scalar, .width = width, .optional = optional},
                  .origin = origin};
  };
  switch (choice % 3) {
    case 0:
      return {column("a", ScalarType::F32, 2, true), column("b", ScalarType::I64, 0, true),
              column("c", ScalarType::String, 0, true), column("d", ScalarType::Bool, 0, true)};
    case 1:
      return {column("x", ScalarType::F64, 0, true, "a.b"),
              column("y", ScalarType::F32, 0, true, "a.c.d"),
              column("z", ScalarType::Bytes, 0, true, "a.c")};
    default:
      return {column("t", ScalarType::Timestamp, 0, true),
              column("u", ScalarType::Duration, 0, true), column("v", ScalarType::F64, 1, false)};
  }
}

void parse(const JsonParser& parser, OperatorState* state, const RecordBatch& records,
           Batch& batch) {
  batch.reset(records);
  batch.begin_stage(0);
  parser.process(batch, state);
  batch.end_stage();
}

bool same_row(const Batch& left, Row row, const Batch& right, std::size_t columns) {
  for (Slot slot = 0; slot < columns; ++slot) {
    const ColumnBuffer& a = left.column(slot);
    const ColumnBuffer& b = right.column(slot);
    if (a.is_null(row) != b.is_null(0)) return false;
    if (a.is_null(row)) continue;
    if (a.type.is_text()) {
      if (*a.row<std::string_view>(row) != *b.row<std::string_view>(0)) return false;
      continue;
    }
    const std::size_t bytes = element_size(a.type.scalar) * a.type.elements();
    if (std::memcmp(a.data + row * bytes, b.data, bytes) != 0) return false;
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const Schema schema{.name = "Fuzz", .columns = columns_of(data[0])};
  std::vector<std::unique_ptr<char[]>> exact;  // a read past the end is seen by the sanitizer
  RecordBatch records;
  std::string_view rest{reinterpret_cast<const char*>(data) + 1, size - 1};
  while (records.records.size() < max_batch_records) {
    const std::size_t end = rest.find('\0');
    const std::string_view text = rest.substr(0, end);
    exact.push_back(std::make_unique<char[]>(text.size()));
    std::memcpy(exact.back().get(), text.data(), text.size());
    records.records.push_back({.value = {exact.back().get(), text.size()}, .has_value = true});
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  std::vector<Slot> writes(schema.columns.size());
  std::iota(writes.begin(), writes.end(), Slot{0});
  const JsonParser parser(schema, writes);
  const auto state = parser.make_state();
  Batch all(schema.columns, records.records.size());
  parse(parser, state.get(), records, all);
  if (all.alive().size() + all.errors().size() != records.records.size()) std::abort();
  for (const RowError& error : all.errors()) {
    if (error.code < DiagnosticCode::K0901 || error.code > DiagnosticCode::K0905) std::abort();
    if (error.message.empty() || error.message.size() > 400) std::abort();
  }
  Batch alone(schema.columns, 1);
  for (const Row row : all.alive()) {
    RecordBatch one;
    one.records.push_back(records.records[row]);
    parse(parser, state.get(), one, alone);
    if (!alone.errors().empty() || !same_row(all, row, alone, schema.columns.size())) std::abort();
  }
  return 0;
}

// The CSV parser on any records: the short cut and the plain path must agree in every value and
// every error. The first byte chooses delimiter and schema, records are split at byte 0.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <numeric>
#include <string_view>
#include <vector>

#include "nodes/csv/csv_parser.hpp"

namespace {

using namespace kaspar;
using namespace kaspar::nodes::csv;

std::vector<Column> columns_of(unsigned choice) {
  const auto column = [](const char* name, ScalarType scalar, std::uint32_t width, bool optional) {
    return Column{.name = name,
                  .type = {.scalar = scalar, .width = width, .optional = optional},
                  .origin = {}};
  };
  switch (choice % 5) {
    case 0:
      return {column("x", ScalarType::F32, 4, false)};
    case 1:
      return {column("a", ScalarType::F64, 0, true), column("b", ScalarType::I64, 0, false),
              column("c", ScalarType::String, 0, true)};
    case 2:
      return {column("t", ScalarType::Timestamp, 0, true),
              column("d", ScalarType::Duration, 0, true), column("f", ScalarType::Bool, 0, true),
              column("b", ScalarType::Bytes, 0, false)};
    case 3:
      return {column("x", ScalarType::F32, 0, false), column("y", ScalarType::F32, 0, true),
              column("z", ScalarType::F32, 2, true), column("a", ScalarType::F64, 0, true)};
    default:
      return {column("s", ScalarType::String, 0, false), column("x", ScalarType::F64, 3, true)};
  }
}

void compare(const Batch& fast, const Batch& plain, const std::vector<Column>& columns) {
  if (fast.errors().size() != plain.errors().size()) std::abort();
  for (std::size_t i = 0; i < fast.errors().size(); ++i) {
    if (fast.errors()[i].row != plain.errors()[i].row) std::abort();
    if (fast.errors()[i].code != plain.errors()[i].code) std::abort();
  }
  for (const Row row : fast.alive()) {
    for (Slot slot = 0; slot < columns.size(); ++slot) {
      const ColumnBuffer& left = fast.column(slot);
      const ColumnBuffer& right = plain.column(slot);
      if (left.is_null(row) != right.is_null(row)) std::abort();
      if (left.is_null(row)) continue;
      if (left.type.is_text()) {
        if (*left.row<std::string_view>(row) != *right.row<std::string_view>(row)) std::abort();
        continue;
      }
      const std::size_t bytes = element_size(left.type.scalar) * left.type.elements();
      if (std::memcmp(left.data + row * bytes, right.data + row * bytes, bytes) != 0) std::abort();
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::vector<Column> columns = columns_of(data[0] & 0x0fu);
  const char delimiter = data[0] & 0x10u ? ';' : ',';
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
  const Schema schema{.name = "Fuzz", .columns = columns};
  std::vector<Slot> writes(columns.size());
  std::iota(writes.begin(), writes.end(), Slot{0});
  const auto parse = [&](const NumberKernels* kernels) {
    auto batch = std::make_unique<Batch>(columns, records.records.size());
    const CsvParser parser(schema, writes, delimiter, kernels);
    batch->reset(records);
    batch->begin_stage(0);
    parser.process(*batch, parser.make_state().get());
    batch->end_stage();
    return batch;
  };
  const std::unique_ptr<Batch> plain = parse(nullptr);
  for (const auto set : {InstructionSet::Portable, InstructionSet::Avx2, InstructionSet::Avx512}) {
    if (const NumberKernels* const kernels = number_kernels_of(set)) {
      compare(*parse(kernels), *plain, columns);
    }
  }
  return 0;
}

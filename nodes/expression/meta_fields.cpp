// Reads what every record has: key, value, topic, partition, offset, timestamp, headers.
#include "nodes/expression/data_movement.hpp"

namespace kaspar::nodes::expression {
namespace {

const PartitionSpan* span_of(const Frame& frame, const Record& record) {
  const auto& spans = frame.batch->records().spans;
  return record.span < spans.size() ? &spans[record.span] : nullptr;
}

/// `read(record, row of the batch, value, present)` for every row.
template <class T, class Read>
void read_records(const Instruction& instruction, Frame& frame, Read read) {
  T* const out = frame.values<T>(instruction.out);
  std::uint8_t* const valid = frame.valid(instruction.out);
  for_each_row(frame.rows(instruction), [&](std::size_t row) {
    const std::size_t index = frame.first_row + row;
    bool present = true;
    out[row] = read(frame.batch->record(index), index, present);
    if (valid != nullptr) valid[row] = present ? 1 : 0;
  });
}

void read_key(const Instruction& instruction, Frame& frame) {
  read_records<std::string_view>(instruction, frame,
                                 [](const Record& record, std::size_t, bool& present) {
                                   present = record.has_key;
                                   return present ? record.key : std::string_view{};
                                 });
}

void read_value(const Instruction& instruction, Frame& frame) {
  read_records<std::string_view>(instruction, frame,
                                 [](const Record& record, std::size_t, bool& present) {
                                   present = record.has_value;
                                   return present ? record.value : std::string_view{};
                                 });
}

void read_topic(const Instruction& instruction, Frame& frame) {
  read_records<std::string_view>(instruction, frame, [&](const Record& record, std::size_t, bool&) {
    const PartitionSpan* const span = span_of(frame, record);
    return span != nullptr ? span->topic : std::string_view{};
  });
}

void read_partition(const Instruction& instruction, Frame& frame) {
  read_records<std::int64_t>(instruction, frame, [&](const Record& record, std::size_t, bool&) {
    const PartitionSpan* const span = span_of(frame, record);
    return span != nullptr ? std::int64_t{span->partition} : 0;
  });
}

void read_offset(const Instruction& instruction, Frame& frame) {
  read_records<std::int64_t>(
      instruction, frame, [](const Record& record, std::size_t, bool&) { return record.offset; });
}

void read_timestamp(const Instruction& instruction, Frame& frame) {
  const bool optional = instruction.a.type.optional;
  read_records<std::int64_t>(
      instruction, frame, [&](const Record& record, std::size_t index, bool& present) {
        present = record.timestamp != -1;
        if (!present && !optional) {
          frame.fail(index - frame.first_row, DiagnosticCode::K0905, "the record has no timestamp");
        }
        return record.timestamp;
      });
}

void read_header(const Instruction& instruction, Frame& frame) {
  const auto& name = *static_cast<const std::string*>(instruction.constant);
  const RecordStorage* const storage = frame.batch->records().storage.get();
  read_records<std::string_view>(instruction, frame,
                                 [&](const Record&, std::size_t index, bool& present) {
                                   present = false;
                                   std::string_view value;
                                   frame.headers.clear();
                                   if (storage != nullptr) storage->headers(index, frame.headers);
                                   // Of several headers of one name the last counts, as for other
                                   // Kafka clients.
                                   for (const Header& header : frame.headers) {
                                     if (header.name != name) continue;
                                     present = header.has_value;
                                     value = present ? header.value : std::string_view{};
                                   }
                                   return value;
                                 });
}

}  // namespace

bool fits_meta_field(MetaField field, const Type& type) {
  if (type.is_vector()) return false;
  switch (field) {
    case MetaField::Topic:
      return type.scalar == ScalarType::String;
    case MetaField::Partition:
    case MetaField::Offset:
      return type.scalar == ScalarType::I64;
    case MetaField::Timestamp:
      return type.scalar == ScalarType::Timestamp;
    default:
      return type.is_text();
  }
}

Kernel meta_kernel(MetaField field) {
  switch (field) {
    case MetaField::Key:
      return read_key;
    case MetaField::Value:
      return read_value;
    case MetaField::Topic:
      return read_topic;
    case MetaField::Partition:
      return read_partition;
    case MetaField::Offset:
      return read_offset;
    case MetaField::Timestamp:
      return read_timestamp;
    case MetaField::Header:
      return read_header;
  }
  return nullptr;
}

}  // namespace kaspar::nodes::expression

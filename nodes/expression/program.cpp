#include "nodes/expression/program.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>

namespace kaspar::nodes::expression {
namespace {

constexpr std::size_t alignment = 64;

constexpr std::size_t aligned(std::size_t bytes) {
  return (bytes + alignment - 1) / alignment * alignment;
}

std::size_t value_size(const Type& type) {
  return type.is_vector() ? sizeof(void*) : element_size(type.scalar);
}

template <class T>
void fill_with(std::byte* data, std::size_t count, T value) {
  std::fill_n(reinterpret_cast<T*>(data), count, value);
}

std::int64_t integer_of(const Value& value) {
  if (const auto* span = value.get<std::chrono::milliseconds>()) return span->count();
  const auto* integer = value.get<std::int64_t>();
  return integer != nullptr ? *integer : 0;
}

double number_of(const Value& value) {
  if (const auto* number = value.get<double>()) return *number;
  return static_cast<double>(integer_of(value));
}

void fill(std::byte* data, std::size_t count, const Expression& literal) {
  const Value& value = literal.literal;
  switch (literal.type.scalar) {
    case ScalarType::Bool: {
      const auto* flag = value.get<bool>();
      return fill_with(data, count, flag != nullptr && *flag);
    }
    case ScalarType::F32:
      return fill_with(data, count, static_cast<float>(number_of(value)));
    case ScalarType::F64:
      return fill_with(data, count, number_of(value));
    case ScalarType::String:
    case ScalarType::Bytes: {
      const auto* text = value.get<std::string>();
      return fill_with(data, count, text != nullptr ? std::string_view{*text} : std::string_view{});
    }
    case ScalarType::I64:
    case ScalarType::Timestamp:
    case ScalarType::Duration:
      return fill_with(data, count, integer_of(value));
  }
}

/// Takes the failed rows out.
void leave_out_failed(Selection& selection, const Frame& frame) noexcept {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < selection.count; ++i) {
    const std::size_t row = selection.dense ? i : selection.rows[i];
    selection.rows[kept] = static_cast<Row>(row);
    kept += frame.failed[row] == 0 ? 1U : 0U;
  }
  selection.dense = selection.dense && kept == selection.count;
  selection.count = kept;
  selection.failures = frame.failures;
}

}  // namespace

std::unique_ptr<Frame> Program::make_frame(std::size_t block) const {
  auto frame = std::make_unique<Frame>();
  frame->block = block;
  std::size_t bytes = alignment;
  for (const RegisterPlan& plan : registers_) {
    if (plan.kind == RegisterPlan::Kind::Column) continue;
    bytes += aligned(value_size(plan.type) * block) + (plan.type.optional ? aligned(block) : 0);
  }
  frame->memory = std::make_unique<std::byte[]>(bytes);
  std::byte* next = frame->memory.get();
  next += aligned(reinterpret_cast<std::uintptr_t>(next)) - reinterpret_cast<std::uintptr_t>(next);
  for (const RegisterPlan& plan : registers_) {
    Register& made = frame->registers.emplace_back();
    if (plan.kind == RegisterPlan::Kind::Column) continue;
    made.data = next;
    next += aligned(value_size(plan.type) * block);
    if (plan.type.optional) {
      made.valid = reinterpret_cast<std::uint8_t*>(next);
      next += aligned(block);
    }
    if (plan.kind == RegisterPlan::Kind::Constant) {
      fill(made.data, block, *plan.literal);
      if (made.valid != nullptr) {
        const bool null = plan.literal->literal.get<std::monostate>() != nullptr;
        std::memset(made.valid, null ? 0 : 1, block);
      }
    }
  }
  frame->row_memory = std::make_unique<Row[]>(selections_ * block);
  frame->selections.resize(selections_);
  for (std::size_t i = 0; i < selections_; ++i) {
    frame->selections[i].rows = frame->row_memory.get() + i * block;
  }
  frame->failed.resize(block);
  frame->elements.resize(converted_vectors_);
  return frame;
}

void Program::bind_columns(Frame& frame) const noexcept {
  for (std::size_t i = 0; i < registers_.size(); ++i) {
    const RegisterPlan& plan = registers_[i];
    if (plan.kind != RegisterPlan::Kind::Column) continue;
    const ColumnBuffer& column = frame.batch->column(plan.slot);
    const std::size_t row_size = element_size(column.type.scalar) * column.type.elements();
    frame.registers[i] = {
        .data = column.data + frame.first_row * row_size,
        .valid = column.valid != nullptr ? column.valid + frame.first_row : nullptr};
  }
}

void Program::execute(Frame& frame) const noexcept {
  const Instruction* const code = code_.data();
  const std::size_t end = code_.size();
  for (std::size_t at = 0; at < end; ++at) {
    const Instruction& instruction = code[at];
    Selection& selection = frame.selections[instruction.selection];
    if (selection.failures != frame.failures) [[unlikely]]
      leave_out_failed(selection, frame);
    instruction.kernel(instruction, frame);
    if (instruction.skip != 0 && frame.selections[instruction.chosen].count == 0) {
      at += instruction.skip;
    }
  }
}

void Program::run(Batch& batch, Frame& frame) const noexcept {
  frame.batch = &batch;
  const std::span<const Row> alive = batch.alive();
  for (std::size_t next = 0; next < alive.size();) {
    // Each block begins at a row that is alive.
    frame.first_row = alive[next];
    frame.failures = 0;
    Selection& rows = frame.selections.front();
    rows.failures = 0;
    if (batch.dense()) {
      rows.count = std::min(frame.block, alive.size() - next);
      rows.dense = true;
      next += rows.count;
    } else {
      rows.count = 0;
      for (; next < alive.size() && alive[next] < frame.first_row + frame.block; ++next) {
        rows.rows[rows.count++] = static_cast<Row>(alive[next] - frame.first_row);
      }
      rows.dense = rows.rows[rows.count - 1] + 1U == rows.count;
    }
    bind_columns(frame);
    execute(frame);
    if (frame.failures != 0) std::ranges::fill(frame.failed, std::uint8_t{0});
  }
}

}  // namespace kaspar::nodes::expression

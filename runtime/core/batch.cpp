#include "runtime/core/batch.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <numeric>
#include <utility>

namespace kaspar {
namespace {

constexpr std::size_t column_alignment = 64;

constexpr std::size_t aligned(std::size_t bytes) {
  return (bytes + column_alignment - 1) / column_alignment * column_alignment;
}

std::size_t data_bytes(const Type& type, std::size_t capacity) {
  return aligned(element_size(type.scalar) * type.elements() * capacity);
}

std::size_t valid_bytes(const Type& type, std::size_t capacity) {
  return type.optional ? aligned(capacity) : 0;
}

}  // namespace

char* TextArena::allocate(std::size_t size) {
  if (size > block_size / 4) {
    large_blocks_.push_back(std::make_unique_for_overwrite<char[]>(size));
    return large_blocks_.back().get();
  }
  if (block_ < blocks_.size() && used_ + size > block_size) {
    ++block_;
    used_ = 0;
  }
  if (block_ == blocks_.size()) {
    blocks_.push_back(std::make_unique_for_overwrite<char[]>(block_size));
    used_ = 0;
  }
  char* room = blocks_[block_].get() + used_;
  used_ += size;
  return room;
}

std::string_view TextArena::copy(std::string_view text) {
  if (text.empty()) return {};
  char* room = allocate(text.size());
  std::memcpy(room, text.data(), text.size());
  return {room, text.size()};
}

void TextArena::clear() noexcept {
  large_blocks_.clear();
  block_ = 0;
  used_ = 0;
}

std::size_t Batch::column_bytes(std::span<const Column> slots, std::size_t capacity) noexcept {
  std::size_t bytes = 0;
  for (const Column& slot : slots) {
    bytes += data_bytes(slot.type, capacity) + valid_bytes(slot.type, capacity);
  }
  return bytes;
}

Batch::Batch(std::span<const Column> slots, std::size_t capacity, std::size_t inherited)
    : capacity_(capacity) {
  const std::size_t bytes = column_bytes(slots.subspan(inherited), capacity);
  if (bytes != 0) {
    memory_ = static_cast<std::byte*>(::operator new(bytes, std::align_val_t{column_alignment}));
    std::memset(memory_, 0, bytes);
  }
  std::byte* next = memory_;
  columns_.reserve(slots.size());
  for (const Column& slot : slots) {
    ColumnBuffer& column = columns_.emplace_back();
    column.type = slot.type;
    if (columns_.size() <= inherited) continue;
    column.data = next;
    next += data_bytes(slot.type, capacity);
    if (slot.type.optional) {
      column.valid = reinterpret_cast<std::uint8_t*>(next);
      next += valid_bytes(slot.type, capacity);
    }
  }
  alive_.reserve(capacity);
}

Batch::~Batch() { ::operator delete(memory_, std::align_val_t{column_alignment}); }

void Batch::begin(const RecordBatch& records) {
  records_ = &records;
  rows_ = records.records.size();
  removed_.reset();
  any_removed_ = false;
  errors_.clear();
  outputs_.clear();
  text_.clear();
  stage_ = 0;
}

void Batch::reset(const RecordBatch& records) {
  begin(records);
  alive_.resize(rows_);
  std::iota(alive_.begin(), alive_.end(), Row{0});
}

void Batch::reset(const RecordBatch& records, std::span<const Row> alive) {
  begin(records);
  alive_.assign(alive.begin(), alive.end());
}

void Batch::fail(Row row, DiagnosticCode code, std::string message) {
  if (removed_.test(row)) return;
  discard(row);
  errors_.push_back({.row = row, .stage = stage_, .code = code, .message = std::move(message)});
}

void Batch::end_stage() noexcept {
  if (!any_removed_) return;
  std::erase_if(alive_, [this](Row row) { return removed_.test(row); });
  any_removed_ = false;
}

void Batch::keep_before(Row row) noexcept {
  alive_.erase(std::ranges::lower_bound(alive_, row), alive_.end());
}

}  // namespace kaspar

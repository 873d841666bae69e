#include "nodes/model/apply_operator.hpp"

#include <fmt/core.h>

#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "nodes/model/vector_kernels.hpp"

namespace kaspar::nodes {
namespace {

class ApplyState final : public OperatorState {
 public:
  explicit ApplyState(const Program& program) : memory_(program.make_memory()) {}
  [[nodiscard]] LaneMemory memory(std::size_t active) const noexcept {
    return memory_.lanes(active);
  }

 private:
  ProgramMemory memory_;
};

/// A number as the model's input has it; what an integer cannot hold becomes the nearest.
template <class To, class From>
To converted_number(From value) noexcept {
  if constexpr (std::is_same_v<To, std::int64_t> && std::is_floating_point_v<From>) {
    constexpr From limit = static_cast<From>(9223372036854775808.0);
    if (!(value < limit)) return value != value ? 0 : std::numeric_limits<To>::max();
    if (value < -limit) return std::numeric_limits<To>::min();
  }
  return static_cast<To>(value);
}

class ApplyOperator final : public Operator {
 public:
  ApplyOperator(std::shared_ptr<const AppliedModel> applied, std::vector<Expression> arguments,
                std::vector<Slot> writes, bool missing)
      : applied_(std::move(applied)),
        arguments_(std::move(arguments)),
        writes_(std::move(writes)),
        missing_(missing) {}

  [[nodiscard]] std::unique_ptr<OperatorState> make_state() const override {
    return std::make_unique<ApplyState>(*applied_->program);
  }

  void process(Batch& batch, OperatorState* state) const noexcept override {
    const auto& own = *static_cast<const ApplyState*>(state);
    std::array<Row, lanes> rows{};
    std::size_t taken = 0;
    for (const Row row : batch.alive()) {
      rows[taken++] = row;
      if (taken == lanes) {
        run(batch, rows, taken, own);
        taken = 0;
      }
    }
    if (taken != 0) run(batch, rows, taken, own);
  }

 private:
  /// Only rows without a fault come to lanes.
  void run(Batch& batch, std::array<Row, lanes>& rows, std::size_t count,
           const ApplyState& state) const noexcept {
    std::size_t loaded = count;
    if (!load_whole(batch, std::span(rows).first(count), state.memory(count))) {
      loaded = 0;
      for (std::size_t i = 0; i < count; ++i) {
        if (load(batch, rows[i], loaded, state.memory(lanes))) rows[loaded++] = rows[i];
      }
    }
    if (loaded != 0) run(batch, std::span(rows).first(loaded), state.memory(loaded));
  }

  // --- rows into lanes ------------------------------------------------------------------------

  /// Columns of f32 into inputs of f32, all rows at once; false if an argument is of another kind
  /// or a number is not finite, and then what the lanes hold does not matter.
  bool load_whole(const Batch& batch, std::span<const Row> rows, LaneMemory memory) const noexcept {
    for (std::size_t i = 0; i < arguments_.size(); ++i) {
      const ProgramInput& input = applied_->program->inputs[i];
      const Expression& argument = arguments_[i];
      if (input.element != Element::F32 || argument.kind != Expression::Kind::Column) return false;
      const ColumnBuffer& column = batch.column(argument.slot);
      if (column.type.scalar != ScalarType::F32 || column.type.optional) return false;
      std::array<const float*, lanes> from{};
      for (std::size_t lane = 0; lane < rows.size(); ++lane) {
        from[lane] = column.row<float>(rows[lane]);
      }
      if (!kernels().into_lanes(from.data(), rows.size(), column.type.elements(),
                                memory.lanes_at<float>(input.first))) {
        return false;
      }
    }
    return true;
  }

  /// Puts a row's arguments into a lane; false if it failed.
  bool load(Batch& batch, Row row, std::size_t lane, LaneMemory memory) const noexcept {
    for (std::size_t i = 0; i < arguments_.size(); ++i) {
      const ProgramInput& input = applied_->program->inputs[i];
      const auto bad = with_lane_type(input.element, [&]<class To>(To) {
        return load_argument(batch, row, arguments_[i], input.element,
                             memory.lanes_at<To>(input.first) + lane);
      });
      if (!bad) continue;
      const auto& [place, value] = *bad;
      const std::string_view what = std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
      batch.fail(row, DiagnosticCode::K0904,
                 arguments_[i].type.is_vector()
                     ? fmt::format("`{}[{}]` is {}", arguments_[i].text, place, what)
                     : fmt::format("`{}` is {}", arguments_[i].text, what));
      return false;
    }
    return true;
  }

  using Bad = std::optional<std::pair<std::size_t, double>>;  // the first that is not finite

  template <class To>
  Bad load_argument(const Batch& batch, Row row, const Expression& argument, Element element,
                    To* to) const noexcept {
    if constexpr (std::is_same_v<To, std::string_view>) {
      *to = text_of(batch, row, argument);
      return std::nullopt;
    } else {
      if (argument.kind != Expression::Kind::Column) {
        return put(constant_or_meta(batch, row, argument), 0, element, to);
      }
      const ColumnBuffer& column = batch.column(argument.slot);
      const std::size_t count = column.type.elements();
      if (column.is_null(row)) {  // only with missing_, or the type would not be optional
        for (std::size_t i = 0; i < count; ++i) {
          to[i * lanes] = static_cast<To>(std::numeric_limits<To>::quiet_NaN());
        }
        return std::nullopt;
      }
      switch (column.type.scalar) {
        case ScalarType::F32:
          return convert(column.row<float>(row), count, element, to);
        case ScalarType::F64:
          return convert(column.row<double>(row), count, element, to);
        case ScalarType::I64:
          return convert(column.row<std::int64_t>(row), count, element, to);
        case ScalarType::Bool:
          return convert(column.row<bool>(row), count, element, to);
        default:
          return std::nullopt;
      }
    }
  }

  template <class From, class To>
  Bad convert(const From* from, std::size_t count, Element element, To* to) const noexcept {
    Bad bad;
    for (std::size_t i = 0; i < count; ++i) {
      const Bad one = put(from[i], i, element, to + i * lanes);
      if (one && !bad) bad = one;
    }
    return bad;
  }

  template <class From, class To>
  Bad put(From value, std::size_t place, Element element, To* to) const noexcept {
    *to = element == Element::Bool ? static_cast<To>(value != From{}) : converted_number<To>(value);
    if constexpr (std::is_floating_point_v<To>) {
      if (missing_ ? std::isinf(*to) : !std::isfinite(*to)) {
        return std::pair{place, static_cast<double>(*to)};
      }
    } else if constexpr (std::is_floating_point_v<From>) {
      if (!std::isfinite(value)) return std::pair{place, static_cast<double>(value)};
    }
    return std::nullopt;
  }

  static std::string_view text_of(const Batch& batch, Row row,
                                  const Expression& argument) noexcept {
    if (argument.kind == Expression::Kind::Column) {
      const ColumnBuffer& column = batch.column(argument.slot);
      return column.is_null(row) ? std::string_view{} : *column.row<std::string_view>(row);
    }
    if (argument.kind == Expression::Kind::Meta) {
      return batch.records().spans[batch.record(row).span].topic;
    }
    const auto* text = argument.literal.get<std::string>();
    return text == nullptr ? std::string_view{} : std::string_view(*text);
  }

  static double constant_or_meta(const Batch& batch, Row row, const Expression& argument) noexcept {
    if (argument.kind == Expression::Kind::Meta) {
      const Record& record = batch.record(row);
      if (argument.meta == MetaField::Partition) {
        return static_cast<double>(batch.records().spans[record.span].partition);
      }
      return static_cast<double>(record.offset);
    }
    if (const auto* flag = argument.literal.get<bool>()) return *flag ? 1 : 0;
    if (const auto* whole = argument.literal.get<std::int64_t>()) {
      return static_cast<double>(*whole);
    }
    if (const auto* real = argument.literal.get<double>()) return *real;
    return 0;
  }

  // --- lanes into columns ---------------------------------------------------------------------

  void run(Batch& batch, std::span<const Row> rows, LaneMemory memory) const noexcept {
    const Program& program = *applied_->program;
    program.run(memory);
    const Places places = places_of_largest(memory);
    for (std::size_t lane = 0; lane < rows.size(); ++lane) {
      if (const std::int32_t failed = memory.failure(lane); failed != 0) {
        batch.fail(rows[lane], DiagnosticCode::K0906,
                   program.failures[static_cast<std::size_t>(failed) - 1]);
      } else {
        store(batch, rows[lane], lane, memory, places);
      }
    }
  }

  struct alignas(register_bytes) Places {
    std::array<std::int32_t, lanes> of{};
  };

  /// Of each lane the first of its largest scores.
  [[nodiscard]] Places places_of_largest(LaneMemory memory) const noexcept {
    Places places;
    const ProgramOutput& out = applied_->out;
    if (!applied_->has_index || applied_->label) return places;
    with_lane_type(out.element, [&]<class T>(T) {
      if constexpr (std::is_same_v<T, float>) {
        kernels().argmax(memory.lanes_at<float>(out.first), out.width, places.of.data());
      } else if constexpr (!std::is_same_v<T, std::string_view>) {
        const T* const scores = memory.lanes_at<T>(out.first);
        for (std::size_t lane = 0; lane < memory.active(); ++lane) {
          std::size_t place = 0;
          for (std::size_t i = 1; i < out.width; ++i) {
            if (scores[i * lanes + lane] > scores[place * lanes + lane]) place = i;
          }
          places.of[lane] = static_cast<std::int32_t>(place);
        }
      }
    });
    return places;
  }

  void store(Batch& batch, Row row, std::size_t lane, LaneMemory memory,
             const Places& places) const noexcept {
    const ProgramOutput& out = applied_->out;
    with_lane_type(out.element, [&]<class T>(T) {
      const T* from = memory.lanes_at<T>(out.first) + lane;
      if constexpr (std::is_same_v<T, std::string_view>) {
        *batch.column(writes_[0]).row<std::string_view>(row) = batch.text().copy(*from);
      } else if (applied_->out_type.scalar == ScalarType::I64) {
        *batch.column(writes_[0]).row<std::int64_t>(row) = static_cast<std::int64_t>(*from);
      } else if (applied_->out_type.scalar == ScalarType::F64) {
        auto* to = batch.column(writes_[0]).row<double>(row);
        for (std::size_t i = 0; i < out.width; ++i) to[i] = static_cast<double>(from[i * lanes]);
      } else {
        auto* to = batch.column(writes_[0]).row<float>(row);
        for (std::size_t i = 0; i < out.width; ++i) to[i] = static_cast<float>(from[i * lanes]);
      }
      if constexpr (!std::is_same_v<T, std::string_view>) {
        if (applied_->has_index) store_class(batch, row, lane, memory, from, places.of[lane]);
      }
    });
  }

  template <class T>
  void store_class(Batch& batch, Row row, std::size_t lane, LaneMemory memory, const T* scores,
                   std::int32_t largest) const noexcept {
    const std::size_t width = applied_->out.width;
    auto index = static_cast<std::size_t>(largest);
    if (applied_->label) {
      const auto found = place_of_label(batch, row, lane, memory);
      if (!found) return;
      index = *found;
    } else if (width == 1) {
      index = scores[0] >= T(0.5) ? 1 : 0;
    }
    *batch.column(writes_[1]).row<std::int64_t>(row) = static_cast<std::int64_t>(index);
    std::size_t next = 2;
    if (applied_->has_score) {
      const T score =
          width == 1 ? (index == 1 ? scores[0] : T(1) - scores[0]) : scores[index * lanes];
      if (applied_->out_type.scalar == ScalarType::F64) {
        *batch.column(writes_[next++]).row<double>(row) = static_cast<double>(score);
      } else {
        *batch.column(writes_[next++]).row<float>(row) = static_cast<float>(score);
      }
    }
    if (!applied_->names.empty()) {
      *batch.column(writes_[next]).row<std::string_view>(row) = applied_->names[index];
    }
  }

  std::optional<std::size_t> place_of_label(Batch& batch, Row row, std::size_t lane,
                                            LaneMemory memory) const noexcept {
    const ProgramOutput& label = *applied_->label;
    const std::size_t count = applied_->classes;
    if (label.element == Element::String) {
      const std::string_view is = memory.lanes_at<std::string_view>(label.first)[lane];
      for (std::size_t i = 0; i < label.classes.names.size(); ++i) {
        if (label.classes.names[i] == is) return i;
      }
      batch.fail(row, DiagnosticCode::K0906,
                 fmt::format("the model's class `{}` is none of its {}", is, count));
      return std::nullopt;
    }
    const std::int64_t is = memory.lanes_at<std::int64_t>(label.first)[lane];
    if (label.classes.numbers.empty()) {
      if (is >= 0 && static_cast<std::size_t>(is) < count) return static_cast<std::size_t>(is);
    } else {
      for (std::size_t i = 0; i < label.classes.numbers.size(); ++i) {
        if (label.classes.numbers[i] == is) return i;
      }
    }
    batch.fail(row, DiagnosticCode::K0906,
               fmt::format("the model's class {} is none of its {}", is, count));
    return std::nullopt;
  }

  std::shared_ptr<const AppliedModel> applied_;
  std::vector<Expression> arguments_;
  std::vector<Slot> writes_;
  bool missing_;
};

}  // namespace

std::unique_ptr<Operator> make_apply_operator(std::shared_ptr<const AppliedModel> applied,
                                              const StageBinding& binding, bool missing) {
  std::vector<Expression> arguments;
  for (const Operand& operand : binding.call.operands) {
    if (operand.role.empty()) arguments.push_back(operand.expression);
  }
  return std::make_unique<ApplyOperator>(
      std::move(applied), std::move(arguments),
      std::vector<Slot>(binding.writes.begin(), binding.writes.end()), missing);
}

}  // namespace kaspar::nodes

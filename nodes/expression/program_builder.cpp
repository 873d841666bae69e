#include "nodes/expression/program_builder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <span>
#include <utility>

#include "nodes/expression/arithmetic.hpp"
#include "nodes/expression/data_movement.hpp"
#include "nodes/expression/expression_limits.hpp"
#include "nodes/expression/operation_kernel.hpp"

namespace kaspar::nodes::expression {
namespace {

using Kind = Expression::Kind;

void add_to(LiteralSet& set, const Expression& literal) {
  const Value& value = literal.literal;
  if (const auto* flag = value.get<bool>()) (*flag ? set.has_true : set.has_false) = true;
  if (const auto* text = value.get<std::string>()) set.texts.emplace_back(*text);
  double number = 0;
  if (const auto* integer = value.get<std::int64_t>()) {
    set.integers.push_back(*integer);
    number = static_cast<double>(*integer);
  } else if (const auto* span = value.get<std::chrono::milliseconds>()) {
    set.integers.push_back(span->count());
  } else if (const auto* real = value.get<double>()) {
    number = *real;
  } else {
    return;
  }
  if (number != number) return;  // NaN equals nothing
  set.doubles.push_back(number);
  set.singles.push_back(static_cast<float>(number));
}

bool is_truth(const Expression& expression) {
  return expression.type.scalar == ScalarType::Bool && !expression.type.is_vector();
}

}  // namespace

void ProgramBuilder::compute(const Expression& expression, Slot slot) {
  if (!is_compilable(expression)) return;
  Input out = column(slot, expression.type);
  out.type.optional = true;  // its validity is written wherever the column has one
  if (!expression.type.is_vector()) return compute_into(expression, out, 0);
  const Held vector = value_of(expression, 0);
  emit({.kernel = store_vector, .a = vector.input, .out = out});
  give_back(vector);
}

void ProgramBuilder::require(const Expression& condition) {
  if (!is_compilable(condition)) return;
  if (!is_truth(condition)) return refuse(condition);
  const Held truth = value_of(condition, 0);
  emit({.kernel = discard_false, .a = truth.input});
  give_back(truth);
}

std::expected<Program, Issue> ProgramBuilder::finish() && {
  if (issue_) return std::unexpected(std::move(*issue_));
  return std::move(program_);
}

bool ProgramBuilder::is_compilable(const Expression& expression) {
  if (!issue_) issue_ = find_fault(expression);
  return !issue_;
}

ProgramBuilder::Held ProgramBuilder::value_of(const Expression& expression,
                                              std::uint32_t selection) {
  switch (expression.kind) {
    case Kind::Literal:
      return {.input = constant(expression)};
    case Kind::Column:
      if (!expression.type.is_vector()) return {.input = column(expression.slot, expression.type)};
      break;
    case Kind::Local: {
      const auto found = locals_.find(expression.local);
      if (found == locals_.end() || !keeps_value(found->second.type, expression.type)) {
        refuse(expression);
        return {};
      }
      Input input = found->second;
      input.type.optional = input.type.optional && expression.type.optional;
      return {.input = input};
    }
    case Kind::Convert:
      if (const Expression& from = expression.children[0];
          keeps_value(from.type, expression.type)) {
        Held held = value_of(from, selection);
        held.input.type.scalar = expression.type.scalar;
        held.input.type.optional = held.input.type.optional && expression.type.optional;
        return held;
      }
      break;
    default:
      break;
  }
  if (is_operation(expression)) return operate(expression, std::nullopt, selection);
  const Held made = scratch(expression.type);
  compute_into(expression, made.input, selection);
  return made;
}

void ProgramBuilder::compute_into(const Expression& expression, Input out,
                                  std::uint32_t selection) {
  if (issue_) return;
  if (expression.type.width != out.type.width ||
      element_size(expression.type.scalar) != element_size(out.type.scalar)) {
    return refuse(expression);
  }
  switch (expression.kind) {
    case Kind::Literal:
    case Kind::Column:
    case Kind::Meta:
    case Kind::Local:
      return compute_leaf(expression, out, selection);
    case Kind::Let:
      return compute_let(expression, out, selection);
    case Kind::And:
    case Kind::Or:
      return compute_logic(expression, out, selection);
    case Kind::Case:
      return compute_case(expression, out, selection);
    case Kind::Coalesce:
      return compute_coalesce(expression, out, selection);
    case Kind::In:
      return compute_membership(expression, out, selection);
    default:
      break;
  }
  if (!is_operation(expression)) return compute_fold(expression, out, selection);
  operate(expression, out, selection);
}

void ProgramBuilder::compute_leaf(const Expression& expression, Input out,
                                  std::uint32_t selection) {
  if (expression.kind == Kind::Meta) {
    if (!fits_meta_field(expression.meta, expression.type)) return refuse(expression);
    Instruction read{.kernel = meta_kernel(expression.meta), .out = out, .selection = selection};
    read.a.type = expression.type;
    if (expression.meta == MetaField::Header) {
      read.constant = &program_.texts_.emplace_back(expression.header);
    }
    emit(read);
  } else if (expression.kind == Kind::Column && expression.type.is_vector()) {
    emit({.kernel = address_rows,
          .a = column(expression.slot, expression.type),
          .out = out,
          .selection = selection});
  } else {
    const Held value = value_of(expression, selection);
    emit({.kernel = copy_kernel(out.type), .a = value.input, .out = out, .selection = selection});
  }
}

void ProgramBuilder::compute_let(const Expression& expression, Input out, std::uint32_t selection) {
  const std::span locals = std::span{expression.children}.first(expression.children.size() - 1);
  const std::map<std::uint32_t, Input> outer = locals_;
  std::vector<Held> held;
  for (std::uint32_t i = 0; i < locals.size(); ++i) {
    held.push_back(value_of(locals[i], selection));
    locals_.insert_or_assign(expression.local + i, held.back().input);
  }
  compute_into(expression.children.back(), out, selection);
  for (const Held& local : held) give_back(local);
  locals_ = outer;
}

ProgramBuilder::Held ProgramBuilder::operate(const Expression& expression, std::optional<Input> out,
                                             std::uint32_t selection) {
  Kernel kernel = operation_kernel(expression);
  if (kernel == nullptr || issue_) {
    refuse(expression);
    return {};
  }
  const Expression& first = expression.children[0];
  const bool in_column = expression.kind == Kind::Element && first.kind == Kind::Column;
  if (in_column) kernel = column_element_kernel(first.type.scalar);
  Instruction instruction{.kernel = kernel, .selection = selection};
  const Held a =
      in_column ? Held{.input = column(first.slot, first.type)} : value_of(first, selection);
  instruction.a = a.input;
  Held b;
  if (expression.children.size() > 1) {
    b = value_of(expression.children[1], selection);
    instruction.b = b.input;
  }
  const Held result = out ? Held{.input = *out} : scratch(expression.type);
  instruction.out = result.input;
  const bool converts = expression.kind == Kind::Convert;
  if (converts) {
    instruction.a.type.optional = instruction.a.type.optional && expression.type.optional;
    if (a.input.type.is_vector()) {
      instruction.b.index = static_cast<std::uint32_t>(program_.converted_vectors_++);
    }
  }
  emit(instruction);
  give_back(a);
  give_back(b);
  // What is no conversion has no null result.
  if (!converts && instruction.out.type.optional) {
    emit({.kernel = set_valid, .out = instruction.out, .selection = selection});
  }
  return result;
}

void ProgramBuilder::compute_logic(const Expression& expression, Input out,
                                   std::uint32_t selection) {
  if (!is_truth(expression)) return refuse(expression);
  compute_into(expression.children[0], out, selection);
  const std::uint32_t undecided = open_selection();
  const std::size_t choice =
      emit({.kernel = expression.kind == Kind::And ? choose_true : choose_false,
            .a = out,
            .selection = selection,
            .chosen = undecided});
  compute_into(expression.children[1], out, undecided);
  skip_from(choice);
  close_selection();
}

void ProgramBuilder::compute_case(const Expression& expression, Input out,
                                  std::uint32_t selection) {
  const auto& parts = expression.children;
  if (parts.size() % 2 == 0) return refuse(expression);
  if (parts.size() == 1) return compute_into(parts[0], out, selection);
  const std::uint32_t rest = open_selection();
  const std::uint32_t chosen = open_selection();
  for (std::size_t i = 0; i + 1 < parts.size(); i += 2) {
    if (!is_truth(parts[i])) return refuse(parts[i]);
    const std::uint32_t from = i == 0 ? selection : rest;
    const Held condition = value_of(parts[i], from);
    const std::size_t choice = emit(
        {.kernel = split, .a = condition.input, .selection = from, .chosen = chosen, .rest = rest});
    give_back(condition);
    compute_into(parts[i + 1], out, chosen);
    skip_from(choice);
  }
  compute_into(parts.back(), out, rest);
  close_selection();
  close_selection();
}

void ProgramBuilder::compute_coalesce(const Expression& expression, Input out,
                                      std::uint32_t selection) {
  if (!keeps_value(expression.children[0].type, expression.type)) return refuse(expression);
  const Held first = value_of(expression.children[0], selection);
  const std::uint32_t nulls = open_selection();
  const std::size_t choice = emit({.kernel = coalesce_kernel(out.type),
                                   .a = first.input,
                                   .out = out,
                                   .selection = selection,
                                   .chosen = nulls});
  give_back(first);
  compute_into(expression.children[1], out, nulls);
  skip_from(choice);
  close_selection();
}

void ProgramBuilder::compute_membership(const Expression& expression, Input out,
                                        std::uint32_t selection) {
  const std::span<const Expression> others = std::span{expression.children}.subspan(1);
  const Type& type = expression.children[0].type;
  if (type.is_vector() || !is_truth(expression)) return refuse(expression);
  LiteralSet& set = program_.sets_.emplace_back();
  for (const Expression& other : others) {
    if (other.type.is_vector() || other.type.scalar != type.scalar) return refuse(other);
    if (other.kind != Kind::Literal) continue;
    program_.literals_.push_back(other);
    add_to(set, program_.literals_.back());
  }
  std::ranges::sort(set.integers);
  std::ranges::sort(set.singles);
  std::ranges::sort(set.doubles);
  std::ranges::sort(set.texts);
  const Held sought = value_of(expression.children[0], selection);
  emit({.kernel = membership_kernel(type.scalar),
        .a = sought.input,
        .out = out,
        .selection = selection,
        .constant = &set});
  for (const Expression& other : others) {
    if (other.kind == Kind::Literal) continue;
    const Held value = value_of(other, selection);
    emit({.kernel = any_equal_kernel(type.scalar),
          .a = sought.input,
          .b = value.input,
          .out = out,
          .selection = selection});
    give_back(value);
  }
  give_back(sought);
  emit({.kernel = set_valid, .out = out, .selection = selection});
}

void ProgramBuilder::compute_fold(const Expression& expression, Input out,
                                  std::uint32_t selection) {
  const Kernel kernel = call_kernel(expression);
  if (kernel == nullptr) return refuse(expression);
  compute_into(expression.children[0], out, selection);
  for (const Expression& child : std::span{expression.children}.subspan(1)) {
    const Held value = value_of(child, selection);
    emit({.kernel = kernel, .a = out, .b = value.input, .out = out, .selection = selection});
    give_back(value);
  }
}

Input ProgramBuilder::column(Slot slot, const Type& type) {
  const auto [found, added] =
      columns_.try_emplace(slot, static_cast<std::uint32_t>(program_.registers_.size()));
  if (added) {
    program_.registers_.push_back(
        {.kind = Program::RegisterPlan::Kind::Column, .type = type, .slot = slot});
  }
  return {.index = found->second, .type = type};
}

Input ProgramBuilder::constant(const Expression& literal) {
  if (literal.type.is_vector()) refuse(literal);
  program_.literals_.push_back(literal);
  Type type = literal.type;
  type.optional = literal.literal.get<std::monostate>() != nullptr;
  program_.registers_.push_back({.kind = Program::RegisterPlan::Kind::Constant,
                                 .type = type,
                                 .literal = &program_.literals_.back()});
  return {.index = static_cast<std::uint32_t>(program_.registers_.size() - 1), .type = type};
}

ProgramBuilder::Held ProgramBuilder::scratch(const Type& type) {
  const auto size = [](const Type& of) {
    return of.is_vector() ? sizeof(void*) : element_size(of.scalar);
  };
  for (std::size_t i = free_.size(); i-- > 0;) {  // the last used is still in the cache
    const std::uint32_t index = free_[i];
    const Type& has = program_.registers_[index].type;
    if (size(has) != size(type) || has.optional != type.optional) continue;
    free_.erase(free_.begin() + static_cast<std::ptrdiff_t>(i));
    return {.input = {.index = index, .type = type}, .scratch = true};
  }
  program_.registers_.push_back({.kind = Program::RegisterPlan::Kind::Scratch, .type = type});
  return {
      .input = {.index = static_cast<std::uint32_t>(program_.registers_.size() - 1), .type = type},
      .scratch = true};
}

void ProgramBuilder::give_back(const Held& held) {
  if (held.scratch) free_.push_back(held.input.index);
}

std::uint32_t ProgramBuilder::open_selection() {
  program_.selections_ = std::max<std::size_t>(program_.selections_, open_selections_ + 1);
  return open_selections_++;
}

std::size_t ProgramBuilder::emit(Instruction instruction) {
  program_.code_.push_back(instruction);
  return program_.code_.size() - 1;
}

void ProgramBuilder::skip_from(std::size_t choice) {
  program_.code_[choice].skip = static_cast<std::uint32_t>(program_.code_.size() - 1 - choice);
}

void ProgramBuilder::refuse(const Expression& expression) {
  if (!issue_) issue_ = malformed(expression);
}

}  // namespace kaspar::nodes::expression

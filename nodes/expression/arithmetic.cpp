#include "nodes/expression/arithmetic.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <string>
#include <string_view>

#include "nodes/expression/kernel_loops.hpp"

namespace kaspar::nodes::expression {
namespace {

using Kind = Expression::Kind;

std::string_view with_article(ScalarType type) {
  switch (type) {
    case ScalarType::Timestamp:
      return "a timestamp";
    case ScalarType::Duration:
      return "a duration";
    default:
      return "an i64";
  }
}

std::string does_not_fit(const Instruction& instruction, const Frame& frame, std::size_t row,
                         std::string_view sign) {
  return fmt::format("{} {} {} does not fit {}", frame.describe(instruction.a, row), sign,
                     frame.describe(instruction.b, row), with_article(instruction.out.type.scalar));
}

// Sums and differences are checked by their signs, which the compiler makes vector code of.
std::int64_t wrapped(std::uint64_t value) { return static_cast<std::int64_t>(value); }

struct Add {
  static bool compute(std::int64_t a, std::int64_t b, std::int64_t& out) {
    out = wrapped(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
    return ((a ^ out) & (b ^ out)) >= 0;
  }
  static std::string explain(const Instruction& instruction, const Frame& frame, std::size_t row) {
    return does_not_fit(instruction, frame, row, "+");
  }
  template <class T>
  T operator()(T a, T b) const {
    return a + b;
  }
};

struct Subtract {
  static bool compute(std::int64_t a, std::int64_t b, std::int64_t& out) {
    out = wrapped(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
    return ((a ^ b) & (a ^ out)) >= 0;
  }
  static std::string explain(const Instruction& instruction, const Frame& frame, std::size_t row) {
    return does_not_fit(instruction, frame, row, "-");
  }
  template <class T>
  T operator()(T a, T b) const {
    return a - b;
  }
};

struct Multiply {
  static bool compute(std::int64_t a, std::int64_t b, std::int64_t& out) {
    return !__builtin_mul_overflow(a, b, &out);
  }
  static std::string explain(const Instruction& instruction, const Frame& frame, std::size_t row) {
    return does_not_fit(instruction, frame, row, "*");
  }
  template <class T>
  T operator()(T a, T b) const {
    return a * b;
  }
};

std::string divides_by_zero(const Instruction& instruction, const Frame& frame, std::size_t row,
                            char sign) {
  return fmt::format("{} {} 0 divides by zero", frame.describe(instruction.a, row), sign);
}

struct Divide {
  static bool compute(std::int64_t a, std::int64_t b, std::int64_t& out) {
    if (b == 0) return false;
    if (b == -1) return !__builtin_sub_overflow(std::int64_t{0}, a, &out);
    out = a / b;
    return true;
  }
  static std::string explain(const Instruction& instruction, const Frame& frame, std::size_t row) {
    return frame.values<std::int64_t>(instruction.b)[row] == 0
               ? divides_by_zero(instruction, frame, row, '/')
               : does_not_fit(instruction, frame, row, "/");
  }
  template <class T>
  T operator()(T a, T b) const {
    return a / b;
  }
};

struct Remainder {
  static bool compute(std::int64_t a, std::int64_t b, std::int64_t& out) {
    if (b == 0) return false;
    out = b == -1 ? 0 : a % b;  // the least i64 % -1 traps
    return true;
  }
  static std::string explain(const Instruction& instruction, const Frame& frame, std::size_t row) {
    return divides_by_zero(instruction, frame, row, '%');
  }
  template <class T>
  T operator()(T a, T b) const {
    return std::fmod(a, b);
  }
};

struct Negate {
  static bool compute(std::int64_t a, std::int64_t& out) {
    return !__builtin_sub_overflow(std::int64_t{0}, a, &out);
  }
  static std::string explain(const Instruction& instruction, const Frame& frame, std::size_t row) {
    return fmt::format("-({}) does not fit {}", frame.describe(instruction.a, row),
                       with_article(instruction.out.type.scalar));
  }
  template <class T>
  T operator()(T a) const {
    return -a;
  }
};

struct Not {
  bool operator()(bool a) const { return !a; }
};

void join(const Instruction& instruction, Frame& frame) {
  auto* const out = frame.values<std::string_view>(instruction.out);
  const auto* const a = frame.values<std::string_view>(instruction.a);
  const auto* const b = frame.values<std::string_view>(instruction.b);
  for_each_row(frame.rows(instruction), [&](std::size_t row) {
    const std::string_view first = a[row];
    const std::string_view second = b[row];
    if (first.empty() || second.empty()) {
      out[row] = first.empty() ? second : first;
      return;
    }
    const std::size_t size = first.size() + second.size();
    if (size > longest_text) {
      frame.fail(
          row, DiagnosticCode::K0907,
          fmt::format("joined text of {} bytes is longer than {} bytes", size, longest_text));
      return;
    }
    char* const room = frame.batch->text().allocate(size);
    std::memcpy(room, first.data(), first.size());
    std::memcpy(room + first.size(), second.data(), second.size());
    out[row] = {room, size};
  });
}

template <class F>
Kernel binary_kernel(const Type& type) {
  switch (type.scalar) {
    case ScalarType::F32:
      return map_kernel<float, float, float, F>;
    case ScalarType::F64:
      return map_kernel<double, double, double, F>;
    case ScalarType::I64:
      return checked_kernel<std::int64_t, std::int64_t, std::int64_t, F>;
    default:
      return nullptr;
  }
}

bool is_time(ScalarType type) {
  return type == ScalarType::Timestamp || type == ScalarType::Duration;
}

struct Equal {
  template <class T>
  bool operator()(const T& a, const T& b) const {
    return are_equal(a, b);
  }
};
struct NotEqual {
  template <class T>
  bool operator()(const T& a, const T& b) const {
    return !are_equal(a, b);
  }
};
struct Less {
  template <class T>
  bool operator()(const T& a, const T& b) const {
    return a < b;
  }
};
struct LessEqual {
  template <class T>
  bool operator()(const T& a, const T& b) const {
    return a <= b;
  }
};
struct Greater {
  template <class T>
  bool operator()(const T& a, const T& b) const {
    return a > b;
  }
};
struct GreaterEqual {
  template <class T>
  bool operator()(const T& a, const T& b) const {
    return a >= b;
  }
};

template <class F>
Kernel comparison_of(ScalarType type, bool ordered) {
  switch (type) {
    case ScalarType::Bool:
      if (ordered) return nullptr;
      return map_kernel<bool, bool, bool, F>;
    case ScalarType::I64:
    case ScalarType::Timestamp:
    case ScalarType::Duration:
      return map_kernel<bool, std::int64_t, std::int64_t, F>;
    case ScalarType::F32:
      return map_kernel<bool, float, float, F>;
    case ScalarType::F64:
      return map_kernel<bool, double, double, F>;
    case ScalarType::String:
    case ScalarType::Bytes:
      return map_kernel<bool, std::string_view, std::string_view, F>;
  }
  return nullptr;
}

template <class T>
void any_equal(const Instruction& instruction, Frame& frame) {
  bool* const out = frame.values<bool>(instruction.out);
  const T* const a = frame.values<T>(instruction.a);
  const T* const b = frame.values<T>(instruction.b);
  for_each_row(frame.rows(instruction),
               [=](std::size_t row) { out[row] = out[row] || are_equal(a[row], b[row]); });
}

}  // namespace

Kernel arithmetic_kernel(Kind kind, const Type& type) {
  if (type.is_vector()) return nullptr;
  const ScalarType scalar = type.scalar;
  switch (kind) {
    case Kind::Negate:
      if (scalar == ScalarType::F32) return map_kernel<float, float, Negate>;
      if (scalar == ScalarType::F64) return map_kernel<double, double, Negate>;
      if (scalar == ScalarType::I64 || scalar == ScalarType::Duration) {
        return checked_kernel<std::int64_t, std::int64_t, Negate>;
      }
      return nullptr;
    case Kind::Not:
      return scalar == ScalarType::Bool ? Kernel{map_kernel<bool, bool, Not>} : nullptr;
    case Kind::Add:
      if (type.is_text()) return join;
      if (is_time(scalar)) return checked_kernel<std::int64_t, std::int64_t, std::int64_t, Add>;
      return binary_kernel<Add>(type);
    case Kind::Subtract:
      if (is_time(scalar)) {
        return checked_kernel<std::int64_t, std::int64_t, std::int64_t, Subtract>;
      }
      return binary_kernel<Subtract>(type);
    case Kind::Multiply:
      return binary_kernel<Multiply>(type);
    case Kind::Divide:
      return binary_kernel<Divide>(type);
    case Kind::Remainder:
      return binary_kernel<Remainder>(type);
    default:
      return nullptr;
  }
}

Kernel comparison_kernel(Kind kind, ScalarType type) {
  switch (kind) {
    case Kind::Equal:
      return comparison_of<Equal>(type, false);
    case Kind::NotEqual:
      return comparison_of<NotEqual>(type, false);
    case Kind::Less:
      return comparison_of<Less>(type, true);
    case Kind::LessEqual:
      return comparison_of<LessEqual>(type, true);
    case Kind::Greater:
      return comparison_of<Greater>(type, true);
    case Kind::GreaterEqual:
      return comparison_of<GreaterEqual>(type, true);
    default:
      return nullptr;
  }
}

Kernel any_equal_kernel(ScalarType type) {
  switch (type) {
    case ScalarType::Bool:
      return any_equal<bool>;
    case ScalarType::I64:
    case ScalarType::Timestamp:
    case ScalarType::Duration:
      return any_equal<std::int64_t>;
    case ScalarType::F32:
      return any_equal<float>;
    case ScalarType::F64:
      return any_equal<double>;
    case ScalarType::String:
    case ScalarType::Bytes:
      return any_equal<std::string_view>;
  }
  return nullptr;
}

}  // namespace kaspar::nodes::expression

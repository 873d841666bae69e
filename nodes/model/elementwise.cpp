#include "nodes/model/elementwise.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <concepts>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "nodes/model/elements.hpp"
#include "nodes/model/vector_kernels.hpp"

namespace kaspar::nodes {
namespace {

template <class T>
using Unsigned = std::make_unsigned_t<T>;

/// out[i] = function(in[i]), over all lanes at once.
template <class In, class Out, class Function>
class MapKernel final : public Kernel {
 public:
  MapKernel(const Tensor& in, const Tensor& out, Function function)
      : in_(in.refs), out_(out.refs), function_(std::move(function)) {}
  void run(LaneMemory memory) const noexcept override {
    for (std::size_t i = 0; i < out_.size(); ++i) {
      memory.at<Out>(out_[i]) = function_(memory.at<In>(in_[i]));
    }
  }

 private:
  Elements in_, out_;
  Function function_;
};

/// out[i] = function(left[i], right[i]), over all lanes at once.
template <class In, class Out, class Function>
class CombineKernel final : public Kernel {
 public:
  CombineKernel(const Tensor& left, const Tensor& right, const Tensor& out, Function function)
      : left_(left.refs), right_(right.refs), out_(out.refs), function_(std::move(function)) {}
  void run(LaneMemory memory) const noexcept override {
    for (std::size_t i = 0; i < out_.size(); ++i) {
      memory.at<Out>(out_[i]) = function_(memory.at<In>(left_[i]), memory.at<In>(right_[i]));
    }
  }

 private:
  Elements left_, right_, out_;
  Function function_;
};

/// out[i] = function(left[i], right[i], memory, lane), one lane after the other.
template <class In, class Out, class Function>
class LaneKernel final : public Kernel {
 public:
  LaneKernel(const Tensor& left, const Tensor& right, const Tensor& out, Function function)
      : left_(left.refs), right_(right.refs), out_(out.refs), function_(std::move(function)) {}
  void run(LaneMemory memory) const noexcept override {
    for (std::size_t i = 0; i < out_.size(); ++i) {
      const In* left = memory.lanes_at<In>(left_[i]);
      const In* right = memory.lanes_at<In>(right_[i]);
      Out* out = memory.lanes_at<Out>(out_[i]);
      for (std::size_t lane = 0; lane < memory.active(); ++lane) {
        out[lane] = function_(left[lane], right[lane], memory, lane);
      }
    }
  }

 private:
  Elements left_, right_, out_;
  Function function_;
};

template <class T>
class ChooseKernel final : public Kernel {
 public:
  ChooseKernel(const Tensor& condition, const Tensor& yes, const Tensor& no, const Tensor& out)
      : condition_(condition.refs), yes_(yes.refs), no_(no.refs), out_(out.refs) {}
  void run(LaneMemory memory) const noexcept override {
    for (std::size_t i = 0; i < out_.size(); ++i) {
      const float* condition = memory.lanes_at<float>(condition_[i]);
      const T* yes = memory.lanes_at<T>(yes_[i]);
      const T* no = memory.lanes_at<T>(no_[i]);
      T* out = memory.lanes_at<T>(out_[i]);
      for (std::size_t lane = 0; lane < memory.active(); ++lane) {
        out[lane] = condition[lane] != 0 ? yes[lane] : no[lane];
      }
    }
  }

 private:
  Elements condition_, yes_, no_, out_;
};

template <class In, class Out, class Function>
Tensor map(NodeLowering& node, const Tensor& from, Element to, Function function) {
  const Tensor in = node.in_registers(from);
  Tensor out = node.new_tensor(from.dims, to);
  node.emit<MapKernel<In, Out, Function>>(in, out, std::move(function));
  return out;
}

/// What the vector kernels do of f32.
std::optional<MapFunction> vector_function(Unary function) {
  switch (function) {
    case Unary::Abs:
      return MapFunction::Abs;
    case Unary::Erf:
      return MapFunction::Erf;
    case Unary::Exp:
      return MapFunction::Exp;
    case Unary::Neg:
      return MapFunction::Neg;
    case Unary::Reciprocal:
      return MapFunction::Reciprocal;
    case Unary::Relu:
      return MapFunction::Relu;
    case Unary::Sigmoid:
      return MapFunction::Sigmoid;
    case Unary::Sqrt:
      return MapFunction::Sqrt;
    case Unary::Tanh:
      return MapFunction::Tanh;
    default:
      return std::nullopt;
  }
}
std::optional<CombineFunction> vector_function(Binary op) {
  switch (op) {
    case Binary::Add:
      return CombineFunction::Add;
    case Binary::Sub:
      return CombineFunction::Sub;
    case Binary::Mul:
      return CombineFunction::Mul;
    case Binary::Div:
      return CombineFunction::Div;
    case Binary::Max:
      return CombineFunction::Max;
    case Binary::Min:
      return CombineFunction::Min;
    default:
      return std::nullopt;
  }
}

constexpr std::size_t transcendental_operations = 256;  // of all lanes, one after the other
constexpr std::size_t power_operations = 128;           // of one lane
constexpr std::size_t remainder_operations = 2048;      // of one lane, by glibc: bit by bit

bool is_transcendental(Unary function) {
  return function == Unary::Erf || function == Unary::Exp || function == Unary::Log ||
         function == Unary::Sigmoid || function == Unary::Tanh;
}

/// Of floats; `like` says by its type which.
template <class T>
Tensor float_unary(NodeLowering& node, Unary function, const Tensor& from) {
  if constexpr (std::is_same_v<T, float>) {
    if (const auto fast = vector_function(function)) {
      const Tensor in = node.in_registers(from);
      Tensor out = node.new_tensor(from.dims, from.element);
      node.emit<VectorMap>(*fast, in, out);
      return out;
    }
  }
  const auto made = [&](auto f) { return map<T, T>(node, from, from.element, std::move(f)); };
  if (is_transcendental(function)) node.computes(from.size(), transcendental_operations);
  switch (function) {
    case Unary::Abs:
      return made([](const auto& x) { return x.abs(); });
    case Unary::Ceil:
      return made([](const auto& x) { return x.ceil(); });
    case Unary::Erf:
      return made([](const auto& x) { return x.unaryExpr([](T one) { return std::erf(one); }); });
    case Unary::Exp:
      return made([](const auto& x) { return x.exp(); });
    case Unary::Floor:
      return made([](const auto& x) { return x.floor(); });
    case Unary::Log:
      return made([](const auto& x) { return x.log(); });
    case Unary::Neg:
      return made([](const auto& x) { return -x; });
    case Unary::Reciprocal:
      return made([](const auto& x) { return T{1} / x; });
    case Unary::Relu:
      return made([](const auto& x) { return (x < T{0}).select(T{0}, x); });
    case Unary::Round:
      return made([](const auto& x) { return x.rint(); });
    case Unary::Sigmoid:
      return made([](const auto& x) { return x.logistic(); });
    case Unary::Sign:
      return made([](const auto& x) {
        return x.unaryExpr([](T one) { return T((one > 0) - (one < 0)) + (one != one ? one : 0); });
      });
    case Unary::Sqrt:
      return made([](const auto& x) { return x.sqrt(); });
    case Unary::Tanh:
      return made([](const auto& x) { return x.tanh(); });
    case Unary::Not:
      break;
  }
  node.unsupported("on floating numbers");
}

Tensor integer_unary(NodeLowering& node, Unary function, const Tensor& from) {
  using T = std::int64_t;
  const auto made = [&](auto f) {
    return map<T, T>(node, from, Element::I64,
                     [f](const auto& x) { return x.unaryExpr([f](T one) { return f(one); }); });
  };
  switch (function) {
    case Unary::Abs:
      return made([](T x) { return x < 0 ? static_cast<T>(-static_cast<Unsigned<T>>(x)) : x; });
    case Unary::Neg:
      return made([](T x) { return static_cast<T>(-static_cast<Unsigned<T>>(x)); });
    case Unary::Relu:
      return made([](T x) { return x < 0 ? T{0} : x; });
    case Unary::Sign:
      return made([](T x) { return T((x > 0) - (x < 0)); });
    case Unary::Ceil:
    case Unary::Floor:
    case Unary::Round:
      return from;
    default:
      node.unsupported("on integers");
  }
}

template <class In, class Out, class Function>
Tensor whole(NodeLowering& node, const Tensor& left, const Tensor& right, Element to,
             Function function) {
  Tensor out = node.new_tensor(left.dims, to);
  node.emit<CombineKernel<In, Out, Function>>(left, right, out, std::move(function));
  return out;
}
template <class In, class Out, class Function>
Tensor each(NodeLowering& node, const Tensor& left, const Tensor& right, Element to,
            Function function) {
  Tensor out = node.new_tensor(left.dims, to);
  node.emit<LaneKernel<In, Out, Function>>(left, right, out, std::move(function));
  return out;
}

bool compares(Binary op) { return op >= Binary::Equal; }

template <class T>
Tensor compare(NodeLowering& node, Binary op, const Tensor& left, const Tensor& right) {
  const auto made = [&](auto f) {
    return each<T, float>(
        node, left, right, Element::Bool,
        [f](const T& a, const T& b, LaneMemory, std::size_t) { return f(a, b) ? 1.0F : 0.0F; });
  };
  switch (op) {
    case Binary::Equal:
      return made([](const T& a, const T& b) { return a == b; });
    case Binary::Less:
      return made([](const T& a, const T& b) { return a < b; });
    case Binary::LessOrEqual:
      return made([](const T& a, const T& b) { return a <= b; });
    case Binary::Greater:
      return made([](const T& a, const T& b) { return a > b; });
    default:
      return made([](const T& a, const T& b) { return a >= b; });
  }
}

Tensor logic(NodeLowering& node, Binary op, const Tensor& left, const Tensor& right) {
  const auto made = [&](auto f) {
    return each<float, float>(
        node, left, right, Element::Bool,
        [f](float a, float b, LaneMemory, std::size_t) { return f(a != 0, b != 0) ? 1.0F : 0.0F; });
  };
  switch (op) {
    case Binary::And:
      return made([](bool a, bool b) { return a && b; });
    case Binary::Or:
      return made([](bool a, bool b) { return a || b; });
    case Binary::Xor:
      return made([](bool a, bool b) { return a != b; });
    default:
      node.unsupported("on this type");
  }
}

template <class T>
Tensor float_binary(NodeLowering& node, Binary op, const Tensor& left, const Tensor& right) {
  if constexpr (std::is_same_v<T, float>) {
    if (const auto fast = vector_function(op)) {
      Tensor out = node.new_tensor(left.dims, left.element);
      node.emit<VectorCombine>(*fast, left, right, out);
      return out;
    }
  }
  const auto made = [&](auto f) {
    return whole<T, T>(node, left, right, left.element, std::move(f));
  };
  const auto lane = [&](auto f) {
    return each<T, T>(node, left, right, left.element,
                      [f](T a, T b, LaneMemory, std::size_t) { return f(a, b); });
  };
  switch (op) {
    case Binary::Add:
      return made([](const auto& a, const auto& b) { return a + b; });
    case Binary::Sub:
      return made([](const auto& a, const auto& b) { return a - b; });
    case Binary::Mul:
      return made([](const auto& a, const auto& b) { return a * b; });
    case Binary::Div:
      return made([](const auto& a, const auto& b) { return a / b; });
    // NaN wins, as in ONNX.
    case Binary::Max:
      return made([](const auto& a, const auto& b) { return (b > a || b != b).select(b, a); });
    case Binary::Min:
      return made([](const auto& a, const auto& b) { return (b < a || b != b).select(b, a); });
    case Binary::Pow:
      return lane([](T a, T b) { return std::pow(a, b); });
    case Binary::Mod:
      return lane([](T a, T b) {
        const T rest = std::fmod(a, b);
        return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
      });
    case Binary::FMod:
      return lane([](T a, T b) { return std::fmod(a, b); });
    default:
      node.unsupported("on floating numbers");
  }
}

std::int64_t integer_power(std::int64_t base, std::int64_t exponent) {
  if (exponent < 0) return base == 1 ? 1 : base == -1 ? (exponent % 2 == 0 ? 1 : -1) : 0;
  std::uint64_t out = 1;
  auto factor = static_cast<std::uint64_t>(base);
  for (auto left = static_cast<std::uint64_t>(exponent); left != 0; left >>= 1U) {
    if ((left & 1U) != 0) out *= factor;
    factor *= factor;
  }
  return static_cast<std::int64_t>(out);
}

/// Overflow wraps, as it does in ONNX Runtime.
Tensor integer_binary(NodeLowering& node, Binary op, const Tensor& left, const Tensor& right) {
  using T = std::int64_t;
  using U = std::uint64_t;
  const auto lane = [&](auto f) {
    return each<T, T>(node, left, right, Element::I64,
                      [f](T a, T b, LaneMemory, std::size_t) { return f(a, b); });
  };
  const auto divided = [&](auto f) {
    const std::int32_t reason = node.failure(fmt::format("`{}` divides by zero", node.op()));
    return each<T, T>(node, left, right, Element::I64,
                      [f, reason](T a, T b, LaneMemory memory, std::size_t at) -> T {
                        if (b == 0) {
                          memory.fail(at, reason);
                          return 0;
                        }
                        return f(a, b);
                      });
  };
  switch (op) {
    case Binary::Add:
      return lane([](T a, T b) { return static_cast<T>(static_cast<U>(a) + static_cast<U>(b)); });
    case Binary::Sub:
      return lane([](T a, T b) { return static_cast<T>(static_cast<U>(a) - static_cast<U>(b)); });
    case Binary::Mul:
      return lane([](T a, T b) { return static_cast<T>(static_cast<U>(a) * static_cast<U>(b)); });
    case Binary::Max:
      return lane([](T a, T b) { return std::max(a, b); });
    case Binary::Min:
      return lane([](T a, T b) { return std::min(a, b); });
    case Binary::Pow:
      return lane(integer_power);
    case Binary::Div:
      return divided([](T a, T b) { return b == -1 ? static_cast<T>(-static_cast<U>(a)) : a / b; });
    case Binary::Mod:
      return divided([](T a, T b) {
        const T rest = b == -1 ? 0 : a % b;
        return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
      });
    case Binary::FMod:
      return divided([](T a, T b) { return b == -1 ? 0 : a % b; });
    default:
      node.unsupported("on integers");
  }
}

}  // namespace

Tensor apply_unary(NodeLowering& node, Unary function, const Tensor& from) {
  switch (from.element) {
    case Element::F32:
      return float_unary<float>(node, function, from);
    case Element::F64:
      return float_unary<double>(node, function, from);
    case Element::I64:
      return integer_unary(node, function, from);
    case Element::Bool:
      if (function == Unary::Not) {
        return map<float, float>(node, from, Element::Bool, [](const auto& x) { return 1.0F - x; });
      }
      break;
    case Element::String:
      break;
  }
  node.unsupported("on this type");
}

namespace {

/// A floating number, 2: squares are what powers mostly are.
bool is_known_two(const Tensor& tensor) {
  if (!tensor.known() || tensor.size() != 1) return false;
  return tensor.element == Element::F32   ? tensor.floats()[0] == 2
         : tensor.element == Element::F64 ? tensor.values<double>()[0] == 2
                                          : false;
}

}  // namespace

Tensor combine(NodeLowering& node, Binary op, const Tensor& left_in, const Tensor& right_in) {
  if (left_in.element != right_in.element) node.damaged("operands of different types");
  if (op == Binary::Pow && is_known_two(right_in)) {
    return combine(node, Binary::Mul,
                   node.expanded(left_in, node.broadcast(left_in.dims, right_in.dims)), left_in);
  }
  const Dims dims = node.broadcast(left_in.dims, right_in.dims);
  // In registers first: a constant that is broadcast takes only as many as it has elements.
  const Tensor left = node.expanded(node.in_registers(left_in), dims);
  const Tensor right = node.expanded(node.in_registers(right_in), dims);
  if (compares(op)) {
    return with_lane_type(left.element,
                          [&]<class T>(T) { return compare<T>(node, op, left, right); });
  }
  if (op == Binary::Pow) node.computes(left.size(), power_operations);
  if (op == Binary::Mod || op == Binary::FMod) node.computes(left.size(), remainder_operations);
  switch (left.element) {
    case Element::F32:
      return float_binary<float>(node, op, left, right);
    case Element::F64:
      return float_binary<double>(node, op, left, right);
    case Element::I64:
      return integer_binary(node, op, left, right);
    case Element::Bool:
      return logic(node, op, left, right);
    case Element::String:
      break;
  }
  node.unsupported("on strings");
}

Tensor choose(NodeLowering& node, const Tensor& condition, const Tensor& yes, const Tensor& no) {
  if (condition.element != Element::Bool) node.damaged("a condition that is no Bool");
  if (yes.element != no.element) node.damaged("operands of different types");
  const Dims dims = node.broadcast(condition.dims, node.broadcast(yes.dims, no.dims));
  const auto placed = [&](const Tensor& tensor) {
    return node.expanded(node.in_registers(tensor), dims);
  };
  const Tensor held = placed(condition);
  const Tensor one = placed(yes);
  const Tensor other = placed(no);
  Tensor out = node.new_tensor(dims, yes.element);
  with_lane_type(yes.element,
                 [&]<class T>(T) { node.emit<ChooseKernel<T>>(held, one, other, out); });
  return out;
}

namespace {

template <class To, class From>
To cast_number(From value) {
  if constexpr (std::is_same_v<To, std::int64_t> && std::is_floating_point_v<From>) {
    constexpr From limit = static_cast<From>(9223372036854775808.0);
    if (!(value < limit)) return value != value ? 0 : std::numeric_limits<To>::max();
    if (value < -limit) return std::numeric_limits<To>::min();
  }
  return static_cast<To>(value);
}

}  // namespace

Tensor cast_to(NodeLowering& node, const Tensor& from, Element to) {
  if (from.element == to) return from;
  if (from.element == Element::String || to == Element::String) {
    node.unsupported("between numbers and strings");
  }
  if (from.known()) return converted(from, to);
  if (to == Element::Bool) {
    const Tensor zero = scalar(from, 0);
    return apply_unary(node, Unary::Not, combine(node, Binary::Equal, from, zero));
  }
  Tensor out = with_lane_type(from.element, [&]<class From>(From) -> Tensor {
    return with_lane_type(to, [&]<class To>(To) -> Tensor {
      if constexpr (std::is_same_v<From, std::string_view> ||
                    std::is_same_v<To, std::string_view>) {
        node.unsupported("between numbers and strings");
      } else {
        return map<From, To>(node, from, to, [](const auto& x) {
          return x.unaryExpr([](From one) { return cast_number<To>(one); });
        });
      }
    });
  });
  out.classes = from.classes;
  return out;
}

}  // namespace kaspar::nodes

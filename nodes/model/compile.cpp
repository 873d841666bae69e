#include "nodes/model/compile.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>

namespace kaspar::nodes {
namespace {

constexpr std::size_t most_elements = std::size_t{1} << 25;   // made by all nodes together
constexpr std::size_t most_registers = std::size_t{1} << 22;  // of 64 bytes
constexpr std::int32_t float_element = 1;                     // onnx::TensorProto::FLOAT

using Dims = std::vector<std::int64_t>;
using Order = std::vector<std::uint32_t>;  // of elements: place i of the result is place order[i]

/// A tensor while compiling: known, or the registers of its elements, row-major.
struct Tensor {
  Dims dims;
  bool integer = false;
  bool known = false;
  std::vector<float> floats;       // known, not integer
  std::vector<std::int64_t> ints;  // known, integer
  std::vector<Register> refs;      // not known

  [[nodiscard]] std::size_t size() const {
    return !known ? refs.size() : integer ? ints.size() : floats.size();
  }
  [[nodiscard]] double number(std::size_t i) const {
    return integer ? static_cast<double>(ints[i]) : static_cast<double>(floats[i]);
  }
};

std::string text(const Dims& dims) {
  std::string out = "[";
  for (std::size_t i = 0; i < dims.size(); ++i) {
    out += fmt::format("{}{}", i == 0 ? "" : ",", dims[i]);
  }
  return out + "]";
}

class Compiler {
 public:
  explicit Compiler(const Graph& graph) : graph_(graph) {}

  Program compile(std::span<const std::size_t> widths) {
    for (std::size_t i = 0; i < graph_.inputs.size(); ++i) add_input(graph_.inputs[i], widths[i]);
    for (const auto& [name, constant] : graph_.initializers) {
      tensors_[name] = from_constant(constant);
    }
    for (const GraphNode& node : graph_.nodes) {
      node_ = &node;
      compile_node();
    }
    node_ = nullptr;
    for (const GraphPort& port : graph_.outputs) {
      const Tensor& tensor = tensors_.at(port.name);
      const Register first = contiguous(tensor);
      program_.outputs.push_back(
          {.name = port.name, .integer = tensor.integer, .first = first, .width = tensor.size()});
    }
    return std::move(program_);
  }

  struct Refused {
    Issue issue;
  };

 private:
  // --- refusals -------------------------------------------------------------------------------
  [[noreturn]] void refuse(DiagnosticCode code, std::string message, std::string help = {}) const {
    throw Refused{{.code = code,
                   .place = {.part = IssuePlace::Part::Node},
                   .message = std::move(message),
                   .help = std::move(help)}};
  }
  [[noreturn]] void unsupported(std::string_view what) const {
    refuse(DiagnosticCode::K0404,
           fmt::format("operator `{}` of node `{}` is not supported{}{}", node_->op, node_->name,
                       what.empty() ? "" : " ", what),
           "`kaspar nodes onnx` lists the operators that are");
  }
  [[noreturn]] void damaged(std::string_view why) const {
    refuse(DiagnosticCode::K0405,
           node_ == nullptr ? fmt::format("the model contradicts itself: {}", why)
                            : fmt::format("the model contradicts itself at node `{}` (`{}`): {}",
                                          node_->name, node_->op, why));
  }
  void charge(std::size_t elements) {
    if (elements > most_elements - elements_) {
      refuse(DiagnosticCode::K0407, "the model's tensors take too much memory");
    }
    elements_ += elements;
  }
  std::size_t checked_size(const Dims& dims) {
    std::size_t size = 1;
    bool empty = false;
    for (const std::int64_t dim : dims) {
      if (dim < 0) damaged(fmt::format("a shape {}", text(dims)));
      empty = empty || dim == 0;
      if (dim == 0) continue;  // the others are bounded all the same: loops run over them
      if (static_cast<std::size_t>(dim) > most_elements / size) {
        refuse(DiagnosticCode::K0407, "the model's tensors take too much memory");
      }
      size *= static_cast<std::size_t>(dim);
    }
    if (empty) return 0;
    charge(size);
    return size;
  }

  // --- registers ------------------------------------------------------------------------------
  Register allocate(std::size_t count) {
    if (count > most_registers - program_.registers) {
      refuse(DiagnosticCode::K0407, "the model needs too much memory to run");
    }
    const auto first = static_cast<Register>(program_.registers);
    program_.registers += count;
    return first;
  }
  Tensor new_tensor(Dims dims, Register first, bool integer = false) {
    Tensor out{.dims = std::move(dims), .integer = integer};
    out.refs.resize(checked_size(out.dims));
    std::iota(out.refs.begin(), out.refs.end(), first);
    return out;
  }
  Tensor in_registers(const Tensor& tensor) {
    if (!tensor.known) return tensor;
    Tensor out{.dims = tensor.dims, .integer = tensor.integer};
    charge(tensor.size());
    const Register first = allocate(tensor.size());
    for (std::size_t i = 0; i < tensor.size(); ++i) {
      const auto index = static_cast<Register>(first + i);
      program_.constants.emplace_back(index, static_cast<float>(tensor.number(i)));
      out.refs.push_back(index);
    }
    return out;
  }
  /// The first of as many registers in a row that hold the tensor.
  Register contiguous(const Tensor& tensor) {
    const Tensor held = in_registers(tensor);
    if (held.refs.empty()) return 0;
    bool in_a_row = true;
    for (std::size_t i = 1; i < held.refs.size(); ++i) {
      in_a_row = in_a_row && held.refs[i] == held.refs[i - 1] + 1;
    }
    if (in_a_row) return held.refs.front();
    return copy(held);
  }
  Register copy(const Tensor& tensor) {
    const Tensor held = in_registers(tensor);
    charge(held.refs.size());
    const Register first = allocate(held.refs.size());
    program_.steps.emplace_back(MoveStep{.out = first, .from = held.refs});
    return first;
  }

  // --- inputs of the graph --------------------------------------------------------------------
  void add_input(const GraphPort& port, std::size_t width) {
    const std::string shape = shape_text(port);
    const auto wrong = [&](const std::string& why) {
      refuse(DiagnosticCode::K0401,
             fmt::format("the model's input `{}` of shape {} {}", port.name, shape, why));
    };
    if (port.element_type != float_element) wrong("does not hold `f32`");
    Dims dims = port.dims;
    std::size_t batch = dims.size();
    std::size_t solved = dims.size();
    std::size_t product = 1;
    for (std::size_t i = 0; i < dims.size(); ++i) {
      if (dims[i] > 0) {
        if (static_cast<std::size_t>(dims[i]) > most_registers / product) wrong("is too large");
        product *= static_cast<std::size_t>(dims[i]);
      } else if (batch == dims.size()) {
        batch = i;
      } else if (solved == dims.size()) {
        solved = i;
      } else {
        wrong("has too many free dimensions");
      }
    }
    std::string note;
    if (batch == dims.size()) {
      // The second: [60,1,1], a sequence-first model exported for one record.
      if (!dims.empty() && dims[0] == 1) {
        note = "its fixed first dimension of 1 is the batch";
      } else if (dims.size() == 3 && dims[1] == 1) {
        note = "its fixed second dimension of 1 is the batch";
      } else {
        wrong("has no batch dimension");
      }
    } else {
      dims[batch] = 1;
      note = fmt::format("dimension {} is the batch", batch);
    }
    if (solved != dims.size()) {
      if (width == 0 || width % product != 0) {
        wrong(fmt::format("cannot take {} values a record", width));
      }
      dims[solved] = static_cast<std::int64_t>(width / product);
      note += fmt::format(", dimension {} is {}", solved, dims[solved]);
    } else if (product != width) {
      wrong(fmt::format("takes {} values a record, not {}", product, width));
    }
    const Register first = allocate(width);
    program_.inputs.push_back(first);
    program_.input_widths.push_back(width);
    program_.remarks.push_back(
        fmt::format("input `{}` {} takes {} values a record: {}", port.name, shape, width, note));
    tensors_[port.name] = new_tensor(dims, first);
  }

  // --- what a node has ------------------------------------------------------------------------
  [[nodiscard]] bool has(std::size_t i) const {
    return i < node_->inputs.size() && !node_->inputs[i].empty();
  }
  [[nodiscard]] const Tensor& in(std::size_t i) const {
    if (!has(i)) damaged(fmt::format("its input {} is missing", i));
    return tensors_.at(node_->inputs[i]);
  }
  [[nodiscard]] const Attribute* attribute(std::string_view name) const {
    const auto found = node_->attributes.find(name);
    return found == node_->attributes.end() ? nullptr : &found->second;
  }
  [[nodiscard]] std::int64_t integer(std::string_view name, std::int64_t otherwise) const {
    const Attribute* found = attribute(name);
    return found == nullptr ? otherwise : found->integer;
  }
  [[nodiscard]] float number(std::string_view name, float otherwise) const {
    const Attribute* found = attribute(name);
    return found == nullptr ? otherwise : found->number;
  }
  /// Integers that are an attribute in old versions and an input in new ones.
  [[nodiscard]] Dims integers(std::string_view name, std::size_t input) {
    if (const Attribute* found = attribute(name)) return found->integers;
    return has(input) ? known_integers(input) : Dims{};
  }
  [[nodiscard]] Dims known_integers(std::size_t i) {
    const Tensor& tensor = in(i);
    if (!tensor.known) unsupported("where a shape or index depends on the data");
    if (!tensor.integer) damaged("a shape or index that is no integer");
    charge(tensor.ints.size());
    return tensor.ints;
  }
  [[nodiscard]] std::size_t axis_of(std::int64_t axis, std::size_t rank) const {
    const auto limit = static_cast<std::int64_t>(rank);
    if (axis < -limit || axis >= limit) {
      damaged(fmt::format("axis {} of a tensor with {} dimensions", axis, rank));
    }
    return static_cast<std::size_t>(axis < 0 ? axis + limit : axis);
  }
  void define(std::size_t output, Tensor tensor) {
    if (output >= node_->outputs.size() || node_->outputs[output].empty()) return;
    tensors_[node_->outputs[output]] = std::move(tensor);
  }
  Tensor from_constant(const Constant& constant) {
    checked_size(constant.dims);
    return {.dims = constant.dims,
            .integer = constant.integer,
            .known = true,
            .floats = constant.floats,
            .ints = constant.ints};
  }

  // --- moving elements ------------------------------------------------------------------------
  Tensor ordered(const Tensor& from, Dims dims, const Order& order) const {
    Tensor to{.dims = std::move(dims), .integer = from.integer, .known = from.known};
    for (const std::uint32_t i : order) {
      if (!from.known) {
        to.refs.push_back(from.refs[i]);
      } else if (from.integer) {
        to.ints.push_back(from.ints[i]);
      } else {
        to.floats.push_back(from.floats[i]);
      }
    }
    return to;
  }
  Tensor reshaped(const Tensor& from, Dims dims) {
    if (checked_size(dims) != from.size()) {
      damaged(fmt::format("{} cannot become {}", text(from.dims), text(dims)));
    }
    Tensor to = from;
    to.dims = std::move(dims);
    return to;
  }
  /// Elements of `dims` in the order of an odometer over counts[], each digit d of which moves by
  /// stride[d], from `start`.
  Order walk(const Dims& counts, const Dims& strides, std::int64_t start = 0) {
    const std::size_t size = checked_size(counts);
    Order order(size);
    Dims digits(counts.size(), 0);
    std::int64_t place = start;
    for (std::size_t i = 0; i < size; ++i) {
      order[i] = static_cast<std::uint32_t>(place);
      for (std::size_t d = counts.size(); d-- > 0;) {
        place += strides[d];
        if (++digits[d] < counts[d]) break;
        place -= strides[d] * counts[d];
        digits[d] = 0;
      }
    }
    return order;
  }
  static Dims strides_of(const Dims& dims) {
    Dims strides(dims.size(), 1);
    for (std::size_t d = dims.size(); d-- > 1;) strides[d - 1] = strides[d] * dims[d];
    return strides;
  }
  Dims broadcast(const Dims& left, const Dims& right) const {
    Dims out(std::max(left.size(), right.size()), 1);
    for (std::size_t i = 0; i < out.size(); ++i) {
      const std::int64_t a = i < left.size() ? left[left.size() - 1 - i] : 1;
      const std::int64_t b = i < right.size() ? right[right.size() - 1 - i] : 1;
      if (a != b && a != 1 && b != 1) {
        damaged(fmt::format("{} does not fit {}", text(left), text(right)));
      }
      out[out.size() - 1 - i] = a == 1 ? b : a;
    }
    return out;
  }
  Tensor expanded(const Tensor& from, const Dims& dims) {
    Dims strides(dims.size(), 0);
    const Dims own = strides_of(from.dims);
    const std::size_t lead = dims.size() - from.dims.size();
    for (std::size_t i = 0; i < from.dims.size(); ++i) {
      strides[lead + i] = from.dims[i] == 1 ? 0 : own[i];
    }
    return ordered(from, dims, walk(dims, strides));
  }
  Tensor transposed(const Tensor& from, const std::vector<std::size_t>& axes) {
    const Dims own = strides_of(from.dims);
    Dims dims;
    Dims strides;
    for (const std::size_t axis : axes) {
      dims.push_back(from.dims[axis]);
      strides.push_back(own[axis]);
    }
    return ordered(from, dims, walk(dims, strides));
  }
  static std::size_t product(const Dims& dims, std::size_t from, std::size_t to) {
    std::size_t size = 1;
    for (std::size_t i = from; i < to; ++i) size *= static_cast<std::size_t>(dims[i]);
    return size;
  }

  // --- operators ------------------------------------------------------------------------------
  void compile_node() {
    using Method = void (Compiler::*)();
    static const std::map<std::string_view, Method> operators{
        {"Add", &Compiler::arithmetic},      {"ArgMax", &Compiler::arg_max},
        {"Cast", &Compiler::cast},           {"Concat", &Compiler::concat},
        {"Constant", &Compiler::constant},   {"ConstantOfShape", &Compiler::constant_of_shape},
        {"Div", &Compiler::arithmetic},      {"Expand", &Compiler::expand},
        {"Flatten", &Compiler::flatten},     {"Gather", &Compiler::gather},
        {"Gemm", &Compiler::gemm},           {"Identity", &Compiler::identity},
        {"LSTM", &Compiler::lstm},           {"LogSoftmax", &Compiler::softmax},
        {"MatMul", &Compiler::mat_mul},      {"Mul", &Compiler::arithmetic},
        {"Relu", &Compiler::unary},          {"Reshape", &Compiler::reshape},
        {"Shape", &Compiler::shape},         {"Sigmoid", &Compiler::unary},
        {"Slice", &Compiler::slice},         {"Softmax", &Compiler::softmax},
        {"Squeeze", &Compiler::squeeze},     {"Sub", &Compiler::arithmetic},
        {"Tanh", &Compiler::unary},          {"Transpose", &Compiler::transpose},
        {"Unsqueeze", &Compiler::unsqueeze},
    };
    const auto found = operators.find(node_->op);
    if (found == operators.end()) unsupported("");
    (this->*found->second)();
    for (const std::string& name : node_->outputs) {
      if (!name.empty() && !tensors_.contains(name)) unsupported("with so many outputs");
    }
  }

  void identity() {
    charge(in(0).size());
    define(0, in(0));
  }

  void constant() {
    Tensor out{.known = true};
    if (const Attribute* tensor = attribute("value"); tensor != nullptr && tensor->has_tensor) {
      out = from_constant(tensor->tensor);
    } else if (const Attribute* one = attribute("value_float")) {
      out.floats = {one->number};
    } else if (const Attribute* whole = attribute("value_int")) {
      out.integer = true;
      out.ints = {whole->integer};
    } else if (const Attribute* some = attribute("value_floats")) {
      out.floats = some->numbers;
      out.dims = {static_cast<std::int64_t>(out.floats.size())};
    } else if (const Attribute* wholes = attribute("value_ints")) {
      out.integer = true;
      out.ints = wholes->integers;
      out.dims = {static_cast<std::int64_t>(out.ints.size())};
    } else {
      unsupported("with a value of this kind");
    }
    charge(out.size());
    define(0, std::move(out));
  }

  void constant_of_shape() {
    Tensor value{.dims = {1}, .known = true, .floats = {0.0F}};
    if (const Attribute* given = attribute("value"); given != nullptr && given->has_tensor) {
      value = from_constant(given->tensor);
      if (value.size() != 1) damaged("a value of more than one element");
    }
    const Dims dims = known_integers(0);
    define(0, ordered(value, dims, Order(checked_size(dims), 0)));
  }

  void cast() {
    const std::int64_t to = integer("to", 0);
    const bool to_integer = to == 6 || to == 7;
    if (!to_integer && to != 1 && to != 11) unsupported(fmt::format("to the data type {}", to));
    const Tensor& from = in(0);
    charge(from.size());
    Tensor out = from;
    out.integer = to_integer;
    if (from.integer != to_integer && from.known) {
      out.ints.clear();
      out.floats.clear();
      for (std::size_t i = 0; i < from.size(); ++i) {
        if (!to_integer) {
          out.floats.push_back(static_cast<float>(from.ints[i]));
        } else if (from.floats[i] > -9e18F && from.floats[i] < 9e18F) {
          out.ints.push_back(static_cast<std::int64_t>(from.floats[i]));
        } else {
          damaged("a number that no integer holds");
        }
      }
    } else if (to_integer && !from.integer) {
      out = apply_unary(Unary::Truncate, from);
      out.integer = true;
    }
    define(0, std::move(out));
  }

  void shape() {
    const Dims& dims = in(0).dims;
    const auto rank = static_cast<std::int64_t>(dims.size());
    const auto clamp = [&](std::int64_t at) {
      return std::clamp<std::int64_t>(at < 0 ? at + rank : at, 0, rank);
    };
    const std::int64_t start = clamp(integer("start", 0));
    const std::int64_t end = std::max(start, clamp(integer("end", rank)));
    define(0, {.dims = {end - start},
               .integer = true,
               .known = true,
               .ints = Dims(dims.begin() + start, dims.begin() + end)});
  }

  void gather() {
    const Tensor& from = in(0);
    const Tensor& indexes = in(1);
    const std::size_t axis = axis_of(integer("axis", 0), from.dims.size());
    const Dims wanted = known_integers(1);
    const std::size_t outer = product(from.dims, 0, axis);
    const auto count = static_cast<std::int64_t>(from.dims[axis]);
    const std::size_t inner = product(from.dims, axis + 1, from.dims.size());
    Dims dims(from.dims.begin(), from.dims.begin() + static_cast<std::ptrdiff_t>(axis));
    dims.insert(dims.end(), indexes.dims.begin(), indexes.dims.end());
    dims.insert(dims.end(), from.dims.begin() + static_cast<std::ptrdiff_t>(axis) + 1,
                from.dims.end());
    Order order;
    order.reserve(checked_size(dims));
    for (std::size_t o = 0; o < outer; ++o) {
      for (const std::int64_t index : wanted) {
        if (index < -count || index >= count) damaged(fmt::format("index {} of {}", index, count));
        const auto at = static_cast<std::size_t>(index < 0 ? index + count : index);
        for (std::size_t i = 0; i < inner; ++i) {
          order.push_back(
              static_cast<std::uint32_t>((o * static_cast<std::size_t>(count) + at) * inner + i));
        }
      }
    }
    define(0, ordered(from, dims, order));
  }

  void unsqueeze() {
    const Tensor& from = in(0);
    const Dims axes = integers("axes", 1);
    const std::size_t rank = from.dims.size() + axes.size();
    std::vector<bool> added(rank, false);
    for (const std::int64_t axis : axes) {
      const std::size_t at = axis_of(axis, rank);
      if (added[at]) damaged("an axis that is given twice");
      added[at] = true;
    }
    Dims dims;
    std::size_t next = 0;
    for (std::size_t d = 0; d < rank; ++d) dims.push_back(added[d] ? 1 : from.dims[next++]);
    define(0, reshaped(from, dims));
  }

  void squeeze() {
    const Tensor& from = in(0);
    const Dims axes = integers("axes", 1);
    std::vector<bool> gone(from.dims.size(), false);
    for (const std::int64_t axis : axes) gone[axis_of(axis, from.dims.size())] = true;
    Dims dims;
    for (std::size_t d = 0; d < from.dims.size(); ++d) {
      if (axes.empty()) gone[d] = from.dims[d] == 1;
      if (!gone[d]) dims.push_back(from.dims[d]);
    }
    define(0, reshaped(from, dims));
  }

  void concat() {
    const std::size_t parts = node_->inputs.size();
    const std::size_t axis = axis_of(integer("axis", 0), in(0).dims.size());
    Dims dims = in(0).dims;
    dims[axis] = 0;
    bool known = true;
    for (std::size_t p = 0; p < parts; ++p) {
      const Tensor& part = in(p);
      if (part.dims.size() != dims.size()) damaged("parts of different dimensions");
      for (std::size_t d = 0; d < dims.size(); ++d) {
        if (d != axis && part.dims[d] != dims[d]) damaged("parts of different shapes");
      }
      dims[axis] += part.dims[axis];
      known = known && part.known;
    }
    Tensor out{.dims = dims, .integer = in(0).integer, .known = known};
    checked_size(dims);
    std::vector<Tensor> held;
    for (std::size_t p = 0; p < parts; ++p) {
      if (in(p).integer != out.integer) damaged("parts of different types");
      held.push_back(known ? in(p) : in_registers(in(p)));
    }
    const auto append = [](auto& to, const auto& from, std::size_t start, std::size_t count) {
      to.insert(to.end(), from.begin() + static_cast<std::ptrdiff_t>(start),
                from.begin() + static_cast<std::ptrdiff_t>(start + count));
    };
    for (std::size_t o = 0; o < product(dims, 0, axis); ++o) {
      for (const Tensor& part : held) {
        const std::size_t run = product(part.dims, axis, dims.size());
        if (!known) {
          append(out.refs, part.refs, o * run, run);
        } else if (out.integer) {
          append(out.ints, part.ints, o * run, run);
        } else {
          append(out.floats, part.floats, o * run, run);
        }
      }
    }
    define(0, std::move(out));
  }

  void slice() {
    const Tensor& from = in(0);
    const std::size_t rank = from.dims.size();
    const Dims starts = integers("starts", 1);
    const Dims ends = integers("ends", 2);
    Dims axes = integers("axes", 3);
    Dims steps = has(4) ? known_integers(4) : Dims(starts.size(), 1);
    if (axes.empty()) {
      axes.resize(starts.size());
      std::iota(axes.begin(), axes.end(), 0);
    }
    if (ends.size() != starts.size() || axes.size() != starts.size() ||
        steps.size() != starts.size()) {
      damaged("starts, ends, axes and steps of different lengths");
    }
    Dims counts = from.dims;
    Dims strides = strides_of(from.dims);
    std::int64_t first = 0;
    for (std::size_t i = 0; i < starts.size(); ++i) {
      const std::size_t axis = axis_of(axes[i], rank);
      const std::int64_t size = from.dims[axis];
      const std::int64_t step = steps[i];
      if (size == 0) continue;
      if (step == 0 || step < -most_step || step > most_step) damaged(fmt::format("step {}", step));
      const auto place = [&](std::int64_t at, std::int64_t low, std::int64_t high) {
        return std::clamp(at < 0 ? at + size : at, low, high);
      };
      const std::int64_t start =
          step > 0 ? place(starts[i], 0, size) : place(starts[i], 0, size - 1);
      const std::int64_t end = step > 0 ? place(ends[i], 0, size) : place(ends[i], -1, size - 1);
      const std::int64_t span = step > 0 ? end - start : start - end;
      const std::int64_t stride = std::abs(step);
      counts[axis] = span <= 0 ? 0 : (span + stride - 1) / stride;
      first += start * strides[axis];
      strides[axis] *= step;
    }
    define(0, ordered(from, counts, walk(counts, strides, first)));
  }

  void expand() {
    const Dims dims = broadcast(in(0).dims, known_integers(1));
    define(0, expanded(in(0), dims));
  }

  void reshape() {
    const Tensor& from = in(0);
    Dims dims = integers("shape", 1);
    const bool zero_stays = integer("allowzero", 0) != 0;
    std::size_t open = dims.size();
    std::size_t rest = 1;
    for (std::size_t d = 0; d < dims.size(); ++d) {
      if (dims[d] == 0 && !zero_stays) {
        if (d >= from.dims.size()) damaged("a shape that takes over what is not there");
        dims[d] = from.dims[d];
      }
      if (dims[d] == -1) {
        if (open != dims.size()) damaged("a shape with two open dimensions");
        open = d;
      } else if (dims[d] < 0) {
        damaged(fmt::format("a shape {}", text(dims)));
      } else if (dims[d] != 0 && static_cast<std::size_t>(dims[d]) > most_elements / rest) {
        damaged(fmt::format("a shape {}", text(dims)));
      } else {
        rest *= std::max<std::size_t>(1, static_cast<std::size_t>(dims[d]));
      }
    }
    if (open != dims.size()) dims[open] = static_cast<std::int64_t>(from.size() / rest);
    define(0, reshaped(from, dims));
  }

  void flatten() {
    const Tensor& from = in(0);
    const auto rank = static_cast<std::int64_t>(from.dims.size());
    std::int64_t axis = integer("axis", 1);
    if (axis < 0) axis += rank;
    if (axis < 0 || axis > rank) damaged("an axis outside");
    const auto at = static_cast<std::size_t>(axis);
    define(0,
           reshaped(from, {static_cast<std::int64_t>(product(from.dims, 0, at)),
                           static_cast<std::int64_t>(product(from.dims, at, from.dims.size()))}));
  }

  void transpose() {
    const Tensor& from = in(0);
    std::vector<std::size_t> axes;
    if (const Attribute* perm = attribute("perm")) {
      std::vector<bool> seen(from.dims.size(), false);
      if (perm->integers.size() != from.dims.size()) damaged("`perm` of another length");
      for (const std::int64_t axis : perm->integers) {
        axes.push_back(axis_of(axis, from.dims.size()));
        if (seen[axes.back()]) damaged("`perm` has an axis twice");
        seen[axes.back()] = true;
      }
    } else {
      for (std::size_t d = from.dims.size(); d-- > 0;) axes.push_back(d);
    }
    define(0, transposed(from, axes));
  }

  Tensor apply_unary(Unary function, const Tensor& from) {
    const Register source = contiguous(from);
    const Register first = allocate(from.size());
    program_.steps.emplace_back(
        UnaryStep{.function = function, .in = source, .out = first, .count = from.size()});
    return new_tensor(from.dims, first);
  }

  void unary() {
    if (in(0).integer) unsupported("on integers");
    define(0, apply_unary(node_->op == "Relu"      ? Unary::Relu
                          : node_->op == "Sigmoid" ? Unary::Sigmoid
                                                   : Unary::Tanh,
                          in(0)));
  }

  Tensor combine(Arithmetic op, const Tensor& left_in, const Tensor& right_in) {
    if (left_in.integer != right_in.integer) damaged("operands of different types");
    const Dims dims = broadcast(left_in.dims, right_in.dims);
    const Tensor left = expanded(left_in, dims);
    const Tensor right = expanded(right_in, dims);
    if (left.known && right.known) return folded(op, left, right);
    if (left.integer) unsupported("on integers that depend on the data");
    const Tensor a = in_registers(left);
    const Tensor b = in_registers(right);
    const Register first = allocate(a.size());
    program_.steps.emplace_back(
        ArithmeticStep{.op = op, .out = first, .left = a.refs, .right = b.refs});
    return new_tensor(dims, first);
  }

  Tensor folded(Arithmetic op, const Tensor& left, const Tensor& right) const {
    Tensor out{.dims = left.dims, .integer = left.integer, .known = true};
    for (std::size_t i = 0; i < left.size(); ++i) {
      if (left.integer) {
        out.ints.push_back(folded_integer(op, left.ints[i], right.ints[i]));
      } else {
        const float a = left.floats[i];
        const float b = right.floats[i];
        out.floats.push_back(op == Arithmetic::Add   ? a + b
                             : op == Arithmetic::Sub ? a - b
                             : op == Arithmetic::Mul ? a * b
                                                     : a / b);
      }
    }
    return out;
  }
  [[nodiscard]] std::int64_t folded_integer(Arithmetic op, std::int64_t a, std::int64_t b) const {
    std::int64_t out = 0;
    bool bad = false;
    switch (op) {
      case Arithmetic::Add:
        bad = __builtin_add_overflow(a, b, &out);
        break;
      case Arithmetic::Sub:
        bad = __builtin_sub_overflow(a, b, &out);
        break;
      case Arithmetic::Mul:
        bad = __builtin_mul_overflow(a, b, &out);
        break;
      case Arithmetic::Div:
        bad = b == 0 || (b == -1 && a == INT64_MIN);
        if (!bad) out = a / b;
        break;
    }
    if (bad) damaged("an integer that overflows");
    return out;
  }

  void arithmetic() {
    const Arithmetic op = node_->op == "Add"   ? Arithmetic::Add
                          : node_->op == "Sub" ? Arithmetic::Sub
                          : node_->op == "Mul" ? Arithmetic::Mul
                                               : Arithmetic::Div;
    define(0, combine(op, in(0), in(1)));
  }

  /// `weights` is [depth, columns], constant.
  Tensor multiply(const Tensor& left, const Tensor& weights, float scale) {
    const auto depth = static_cast<std::size_t>(weights.dims[0]);
    const auto columns = static_cast<std::size_t>(weights.dims[1]);
    Dims dims = left.dims;
    if (dims.empty() || static_cast<std::size_t>(dims.back()) != depth) {
      damaged(fmt::format("{} times {}", text(left.dims), text(weights.dims)));
    }
    dims.back() = weights.dims[1];
    const std::size_t size = checked_size(dims);
    charge(depth * columns);  // once more for each node that uses them
    const std::size_t rows = columns == 0 ? 0 : size / columns;
    MatMulStep step{.in = contiguous(left),
                    .out = allocate(size),
                    .rows = rows,
                    .depth = depth,
                    .columns = columns,
                    .weights = std::vector<float>(depth * columns)};
    for (std::size_t k = 0; k < depth; ++k) {
      for (std::size_t n = 0; n < columns; ++n) {
        step.weights[n * depth + k] = weights.floats[k * columns + n] * scale;
      }
    }
    const Register first = step.out;
    program_.steps.emplace_back(std::move(step));
    return new_tensor(dims, first);
  }
  [[nodiscard]] const Tensor& constant_matrix(std::size_t i) const {
    const Tensor& tensor = in(i);
    if (!tensor.known || tensor.integer || tensor.dims.size() != 2) {
      unsupported("unless its second operand is a constant matrix");
    }
    return tensor;
  }

  void mat_mul() { define(0, multiply(in(0), constant_matrix(1), 1.0F)); }

  void gemm() {
    Tensor left = in(0);
    Tensor weights = constant_matrix(1);
    if (left.dims.size() != 2) damaged("a first operand that is no matrix");
    if (integer("transA", 0) != 0) left = transposed(left, {1, 0});
    if (integer("transB", 0) != 0) weights = transposed(weights, {1, 0});
    Tensor out = multiply(left, weights, number("alpha", 1.0F));
    if (has(2)) {
      Tensor bias = in(2);
      const float beta = number("beta", 1.0F);
      if (beta != 1.0F) {
        bias = combine(Arithmetic::Mul, bias, {.dims = {}, .known = true, .floats = {beta}});
      }
      if (broadcast(out.dims, bias.dims) != out.dims) damaged("a third operand that is too large");
      out = combine(Arithmetic::Add, out, bias);
    }
    define(0, std::move(out));
  }

  void softmax() {
    const Tensor& from = in(0);
    const bool flattens = graph_.opset < 13;
    const std::size_t axis = axis_of(integer("axis", flattens ? 1 : -1), from.dims.size());
    if (from.size() == 0 || from.integer) unsupported("on this tensor");
    const std::size_t rank = from.dims.size();
    SoftmaxStep step{.in = contiguous(from),
                     .out = allocate(from.size()),
                     .outer = product(from.dims, 0, axis),
                     .count = product(from.dims, axis, flattens ? rank : axis + 1),
                     .inner = flattens ? 1 : product(from.dims, axis + 1, rank),
                     .logarithm = node_->op == "LogSoftmax"};
    program_.steps.emplace_back(step);
    define(0, new_tensor(from.dims, step.out));
  }

  void arg_max() {
    const Tensor& from = in(0);
    const std::size_t axis = axis_of(integer("axis", 0), from.dims.size());
    if (from.size() == 0) unsupported("on this tensor");
    charge(from.size());
    const std::size_t outer = product(from.dims, 0, axis);
    const std::size_t inner = product(from.dims, axis + 1, from.dims.size());
    Dims dims = from.dims;
    dims[axis] = 1;
    if (integer("keepdims", 1) == 0) dims.erase(dims.begin() + static_cast<std::ptrdiff_t>(axis));
    ArgMaxStep step{.in = contiguous(from),
                    .out = allocate(outer * inner),
                    .outer = outer,
                    .count = static_cast<std::size_t>(from.dims[axis]),
                    .inner = inner,
                    .last = integer("select_last_index", 0) != 0};
    program_.steps.emplace_back(step);
    define(0, new_tensor(dims, step.out, true));
  }

  void lstm() {
    const Attribute* direction = attribute("direction");
    const std::string way = direction == nullptr ? "forward" : direction->text;
    const std::size_t directions = way == "bidirectional" ? 2 : 1;
    if (way != "forward" && way != "reverse" && way != "bidirectional") damaged("its direction");
    if (integer("layout", 0) != 0) unsupported("with `layout` 1");
    if (integer("input_forget", 0) != 0) unsupported("with `input_forget`");
    if (attribute("clip") != nullptr) unsupported("with `clip`");
    if (attribute("activations") != nullptr) {
      static const std::vector<std::string> usual{"Sigmoid", "Tanh", "Tanh"};
      const auto& named = attribute("activations")->texts;
      for (std::size_t i = 0; i < named.size(); ++i) {
        if (named[i] != usual[i % 3]) unsupported("with other activations");
      }
    }
    if (has(7)) unsupported("with peepholes");
    const Tensor& x = in(0);
    const Tensor& w = in(1);
    const Tensor& r = in(2);
    if (x.dims.size() != 3 || x.dims[1] != 1) damaged(fmt::format("an input {}", text(x.dims)));
    if (!w.known || !r.known || w.integer || r.integer)
      unsupported("with weights that are computed");
    if (r.dims.size() != 3 || r.dims[2] < 1 || r.dims[2] > 65536) damaged("its recurrent weights");
    const std::int64_t units = r.dims[2];
    const std::int64_t inputs = x.dims[2];
    const auto ways = static_cast<std::int64_t>(directions);
    if (r.dims != Dims{ways, 4 * units, units} || w.dims != Dims{ways, 4 * units, inputs} ||
        integer("hidden_size", units) != units) {
      damaged("weights that do not fit");
    }
    if (has(3) && (!in(3).known || in(3).integer || in(3).dims != Dims{ways, 8 * units})) {
      damaged("a bias that does not fit");
    }
    if (has(4)) {
      const Dims lengths = known_integers(4);
      if (lengths != Dims{x.dims[0]}) unsupported("with sequences of several lengths");
    }
    const auto count = static_cast<std::size_t>(units);
    const auto steps = static_cast<std::size_t>(x.dims[0]);
    const auto width = static_cast<std::size_t>(inputs);
    const Dims y_dims{x.dims[0], ways, 1, units};
    const Register source = contiguous(x);
    const Register y = allocate(checked_size(y_dims));
    const Register hidden = allocate(directions * count);
    const Register cell = allocate(directions * count);
    set_state(5, hidden, {ways, 1, units});
    set_state(6, cell, {ways, 1, units});
    const Register gates = allocate(4 * count);
    for (std::size_t d = 0; d < directions; ++d) {
      LstmStep step{.in = source,
                    .hidden = static_cast<Register>(hidden + d * count),
                    .cell = static_cast<Register>(cell + d * count),
                    .gates = gates,
                    .out = static_cast<Register>(y + d * count),
                    .out_stride = directions * count,
                    .steps = steps,
                    .inputs = width,
                    .units = count,
                    .reverse = way == "reverse" || d == 1,
                    .weights = {},
                    .bias = std::vector<float>(4 * count)};
      charge(4 * count * (width + count));
      step.weights.reserve(4 * count * (width + count));
      for (std::size_t gate = 0; gate < 4 * count; ++gate) {
        const std::size_t row = d * 4 * count + gate;
        const float* from_input = w.floats.data() + row * width;
        const float* from_hidden = r.floats.data() + row * count;
        step.weights.insert(step.weights.end(), from_input, from_input + width);
        step.weights.insert(step.weights.end(), from_hidden, from_hidden + count);
        if (has(3)) {
          const float* bias = in(3).floats.data() + d * 8 * count;
          step.bias[gate] = bias[gate] + bias[4 * count + gate];
        }
      }
      program_.steps.emplace_back(std::move(step));
    }
    define(0, new_tensor(y_dims, y));
    define(1, new_tensor({ways, 1, units}, hidden));
    define(2, new_tensor({ways, 1, units}, cell));
  }

  /// The state's registers are overwritten while it runs, so they are set before each run.
  void set_state(std::size_t input, Register first, const Dims& dims) {
    Tensor initial;
    if (has(input)) {
      initial = in(input);
      if (initial.dims != dims) damaged(fmt::format("an initial state {}", text(initial.dims)));
    } else {
      initial = {.dims = dims, .known = true};
      initial.floats.assign(product(dims, 0, dims.size()), 0.0F);
    }
    program_.steps.emplace_back(MoveStep{.out = first, .from = in_registers(initial).refs});
  }

  static constexpr std::int64_t most_step = 1 << 30;

  const Graph& graph_;
  const GraphNode* node_ = nullptr;
  std::map<std::string, Tensor, std::less<>> tensors_;
  std::size_t elements_ = 0;
  Program program_;
};

}  // namespace

std::expected<Program, Issue> compile(const Graph& graph, std::span<const std::size_t> widths) {
  try {
    return Compiler(graph).compile(widths);
  } catch (const Compiler::Refused& refused) {
    return std::unexpected(refused.issue);
  }
}

std::size_t natural_width(const GraphPort& input) noexcept {
  std::size_t width = 1;
  std::size_t free = 0;
  for (const std::int64_t dim : input.dims) {
    if (dim < 0) {
      ++free;
    } else if (static_cast<std::size_t>(dim) > most_registers / width) {
      return 0;
    } else {
      width *= static_cast<std::size_t>(dim);
    }
  }
  return free > 1 ? 0 : width;
}

std::string shape_text(const GraphPort& input) {
  std::string out = "[";
  std::size_t free = 0;
  for (std::size_t i = 0; i < input.dims.size(); ++i) {
    if (i != 0) out += ",";
    if (input.dims[i] > 0) {
      out += std::to_string(input.dims[i]);
    } else {
      out += free == 0 ? "N" : fmt::format("N{}", free + 1);
      ++free;
    }
  }
  return out + "]";
}

}  // namespace kaspar::nodes

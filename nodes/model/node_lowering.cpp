#include "nodes/model/node_lowering.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <utility>

#include "nodes/model/operators.hpp"

namespace kaspar::nodes {
namespace {

/// A folded element takes all lanes of a register, which are filled, computed and read.
constexpr std::size_t register_operations = 16;
constexpr std::size_t fold_operations = 2048;  // of a node, whatever it computes
constexpr std::size_t text_bytes_together = 8;

/// So many elements one behind the other.
Tensor placed_at(Register first, std::size_t count, Dims dims, Element element) {
  Tensor out{.dims = std::move(dims), .element = element};
  out.refs.resize(count);
  for (Register& ref : out.refs) {
    ref = first;
    first += registers_for(element);
  }
  return out;
}

/// out[i] = from[i]
class MoveKernel final : public Kernel {
 public:
  MoveKernel(Register out, Register each, std::vector<Register> from)
      : out_(out), bytes_(each * register_bytes), each_(each), from_(std::move(from)) {}
  void run(LaneMemory memory) const noexcept override {
    Register to = out_;
    for (const Register from : from_) {
      std::memcpy(memory.lanes_at<std::byte>(to), memory.lanes_at<std::byte>(from), bytes_);
      to += each_;
    }
  }

 private:
  Register out_;
  std::size_t bytes_;
  Register each_;
  std::vector<Register> from_;
};

}  // namespace

void NodeLowering::refuse(DiagnosticCode code, std::string message, std::string help) const {
  throw LoweringRefused{{.code = code,
                         .place = {.part = IssuePlace::Part::Node,
                                   .name = node_ == nullptr ? std::string{} : node_->name},
                         .message = std::move(message),
                         .help = std::move(help)}};
}

void NodeLowering::unsupported(std::string_view what, std::string_view help) const {
  refuse(DiagnosticCode::K0404, unsupported_text(*node_, what),
         std::string(help.empty() ? unsupported_help : help));
}

void NodeLowering::damaged(std::string_view why) const {
  refuse(DiagnosticCode::K0405,
         node_ == nullptr ? fmt::format("the model contradicts itself: {}", why)
                          : fmt::format("the model contradicts itself at node `{}` (`{}`): {}",
                                        node_->name, node_->op, why));
}

void NodeLowering::too_large(std::string_view what) const {
  refuse(DiagnosticCode::K0407,
         node_ == nullptr
             ? fmt::format("the model {}", what)
             : fmt::format("the model {}, at node `{}` (`{}`)", what, node_->name, node_->op),
         "export it for one record at a time, with the first dimension as its batch");
}

NodeLowering::NodeLowering(std::int64_t opset, std::size_t weight_bytes)
    : opset_(opset),
      weight_bytes_(weight_bytes),
      element_limit_(most_elements + weight_bytes),
      register_limit_(most_registers),
      operation_limit_(most_operations + weight_bytes) {}

void NodeLowering::charge(std::size_t elements) {
  if (elements > element_limit_ - elements_) {
    too_large("has tensors that take too much memory");
  }
  elements_ += elements;
}

void NodeLowering::charge_texts(std::span<const std::string> texts) {
  std::size_t bytes = 0;
  for (const std::string& text : texts) bytes += sizeof(std::string) + text.size();
  charge(bytes / sizeof(float));
}

void NodeLowering::spend(std::size_t count, std::size_t each) {
  const std::size_t left = operation_limit_ - operations_;
  if (each != 0 && count > left / each) {
    refuse(DiagnosticCode::K0407,
           node_ == nullptr
               ? "the model takes too much computing before it can run"
               : fmt::format("the model takes too much computing before it can run, at node `{}` "
                             "(`{}`)",
                             node_->name, node_->op),
           "fold its constants where it is exported, and export it for shorter sequences");
  }
  operations_ += count * each;
}

void NodeLowering::count_unrolled(std::size_t nodes_and_names) {
  if (nodes_and_names > most_unrolled - unrolled_) {
    refuse(DiagnosticCode::K0407,
           fmt::format("operator `{}` of node `{}` would be unrolled to more than {} "
                       "nodes and names",
                       op(), node_->name, most_unrolled),
           "export it for shorter sequences, or with a layer that is an operator of its own");
  }
  unrolled_ += nodes_and_names;
}

NodeLowering::Scope::~Scope() {
  --lowering_.depth_;
  for (auto& [name, named] : outside_) {
    if (named) {
      lowering_.tensors_[name] = std::move(*named);
    } else {
      lowering_.tensors_.erase(name);
    }
  }
}

void NodeLowering::Scope::hide(const std::string& name) {
  const std::uint64_t hash = name_hash(name);
  if (outside_.contains(hash)) return;
  const auto found = lowering_.tensors_.find(hash);
  const bool hides = found != lowering_.tensors_.end();
  if (hides) lowering_.charge(found->second.tensor.refs.size());
  outside_.emplace(hash, hides ? std::optional(found->second) : std::nullopt);
}

std::size_t NodeLowering::checked_size(const Dims& dims) {
  if (dims.size() > most_dimensions) damaged(fmt::format("{} dimensions", dims.size()));
  std::size_t size = 1;
  bool empty = false;
  for (const std::int64_t dim : dims) {
    if (dim < 0) damaged(fmt::format("a shape {}", text(dims)));
    empty = empty || dim == 0;
    if (dim == 0) continue;  // the others are charged all the same: loops run over them
    if (static_cast<std::size_t>(dim) > element_limit_ / size) {
      too_large("has tensors that take too much memory");
    }
    size *= static_cast<std::size_t>(dim);
  }
  charge(size);
  return empty ? 0 : size;
}

Register NodeLowering::allocate(Element element, std::size_t count) {
  const auto found = free_.find(count * registers_for(element));
  if (found == free_.end() || found->second.empty()) return allocate_fresh(element, count);
  const Register first = found->second.back();
  found->second.pop_back();
  return first;
}

Register NodeLowering::allocate_fresh(Element element, std::size_t count) {
  const std::size_t each = registers_for(element);
  if (count > (register_limit_ - std::min(register_limit_, program_.registers)) / each) {
    too_large("needs too much memory to run");
  }
  computes(count, each * register_operations + longest_text_ / text_bytes_together);
  const auto first = static_cast<Register>(program_.registers);
  program_.registers += count * each;
  return first;
}

Tensor NodeLowering::new_tensor(Dims dims, Element element) {
  const std::size_t count = checked_size(dims);
  return placed_at(allocate(element, count), count, std::move(dims), element);
}

Tensor NodeLowering::in_registers(const Tensor& tensor) {
  if (!tensor.known()) return tensor;
  // Registers that no kernel ever wrote: what is set once has to stay.
  const std::size_t count = checked_size(tensor.dims);
  Tensor out = placed_at(allocate_fresh(tensor.element, count), count, tensor.dims, tensor.element);
  out.classes = tensor.classes;
  own(out);
  if (!out.refs.empty()) program_.constants.emplace_back(out.refs.front(), tensor);
  return out;
}

Register NodeLowering::contiguous(const Tensor& tensor) {
  Tensor held = in_registers(tensor);
  if (held.refs.empty()) return 0;
  const Register each = registers_for(held.element);
  bool in_a_row = true;
  for (std::size_t i = 1; i < held.refs.size(); ++i) {
    in_a_row = in_a_row && held.refs[i] == held.refs[i - 1] + each;
  }
  if (in_a_row) return held.refs.front();
  charge(held.refs.size());
  const Register first = allocate(held.element, held.refs.size());
  emit<MoveKernel>(first, each, std::move(held.refs));
  return first;
}

Tensor NodeLowering::copied(const Tensor& tensor) {
  Tensor out = new_tensor(tensor.dims, tensor.element);
  if (out.refs.empty()) return out;
  emit<MoveKernel>(out.refs.front(), registers_for(out.element), in_registers(tensor).refs);
  return out;
}

std::int32_t NodeLowering::failure(std::string message) {
  program_.failures.push_back(std::move(message));
  return static_cast<std::int32_t>(program_.failures.size());
}

void NodeLowering::fold(const std::function<void(NodeLowering&)>& lower) {
  NodeLowering once(opset_, weight_bytes_);
  once.folding_ = true;
  once.elements_ = elements_;
  once.operations_ = operations_;
  once.register_limit_ = std::min(most_registers, most_folded_registers + weight_bytes_ / 2);
  once.node_ = node_;
  for (std::size_t i = 0; i < node_->inputs.size(); ++i) {
    if (!has(i)) continue;
    once.tensors_.try_emplace(name_hash(node_->inputs[i]), Named{in(i)});
    if (in(i).element != Element::String) continue;
    for (const std::string& text : in(i).values<std::string_view>()) {
      once.longest_text_ = std::max(once.longest_text_, text.size());
    }
    once.spend(in(i).size());
  }
  // One input in registers makes the others follow; what must be known, such as weights, is.
  if (has(0)) once.tensors_[name_hash(node_->inputs[0])] = {once.in_registers(in(0))};
  once.spend(fold_operations);
  lower(once);
  const ProgramMemory memory = once.program_.make_memory();
  once.program_.run(memory.lanes(1));
  if (const std::int32_t failed = memory.lanes().failure(0); failed != 0) {
    damaged(once.program_.failures[static_cast<std::size_t>(failed) - 1]);
  }
  elements_ = once.elements_;
  operations_ = once.operations_;
  for (const std::string& name : node_->outputs) {
    const auto made = once.tensors_.find(name_hash(name));
    if (name.empty() || made == once.tensors_.end()) continue;
    Tensor& tensor = made->second.tensor;
    if (!tensor.known()) {
      with_lane_type(tensor.element, [&]<class T>(T) {
        using Held = std::conditional_t<std::is_same_v<T, std::string_view>, std::string, T>;
        std::vector<Held> values;
        values.reserve(tensor.refs.size());
        for (const Register ref : tensor.refs) {
          const T& value = memory.lanes().lanes_at<T>(ref)[0];
          if constexpr (std::is_same_v<T, std::string_view>) charge(value.size() / sizeof(float));
          values.push_back(Held(value));
        }
        tensor.held = std::make_shared<const Values>(std::move(values));
      });
      tensor.refs.clear();
    }
    define(name, std::move(tensor));
  }
}

const Tensor& NodeLowering::in(std::size_t i) const {
  if (!has(i)) damaged(fmt::format("its input {} is missing", i));
  return tensor(node_->inputs[i]);
}

const Tensor& NodeLowering::tensor(const std::string& name) const {
  const auto found = tensors_.find(name_hash(name));
  if (found == tensors_.end()) damaged(fmt::format("nothing before it defines `{}`", name));
  return found->second.tensor;
}

void NodeLowering::define(const std::string& name, Tensor tensor) {
  define_hashed(name_hash(name), std::move(tensor));
}

void NodeLowering::define_hashed(std::uint64_t name, Tensor tensor) {
  own(tensor);
  const bool counted = reads_ && depth_ == 0;
  tensors_[name] = {std::move(tensor), counted ? reads_->of(name) : NameReads::for_ever};
}

void NodeLowering::own(const Tensor& tensor) {
  if (!reads_) return;
  owners_.resize(program_.registers);
  for (const Register ref : tensor.refs) ++owners_[ref];
}

bool NodeLowering::owned_once(const Tensor& tensor) const {
  return std::ranges::all_of(
      tensor.refs, [&](Register ref) { return ref < owners_.size() && owners_[ref] == 1; });
}

void NodeLowering::disown(const Tensor& tensor) {
  const Register each = registers_for(tensor.element);
  bool in_a_row = true;
  bool left = true;
  for (std::size_t i = 0; i < tensor.refs.size(); ++i) {
    left = --owners_[tensor.refs[i]] == 0 && left;
    in_a_row = in_a_row && tensor.refs[i] == tensor.refs[0] + i * each;
  }
  if (left && in_a_row && !tensor.refs.empty()) {
    free_[tensor.refs.size() * each].push_back(tensor.refs[0]);
  }
}

void NodeLowering::drop(std::uint64_t name) {
  const auto found = tensors_.find(name);
  if (found == tensors_.end() || found->second.reads != 0) return;
  disown(found->second.tensor);
  tensors_.erase(found);
}

void NodeLowering::drop_what_was_read() {
  if (!reads_ || depth_ != 0) return;
  for (const std::string& name : node_->inputs) {
    const auto found = tensors_.find(name_hash(name));
    if (name.empty() || found == tensors_.end()) continue;
    std::uint32_t& reads = found->second.reads;
    if (reads != NameReads::for_ever && reads != 0) --reads;
    drop(found->first);
  }
  for (const std::string& name : node_->outputs) drop(name_hash(name));
}

const Tensor& NodeLowering::floats_in(std::size_t i) const {
  if (!is_float(in(i).element)) unsupported("on a tensor of this type");
  return in(i);
}

const Attribute* NodeLowering::attribute(std::string_view name) const {
  const auto found = node_->attributes.find(name);
  return found == node_->attributes.end() ? nullptr : &found->second;
}

std::int64_t NodeLowering::integer(std::string_view name, std::int64_t otherwise) const {
  const Attribute* found = attribute(name);
  return found == nullptr ? otherwise : found->integer;
}

float NodeLowering::number(std::string_view name, float otherwise) const {
  const Attribute* found = attribute(name);
  return found == nullptr ? otherwise : found->number;
}

std::string NodeLowering::word(std::string_view name, std::string otherwise) const {
  const Attribute* found = attribute(name);
  return found == nullptr ? std::move(otherwise) : found->text;
}

Dims NodeLowering::integers(std::string_view name, std::size_t input) {
  if (const Attribute* found = attribute(name)) return found->integers;
  return has(input) ? known_integers(input) : Dims{};
}

Dims NodeLowering::known_integers(std::size_t i) {
  const Tensor& tensor = in(i);
  if (!tensor.known()) unsupported("where a shape or index depends on the data");
  if (!tensor.integer()) damaged("a shape or index that is no integer");
  charge(tensor.size());
  return tensor.ints();
}

std::size_t NodeLowering::axis_of(std::int64_t axis, std::size_t rank) const {
  const auto limit = static_cast<std::int64_t>(rank);
  if (axis < -limit || axis >= limit) {
    damaged(fmt::format("axis {} of a tensor with {} dimensions", axis, rank));
  }
  return static_cast<std::size_t>(axis < 0 ? axis + limit : axis);
}

void NodeLowering::define(std::size_t output, Tensor tensor) {
  if (output >= node_->outputs.size() || node_->outputs[output].empty()) return;
  define(node_->outputs[output], std::move(tensor));
}

Tensor NodeLowering::ordered(const Tensor& from, Dims dims, const Order& order) {
  Tensor to{.dims = std::move(dims), .element = from.element};
  if (!from.known()) {
    to.refs.reserve(order.size());
    for (const std::uint32_t i : order) to.refs.push_back(from.refs[i]);
    return to;
  }
  std::visit(
      [&](const auto& values) {
        std::remove_cvref_t<decltype(values)> placed;
        charge(order.size() * (sizeof(placed[0]) / sizeof(float) - 1));  // one each is charged
        if constexpr (std::is_same_v<decltype(placed), std::vector<std::string>>) {
          std::size_t bytes = 0;
          for (const std::uint32_t i : order) bytes += values[i].size();
          charge(bytes / sizeof(float));
        }
        placed.reserve(order.size());
        for (const std::uint32_t i : order) placed.push_back(values[i]);
        to.held = std::make_shared<const Values>(std::move(placed));
      },
      *from.held);
  return to;
}

Tensor NodeLowering::reshaped(const Tensor& from, Dims dims) {
  if (checked_size(dims) != from.size()) {
    damaged(fmt::format("{} cannot become {}", text(from.dims), text(dims)));
  }
  Tensor to = from;
  to.dims = std::move(dims);
  return to;
}

Order NodeLowering::walk(const Dims& counts, const Dims& strides, std::int64_t start) {
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

Dims NodeLowering::broadcast(const Dims& left, const Dims& right) const {
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

Tensor NodeLowering::expanded(const Tensor& from, const Dims& dims) {
  Dims strides(dims.size(), 0);
  const Dims own = strides_of(from.dims);
  const std::size_t lead = dims.size() - from.dims.size();
  for (std::size_t i = 0; i < from.dims.size(); ++i) {
    strides[lead + i] = from.dims[i] == 1 ? 0 : own[i];
  }
  return ordered(from, dims, walk(dims, strides));
}

Tensor NodeLowering::transposed(const Tensor& from, const std::vector<std::size_t>& axes) {
  const Dims own = strides_of(from.dims);
  Dims dims;
  Dims strides;
  for (const std::size_t axis : axes) {
    dims.push_back(from.dims[axis]);
    strides.push_back(own[axis]);
  }
  return ordered(from, dims, walk(dims, strides));
}

}  // namespace kaspar::nodes

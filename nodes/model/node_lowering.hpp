// What the operators share while a graph becomes a program: the node at hand, the tensors defined
// so far, the program's registers, and the bounds that hostile files run into.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "nodes/model/graph.hpp"
#include "nodes/model/program.hpp"
#include "nodes/model/tensor.hpp"
#include "runtime/core/issue.hpp"

namespace kaspar::nodes {

/// Of 4 bytes, made by all nodes together; a model may make four times its weights besides.
inline constexpr std::size_t most_elements = std::size_t{1} << 24;
/// Nodes of branches and loops, and what these name.
inline constexpr std::size_t most_unrolled = std::size_t{1} << 18;
inline constexpr std::size_t most_registers = std::size_t{1} << 22;  // of 64 bytes
/// To compute one node of constants; besides as many as its weights may need.
inline constexpr std::size_t most_folded_registers = std::size_t{1} << 20;
/// Of a nanosecond or so each, to compile the model; besides one for each byte of its weights.
inline constexpr std::size_t most_operations = std::size_t{1} << 28;

/// Thrown by what refuses; `compile` returns the issue.
struct LoweringRefused {
  Issue issue;
};

class NodeLowering {
  struct Named {
    Tensor tensor;
    std::uint32_t reads = NameReads::for_ever;  // that are left
  };

 public:
  /// `weight_bytes`: of the graph's constants.
  NodeLowering(std::int64_t opset, std::size_t weight_bytes);

  // --- refusals -------------------------------------------------------------------------------
  [[noreturn]] void refuse(DiagnosticCode code, std::string message, std::string help = {}) const;
  /// K0404: "operator `X` of node `n` is not supported WHAT"; `help` is the way out.
  [[noreturn]] void unsupported(std::string_view what, std::string_view help = {}) const;
  /// K0405: the model contradicts itself.
  [[noreturn]] void damaged(std::string_view why) const;
  /// K0407: "the model WHAT", and at which node.
  [[noreturn]] void too_large(std::string_view what) const;
  /// Counts elements of 4 bytes, or as much work, against the limit: K0407.
  void charge(std::size_t elements);
  void charge(std::size_t count, std::size_t each) {
    charge(each != 0 && count > element_limit_ / each ? element_limit_ + 1 : count * each);
  }
  /// The same for strings, by what a copy of them takes.
  void charge_texts(std::span<const std::string> texts);
  /// Counts work that takes no memory, `each` for `count`, against `most_operations`: K0407.
  void spend(std::size_t count, std::size_t each = 1);
  /// What a kernel takes for one record, beyond going over its elements once: work if it is run
  /// while the model is compiled, to fold constants.
  void computes(std::size_t count, std::size_t each = 1) {
    if (folding_) spend(count, each);
  }
  /// Counts nodes of branches and loops, and the names in them, against `most_unrolled`: K0407.
  void count_unrolled(std::size_t nodes_and_names);
  [[nodiscard]] std::size_t element_limit() const { return element_limit_; }
  /// How many elements a shape has, which are charged.
  std::size_t checked_size(const Dims& dims);

  // --- the node at hand -----------------------------------------------------------------------
  /// null: none, inputs or outputs of the graph are worked on.
  void enter(const GraphNode* node) { node_ = node; }
  [[nodiscard]] const GraphNode* node() const { return node_; }
  [[nodiscard]] std::int64_t opset() const { return opset_; }
  [[nodiscard]] const std::string& op() const { return node_->op; }
  [[nodiscard]] std::size_t input_count() const { return node_->inputs.size(); }
  [[nodiscard]] std::size_t output_count() const { return node_->outputs.size(); }
  [[nodiscard]] bool has(std::size_t i) const {
    return i < node_->inputs.size() && !node_->inputs[i].empty();
  }
  [[nodiscard]] bool wants(std::size_t output) const {
    return output < node_->outputs.size() && !node_->outputs[output].empty();
  }
  [[nodiscard]] const Tensor& in(std::size_t i) const;
  /// As `in`, of F32 or F64.
  [[nodiscard]] const Tensor& floats_in(std::size_t i) const;
  [[nodiscard]] const Attribute* attribute(std::string_view name) const;
  [[nodiscard]] std::int64_t integer(std::string_view name, std::int64_t otherwise) const;
  [[nodiscard]] float number(std::string_view name, float otherwise) const;
  [[nodiscard]] std::string word(std::string_view name, std::string otherwise) const;
  /// Integers that are an attribute in old versions and an input in new ones.
  [[nodiscard]] Dims integers(std::string_view name, std::size_t input);
  [[nodiscard]] Dims known_integers(std::size_t i);
  [[nodiscard]] std::size_t axis_of(std::int64_t axis, std::size_t rank) const;
  /// Sets the node's output of that number, if it has it.
  void define(std::size_t output, Tensor tensor);

  // --- tensors --------------------------------------------------------------------------------
  void define(const std::string& name, Tensor tensor);
  [[nodiscard]] bool defined(const std::string& name) const {
    return tensors_.contains(name_hash(name));
  }
  [[nodiscard]] const Tensor& tensor(const std::string& name) const;

  /// How often each name is read. Before it is set, all are kept for ever.
  void set_reads(NameReads reads) { reads_ = std::move(reads); }
  /// The node at hand is done: what was read for the last time is dropped, and what is written from
  /// now on takes its registers.
  void drop_what_was_read();

  /// Names that a graph inside another one defines: at the end they are again what they were.
  class Scope {
   public:
    explicit Scope(NodeLowering& lowering) : lowering_(lowering) { ++lowering.depth_; }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    ~Scope();
    /// The name will be defined inside.
    void hide(const std::string& name);
    void define(const std::string& name, Tensor tensor) {
      hide(name);
      lowering_.define(name, std::move(tensor));
    }

   private:
    NodeLowering& lowering_;
    std::unordered_map<std::uint64_t, std::optional<Named>> outside_;
  };

  // --- the program ----------------------------------------------------------------------------
  [[nodiscard]] Program& program() { return program_; }
  template <class K, class... Arguments>
  void emit(Arguments&&... arguments) {
    auto kernel = std::make_unique<K>(std::forward<Arguments>(arguments)...);
    last_kernel_ = kernel.get();
    last_output_ = first_output();
    program_.kernels.push_back(std::move(kernel));
  }
  /// The last kernel, if it is a K that wrote the node's input `i` and nothing but this node reads
  /// that, under whatever name: it may be changed to compute what this node does, and is then this
  /// node's. Else null.
  template <class K>
  [[nodiscard]] K* sole_source(std::size_t i) {
    if (last_kernel_ == nullptr || last_kernel_ != program_.kernels.back().get()) return nullptr;
    if (!has(i) || name_hash(node_->inputs[i]) != last_output_) return nullptr;
    const auto found = tensors_.find(last_output_);
    auto* const kernel = dynamic_cast<K*>(last_kernel_);
    if (found == tensors_.end() || found->second.reads != 1 || kernel == nullptr ||
        !kernel->writes(found->second.tensor) || !owned_once(found->second.tensor)) {
      return nullptr;
    }
    last_output_ = first_output();
    return kernel;
  }
  /// Registers for so many elements: new ones, or such as nothing reads any more.
  Register allocate(Element element, std::size_t count);
  /// A tensor in registers of its own, which a kernel is to write.
  Tensor new_tensor(Dims dims, Element element = Element::F32);
  /// The tensor in registers, also if it was known.
  Tensor in_registers(const Tensor& tensor);
  /// The first of as many registers in a row that hold the tensor.
  Register contiguous(const Tensor& tensor);
  /// The tensor in registers of its own, set whenever the program comes by.
  Tensor copied(const Tensor& tensor);
  /// Where `new_tensor` begins; 0 if it is empty.
  [[nodiscard]] static Register first_of(const Tensor& tensor) {
    return tensor.refs.empty() ? 0 : tensor.refs.front();
  }
  /// A number for LaneMemory::fail: the row fails with K0906 and that message.
  std::int32_t failure(std::string message);

  // --- placing elements -----------------------------------------------------------------------
  [[nodiscard]] Tensor ordered(const Tensor& from, Dims dims, const Order& order);
  Tensor reshaped(const Tensor& from, Dims dims);
  /// Elements of `dims` in the order of an odometer over counts[], each digit d of which moves by
  /// stride[d], from `start`.
  Order walk(const Dims& counts, const Dims& strides, std::int64_t start = 0);
  /// The shape that two shapes are broadcast to.
  [[nodiscard]] Dims broadcast(const Dims& left, const Dims& right) const;
  /// Broadcast to a shape that `broadcast` gave.
  Tensor expanded(const Tensor& from, const Dims& dims);
  Tensor transposed(const Tensor& from, const std::vector<std::size_t>& axes);

  /// `places` of the elements along the axis, in the shape `dims`: integers, counted from the end
  /// where negative. One outside that a record computes fails its row.
  Tensor picked(const Tensor& from, std::size_t axis, const Tensor& places, Dims dims);

  /// Computes with `lower` what a node's known inputs give: runs it once, here and now. Its outputs
  /// are known afterwards.
  void fold(const std::function<void(NodeLowering&)>& lower);

 private:
  /// Of the node at hand; 0: it has none.
  [[nodiscard]] std::uint64_t first_output() const {
    return node_ == nullptr || node_->outputs.empty() ? 0 : name_hash(node_->outputs.front());
  }
  void define_hashed(std::uint64_t name, Tensor tensor);
  void drop(std::uint64_t name);
  void own(const Tensor& tensor);
  void disown(const Tensor& tensor);
  /// No other name stands for any of its elements.
  [[nodiscard]] bool owned_once(const Tensor& tensor) const;
  Register allocate_fresh(Element element, std::size_t count);

  std::int64_t opset_;
  const GraphNode* node_ = nullptr;
  std::unordered_map<std::uint64_t, Named> tensors_;  // by their names' hashes
  std::optional<NameReads> reads_;
  std::size_t depth_ = 0;  // of graphs in graphs
  /// How many names stand for each element that begins there; what must stay has one more.
  std::vector<std::uint32_t> owners_;
  /// Registers in a row that nothing reads any more, by how many they are.
  std::unordered_map<std::size_t, std::vector<Register>> free_;
  std::size_t weight_bytes_;
  std::size_t element_limit_;
  std::size_t register_limit_;
  std::size_t elements_ = 0;
  std::size_t operation_limit_;
  std::size_t operations_ = 0;
  std::size_t unrolled_ = 0;
  bool folding_ = false;
  std::size_t longest_text_ = 0;   // of what is folded: kernels compare and copy whole strings
  Kernel* last_kernel_ = nullptr;  // of the program, as long as it is the last one
  std::uint64_t last_output_ = 0;  // of the node that it computes
  Program program_;
};

}  // namespace kaspar::nodes

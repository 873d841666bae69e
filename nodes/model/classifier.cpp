#include "nodes/model/classifier.hpp"

#include <fmt/core.h>

#include <cmath>
#include <string_view>
#include <utility>

#include "nodes/model/elements.hpp"
#include "nodes/model/elementwise.hpp"
#include "nodes/model/normalization_operators.hpp"

namespace kaspar::nodes {
namespace {

/// The value that stands for the first largest score of each row.
template <class Score, class Label>
class LabelKernel final : public Kernel {
 public:
  using Held = std::conditional_t<std::is_same_v<Label, std::string_view>, std::string, Label>;
  LabelKernel(const Tensor& scores, const Tensor& labels, std::vector<Held> values)
      : scores_(scores.refs), labels_(labels.refs), values_(std::move(values)) {}
  void run(LaneMemory memory) const noexcept override {
    const std::size_t count = values_.size();
    for (std::size_t row = 0; row < labels_.size(); ++row) {
      Label* label = memory.lanes_at<Label>(labels_[row]);
      for (std::size_t lane = 0; lane < memory.active(); ++lane) {
        std::size_t best = 0;
        Score most = memory.lanes_at<Score>(scores_[row * count])[lane];
        for (std::size_t i = 1; i < count; ++i) {
          const Score score = memory.lanes_at<Score>(scores_[row * count + i])[lane];
          if (score > most) {
            most = score;
            best = i;
          }
        }
        label[lane] = values_[best];
      }
    }
  }

 private:
  Elements scores_, labels_;
  std::vector<Held> values_;
};

/// sqrt(2) * erfinv(2 p - 1), erfinv as S. Winitzki approximates it, as ONNX Runtime does.
class ProbitKernel final : public Kernel {
 public:
  ProbitKernel(const Tensor& in, const Tensor& out) : in_(in.refs), out_(out.refs) {}
  void run(LaneMemory memory) const noexcept override {
    for (std::size_t i = 0; i < out_.size(); ++i) {
      for (std::size_t lane = 0; lane < memory.active(); ++lane) {
        const float x = 2 * memory.lanes_at<float>(in_[i])[lane] - 1;
        const float log = std::log((1 - x) * (1 + x));
        const float v = 2 / (3.14159F * 0.147F) + 0.5F * log;
        const float root = std::sqrt(-v + std::sqrt(v * v - log / 0.147F));
        memory.lanes_at<float>(out_[i])[lane] = 1.41421356F * (x < 0 ? -root : root);
      }
    }
  }

 private:
  Elements in_, out_;
};

/// Softmax over what is not zero; zeros stay.
class SoftmaxZeroKernel final : public Kernel {
 public:
  SoftmaxZeroKernel(const Tensor& in, const Tensor& out, std::size_t count)
      : in_(in.refs), out_(out.refs), count_(count) {}
  void run(LaneMemory memory) const noexcept override {
    for (std::size_t row = 0; row * count_ < out_.size(); ++row) {
      for (std::size_t lane = 0; lane < memory.active(); ++lane) one(memory, row * count_, lane);
    }
  }

 private:
  void one(LaneMemory memory, std::size_t base, std::size_t lane) const noexcept {
    const auto in = [&](std::size_t i) { return memory.lanes_at<float>(in_[base + i])[lane]; };
    float largest = in(0);
    for (std::size_t i = 1; i < count_; ++i) largest = std::max(largest, in(i));
    float sum = 0;
    for (std::size_t i = 0; i < count_; ++i) {
      const float power = in(i) > 1e-7F || in(i) < -1e-7F ? std::exp(in(i)-largest) : 0.0F;
      memory.lanes_at<float>(out_[base + i])[lane] = power;
      sum += power;
    }
    if (sum == 0) return;
    for (std::size_t i = 0; i < count_; ++i) memory.lanes_at<float>(out_[base + i])[lane] /= sum;
  }

  Elements in_, out_;
  std::size_t count_;
};

}  // namespace

std::vector<double> real_attribute(const NodeLowering& node, const std::string& name) {
  if (const Attribute* tensor = node.attribute(name + "_as_tensor");
      tensor != nullptr && tensor->tensor) {
    if (!is_float(tensor->tensor->element)) node.damaged(name + " that are no numbers");
    return converted(*tensor->tensor, Element::F64).values<double>();
  }
  const Attribute* found = node.attribute(name);
  if (found == nullptr) return {};
  return {found->numbers.begin(), found->numbers.end()};
}

const std::vector<std::int64_t>& integer_attribute(const NodeLowering& node,
                                                   const std::string& name) {
  static const std::vector<std::int64_t> none;
  const Attribute* found = node.attribute(name);
  return found == nullptr ? none : found->integers;
}

std::vector<std::string> text_attribute(const NodeLowering& node, const std::string& name) {
  const Attribute* found = node.attribute(name);
  return found == nullptr ? std::vector<std::string>{} : found->texts.all();
}

NumberRows number_rows(NodeLowering& node, std::size_t input) {
  const Tensor& from = node.in(input);
  if (from.element == Element::String) node.unsupported("on strings");
  if (from.dims.empty()) node.damaged("an input without dimensions");
  const auto columns = static_cast<std::size_t>(from.dims.back());
  if (columns == 0 || from.size() == 0) node.unsupported("on an empty tensor");
  node.charge(from.size());
  return {.values =
              node.in_registers(is_float(from.element) ? from : cast_to(node, from, Element::F32)),
          .rows = from.size() / columns,
          .columns = columns};
}

Tensor post_transformed(NodeLowering& node, const Tensor& scores) {
  const std::string transform = node.word("post_transform", "NONE");
  if (transform == "NONE") return scores;
  if (transform == "LOGISTIC") return apply_unary(node, Unary::Sigmoid, scores);
  if (transform == "SOFTMAX") return softmax_over(node, scores, 1, 2);
  const Tensor held = node.in_registers(scores);
  Tensor out = node.new_tensor(scores.dims, scores.element);
  if (transform == "PROBIT" && scores.element == Element::F32) {
    node.emit<ProbitKernel>(held, out);
  } else if (transform == "SOFTMAX_ZERO" && scores.element == Element::F32) {
    node.emit<SoftmaxZeroKernel>(held, out, static_cast<std::size_t>(scores.dims.back()));
  } else {
    node.unsupported(fmt::format("with `post_transform` of `{}`", transform));
  }
  return out;
}

std::shared_ptr<const Classes> classes_of(const NodeLowering& node) {
  Classes classes;
  classes.names = text_attribute(node, "classlabels_strings");
  classes.numbers = integer_attribute(node, "classlabels_int64s");
  if (classes.numbers.empty()) classes.numbers = integer_attribute(node, "classlabels_ints");
  if (!classes.names.empty()) classes.numbers.clear();
  if (classes.empty()) node.damaged("no classes");
  return std::make_shared<const Classes>(std::move(classes));
}

void define_classifier(NodeLowering& node, const Tensor& scores,
                       const std::shared_ptr<const Classes>& classes, const Tensor* votes) {
  const Tensor& deciding = votes == nullptr ? scores : *votes;
  if (deciding.dims.size() != 2 || static_cast<std::size_t>(deciding.dims[1]) != classes->size()) {
    node.damaged(fmt::format("scores {} for {} classes", text(deciding.dims), classes->size()));
  }
  const bool named = !classes->names.empty();
  Tensor label = node.new_tensor({deciding.dims[0]}, named ? Element::String : Element::I64);
  const Tensor held = node.in_registers(deciding);
  with_lane_type(held.element, [&]<class T>(T) {
    if constexpr (std::is_floating_point_v<T>) {
      if (named) {
        node.emit<LabelKernel<T, std::string_view>>(held, label, classes->names);
      } else {
        node.emit<LabelKernel<T, std::int64_t>>(held, label, classes->numbers);
      }
    }
  });
  label.classes = classes;
  Tensor out = cast_to(node, post_transformed(node, scores), Element::F32);
  if (static_cast<std::size_t>(out.dims[1]) == classes->size()) out.classes = classes;
  node.define(0, std::move(label));
  node.define(1, std::move(out));
}

Tensor two_scores(NodeLowering& node, const Tensor& score, bool probability) {
  const Tensor second = node.in_registers(score);
  const Tensor first = probability ? combine(node, Binary::Sub, scalar(score, 1), second)
                                   : apply_unary(node, Unary::Neg, second);
  Tensor both{.dims = {score.dims[0], 2}, .element = score.element};
  for (std::size_t row = 0; row < second.refs.size(); ++row) {
    both.refs.push_back(first.refs[row]);
    both.refs.push_back(second.refs[row]);
  }
  return both;
}

}  // namespace kaspar::nodes

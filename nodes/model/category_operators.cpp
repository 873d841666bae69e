// ai.onnx.ml: categories and their numbers, and what picks by a computed place.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "nodes/model/classifier.hpp"
#include "nodes/model/elements.hpp"
#include "nodes/model/elementwise.hpp"
#include "nodes/model/operators.hpp"

namespace kaspar::nodes {
namespace {

template <class T>
using Held = std::conditional_t<std::is_same_v<T, std::string_view>, std::string, T>;

/// Which of some keys a value is. NaN is the key NaN.
template <class T>
class KeyTable {
 public:
  explicit KeyTable(std::vector<Held<T>> keys) : keys_(std::move(keys)), order_(keys_.size()) {
    std::iota(order_.begin(), order_.end(), std::uint32_t{0});
    if constexpr (std::is_floating_point_v<T>) {
      const auto nan = std::ranges::find_if(keys_, [](T key) { return std::isnan(key); });
      if (nan != keys_.end()) nan_ = static_cast<std::size_t>(nan - keys_.begin());
      std::erase_if(order_, [&](std::uint32_t i) { return std::isnan(keys_[i]); });
    }
    // Of equal keys the last one counts, as in a map that is filled in order.
    std::ranges::stable_sort(order_, [&](std::uint32_t a, std::uint32_t b) {
      return keys_[a] != keys_[b] ? keys_[a] < keys_[b] : a > b;
    });
  }
  [[nodiscard]] std::size_t size() const noexcept { return keys_.size(); }
  /// The key's place, or size().
  [[nodiscard]] std::size_t find(const T& value) const noexcept {
    if constexpr (std::is_floating_point_v<T>) {
      if (std::isnan(value)) return nan_ == none ? size() : nan_;
    }
    const auto found = std::ranges::lower_bound(
        order_, value, [](const T& a, const T& b) { return a < b; },
        [&](std::uint32_t i) { return T(keys_[i]); });
    return found != order_.end() && T(keys_[*found]) == value ? *found : size();
  }

 private:
  static constexpr std::size_t none = static_cast<std::size_t>(-1);
  std::vector<Held<T>> keys_;
  std::vector<std::uint32_t> order_;
  std::size_t nan_ = none;
};

/// out = values[place of in among the keys], or what stands for all others.
template <class From, class To>
class EncodeKernel final : public Kernel {
 public:
  EncodeKernel(const Tensor& in, const Tensor& out, std::vector<Held<From>> keys,
               std::vector<Held<To>> values, Held<To> otherwise)
      : in_(in.refs),
        out_(out.refs),
        keys_(std::move(keys)),
        values_(std::move(values)),
        otherwise_(std::move(otherwise)) {}
  void run(LaneMemory memory) const noexcept override {
    for (std::size_t i = 0; i < out_.size(); ++i) {
      const From* in = memory.lanes_at<From>(in_[i]);
      To* out = memory.lanes_at<To>(out_[i]);
      for (std::size_t lane = 0; lane < memory.active(); ++lane) {
        const std::size_t at = keys_.find(in[lane]);
        out[lane] = at == keys_.size() ? To(otherwise_) : To(values_[at]);
      }
    }
  }

 private:
  Elements in_, out_;
  KeyTable<From> keys_;
  std::vector<Held<To>> values_;
  Held<To> otherwise_;
};

/// A list of a LabelEncoder: `keys` or `values`, of whatever type it is given.
Tensor encoder_list(const NodeLowering& node, const std::string& name) {
  if (const Attribute* tensor = node.attribute(name + "_tensor");
      tensor != nullptr && tensor->tensor) {
    return *tensor->tensor;
  }
  if (const Attribute* words = node.attribute(name + "_strings")) {
    return known_tensor({}, Element::String, words->texts.all());
  }
  if (const Attribute* wholes = node.attribute(name + "_int64s")) {
    return known_tensor({}, Element::I64, wholes->integers);
  }
  if (const Attribute* reals = node.attribute(name + "_floats")) {
    return known_tensor({}, Element::F32, reals->numbers);
  }
  node.damaged("no " + name);
}

/// What a value without a key becomes.
Tensor encoder_default(const NodeLowering& node, Element element) {
  if (const Attribute* tensor = node.attribute("default_tensor");
      tensor != nullptr && tensor->tensor && tensor->tensor->element == element &&
      tensor->tensor->size() == 1) {
    return *tensor->tensor;
  }
  switch (element) {
    case Element::String:
      return known_tensor({}, element,
                          std::vector<std::string>{node.word("default_string", "_Unused")});
    case Element::I64:
      return known_ints({}, {node.integer("default_int64", -1)});
    default:
      return converted(known_floats({}, {node.number("default_float", -0.0F)}), element);
  }
}

void encode(NodeLowering& node, const Tensor& keys, const Tensor& values, const Tensor& otherwise) {
  const Tensor& from = node.in(0);
  if (keys.element != from.element) node.damaged("keys of another type than its input");
  if (keys.size() != values.size()) node.damaged("keys that are not as many as the values");
  node.charge(keys.size());
  const Tensor in = node.in_registers(from);
  const Tensor out = node.new_tensor(from.dims, values.element);
  with_lane_type(keys.element, [&]<class From>(From) {
    with_lane_type(values.element, [&]<class To>(To) {
      node.emit<EncodeKernel<From, To>>(in, out, keys.values<From>(), values.values<To>(),
                                        otherwise.values<To>().front());
    });
  });
  node.define(0, out);
}

void label_encoder(NodeLowering& node) {
  // Version 1 had one list, of the strings, whose places were the numbers.
  if (const Attribute* classes = node.attribute("classes_strings")) {
    std::vector<std::int64_t> places(classes->texts.size());
    std::iota(places.begin(), places.end(), std::int64_t{0});
    const Tensor names = known_tensor({}, Element::String, classes->texts.all());
    const Tensor numbers = known_ints({}, std::move(places));
    const bool named = node.in(0).element == Element::String;
    const Tensor& to = named ? numbers : names;
    return encode(node, named ? names : numbers, to, encoder_default(node, to.element));
  }
  const Tensor values = encoder_list(node, "values");
  encode(node, encoder_list(node, "keys"), values, encoder_default(node, values.element));
}

/// Between strings and integers, whichever the input is not.
void category_mapper(NodeLowering& node) {
  const Tensor names = known_tensor({}, Element::String, text_attribute(node, "cats_strings"));
  const Tensor numbers = known_ints({}, integer_attribute(node, "cats_int64s"));
  const bool named = node.in(0).element == Element::String;
  const Tensor& to = named ? numbers : names;
  encode(node, named ? names : numbers, to, encoder_default(node, to.element));
}

template <class T>
class OneHotKernel final : public Kernel {
 public:
  OneHotKernel(const Tensor& in, const Tensor& out, std::vector<Held<T>> keys, std::int32_t unknown)
      : in_(in.refs), out_(out.refs), keys_(std::move(keys)), unknown_(unknown) {}
  void run(LaneMemory memory) const noexcept override {
    const std::size_t count = keys_.size();
    for (std::size_t i = 0; i < in_.size(); ++i) {
      const T* in = memory.lanes_at<T>(in_[i]);
      for (std::size_t k = 0; k < count; ++k) {
        memory.at<float>(out_[i * count + k]).setZero();
      }
      for (std::size_t lane = 0; lane < memory.active(); ++lane) {
        const std::size_t at = keys_.find(in[lane]);
        if (at != count) {
          memory.lanes_at<float>(out_[i * count + at])[lane] = 1;
        } else if (unknown_ != 0) {
          memory.fail(lane, unknown_);
        }
      }
    }
  }

 private:
  Elements in_, out_;
  KeyTable<T> keys_;
  std::int32_t unknown_;
};

void one_hot_encoder(NodeLowering& node) {
  Tensor from = node.in(0);
  const bool named = from.element == Element::String;
  if (!named) from = cast_to(node, from, Element::I64);
  const Tensor keys = named
                          ? known_tensor({}, Element::String, text_attribute(node, "cats_strings"))
                          : known_ints({}, integer_attribute(node, "cats_int64s"));
  if (keys.size() == 0) node.damaged("no categories of its input's type");
  const std::int32_t unknown =
      node.integer("zeros", 1) != 0
          ? 0
          : node.failure(fmt::format("`{}` knows no such category", node.op()));
  Dims dims = from.dims;
  dims.push_back(static_cast<std::int64_t>(keys.size()));
  const Tensor in = node.in_registers(from);
  const Tensor out = node.new_tensor(std::move(dims));
  if (named) {
    node.emit<OneHotKernel<std::string_view>>(in, out, keys.values<std::string_view>(), unknown);
  } else {
    node.emit<OneHotKernel<std::int64_t>>(in, out, keys.ints(), unknown);
  }
  node.define(0, out);
}

/// A map from the classes to the scores: the scores, and what they stand for.
void zip_map(NodeLowering& node) {
  Tensor out = node.in(0);
  node.charge(out.size());
  const auto classes = classes_of(node);
  if (out.dims.empty() || static_cast<std::size_t>(out.dims.back()) != classes->size()) {
    node.damaged(fmt::format("scores {} for {} classes", text(out.dims), classes->size()));
  }
  out.classes = classes;
  node.define(0, std::move(out));
}

/// Columns of the last dimension, by places that may be computed. Picked from known classes they
/// are a label.
void array_feature_extractor(NodeLowering& node) {
  const Tensor& from = node.in(0);
  const Tensor& places = node.in(1);
  if (from.dims.empty() || !places.integer()) node.damaged("places that are no integers");
  const std::size_t columns = static_cast<std::size_t>(from.dims.back());
  const std::size_t rows = columns == 0 ? 0 : from.size() / columns;
  Dims dims(from.dims.begin(), from.dims.end() - 1);
  if (dims.empty()) dims.push_back(1);
  dims.push_back(static_cast<std::int64_t>(places.size()));
  Tensor out = node.picked(
      node.reshaped(from, {static_cast<std::int64_t>(rows), static_cast<std::int64_t>(columns)}), 1,
      places, dims);
  if (from.known() && rows == 1 && (from.integer() || from.element == Element::String)) {
    Classes classes;
    if (from.integer()) {
      node.charge(2 * from.size());
      classes.numbers = from.ints();
    } else {
      node.charge_texts(from.values<std::string_view>());
      classes.names = from.values<std::string_view>();
    }
    out.classes = std::make_shared<const Classes>(std::move(classes));
  }
  node.define(0, std::move(out));
}

}  // namespace

std::span<const NamedOperator> category_operators() noexcept {
  static constexpr auto operators = std::to_array<NamedOperator>({
      {"ai.onnx.ml.ArrayFeatureExtractor", array_feature_extractor, false},
      {"ai.onnx.ml.CategoryMapper", category_mapper},
      {"ai.onnx.ml.LabelEncoder", label_encoder},
      {"ai.onnx.ml.OneHotEncoder", one_hot_encoder},
      {"ai.onnx.ml.ZipMap", zip_map, false},
  });
  return operators;
}

}  // namespace kaspar::nodes

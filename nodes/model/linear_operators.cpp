// ai.onnx.ml: what scales, fills, picks and weighs columns.
#include <fmt/core.h>

#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "nodes/model/classifier.hpp"
#include "nodes/model/elements.hpp"
#include "nodes/model/elementwise.hpp"
#include "nodes/model/matrix_operators.hpp"
#include "nodes/model/operators.hpp"
#include "nodes/model/reduction_operators.hpp"

namespace kaspar::nodes {
namespace {

/// A known row of numbers, one for each column or one for all, as the element that `like` has.
Tensor known_row(const NodeLowering& node, const std::vector<double>& values, std::size_t columns,
                 Element element) {
  if (values.size() != columns && values.size() != 1) {
    node.damaged(fmt::format("{} values for {} columns", values.size(), columns));
  }
  return converted(known_tensor({static_cast<std::int64_t>(values.size())}, Element::F64, values),
                   element);
}

/// (x - offset) * scale
void scaler(NodeLowering& node) {
  const NumberRows x = number_rows(node, 0);
  Tensor out = cast_to(node, x.values, Element::F32);
  if (const auto offset = real_attribute(node, "offset"); !offset.empty()) {
    out = combine(node, Binary::Sub, out, known_row(node, offset, x.columns, Element::F32));
  }
  if (const auto scale = real_attribute(node, "scale"); !scale.empty()) {
    out = combine(node, Binary::Mul, out, known_row(node, scale, x.columns, Element::F32));
  }
  node.define(0, std::move(out));
}

/// Each row divided by its norm; a row of zeros stays.
void normalizer(NodeLowering& node) {
  const NumberRows x = number_rows(node, 0);
  const Tensor from = cast_to(node, x.values, Element::F32);
  Axes gone(from.dims.size(), false);
  gone.back() = true;
  const std::string norm = node.word("norm", "MAX");
  Tensor size;
  if (norm == "L2") {
    const Tensor squares = combine(node, Binary::Mul, from, from);
    size = apply_unary(node, Unary::Sqrt, reduced(node, Reduction::Sum, squares, gone, true));
  } else {
    const Tensor sizes = apply_unary(node, Unary::Abs, from);
    size = reduced(node, norm == "L1" ? Reduction::Sum : Reduction::Max, sizes, gone, true);
  }
  const Tensor none = combine(node, Binary::Equal, size, scalar(size, 0));
  node.define(0, combine(node, Binary::Div, from, choose(node, none, scalar(size, 1), size)));
}

void imputer(NodeLowering& node) {
  const Tensor& from = node.in(0);
  if (from.element == Element::String || from.dims.empty()) node.unsupported("on this tensor");
  const bool whole = from.integer();
  std::vector<double> values;
  if (whole) {
    for (const std::int64_t value : integer_attribute(node, "imputed_value_int64s")) {
      values.push_back(static_cast<double>(value));
    }
  } else {
    values = real_attribute(node, "imputed_value_floats");
  }
  const auto columns = static_cast<std::size_t>(from.dims.back());
  const Tensor filling = known_row(node, values, columns, from.element);
  const double replaced = whole ? static_cast<double>(node.integer("replaced_value_int64", 0))
                                : static_cast<double>(node.number("replaced_value_float", 0));
  const Tensor missing =
      std::isnan(replaced) ? apply_unary(node, Unary::Not, combine(node, Binary::Equal, from, from))
                           : combine(node, Binary::Equal, from, scalar(from, replaced));
  node.define(0, choose(node, missing, filling, from));
}

void binarizer(NodeLowering& node) {
  const NumberRows x = number_rows(node, 0);
  const Tensor limit = scalar(x.values, node.number("threshold", 0));
  node.define(0, cast_to(node, combine(node, Binary::Greater, x.values, limit), Element::F32));
}

/// All inputs' columns side by side.
void feature_vectorizer(NodeLowering& node) {
  Tensor out;
  for (std::size_t i = 0; i < node.input_count(); ++i) {
    const NumberRows x = number_rows(node, i);
    if (x.rows != 1) node.unsupported("on several rows");
    const Tensor part = cast_to(node, x.values, Element::F32);
    out.refs.insert(out.refs.end(), part.refs.begin(), part.refs.end());
  }
  out.dims = {1, static_cast<std::int64_t>(out.refs.size())};
  node.define(0, std::move(out));
}

/// scores = x · coefficients + intercepts
Tensor weighed(NodeLowering& node, const NumberRows& x, std::size_t targets) {
  const auto coefficients = real_attribute(node, "coefficients");
  const auto intercepts = real_attribute(node, "intercepts");
  if (targets == 0 || coefficients.size() != targets * x.columns) {
    node.damaged(fmt::format("{} coefficients for {} columns and {} targets", coefficients.size(),
                             x.columns, targets));
  }
  const auto rows = static_cast<std::int64_t>(x.rows);
  const auto columns = static_cast<std::int64_t>(x.columns);
  const auto count = static_cast<std::int64_t>(targets);
  const Element element = x.values.element;
  const Tensor matrix =
      converted(known_tensor({count, columns}, Element::F64, coefficients), element);
  const Tensor left = node.reshaped(x.values, {rows, columns});
  const Tensor right = node.transposed(matrix, {1, 0});
  if (element == Element::F32 && intercepts.size() == targets) {
    return multiply(node, left, right, {rows, count}, {intercepts.begin(), intercepts.end()});
  }
  Tensor out = multiply(node, left, right, {rows, count});
  if (intercepts.empty()) return out;
  return combine(node, Binary::Add, out, known_row(node, intercepts, targets, element));
}

void linear_regressor(NodeLowering& node) {
  const NumberRows x = number_rows(node, 0);
  const std::int64_t targets = node.integer("targets", 1);
  if (targets < 1) node.damaged("no targets");
  const Tensor out = weighed(node, x, static_cast<std::size_t>(targets));
  node.define(0, cast_to(node, post_transformed(node, out), Element::F32));
}

void linear_classifier(NodeLowering& node) {
  const NumberRows x = number_rows(node, 0);
  const auto classes = classes_of(node);
  const std::size_t targets = real_attribute(node, "coefficients").size() / x.columns;
  Tensor scores = weighed(node, x, targets);
  if (targets == 1 && classes->size() == 2) scores = two_scores(node, scores, false);
  define_classifier(node, scores, classes);
}

}  // namespace

std::span<const NamedOperator> linear_operators() noexcept {
  static constexpr auto operators = std::to_array<NamedOperator>({
      {"ai.onnx.ml.Binarizer", binarizer},
      {"ai.onnx.ml.FeatureVectorizer", feature_vectorizer},
      {"ai.onnx.ml.Imputer", imputer},
      {"ai.onnx.ml.LinearClassifier", linear_classifier},
      {"ai.onnx.ml.LinearRegressor", linear_regressor},
      {"ai.onnx.ml.Normalizer", normalizer},
      {"ai.onnx.ml.Scaler", scaler},
  });
  return operators;
}

}  // namespace kaspar::nodes

// What all classifiers and regressors of ai.onnx.ml end in: a transform of the scores, and the
// label of the best one.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "nodes/model/node_lowering.hpp"

namespace kaspar::nodes {

/// Floats in attribute `NAME`, or, as doubles, in the tensor `NAME_as_tensor`.
[[nodiscard]] std::vector<double> real_attribute(const NodeLowering& node, const std::string& name);
[[nodiscard]] const std::vector<std::int64_t>& integer_attribute(const NodeLowering& node,
                                                                 const std::string& name);
[[nodiscard]] std::vector<std::string> text_attribute(const NodeLowering& node,
                                                      const std::string& name);

/// The input as rows of numbers, F32 or F64, with the rows and columns that it has.
struct NumberRows {
  Tensor values;
  std::size_t rows = 0;
  std::size_t columns = 0;
};
[[nodiscard]] NumberRows number_rows(NodeLowering& node, std::size_t input);

/// NONE SOFTMAX LOGISTIC SOFTMAX_ZERO PROBIT, as attribute `post_transform` says, over the last of
/// two dimensions.
[[nodiscard]] Tensor post_transformed(NodeLowering& node, const Tensor& scores);

/// From `classlabels_int64s` (or `_ints`) or `classlabels_strings`.
[[nodiscard]] std::shared_ptr<const Classes> classes_of(const NodeLowering& node);

/// Defines output 0, the label of the first largest of `scores` [rows, classes], and output 1, the
/// scores transformed. `votes`, if there are any, decide the label instead.
void define_classifier(NodeLowering& node, const Tensor& scores,
                       const std::shared_ptr<const Classes>& classes,
                       const Tensor* votes = nullptr);
/// Of a single score [rows, 1] for the second of two classes the scores of both: `probability`
/// makes them 1 - p and p, otherwise -s and s.
[[nodiscard]] Tensor two_scores(NodeLowering& node, const Tensor& score, bool probability);

}  // namespace kaspar::nodes

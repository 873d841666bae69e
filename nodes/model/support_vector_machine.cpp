// ai.onnx.ml: support vector machines.
//
// Decision functions, votes and probabilities (pairwise coupling) as LIBSVM computes them:
// C.-C. Chang and C.-J. Lin, "LIBSVM: a library for support vector machines", sections 4, 7 and 8.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "nodes/model/classifier.hpp"
#include "nodes/model/elementwise.hpp"
#include "nodes/model/operators.hpp"
#include "nodes/model/vector_kernels.hpp"

namespace kaspar::nodes {
namespace {

enum class Similarity : std::uint8_t { Linear, Poly, Rbf, Sigmoid };

struct Machine {
  Similarity similarity = Similarity::Linear;
  double gamma = 0, coef0 = 0, degree = 0;
  std::size_t vectors = 0, columns = 0;
  std::vector<double> support;       // [vectors, columns]
  AlignedNumbers<double> by_column;  // [columns, padded], the same
  std::vector<double> coefficients;  // [classes - 1, vectors], or [1, vectors]
  std::vector<double> rho;
  std::vector<std::size_t> first;      // of each class' vectors, and the end
  std::vector<double> prob_a, prob_b;  // of each pair of classes; may be empty

  [[nodiscard]] std::size_t classes() const { return first.empty() ? 0 : first.size() - 1; }
  [[nodiscard]] std::size_t pairs() const { return classes() * (classes() - 1) / 2; }

  [[nodiscard]] std::size_t padded() const { return (vectors + 7) / 8 * 8; }
  void arrange() {
    by_column = AlignedNumbers<double>(columns * padded());
    for (std::size_t v = 0; v < vectors; ++v) {
      for (std::size_t i = 0; i < columns; ++i) {
        by_column.data()[i * padded() + v] = support[v * columns + i];
      }
    }
  }

  /// similar[v] = how similar each lane's x is to support vector v.
  void similarities(const double* x, double* similar, std::size_t active) const noexcept {
    const SupportVectors all{.vectors = vectors,
                             .columns = columns,
                             .support = support.data(),
                             .by_column = by_column.data(),
                             .padded = padded(),
                             .gamma = gamma};
    if (similarity == Similarity::Rbf) return kernels().radial(all, x, similar, active);
    kernels().dot(all, x, similar, active);
    if (similarity == Similarity::Linear) return;
    for (std::size_t v = 0; v < vectors; ++v) {
      for (std::size_t lane = 0; lane < active; ++lane) {
        double& value = similar[v * lanes + lane];
        const double inner = gamma * value + coef0;
        value = similarity == Similarity::Poly ? std::pow(inner, degree) : std::tanh(inner);
      }
    }
  }
};

Machine machine_of(const NodeLowering& node, std::size_t vectors, std::size_t columns) {
  Machine machine;
  const std::string kind = node.word("kernel_type", "LINEAR");
  machine.similarity = kind == "LINEAR" ? Similarity::Linear
                       : kind == "POLY" ? Similarity::Poly
                       : kind == "RBF"  ? Similarity::Rbf
                       : kind == "SIGMOID"
                           ? Similarity::Sigmoid
                           : (node.damaged("its `kernel_type`"), Similarity::Linear);
  const auto params = real_attribute(node, "kernel_params");
  if (!params.empty()) {
    if (params.size() != 3) node.damaged("its `kernel_params`");
    machine.gamma = params[0];
    machine.coef0 = params[1];
    machine.degree = params[2];
  }
  machine.vectors = vectors;
  machine.columns = columns;
  machine.support = real_attribute(node, "support_vectors");
  machine.coefficients = real_attribute(node, "coefficients");
  machine.rho = real_attribute(node, "rho");
  machine.prob_a = real_attribute(node, "prob_a");
  machine.prob_b = real_attribute(node, "prob_b");
  return machine;
}

/// Functions of similarities take far longer than what they are of.
void count_similarities(NodeLowering& node, const Machine& machine) {
  node.computes(machine.vectors, machine.columns + 256);
}

/// LIBSVM's bound.
std::size_t coupling_rounds(std::size_t classes) { return std::max<std::size_t>(100, classes); }

/// One score for the row: of a regression or a one-class machine.
class SupportRegression final : public Kernel {
 public:
  SupportRegression(Machine machine, bool one_class, Register in, Register similar, Register out)
      : machine_(std::move(machine)),
        one_class_(one_class),
        in_(in),
        similar_(similar),
        out_(out) {}
  void run(LaneMemory memory) const noexcept override {
    const double* x = memory.lanes_at<double>(in_);
    double* sums = memory.lanes_at<double>(out_);
    std::fill_n(sums, lanes, machine_.rho[0]);
    if (machine_.vectors != 0) {
      double* similar = memory.lanes_at<double>(similar_);
      machine_.similarities(x, similar, memory.active());
      x = similar;
    }
    kernels().weighed_sum(machine_.coefficients.data(), x, machine_.coefficients.size(), sums,
                          memory.active());
    for (std::size_t lane = 0; one_class_ && lane < memory.active(); ++lane) {
      sums[lane] = sums[lane] > 0 ? 1 : -1;
    }
  }

 private:
  Machine machine_;
  bool one_class_;
  Register in_, similar_, out_;
};

/// Of each pair of classes the decision, of each class the votes, and the probabilities.
class SupportClassification final : public Kernel {
 public:
  struct Places {
    Register in;        // [columns]
    Register similar;   // [vectors]
    Register decision;  // [pairs]
    Register votes;     // [classes]
    Register chances;   // [classes], where there are probabilities
    Register scratch;   // [2 * classes * classes + 2 * classes] numbers of one lane
  };
  SupportClassification(Machine machine, Places at) : machine_(std::move(machine)), at_(at) {}

  void run(LaneMemory memory) const noexcept override {
    const std::size_t active = memory.active();
    const std::size_t count = machine_.classes();
    double* similar = memory.lanes_at<double>(at_.similar);
    machine_.similarities(memory.lanes_at<double>(at_.in), similar, active);
    double* votes = memory.lanes_at<double>(at_.votes);
    std::fill_n(votes, count * lanes, 0.0);
    double* decision = memory.lanes_at<double>(at_.decision);
    std::size_t pair = 0;
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t j = i + 1; j < count; ++j, ++pair, decision += lanes) {
        std::fill_n(decision, lanes, machine_.rho[pair]);
        add(j - 1, i, similar, decision, active);
        add(i, j, similar, decision, active);
        for (std::size_t lane = 0; lane < active; ++lane) {
          votes[(decision[lane] > 0 ? i : j) * lanes + lane] += 1;
        }
      }
    }
    if (machine_.prob_a.empty()) return;
    for (std::size_t lane = 0; lane < active; ++lane) chances(memory, lane);
  }

 private:
  /// The vectors of a class, by a row of the coefficients.
  void add(std::size_t row, std::size_t of_class, const double* similar, double* sums,
           std::size_t active) const noexcept {
    const std::size_t first = machine_.first[of_class];
    kernels().weighed_sum(&machine_.coefficients[row * machine_.vectors] + first,
                          similar + first * lanes, machine_.first[of_class + 1] - first, sums,
                          active);
  }

  void chances(LaneMemory memory, std::size_t lane) const noexcept {
    constexpr double least = 1e-7;
    const std::size_t count = machine_.classes();
    double* of_pair = memory.lanes_at<double>(at_.scratch);
    double* q = of_pair + count * count;
    double* chance = q + count * count;
    double* change = chance + count;
    std::size_t pair = 0;
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t j = i + 1; j < count; ++j, ++pair) {
        const double decision =
            memory.lanes_at<double>(at_.decision + pair * registers_of<double>)[lane];
        const double power = decision * machine_.prob_a[pair] + machine_.prob_b[pair];
        const double first =
            power >= 0 ? std::exp(-power) / (1 + std::exp(-power)) : 1 / (1 + std::exp(power));
        of_pair[i * count + j] = std::clamp(first, least, 1 - least);
        of_pair[j * count + i] = 1 - of_pair[i * count + j];
      }
    }
    couple(of_pair, q, chance, change, count);  // two classes too: so does scikit-learn's LIBSVM
    for (std::size_t i = 0; i < count; ++i) {
      memory.lanes_at<double>(at_.chances + i * registers_of<double>)[lane] = chance[i];
    }
  }

  /// LIBSVM's `multiclass_probability`. Computes q of r first.
  static void couple(const double* r, double* q, double* p, double* qp,
                     std::size_t count) noexcept {
    for (std::size_t t = 0; t < count; ++t) {
      double own = 0;
      for (std::size_t j = 0; j < count; ++j) {
        if (j != t) own += r[j * count + t] * r[j * count + t];
        q[t * count + j] = -r[j * count + t] * r[t * count + j];
      }
      q[t * count + t] = own;
    }
    const std::size_t rounds = coupling_rounds(count);
    const double close = 0.005 / static_cast<double>(count);
    for (std::size_t t = 0; t < count; ++t) p[t] = 1.0 / static_cast<double>(count);
    for (std::size_t round = 0; round < rounds; ++round) {
      double pqp = 0;
      for (std::size_t t = 0; t < count; ++t) {
        qp[t] = 0;
        for (std::size_t j = 0; j < count; ++j) qp[t] += q[t * count + j] * p[j];
        pqp += p[t] * qp[t];
      }
      double worst = 0;
      for (std::size_t t = 0; t < count; ++t) worst = std::max(worst, std::fabs(qp[t] - pqp));
      if (worst < close) return;
      for (std::size_t t = 0; t < count; ++t) {
        const double own = q[t * count + t];
        const double by = (-qp[t] + pqp) / own;
        p[t] += by;
        pqp = (pqp + by * (by * own + 2 * qp[t])) / (1 + by) / (1 + by);
        for (std::size_t j = 0; j < count; ++j) {
          qp[j] = (qp[j] + by * q[t * count + j]) / (1 + by);
          p[j] /= 1 + by;
        }
      }
    }
  }

  Machine machine_;
  Places at_;
};

Tensor doubles(NodeLowering& node, const NumberRows& x) {
  if (x.rows != 1) node.unsupported("on several rows");
  return cast_to(node, x.values, Element::F64);
}

void svm_regressor(NodeLowering& node) {
  const NumberRows x = number_rows(node, 0);
  const std::int64_t vectors = node.integer("n_supports", 0);
  if (vectors < 0 || vectors > 10'000'000) node.damaged("its number of support vectors");
  Machine machine = machine_of(node, static_cast<std::size_t>(vectors), x.columns);
  const std::size_t weights = machine.vectors == 0 ? x.columns : machine.vectors;
  if (machine.rho.size() != 1 || machine.coefficients.size() != weights ||
      machine.support.size() != machine.vectors * x.columns) {
    node.damaged("vectors or coefficients that do not fit");
  }
  node.charge(machine.support.size() + x.columns * machine.padded());
  count_similarities(node, machine);
  machine.arrange();
  const Register in = node.contiguous(doubles(node, x));
  const Register similar = node.allocate(Element::F64, machine.vectors);
  const Tensor out = node.new_tensor({1, 1}, Element::F64);
  node.emit<SupportRegression>(std::move(machine), node.integer("one_class", 0) != 0, in, similar,
                               NodeLowering::first_of(out));
  node.define(0, cast_to(node, post_transformed(node, out), Element::F32));
}

void svm_classifier(NodeLowering& node) {
  const NumberRows x = number_rows(node, 0);
  const auto classes = classes_of(node);
  const std::size_t count = classes->size();
  const auto of_class = integer_attribute(node, "vectors_per_class");
  if (of_class.empty()) node.unsupported("without support vectors");
  std::size_t total = 0;
  std::vector<std::size_t> first{0};
  for (const std::int64_t some : of_class) {
    if (some < 0 || some > 10'000'000) node.damaged("its number of support vectors");
    total += static_cast<std::size_t>(some);
    first.push_back(total);
  }
  Machine machine = machine_of(node, total, x.columns);
  machine.first = std::move(first);
  const std::size_t pairs = count * (count - 1) / 2;
  if (count < 2 || machine.classes() != count || machine.rho.size() != pairs ||
      machine.coefficients.size() != (count - 1) * total ||
      machine.support.size() != total * x.columns ||
      machine.prob_a.size() != machine.prob_b.size() ||
      (!machine.prob_a.empty() && machine.prob_a.size() != pairs)) {
    node.damaged("classes, vectors or coefficients that do not fit");
  }
  node.charge(machine.support.size() + x.columns * machine.padded() + machine.coefficients.size() +
              count * count);
  count_similarities(node, machine);
  node.computes(count * count, coupling_rounds(count) + machine.vectors / count);
  machine.arrange();
  const bool chances = !machine.prob_a.empty();
  const auto width = static_cast<std::int64_t>(count);
  const Tensor decision = node.new_tensor({1, static_cast<std::int64_t>(pairs)}, Element::F64);
  const Tensor votes = node.new_tensor({1, width}, Element::F64);
  const Tensor probabilities = node.new_tensor({1, width}, Element::F64);
  const SupportClassification::Places at{
      .in = node.contiguous(doubles(node, x)),
      .similar = node.allocate(Element::F64, total),
      .decision = NodeLowering::first_of(decision),
      .votes = NodeLowering::first_of(votes),
      .chances = NodeLowering::first_of(probabilities),
      .scratch = node.allocate(Element::F64, (2 * count * count + 2 * count) / lanes + 1)};
  node.emit<SupportClassification>(std::move(machine), at);
  Tensor scores = chances ? probabilities : decision;
  // Two classes have one decision, for the first of them: told for both, as ONNX Runtime does.
  if (!chances && count == 2) {
    scores = two_scores(node, apply_unary(node, Unary::Neg, decision), false);
  }
  define_classifier(node, scores, classes, &votes);
}

}  // namespace

std::span<const NamedOperator> support_vector_operators() noexcept {
  static constexpr auto operators = std::to_array<NamedOperator>({
      {"ai.onnx.ml.SVMClassifier", svm_classifier},
      {"ai.onnx.ml.SVMRegressor", svm_regressor},
  });
  return operators;
}

}  // namespace kaspar::nodes

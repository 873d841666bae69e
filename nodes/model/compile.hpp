// From a model's graph to the kernels that run it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <vector>

#include "nodes/model/graph.hpp"
#include "nodes/model/program.hpp"
#include "runtime/core/issue.hpp"

namespace kaspar::nodes {

/// Whether inputs have a dimension for the batch, of which a record is one, or are as a whole what
/// is computed at once.
enum class InputBatch : std::uint8_t { Stripped, Kept };

/// Compiles for inputs that take so many values each from a record. All plumbing over shapes and
/// constants is computed here. An input that cannot take its width is K0401; an operator or a
/// variant of one that is not executed is K0404; a graph that contradicts itself is K0405; one that
/// needs too many registers is K0407. The issue's place is the node.
[[nodiscard]] std::expected<Program, Issue> compile(const Graph& graph,
                                                    std::span<const std::size_t> widths,
                                                    InputBatch batch = InputBatch::Stripped);

/// The same, and each of the weights is let go as soon as kernels hold what they need of it: twice
/// the weights need not fit. The graph is whole only if the issue is K0401.
[[nodiscard]] std::expected<Program, Issue> compile_and_consume(
    Graph& graph, std::span<const std::size_t> widths);

/// Every node that `compile` would refuse by itself, in the model's order, at most 1000: those that
/// follow from others, and nodes behind them, are left out.
[[nodiscard]] std::vector<Issue> find_refused_nodes(const Graph& graph,
                                                    std::span<const std::size_t> widths);

/// What an input takes from a record if only its batch dimension is free; 0 if it depends.
[[nodiscard]] std::size_t natural_width(const GraphPort& input) noexcept;

/// K0407: what a program's registers take is more than it may.
[[nodiscard]] Issue too_much_memory(const Program& program, std::size_t budget);

/// "[N,60,1]"
[[nodiscard]] std::string shape_text(const GraphPort& input);

}  // namespace kaspar::nodes

// Operators that arrange elements anew: repeated, turned round, with others beside them. Like those
// that only place elements, they cost nothing when records run.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "nodes/model/operators.hpp"

namespace kaspar::nodes {
namespace {

constexpr std::int64_t most_offset = std::int64_t{1} << 30;

/// Of `dims` the elements at the places that `place_of` gives for their indexes; below 0: `filler`.
template <class PlaceOf>
Tensor arranged(NodeLowering& node, const Tensor& from, Dims dims, const Tensor& filler,
                PlaceOf place_of) {
  const std::size_t size = node.checked_size(dims);
  const Tensor held = node.in_registers(from);
  const Tensor fill = node.in_registers(filler);
  Tensor out{.dims = std::move(dims), .element = from.element};
  out.refs.reserve(size);
  Dims index(out.dims.size(), 0);
  for (std::size_t i = 0; i < size; ++i) {
    const std::int64_t place = place_of(index);
    out.refs.push_back(place < 0 ? fill.refs[0] : held.refs[static_cast<std::size_t>(place)]);
    for (std::size_t d = index.size(); d-- > 0;) {
      if (++index[d] < out.dims[d]) break;
      index[d] = 0;
    }
  }
  return out;
}

Tensor nothing_of(NodeLowering& node, const Tensor& like) {
  if (like.element == Element::String) node.unsupported("on strings");
  return known_number(like.element, 0);
}

/// Where an element of a padded dimension comes from; -1: it is padding.
std::int64_t unpadded(const std::string& mode, std::int64_t at, std::int64_t size) {
  if (at >= 0 && at < size) return at;
  if (mode == "constant") return -1;
  if (mode == "edge") return std::clamp<std::int64_t>(at, 0, size - 1);
  if (size == 1) return 0;
  const std::int64_t round = 2 * (size - 1);
  const std::int64_t rest = ((at % round) + round) % round;
  return rest < size ? rest : round - rest;
}

void pad(NodeLowering& node) {
  const Tensor& from = node.in(0);
  const std::size_t rank = from.dims.size();
  const std::string mode = node.word("mode", "constant");
  if (mode != "constant" && mode != "edge" && mode != "reflect") {
    node.unsupported(fmt::format("with mode `{}`", mode));
  }
  const Dims given = node.integers("pads", 1);
  Dims axes = node.integers("axes", 3);
  if (axes.empty()) {
    for (std::size_t d = 0; d < rank; ++d) axes.push_back(static_cast<std::int64_t>(d));
  }
  if (given.size() != 2 * axes.size()) node.damaged("pads of another number");
  Tensor filler = nothing_of(node, from);
  if (node.has(2)) {
    filler = node.in(2);
    if (filler.element != from.element || filler.size() != 1) node.damaged("a value to pad with");
  } else if (node.attribute("value") != nullptr) {
    filler = known_number(from.element, static_cast<double>(node.number("value", 0)));
  }
  Dims before(rank, 0);
  Dims dims = from.dims;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const std::size_t axis = node.axis_of(axes[i], rank);
    const std::int64_t first = given[i];
    const std::int64_t last = given[axes.size() + i];
    if (std::max(first, last) > most_offset || std::min(first, last) < -most_offset)
      node.damaged("pads that are too large");
    before[axis] = first;
    dims[axis] += first + last;
    if (dims[axis] < 0 || (mode != "constant" && from.dims[axis] == 0)) {
      node.damaged("pads that do not fit");
    }
  }
  const Dims strides = strides_of(from.dims);
  node.define(0, arranged(node, from, std::move(dims), filler, [&](const Dims& index) {
                std::int64_t place = 0;
                for (std::size_t d = 0; d < rank; ++d) {
                  const std::int64_t at = unpadded(mode, index[d] - before[d], from.dims[d]);
                  if (at < 0) return std::int64_t{-1};
                  place += at * strides[d];
                }
                return place;
              }));
}

void tile(NodeLowering& node) {
  const Tensor& from = node.in(0);
  const Dims repeats = node.known_integers(1);
  if (repeats.size() != from.dims.size()) node.damaged("repeats of another number");
  Dims dims = from.dims;
  for (std::size_t d = 0; d < dims.size(); ++d) {
    if (repeats[d] < 0 || repeats[d] > most_offset) node.damaged("its repeats");
    dims[d] *= repeats[d];
  }
  const Dims strides = strides_of(from.dims);
  node.checked_size(dims);
  Order order;
  Dims index(dims.size(), 0);
  for (std::size_t i = product(dims, 0, dims.size()); i-- > 0;) {
    std::int64_t place = 0;
    for (std::size_t d = 0; d < dims.size(); ++d) place += index[d] % from.dims[d] * strides[d];
    order.push_back(static_cast<std::uint32_t>(place));
    for (std::size_t d = dims.size(); d-- > 0;) {
      if (++index[d] < dims[d]) break;
      index[d] = 0;
    }
  }
  node.define(0, node.ordered(from, std::move(dims), order));
}

/// The first so many steps of each of the batch turned round.
void reverse_sequence(NodeLowering& node) {
  const Tensor& from = node.in(0);
  const Dims lengths = node.known_integers(1);
  if (from.dims.size() < 2) node.damaged("an input without steps");
  const std::size_t batch = node.axis_of(node.integer("batch_axis", 1), from.dims.size());
  const std::size_t time = node.axis_of(node.integer("time_axis", 0), from.dims.size());
  if (batch == time || static_cast<std::int64_t>(lengths.size()) != from.dims[batch]) {
    node.damaged("lengths that do not fit");
  }
  for (const std::int64_t length : lengths) {
    if (length < 0 || length > from.dims[time]) node.damaged("lengths that do not fit");
  }
  const Dims strides = strides_of(from.dims);
  node.define(0, arranged(node, from, from.dims, nothing_of(node, from), [&](const Dims& index) {
                const std::int64_t length = lengths[static_cast<std::size_t>(index[batch])];
                std::int64_t place = 0;
                for (std::size_t d = 0; d < index.size(); ++d) {
                  const bool turned = d == time && index[d] < length;
                  place += (turned ? length - 1 - index[d] : index[d]) * strides[d];
                }
                return place;
              }));
}

/// The upper or lower triangle of the last two dimensions; zeros elsewhere.
void triangle(NodeLowering& node) {
  const Tensor& from = node.in(0);
  const std::size_t rank = from.dims.size();
  if (rank < 2) node.damaged("an input that is no matrix");
  std::int64_t diagonal = 0;
  if (node.has(1)) {
    const Dims given = node.known_integers(1);
    if (given.size() != 1 || given[0] < -most_offset || given[0] > most_offset)
      node.damaged("its `k`");
    diagonal = given[0];
  }
  const bool upper = node.integer("upper", 1) != 0;
  const Dims strides = strides_of(from.dims);
  node.define(0, arranged(node, from, from.dims, nothing_of(node, from), [&](const Dims& index) {
                const std::int64_t off = index[rank - 1] - index[rank - 2];
                if (upper ? off < diagonal : off > diagonal) return std::int64_t{-1};
                std::int64_t place = 0;
                for (std::size_t d = 0; d < rank; ++d) place += index[d] * strides[d];
                return place;
              }));
}

void range(NodeLowering& node) {
  std::array<double, 3> bounds{};  // start, limit, step
  const Element element = node.in(0).element;
  for (std::size_t i = 0; i < 3; ++i) {
    const Tensor& given = node.in(i);
    if (!given.known()) node.unsupported("where it depends on the data");
    if (given.size() != 1 || given.element != element || element == Element::String ||
        element == Element::Bool) {
      node.damaged("a bound that is no number of that type");
    }
    bounds[i] = converted(given, Element::F64).values<double>()[0];
  }
  const auto& [start, limit, step] = bounds;
  const double count = std::ceil((limit - start) / step);
  if (!(std::abs(count) < static_cast<double>(most_elements))) node.damaged("its bounds");
  const auto size = static_cast<std::int64_t>(std::max(0.0, count));
  std::vector<double> values(node.checked_size({size}));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = start + static_cast<double>(i) * step;
  node.define(0, converted(known_tensor({size}, Element::F64, std::move(values)), element));
}

}  // namespace

std::span<const NamedOperator> arrangement_operators() noexcept {
  static constexpr auto operators = std::to_array<NamedOperator>({
      {"Pad", pad},
      {"Range", range, false},
      {"ReverseSequence", reverse_sequence},
      {"Tile", tile, false},
      {"Trilu", triangle},
  });
  return operators;
}

}  // namespace kaspar::nodes

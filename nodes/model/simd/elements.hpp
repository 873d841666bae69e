// Elements one by one, softmax and layer normalization.
#pragma once

#include "nodes/model/simd/functions.hpp"
#include "nodes/model/simd/kernel_table.hpp"

namespace kaspar::nodes {
namespace {

KASPAR_INLINE float* lanes_of(void* registers, ElementPlaces places, size_t i) noexcept {
  const size_t at =
      places.list == nullptr
          ? static_cast<uint32_t>(places.first + static_cast<uint32_t>(i) * places.step)
          : places.list[i];
  return static_cast<float*>(registers) + at * all_lanes;
}

/// From one element to the next. A step back is a large one that wraps.
KASPAR_INLINE ptrdiff_t floats_between(ElementPlaces places) noexcept {
  return static_cast<ptrdiff_t>(static_cast<int32_t>(places.step)) *
         static_cast<ptrdiff_t>(all_lanes);
}

template <MapFunction function>
KASPAR_INLINE Floats mapped(Floats x) noexcept {
  switch (function) {
    case MapFunction::Abs:
      return reinterpret_cast<Floats>(reinterpret_cast<Ints>(x) & 0x7fffffff);
    case MapFunction::Erf:
      return erf(x);
    case MapFunction::Exp:
      return exp(x);
    case MapFunction::Neg:
      return -x;
    case MapFunction::Reciprocal:
      return 1.0F / x;
    case MapFunction::Relu:
      return x < 0.0F ? Floats{} : x;
    case MapFunction::Sigmoid:
      return logistic(x);
    case MapFunction::Sqrt:
      return sqrt(x);
    case MapFunction::Tanh:
      return tanh(x);
  }
}

/// One behind the other, as tensors of their own are.
KASPAR_INLINE bool in_a_row(ElementPlaces places) noexcept {
  return places.list == nullptr && places.step == 1;
}

template <MapFunction function>
void map(void* registers, ElementPlaces in, ElementPlaces out, size_t count,
         size_t active) noexcept {
  if (active == all_lanes && in_a_row(in) && in_a_row(out)) {
    const float* const from = lanes_of(registers, in, 0);
    float* const to = lanes_of(registers, out, 0);
    for (size_t i = 0; i < count * all_lanes; i += width_of<Floats>) {
      store<Floats>(to + i, mapped<function>(load<Floats>(from + i)));
    }
    return;
  }
  for (size_t i = 0; i < count; ++i) {
    const float* const from = lanes_of(registers, in, i);
    float* const to = lanes_of(registers, out, i);
    for (size_t lane = 0; lane < active; lane += width_of<Floats>) {
      store<Floats>(to + lane, mapped<function>(load<Floats>(from + lane)));
    }
  }
}

template <CombineFunction function>
KASPAR_INLINE Floats combined(Floats a, Floats b) noexcept {
  switch (function) {
    case CombineFunction::Add:
      return a + b;
    case CombineFunction::Sub:
      return a - b;
    case CombineFunction::Mul:
      return a * b;
    case CombineFunction::Div:
      return a / b;
    case CombineFunction::Max:  // NaN wins, as in ONNX
      return ((b > a) | is_nan(b)) ? b : a;
    case CombineFunction::Min:
      return ((b < a) | is_nan(b)) ? b : a;
  }
}

template <CombineFunction function>
void combine(void* registers, ElementPlaces left, ElementPlaces right, ElementPlaces out,
             size_t count, size_t active) noexcept {
  if (active == all_lanes && in_a_row(left) && in_a_row(right) && in_a_row(out)) {
    const float* const a = lanes_of(registers, left, 0);
    const float* const b = lanes_of(registers, right, 0);
    float* const to = lanes_of(registers, out, 0);
    for (size_t i = 0; i < count * all_lanes; i += width_of<Floats>) {
      store<Floats>(to + i, combined<function>(load<Floats>(a + i), load<Floats>(b + i)));
    }
    return;
  }
  const auto one = [active](const float* a, const float* b, float* to) {
    for (size_t lane = 0; lane < active; lane += width_of<Floats>) {
      store<Floats>(to + lane, combined<function>(load<Floats>(a + lane), load<Floats>(b + lane)));
      if constexpr (width_of<Floats> == all_lanes) break;
    }
  };
  if (left.list == nullptr && right.list == nullptr && out.list == nullptr) {
    const float* a = lanes_of(registers, left, 0);
    const float* b = lanes_of(registers, right, 0);
    float* to = lanes_of(registers, out, 0);
    for (size_t i = 0; i < count; ++i) {
      one(a, b, to);
      a += floats_between(left);
      b += floats_between(right);
      to += floats_between(out);
    }
    return;
  }
  for (size_t i = 0; i < count; ++i) {
    one(lanes_of(registers, left, i), lanes_of(registers, right, i), lanes_of(registers, out, i));
  }
}

void softmax(const SoftmaxShape& s, const float* in, float* out, size_t active) noexcept {
  const size_t step = s.inner * all_lanes;
  for (size_t outer = 0; outer < s.outer; ++outer) {
    for (size_t inner = 0; inner < s.inner; ++inner) {
      const size_t base = (outer * s.count * s.inner + inner) * all_lanes;
      for (size_t lane = base; lane < base + active; lane += width_of<Floats>) {
        const float* const from = in + lane;
        float* const to = out + lane;
        Floats largest = load<Floats>(from);
        for (size_t i = 1; i < s.count; ++i) {
          largest = max(largest, load<Floats>(from + i * step));
        }
        Floats sum{};
        for (size_t i = 0; i < s.count; ++i) {
          const Floats power = exp(load<Floats>(from + i * step) - largest);
          sum += power;
          store<Floats>(to + i * step, power);
        }
        const Floats share = 1.0F / sum;
        for (size_t i = 0; i < s.count; ++i) {
          store<Floats>(to + i * step, load<Floats>(to + i * step) * share);
        }
      }
    }
  }
}

// Without a branch: which of a record's scores is larger cannot be predicted.
void argmax(const float* in, size_t count, int32_t* places) noexcept {
  for (size_t first = 0; first < all_lanes; first += width_of<Floats>) {
    Floats largest = load<Floats>(in + first);
    Ints place{};
    for (size_t i = 1; i < count; ++i) {
      const Floats one = load<Floats>(in + i * all_lanes + first);
      const Ints larger = one > largest;
      place = larger ? Ints{} + static_cast<int32_t>(i) : place;
      largest = larger ? one : largest;
    }
    *reinterpret_cast<Ints*>(places + first) = place;
  }
}

void layer_norm(const LayerNorm& l, const float* in, float* out, size_t active) noexcept {
  const float part = 1.0F / static_cast<float>(l.count);
  for (size_t outer = 0; outer < l.outer; ++outer) {
    const size_t base = outer * l.count * all_lanes;
    for (size_t lane = base; lane < base + active; lane += width_of<Floats>) {
      const float* const from = in + lane;
      float* const to = out + lane;
      Floats sum{};
      for (size_t i = 0; i < l.count; ++i) sum += load<Floats>(from + i * all_lanes);
      const Floats mean = sum * part;
      Floats squares{};
      for (size_t i = 0; i < l.count; ++i) {
        const Floats apart = load<Floats>(from + i * all_lanes) - mean;
        squares = fma(apart, apart, squares);
      }
      const Floats by = 1.0F / sqrt(squares * part + l.epsilon);
      for (size_t i = 0; i < l.count; ++i) {
        const Floats standard = (load<Floats>(from + i * all_lanes) - mean) * by;
        const Floats shift = l.bias == nullptr ? Floats{} : all_of<Floats>(l.bias[i]);
        store<Floats>(to + i * all_lanes, fma(standard, all_of<Floats>(l.scale[i]), shift));
      }
    }
  }
}

}  // namespace
}  // namespace kaspar::nodes

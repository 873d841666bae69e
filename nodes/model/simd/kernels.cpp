// Compiled once for each instruction set, which names the table: KASPAR_KERNEL_TABLE.
#include "nodes/model/simd/convolution.hpp"
#include "nodes/model/simd/dense.hpp"
#include "nodes/model/simd/elements.hpp"
#include "nodes/model/simd/kernel_table.hpp"
#include "nodes/model/simd/recurrent.hpp"
#include "nodes/model/simd/support.hpp"
#include "nodes/model/simd/transposition.hpp"
#include "nodes/model/simd/trees.hpp"

namespace kaspar::nodes {

const KernelTable KASPAR_KERNEL_TABLE{
    .product = product,
    .computed_product = computed_product,
    .map = {map<MapFunction::Abs>, map<MapFunction::Erf>, map<MapFunction::Exp>,
            map<MapFunction::Neg>, map<MapFunction::Reciprocal>, map<MapFunction::Relu>,
            map<MapFunction::Sigmoid>, map<MapFunction::Sqrt>, map<MapFunction::Tanh>},
    .combine = {combine<CombineFunction::Add>, combine<CombineFunction::Sub>,
                combine<CombineFunction::Mul>, combine<CombineFunction::Div>,
                combine<CombineFunction::Max>, combine<CombineFunction::Min>},
    .convolution = convolution,
    .max_pool = max_pool,
    .softmax = softmax,
    .argmax = argmax,
    .layer_norm = layer_norm,
    .lstm = lstm,
    .gru = gru,
    .rnn = rnn,
    .radial = radial,
    .dot = dot,
    .weighed_sum = weighed_sum,
    .forest = forest,
    .into_lanes = into_lanes,
};

}  // namespace kaspar::nodes

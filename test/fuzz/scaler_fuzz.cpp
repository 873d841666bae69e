// Any bytes as a scaler's file: what is accepted has the column's width and can be divided by.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "nodes/vectorize/scaler.hpp"
#include "test/fuzz/scratch_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kaspar;
  const test::ScratchFile file(data, size);
  for (const Type type : {Type{.scalar = ScalarType::F64}, Type{.scalar = ScalarType::F32},
                          Type{.scalar = ScalarType::F32, .width = 3},
                          Type{.scalar = ScalarType::F32, .width = 60}}) {
    const auto scaler = nodes::vectorize::load_scaler(file.path(), type);
    if (!scaler) {
      if (scaler.error().message.empty()) std::abort();
      continue;
    }
    const auto& mean = (*scaler)->mean();
    const auto& std = (*scaler)->std();
    if (mean.size() != type.elements() || std.size() != type.elements()) std::abort();
    for (std::size_t i = 0; i < mean.size(); ++i) {
      if (!std::isfinite(mean[i]) || !std::isfinite(std[i]) || !(std[i] > 0)) std::abort();
    }
  }
  return 0;
}

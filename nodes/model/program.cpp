#include "nodes/model/program.hpp"

#include <algorithm>
#include <cstring>

namespace kaspar::nodes {

ProgramMemory::ProgramMemory(std::size_t registers)
    : bytes_(static_cast<std::byte*>(
          ::operator new(registers* register_bytes, std::align_val_t{register_bytes}))) {
  std::memset(bytes_.get(), 0, registers * register_bytes);
}

ProgramMemory Program::make_memory() const {
  ProgramMemory made(registers);
  const LaneMemory memory = made.lanes();
  for (const auto& [first, tensor] : constants) {
    with_lane_type(tensor.element, [&]<class T>(T) {
      for (std::size_t i = 0; i < tensor.size(); ++i) {
        const T value = T(tensor.values<T>()[i]);
        std::fill_n(memory.lanes_at<T>(first + i * registers_of<T>), lanes, value);
      }
    });
  }
  return made;
}

void Program::run(LaneMemory memory) const noexcept {
  std::memset(memory.lanes_at<std::byte>(0), 0, register_bytes);
  for (const auto& kernel : kernels) kernel->run(memory);
}

}  // namespace kaspar::nodes

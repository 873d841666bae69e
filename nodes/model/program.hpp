// A model ready to run: a flat list of kernels over registers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "nodes/model/lane_memory.hpp"
#include "nodes/model/tensor.hpp"

namespace kaspar::nodes {

/// One step of a program: reads and writes registers of all lanes. Immutable, shared by threads.
class Kernel {
 public:
  Kernel() = default;
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;
  virtual ~Kernel() = default;
  virtual void run(LaneMemory memory) const noexcept = 0;
};

struct ProgramInput {
  Element element = Element::F32;
  Register first = 0;  // row-major from there
  std::size_t width = 0;
};

struct ProgramOutput {
  std::string name;
  Element element = Element::F32;
  Register first = 0;  // row-major from there
  std::size_t width = 0;
  Classes classes;  // of a classifier: what its labels, or places of its scores, stand for
};

/// The registers that a thread runs a program in.
class ProgramMemory {
 public:
  explicit ProgramMemory(std::size_t registers);
  [[nodiscard]] LaneMemory lanes(std::size_t active = nodes::lanes) const noexcept {
    return LaneMemory(bytes_.get(), active);
  }

 private:
  struct Delete {
    void operator()(std::byte* bytes) const noexcept {
      ::operator delete(bytes, std::align_val_t{register_bytes});
    }
  };
  std::unique_ptr<std::byte, Delete> bytes_;
};

struct Program {
  std::vector<std::unique_ptr<const Kernel>> kernels;
  /// Set once, never written by a kernel: known tensors and their first registers.
  std::vector<std::pair<Register, Tensor>> constants;
  std::size_t registers = 1;  // the first tells which lanes failed
  std::vector<ProgramInput> inputs;
  std::vector<ProgramOutput> outputs;
  std::vector<std::string> failures;  // what LaneMemory::fail numbers, from 1
  std::vector<std::string> remarks;

  [[nodiscard]] std::size_t memory_bytes() const noexcept { return registers * register_bytes; }
  /// Memory with the constants filled in. Strings in it view the program's.
  [[nodiscard]] ProgramMemory make_memory() const;
  /// Runs the records of the active lanes: inputs are in memory, register by register; outputs are
  /// left there.
  void run(LaneMemory memory) const noexcept;
};

}  // namespace kaspar::nodes

// Any bytes as a model file: they are refused, or compiled for the width that the model asks for.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "nodes/model/compile.hpp"
#include "nodes/model/onnx_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kaspar::nodes;
  const int descriptor = ::memfd_create("model", 0);
  if (descriptor < 0) return 0;
  if (::write(descriptor, data, size) == static_cast<ssize_t>(size)) {
    const auto graph = read_onnx("/proc/self/fd/" + std::to_string(descriptor));
    if (graph) {
      std::vector<std::size_t> widths;
      for (const GraphPort& input : graph->inputs) {
        const std::size_t width = natural_width(input);
        // Larger ones are another matter than damaged ones, and slow.
        widths.push_back(width == 0 || width > 4'096 ? 60 : width);
      }
      (void)compile(*graph, widths);
    }
  }
  ::close(descriptor);
  return 0;
}

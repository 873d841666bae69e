// Any bytes as a model file: they are refused, or compiled for the width that the model asks for
// and run. The fixtures' external weights lie beside the file.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nodes/model/compile.hpp"
#include "nodes/model/onnx_file.hpp"

namespace {

namespace fs = std::filesystem;

/// Where the model is written, again and again; removed at the end.
class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "kaspar-fuzz-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
    for (const auto& entry : fs::directory_iterator("nodes/model/fixtures")) {
      if (entry.path().extension() == ".data") fs::copy(entry.path(), path_);
    }
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { fs::remove_all(path_); }
  [[nodiscard]] std::string model() const { return (path_ / "model.onnx").string(); }

 private:
  fs::path path_;
};

void run(const kaspar::nodes::Program& program) {
  constexpr std::size_t most_bytes = 1u << 24;
  if (program.memory_bytes() > most_bytes) return;
  const kaspar::nodes::ProgramMemory memory = program.make_memory();
  program.run(memory.lanes());
  for (const kaspar::nodes::ProgramOutput& output : program.outputs) {
    const std::size_t end =
        output.first + output.width * kaspar::nodes::registers_for(output.element);
    if (end > program.registers) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kaspar::nodes;
  static const Folder folder;
  std::ofstream(folder.model(), std::ios::binary)
      .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  const auto graph = read_onnx(folder.model(), 256u << 20);
  if (!graph) return 0;
  std::vector<std::size_t> widths;
  for (const GraphPort& input : graph->inputs) {
    const std::size_t width = natural_width(input);
    widths.push_back(width == 0 ? 60 : width);
  }
  const auto program = compile(*graph, widths);
  if (program) run(*program);
  return 0;
}

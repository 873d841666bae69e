#include "test/bench/onnxruntime.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace kaspar::bench {
namespace {

// Indices into the table.
enum Entry : std::size_t {
  GetErrorMessage = 2,
  CreateEnv = 3,
  CreateSession = 7,
  Run = 9,
  CreateSessionOptions = 10,
  SetSessionGraphOptimizationLevel = 23,
  SetIntraOpNumThreads = 24,
  SetInterOpNumThreads = 25,
  SessionGetInputName = 36,
  SessionGetOutputName = 37,
  CreateTensorWithDataAsOrtValue = 49,
  GetTensorMutableData = 51,
  CreateCpuMemoryInfo = 69,
  GetAllocatorWithDefaultOptions = 78,
  ReleaseEnv = 92,
  ReleaseMemoryInfo = 94,
  ReleaseSession = 95,
  ReleaseValue = 96,
  ReleaseSessionOptions = 100,
};
constexpr std::uint32_t api_version = 17;  // of late 2023; every newer runtime serves it
constexpr int warning = 2;
constexpr int all_optimizations = 99;
constexpr int device_allocator = 0;
constexpr int default_memory = 0;
constexpr int float_elements = 1;

struct ApiBase {
  const void* const* (*get_api)(std::uint32_t version);
  const char* (*version)();
};
using Status = void*;

}  // namespace

struct OnnxSession::Loaded {
  const void* const* api = nullptr;
  std::string version;
  void* environment = nullptr;
  void* options = nullptr;
  void* session = nullptr;
  void* memory = nullptr;
  char* input_name = nullptr;  // the allocator's, kept until the end of the process
  char* output_name = nullptr;

  template <class... Arguments>
  Status call(Entry entry, Arguments... arguments) const {
    return reinterpret_cast<Status (*)(Arguments...)>(const_cast<void*>(api[entry]))(arguments...);
  }
  void release(Entry entry, void* object) const {
    if (object != nullptr) reinterpret_cast<void (*)(void*)>(const_cast<void*>(api[entry]))(object);
  }
  std::string message(Status status) const {
    return reinterpret_cast<const char* (*)(Status)>(const_cast<void*>(api[GetErrorMessage]))(
        status);
  }
  ~Loaded() {
    if (api == nullptr) return;
    release(ReleaseMemoryInfo, memory);
    release(ReleaseSession, session);
    release(ReleaseSessionOptions, options);
    release(ReleaseEnv, environment);
  }
};

OnnxSession::OnnxSession(std::unique_ptr<Loaded> loaded) : loaded_(std::move(loaded)) {}
OnnxSession::OnnxSession(OnnxSession&&) noexcept = default;
OnnxSession& OnnxSession::operator=(OnnxSession&&) noexcept = default;
OnnxSession::~OnnxSession() = default;

const std::string& OnnxSession::version() const noexcept { return loaded_->version; }

std::expected<OnnxSession, std::string> OnnxSession::open(const std::string& library,
                                                          const std::string& model) {
  void* const handle = ::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return std::unexpected(std::string{::dlerror()});
  const auto base = reinterpret_cast<const ApiBase* (*)()>(::dlsym(handle, "OrtGetApiBase"));
  if (base == nullptr) return std::unexpected(library + " is no ONNX Runtime");
  auto loaded = std::make_unique<Loaded>();
  loaded->version = base()->version();
  loaded->api = base()->get_api(api_version);
  if (loaded->api == nullptr) {
    return std::unexpected(fmt::format("ONNX Runtime {} is too old", loaded->version));
  }
  Loaded& ort = *loaded;
  void* allocator = nullptr;
  Status status = ort.call(CreateEnv, warning, "bench", &ort.environment);
  if (status == nullptr) status = ort.call(CreateSessionOptions, &ort.options);
  if (status == nullptr) status = ort.call(SetIntraOpNumThreads, ort.options, 1);
  if (status == nullptr) status = ort.call(SetInterOpNumThreads, ort.options, 1);
  if (status == nullptr) {
    status = ort.call(SetSessionGraphOptimizationLevel, ort.options, all_optimizations);
  }
  if (status == nullptr) {
    status = ort.call(CreateSession, ort.environment, model.c_str(), ort.options, &ort.session);
  }
  if (status == nullptr) {
    status = ort.call(CreateCpuMemoryInfo, device_allocator, default_memory, &ort.memory);
  }
  if (status == nullptr) status = ort.call(GetAllocatorWithDefaultOptions, &allocator);
  if (status == nullptr) {
    status = ort.call(SessionGetInputName, ort.session, std::size_t{0}, allocator, &ort.input_name);
  }
  if (status == nullptr) {
    status =
        ort.call(SessionGetOutputName, ort.session, std::size_t{0}, allocator, &ort.output_name);
  }
  if (status != nullptr) return std::unexpected(ort.message(status));
  return OnnxSession{std::move(loaded)};
}

void OnnxSession::run(std::span<float> input, std::span<const std::int64_t> shape,
                      std::span<float> scores) {
  const Loaded& ort = *loaded_;
  void* tensor = nullptr;
  void* output = nullptr;
  void* data = nullptr;
  Status status =
      ort.call(CreateTensorWithDataAsOrtValue, ort.memory, static_cast<void*>(input.data()),
               input.size_bytes(), shape.data(), shape.size(), float_elements, &tensor);
  const char* const inputs[] = {ort.input_name};
  const char* const outputs[] = {ort.output_name};
  if (status == nullptr) {
    void* const tensors[] = {tensor};
    status = ort.call(Run, ort.session, static_cast<void*>(nullptr), &inputs[0], &tensors[0],
                      std::size_t{1}, &outputs[0], std::size_t{1}, &output);
  }
  if (status == nullptr) status = ort.call(GetTensorMutableData, output, &data);
  if (status != nullptr) {
    fmt::print(stderr, "ONNX Runtime: {}\n", ort.message(status));
    std::exit(3);
  }
  std::memcpy(scores.data(), data, scores.size_bytes());
  ort.release(ReleaseValue, output);
  ort.release(ReleaseValue, tensor);
}

}  // namespace kaspar::bench

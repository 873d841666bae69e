#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "nodes/model/model_for_test.hpp"

using namespace kaspar;
using namespace kaspar::test;

namespace {

const std::string data = "external.onnx.data";

/// A path as long as the name in the model, so that the lengths written before it stay right.
std::string long_name(const std::string& start) {
  return start + std::string(data.size() - start.size(), 'w');
}

/// external.onnx, whose weights are where it says.
class Model {
 public:
  Model() { write(file("m.onnx"), bytes_of(fixtures + "external.onnx")); }

  [[nodiscard]] std::string file(const std::string& name) const { return folder_.file(name); }
  void put(const std::string& name) const { write(file(name), bytes_of(fixtures + data)); }
  /// Names another file for the weights.
  void point_at(const std::string& location) const {
    REQUIRE(location.size() == data.size());
    std::string bytes = bytes_of(file("m.onnx"));
    for (std::size_t at = 0; (at = bytes.find(data, at)) != std::string::npos; at += data.size()) {
      bytes.replace(at, data.size(), location);
    }
    write(file("m.onnx"), bytes);
  }
  [[nodiscard]] bool loads() const { return load(file("m.onnx")).has_value(); }
  [[nodiscard]] Issue refused() const {
    auto result = load(file("m.onnx"));
    REQUIRE_FALSE(result);
    CHECK(result.error().code == DiagnosticCode::K0405);
    CHECK(result.error().place.part == IssuePlace::Part::File);
    CHECK(result.error().message.find("its tensor `") != std::string::npos);
    return result.error();
  }
  void refused_as_outside() const {
    const Issue issue = refused();
    CHECK(issue.message.find("outside the model's folder") != std::string::npos);
    CHECK(issue.help == "weights are read only from the folder that the model is in");
  }

 private:
  Folder folder_;
};

}  // namespace

TEST_CASE("weights are read from beside the model and from below it") {
  const Model model;
  model.put(data);
  CHECK(model.loads());
  const std::string below = long_name("below/");
  std::filesystem::create_directory(model.file("below"));
  model.put(below);
  model.point_at(below);
  CHECK(model.loads());
}

TEST_CASE("weights that are missing say what to put where") {
  const Model model;
  const Issue issue = model.refused();
  CHECK(issue.message.find("`external.onnx.data`, and there is no such file") != std::string::npos);
  CHECK(issue.help == "put `external.onnx.data`, which the exporter wrote, beside the model");
}

TEST_CASE("weights that are too short are refused") {
  const Model model;
  const std::string weights = bytes_of(fixtures + data);
  for (const std::size_t size : {weights.size() - 1, weights.size() / 2, std::size_t{0}}) {
    write(model.file(data), weights.substr(0, size));
    const Issue issue = model.refused();
    CHECK((issue.message.find("bytes") != std::string::npos ||
           issue.message.find("ends before offset") != std::string::npos));
    CHECK(issue.help == "export the model again, or copy all of `external.onnx.data`");
  }
}

TEST_CASE("weights outside the model's folder are refused, whether they are there or not") {
  for (const std::string start : {"../", "../../", "below/../../", "/", "/tmp/", "/./../tmp/"}) {
    CAPTURE(start);
    const Model model;
    model.point_at(long_name(start));
    model.refused_as_outside();
  }
  const Model model;
  const std::string beside = std::filesystem::path(model.file("..")) / long_name("../").substr(3);
  write(beside, bytes_of(fixtures + data));
  model.point_at(long_name("../"));
  model.refused_as_outside();
  std::filesystem::remove(beside);
}

TEST_CASE("links do not lead out of the model's folder") {
  const Model model;
  model.put("weights");
  std::filesystem::create_symlink("weights", model.file(data));
  CHECK(model.loads());
  std::filesystem::remove(model.file(data));
  std::filesystem::create_symlink(std::filesystem::absolute(fixtures + data), model.file(data));
  model.refused_as_outside();

  const Folder elsewhere;
  const std::string below = long_name("below/");
  write(elsewhere.file(below.substr(6)), bytes_of(fixtures + data));
  std::filesystem::create_directory_symlink(elsewhere.file("."), model.file("below"));
  model.point_at(below);
  model.refused_as_outside();
}

TEST_CASE("weights that are no regular file are refused") {
  const Model model;
  std::filesystem::create_directory(model.file(data));
  CHECK(model.refused().message.find("not a regular file") != std::string::npos);
  std::filesystem::remove(model.file(data));
  REQUIRE(::mkfifo(model.file(data).c_str(), 0600) == 0);
  CHECK(model.refused().message.find("not a regular file") != std::string::npos);
}

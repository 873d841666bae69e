// The stages of the pipelines, one by one in one thread, beside what else does the same work on the
// same rows.
//
//   bench_kernels measure …  ns a row by thread CPU time, interleaved; JSON
//   bench_kernels repeat …   runs one stage so often, for counting its instructions
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "test/bench/contenders.hpp"
#include "test/bench/fast_float_row.hpp"
#include "test/bench/onnxruntime.hpp"
#include "test/bench/pipeline_stages.hpp"

namespace {

using namespace kaspar;
using namespace kaspar::bench;

constexpr std::size_t classes = 6;

struct Options {
  std::string rows_file, lstm, lr, library, lstm_model, lr_model, stage;
  std::size_t repeats = 1;
};

std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

std::size_t index_of(const PipelineStages& pipeline, std::string_view word) {
  const auto found = std::ranges::find(pipeline.stages(), word, &StagePlan::word);
  if (found == pipeline.stages().end()) fmt::print(stderr, "no stage {}\n", word), std::exit(3);
  return static_cast<std::size_t>(found - pipeline.stages().begin());
}

void run_onnx(OnnxSession& session, std::vector<float>& input, std::size_t batch, bool with_channel,
              std::vector<float>& scores) {
  const std::size_t rows = input.size() / row_fields;
  scores.resize(rows * classes);
  for (std::size_t first = 0; first < rows; first += batch) {
    const std::size_t count = std::min(batch, rows - first);
    const std::array<std::int64_t, 3> shape{static_cast<std::int64_t>(count), row_fields, 1};
    session.run({input.data() + first * row_fields, count * row_fields},
                {shape.data(), with_channel ? 3U : 2U},
                {scores.data() + first * classes, count * classes});
  }
}

int measure_all(const Options& options) {
  const std::vector<std::string> rows = lines_of(options.rows_file);
  if (rows.size() < 512) return fmt::print(stderr, "fewer than 512 rows\n"), 3;
  std::vector<Contender> contenders;
  std::vector<std::unique_ptr<PipelineStages>> pipelines;
  std::vector<float> parsed(rows.size() * row_fields);
  const auto parse_by_fast_float = [&] {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (!read_row(rows[i], parsed.data() + i * row_fields)) std::exit(3);
    }
  };
  const auto parse_by_strtof = [&] {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const char* next = rows[i].c_str();
      for (std::size_t f = 0; f < row_fields; ++f) {
        char* stop = nullptr;
        parsed[i * row_fields + f] = std::strtof(next, &stop);
        next = stop + 1;
      }
    }
  };
  for (const std::size_t batch : {1U, 64U, 256U, 1024U}) {
    for (const bool lstm : {true, false}) {
      pipelines.push_back(
          std::make_unique<PipelineStages>(lstm ? options.lstm : options.lr, rows, batch));
      PipelineStages& pipeline = *pipelines.back();
      const std::size_t stages = pipeline.stages().size();
      for (std::size_t stage = 0; stage < stages; ++stage) {
        const std::string& word = pipeline.stages()[stage].word;
        if (!lstm && word != "apply") continue;
        contenders.push_back({word == "apply" ? (lstm ? "lstm" : "lr") : word, batch,
                              [&pipeline, stage] { pipeline.run(stage); }});
      }
    }
  }
  contenders.push_back({"parse by fast_float", 1, parse_by_fast_float});
  contenders.push_back({"parse by strtof", 1, parse_by_strtof});

  parse_by_fast_float();
  const PipelineStages& first = *pipelines[0];
  const std::vector<float> read = first.floats(index_of(first, "parse"));
  const bool same_numbers =
      read.size() == parsed.size() &&
      std::memcmp(read.data(), parsed.data(), parsed.size() * sizeof(float)) == 0;
  std::optional<OnnxSession> sessions[2];
  std::vector<float> inputs = first.floats(index_of(first, "standardize"));
  std::vector<float> scores;
  double errors[2] = {-1, -1};
  std::string version;
  if (!options.library.empty()) {
    for (const bool lstm : {true, false}) {
      auto session =
          OnnxSession::open(options.library, lstm ? options.lstm_model : options.lr_model);
      if (!session) return fmt::print(stderr, "{}\n", session.error()), 3;
      version = session->version();
      sessions[lstm ? 0 : 1].emplace(std::move(*session));
      OnnxSession& used = *sessions[lstm ? 0 : 1];
      run_onnx(used, inputs, 256, lstm, scores);
      const PipelineStages& ours = *pipelines[lstm ? 0 : 1];
      errors[lstm ? 0 : 1] = difference(scores, ours.floats(index_of(ours, "apply")));
      for (const std::size_t batch : {1U, 64U, 256U, 1024U}) {
        contenders.push_back({lstm ? "lstm by ONNX Runtime" : "lr by ONNX Runtime", batch,
                              [&, batch, lstm] { run_onnx(used, inputs, batch, lstm, scores); }});
      }
    }
  }
  measure(contenders, rows.size());
  fmt::print(
      "{{\"rows\": {}, \"onnxruntime\": \"{}\", \"parse_equal\": {}, \"lstm_error\": {}, "
      "\"lr_error\": {}, \"ns\": [",
      rows.size(), version, same_numbers, errors[0], errors[1]);
  for (const Contender& contender : contenders) {
    fmt::print("{}\n{{\"name\": \"{}\", \"batch\": {}, \"rounds\": [{:.1f}]}}",
               &contender == contenders.data() ? "" : ",", contender.name, contender.batch,
               fmt::join(contender.nanoseconds, ", "));
  }
  fmt::print("]}}\n");
  return 0;
}

int repeat(const Options& options) {
  const std::vector<std::string> rows = lines_of(options.rows_file);
  PipelineStages pipeline(options.lstm, rows, 256);
  const std::size_t stage = index_of(pipeline, options.stage);
  for (std::size_t i = 0; i < options.repeats; ++i) pipeline.run(stage);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"The stages of pipelines beside their peers"};
  app.require_subcommand(1);
  CLI::App* const measuring = app.add_subcommand("measure", "ns a row, as JSON");
  CLI::App* const repeating = app.add_subcommand("repeat", "one stage, so often");
  for (CLI::App* command : {measuring, repeating}) {
    command->add_option("--rows", options.rows_file, "one a line")->required();
    command->add_option("--pipeline", options.lstm, "with the LSTM")->required();
  }
  measuring->add_option("--lr-pipeline", options.lr)->required();
  measuring->add_option("--library", options.library, "libonnxruntime.so");
  measuring->add_option("--model", options.lstm_model);
  measuring->add_option("--lr-model", options.lr_model);
  repeating->add_option("--stage", options.stage)->required();
  repeating->add_option("--repeats", options.repeats);
  CLI11_PARSE(app, argc, argv);
  return measuring->parsed() ? measure_all(options) : repeat(options);
}

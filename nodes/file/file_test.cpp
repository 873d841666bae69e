#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <future>
#include <sstream>
#include <string>

#include "nodes/file/line_format.hpp"
#include "nodes/file/line_sink.hpp"
#include "nodes/file/line_source.hpp"
#include "test/unit/catch.hpp"

using namespace kaspar;
using namespace kaspar::nodes::file;
using namespace std::chrono_literals;

namespace {

struct TemporaryFile {
  explicit TemporaryFile(std::string_view text = {})
      : path((std::filesystem::temp_directory_path() /
              ("kaspar-file-" + std::to_string(::getpid()) + ".txt"))
                 .string()) {
    std::ofstream(path, std::ios::binary) << text;
  }
  ~TemporaryFile() { std::filesystem::remove(path); }
  [[nodiscard]] std::string text() const {
    std::ostringstream read;
    read << std::ifstream(path, std::ios::binary).rdbuf();
    return read.str();
  }
  std::string path;
};

/// All records' values and offsets of a file, read in batches of at most these limits.
struct Lines {
  explicit Lines(std::string_view text, bool skip_first = false,
                 ReadLimits limits = {.bytes = 1u << 20}) {
    const TemporaryFile file(text);
    LineSource source(3, file.path, skip_first);
    REQUIRE(source.open().has_value());
    RecordBatch batch;
    ReadStatus status = ReadStatus::Idle;
    while ((status = source.read(batch, limits)) == ReadStatus::Records) {
      ++batches;
      CHECK(batch.endpoint == 3);
      REQUIRE(batch.spans.size() == 1);
      CHECK(batch.spans[0].first_offset == batch.records.front().offset);
      CHECK(batch.spans[0].last_offset == batch.records.back().offset);
      for (const Record& record : batch.records) {
        values.emplace_back(record.value);
        offsets.push_back(record.offset);
      }
      batch.clear();
    }
    CHECK(status == ReadStatus::End);
    CHECK(source.read(batch, limits) == ReadStatus::End);
    CHECK(source.close(1s).has_value());
  }
  std::vector<std::string> values;
  std::vector<std::int64_t> offsets;
  std::size_t batches = 0;
};

using Strings = std::vector<std::string>;

struct Listener final : DeliveryListener {
  void delivered() noexcept override { told.set_value(""); }
  void failed(Failure failure) noexcept override { told.set_value(failure.message); }
  void discarded() noexcept override { told.set_value("discarded"); }
  void refused(std::span<const std::size_t>, std::string_view) noexcept override {
    told.set_value("refused");
  }
  std::promise<std::string> told;
};

}  // namespace

TEST_CASE("a record a line, blank ones and the unfinished last one too") {
  CHECK(Lines("").values.empty());
  CHECK(Lines("a\nb\n").values == Strings{"a", "b"});
  CHECK(Lines("a\r\n\n\nb").values == Strings{"a\r", "", "", "b"});
  CHECK(Lines("\n").values == Strings{""});
  CHECK(Lines("\xEF\xBB\xBF"
              "a\nb")
            .values == Strings{"a", "b"});
  const Lines skipped("name\na\nb", true);
  CHECK(skipped.values == Strings{"a", "b"});
  CHECK(skipped.offsets == std::vector<std::int64_t>{1, 2});
}

TEST_CASE("lines are whole across blocks and batches") {
  std::string text;
  Strings expected;
  for (std::size_t i = 0; i < 30'000; ++i) {
    expected.push_back(std::to_string(i) + std::string(i % 200, 'x'));
    text += expected.back() + '\n';
  }
  expected.emplace_back(3'000'000, 'y');
  text += expected.back() + '\n';
  expected.emplace_back("end");
  text += "end";
  const Lines lines(text);
  CHECK(lines.values == expected);
  CHECK(lines.offsets.back() == 30'001);
  CHECK(lines.batches >= 30);
  const Lines few("aaa\nbbb\nccccccccc\nd\n", false, {.records = 2, .bytes = 5});
  CHECK(few.values == Strings{"aaa", "bbb", "ccccccccc", "d"});
  CHECK(few.batches == 4);
}

TEST_CASE("a file that cannot be opened is said so") {
  LineSource missing(0, "/nowhere/rows.csv", false);
  const auto opened = missing.open();
  REQUIRE_FALSE(opened.has_value());
  CHECK(opened.error().status == ExitStatus::Usage);
  LineSource folder(0, "/", false);
  CHECK_FALSE(folder.open().has_value());
  LineSink sink("/nowhere/rows.csv", false);
  REQUIRE_FALSE(sink.open().has_value());
}

TEST_CASE("a source that has nothing yet answers within the wait") {
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  LineSource source(0, "/dev/fd/" + std::to_string(ends[0]), false);
  REQUIRE(source.open().has_value());
  RecordBatch batch;
  CHECK(source.read(batch, {.bytes = 100, .wait = 1ms}) == ReadStatus::Idle);
  REQUIRE(::write(ends[1], "a\nb", 3) == 3);
  CHECK(source.read(batch, {.bytes = 100, .wait = 1s}) == ReadStatus::Records);
  REQUIRE(batch.records.size() == 1);
  CHECK(batch.records[0].value == "a");
  batch.clear();
  CHECK(source.read(batch, {.bytes = 100, .wait = 1ms}) == ReadStatus::Idle);
  ::close(ends[1]);
  CHECK(source.read(batch, {.bytes = 100, .wait = 1s}) == ReadStatus::Records);
  CHECK(batch.records.at(0).value == "b");
  batch.clear();
  CHECK(source.read(batch, {.bytes = 100, .wait = 1s}) == ReadStatus::End);
  ::close(ends[0]);
}

TEST_CASE("lines of records, keys and dead letters") {
  const auto line = [](const OutputRecord& record, bool show_key) {
    std::string text;
    append_line(text, record, show_key);
    return text;
  };
  CHECK(line({.key = "k", .value = "v", .has_key = true}, false) == "v\n");
  CHECK(line({.key = "k", .value = "v", .has_key = true}, true) == "key = k value = v\n");
  CHECK(line({.has_value = false}, false) == "\n");
  CHECK(line({.has_value = false}, true) == "key = null value = null\n");
  const DeadLetter dead{.stage = "parse",
                        .code = DiagnosticCode::K0901,
                        .message = "a \"b\"",
                        .topic = "in",
                        .partition = 2,
                        .offset = 7};
  CHECK(line({.key = "k", .value = "\xFF", .dead_letter = &dead, .has_key = true}, true) ==
        "{\"raw\":\"base64:/w==\",\"key\":\"k\",\"stage\":\"parse\",\"code\":\"K0901\",\"message\":"
        "\"a \\\"b\\\"\",\"topic\":\"in\",\"partition\":2,\"offset\":7}\n");
  const DeadLetter bare{.stage = "parse", .code = DiagnosticCode::K0905};
  CHECK(line({.dead_letter = &bare, .has_value = false}, false) ==
        "{\"raw\":null,\"key\":null,\"stage\":\"parse\",\"code\":\"K0905\",\"message\":\"\","
        "\"topic\":null,\"partition\":null,\"offset\":null}\n");
}

TEST_CASE("a sink writes all in order before it tells so") {
  const TemporaryFile file("what was there");
  LineSink sink(file.path, false);
  REQUIRE(sink.open().has_value());
  const std::vector<OutputRecord> first{{.value = "a"}, {.value = "b"}};
  const std::vector<OutputRecord> second{{.value = "c"}};
  Listener one, two, none;
  sink.write(first, {}, one);
  CHECK(one.told.get_future().get().empty());
  CHECK(file.text() == "a\nb\n");
  sink.write(second, {}, two);
  sink.write({}, {}, none);
  CHECK(sink.close(10s).has_value());
  CHECK(two.told.get_future().get().empty());
  CHECK(none.told.get_future().get().empty());
  CHECK(file.text() == "a\nb\nc\n");
}

TEST_CASE("an I/O error fails the write, and a reader that never reads cannot hold up the close") {
  LineSink full("/dev/full", false);
  REQUIRE(full.open().has_value());
  const std::vector<OutputRecord> records{{.value = "a"}};
  Listener refused;
  full.write(records, {}, refused);
  CHECK_FALSE(full.close(10s).has_value());
  CHECK_FALSE(refused.told.get_future().get().empty());

  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  LineSink stuck("/dev/fd/" + std::to_string(ends[1]), false);
  REQUIRE(stuck.open().has_value());
  const std::string large(1u << 20, 'x');
  const std::vector<OutputRecord> too_much{{.value = large}};
  Listener abandoned;
  stuck.write(too_much, {}, abandoned);
  CHECK_FALSE(stuck.close(1ms).has_value());
  CHECK_FALSE(abandoned.told.get_future().get().empty());
  ::close(ends[0]);
  ::close(ends[1]);
}

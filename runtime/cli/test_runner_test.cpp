#include "runtime/cli/test_runner.hpp"

#include <utility>

#include "runtime/cli/test_report.hpp"
#include "runtime/engine/memory_endpoints.hpp"
#include "test/unit/catch.hpp"

using namespace kaspar;
using namespace kaspar::cli;

namespace {

TestValue text(std::string value) {
  return {.kind = TestValue::Kind::Text, .text = std::move(value)};
}
TestValue json(std::string value) {
  return {.kind = TestValue::Kind::Json, .text = std::move(value)};
}
TestFeed feed(std::string value, std::size_t source = 0) {
  return {.source = source, .key = text("k" + value), .value = text(value)};
}
TestExpectation expect(TestValue value, std::size_t sink = 0) {
  return {.sink = sink, .value = std::move(value)};
}
TestExpectation none(std::size_t sink) { return {.sink = sink, .none = true}; }

constexpr std::size_t out = 0;
constexpr std::size_t dead = 1;

/// "bad…" fails, "skip…" is filtered; what is left goes to `out`.
Plan plan(ErrorPolicy policy = {.action = ErrorPolicy::Action::Sink, .sink = dead}) {
  Plan made = engine::test::make_plan({engine::test::make_chain(out, policy)}, 2);
  made.sinks[out].name = "out";
  made.sinks[dead].name = "dead";
  made.sources[0].params["topic"] = Value{std::string{"rows"}};
  return made;
}

std::vector<std::string> failures(const Plan& made, TestPlan test) {
  test.place = {.file = "a.pipe", .line = 1, .column = 1};
  std::vector<std::string> messages;
  for (const TestFailure& failure : TestRunner(made).run(test).failures) {
    messages.push_back(failure.message);
    if (!failure.expected.empty()) messages.back() += " | " + failure.expected;
    if (!failure.got.empty()) messages.back() += " | " + failure.got;
  }
  return messages;
}

using Messages = std::vector<std::string>;

}  // namespace

TEST_CASE("a sink gets exactly what is expected, in order") {
  CHECK(failures(plan(), {.feeds = {feed("a"), feed("skip"), feed("b")},
                          .expectations = {expect(text("a")), expect(text("b")), none(dead)}}) ==
        Messages{});
  CHECK(failures(plan(), {.feeds = {feed("a"), feed("b")},
                          .expectations = {expect(text("b")), expect(text("a"))}}) ==
        Messages{R"(record 1 of `out` has another `value` | "b" | "a")",
                 R"(record 2 of `out` has another `value` | "a" | "b")"});
  CHECK(failures(plan(),
                 {.feeds = {feed("a")}, .expectations = {expect(text("a")), expect(text("b"))}}) ==
        Messages{R"(`out` does not get record 2 of 2 | value "b")"});
  CHECK(failures(plan(), {.feeds = {feed("a"), feed("b")}, .expectations = {expect(text("a"))}}) ==
        Messages{R"(`out` gets record 2 beyond the 1 expected | key "kb", value "b")"});
  CHECK(failures(plan(), {.feeds = {feed("a")}, .expectations = {none(out)}}) ==
        Messages{R"(`out` gets record 1 beyond the 0 expected | key "ka", value "a")"});
  CHECK(failures(plan(), {.feeds = {feed("a")}, .expectations = {}}) == Messages{});
}

TEST_CASE("keys, nulls and what is omitted") {
  TestExpectation keyed{.sink = out, .key = text("ka")};
  CHECK(failures(plan(), {.feeds = {feed("a")}, .expectations = {keyed}}) == Messages{});
  keyed.key = TestValue{};
  CHECK(failures(plan(), {.feeds = {feed("a")}, .expectations = {keyed}}) ==
        Messages{R"(record 1 of `out` has another `key` | null | "ka")"});
  TestExpectation headed{.sink = out, .headers = {{.name = "x", .value = text("1")}}};
  CHECK(failures(plan(), {.feeds = {feed("a")}, .expectations = {headed}}) ==
        Messages{R"(record 1 of `out` has no `headers["x"]` | "1")"});
  headed.headers[0].value = {};
  CHECK(failures(plan(), {.feeds = {feed("a")}, .expectations = {headed}}) == Messages{});
}

TEST_CASE("numbers may differ by the tolerance, JSON is compared by meaning") {
  const auto compared = [](TestValue expected, std::string got, double tolerance) {
    TestExpectation expectation = expect(std::move(expected));
    expectation.tolerance = tolerance;
    return failures(plan(), {.feeds = {feed(std::move(got))}, .expectations = {expectation}})
        .empty();
  };
  CHECK_FALSE(compared(text("0.5"), "0.5004", 0));
  CHECK(compared(text("0.5"), "0.5004", 1e-3));
  CHECK(compared(text("0.5,x,1"), "0.5004,x,1", 1e-3));
  CHECK_FALSE(compared(text("0.5,x"), "0.5", 1e-3));
  CHECK_FALSE(compared(text("0.5"), "0.5,1", 1e-3));
  CHECK_FALSE(compared(text("a"), "b", 1));
  CHECK(compared(json(R"({"a":1,"b":2})"), R"({ "b": 2.0, "a": 1 })", 0));
  CHECK_FALSE(compared(json(R"({"a":1})"), R"({"a":2})", 0.5));
}

TEST_CASE("a JSON value that differs is shown as it is, and where") {
  CHECK(failures(plan(),
                 {.feeds = {feed(R"({"a":2})")}, .expectations = {expect(json(R"({"a":1})"))}}) ==
        Messages{R"(record 1 of `out` has another `value`: at `a` is 2 in place of 1 | {"a":1} | )"
                 R"({"a":2})"});
  CHECK(failures(plan(), {.feeds = {feed("\xff")}, .expectations = {expect(json("1"))}}).size() ==
        1);
  const Messages cut = failures(
      plan(), {.feeds = {feed(std::string(5'000, 'x'))}, .expectations = {expect(text("y"))}});
  REQUIRE(cut.size() == 1);
  CHECK(cut[0].size() < 400);
  CHECK(cut[0].ends_with("… (5000 bytes)"));
}

TEST_CASE("an error row tells where the record came from") {
  TestExpectation error{.sink = dead};
  error.key = text("kbad2");
  error.raw = "bad2";
  error.stage = "sieve";
  error.code = "K0902";
  error.message = "bad field";
  error.topic = "rows";
  error.partition = 0;
  error.offset = 1;
  error.headers = {{.name = "kaspar.code", .value = text("K0902")}};
  CHECK(failures(plan(), {.feeds = {feed("a"), feed("bad2")},
                          .expectations = {expect(text("a")), error}}) == Messages{});
  error.code = "K0901";
  CHECK(failures(plan(), {.feeds = {feed("a"), feed("bad2")}, .expectations = {error}}) ==
        Messages{R"(record 1 of `dead` has another `code`: it failed in `sieve`: bad field | )"
                 R"("K0901" | "K0902")"});
  error.sink = out;
  CHECK(failures(plan(), {.feeds = {feed("a")}, .expectations = {error}}) ==
        Messages{R"(record 1 of `out` is no error row | key "ka", value "a")"});
}

TEST_CASE("an error row that is not expected fails the test") {
  const Messages in_dead{
      R"(an error row that is not expected, in `dead`: K0902 in `sieve`: bad field | raw "bad")"};
  CHECK(failures(plan(), {.feeds = {feed("bad")}, .expectations = {none(out)}}) == in_dead);
  CHECK(failures(plan(), {.feeds = {feed("bad")}, .expectations = {none(dead)}}) == in_dead);
  TestExpectation any{.sink = dead};
  CHECK(failures(plan(), {.feeds = {feed("bad")}, .expectations = {any}}) == Messages{});
  CHECK(failures(plan(), {.feeds = {feed("bad"), feed("bad")}, .expectations = {any}}) == in_dead);
}

TEST_CASE("where results and error rows share a sink, each is expected as what it is") {
  const Plan shared = plan({.action = ErrorPolicy::Action::Sink, .sink = out});
  TestExpectation keyed{.sink = out, .key = text("kbad")};
  CHECK(failures(shared, {.feeds = {feed("bad")}, .expectations = {keyed}}).size() == 2);
  keyed.code = "K0902";
  CHECK(failures(shared, {.feeds = {feed("a"), feed("bad")},
                          .expectations = {expect(text("a")), keyed}}) == Messages{});
}

TEST_CASE("a row that would end the run fails the test, one that is dropped does not") {
  CHECK(failures(plan({.action = ErrorPolicy::Action::Fail}),
                 {.feeds = {feed("a"), feed("bad")}, .expectations = {expect(text("a"))}}) ==
        Messages{R"(an error row that is not expected, which ends the run (`fail`): K0902 in )"
                 R"(`sieve`: bad field | raw "bad")"});
  CHECK(failures(plan({.action = ErrorPolicy::Action::Drop}),
                 {.feeds = {feed("a"), feed("bad")}, .expectations = {expect(text("a"))}}) ==
        Messages{});
}

TEST_CASE("feeds of several sources reach a sink in the order of the test") {
  Plan two = plan();
  two.sources.push_back({.name = "other"});
  two.sources.push_back({.name = "unread"});
  two.chains.push_back(engine::test::make_chain(out, {.action = ErrorPolicy::Action::Drop}));
  two.chains[1].inputs[0].source = 1;
  TestPlan test;
  for (int i = 0; i < 200; ++i) {
    const std::string value = "v" + std::to_string(i);
    test.feeds.push_back(feed(value, i % 7 < 3 ? 0 : 1));
    test.feeds.push_back(feed("lost", 2));
    test.expectations.push_back(expect(text(value)));
  }
  CHECK(failures(two, test) == Messages{});
}

TEST_CASE("more records than a batch takes") {
  TestPlan test;
  for (int i = 0; i < 3000; ++i) {
    test.feeds.push_back(feed(std::to_string(i)));
    test.expectations.push_back(expect(text(std::to_string(i))));
  }
  CHECK(failures(plan(), test) == Messages{});
  test.expectations.clear();
  test.expectations.push_back(none(out));
  CHECK(failures(plan(), test).size() == 10);
}

TEST_CASE("the first record of a source with a header names its columns") {
  Plan headed = plan();
  headed.sources[0].params["header"] = Value{true};
  FeedSchedule schedule(headed, {.feeds = {}});
  const TestPlan test{.feeds = {feed("\xEF\xBB\xBFx,y"), feed("1,2"), feed("3,4")}};
  FeedSchedule fed(headed, test);
  FeedSource source(fed, 0);
  RecordBatch batch;
  REQUIRE(source.read(batch, {.bytes = 100}) == ReadStatus::Records);
  CHECK(batch.header == "x,y");
  REQUIRE(batch.records.size() == 2);
  CHECK(batch.records[0].value == "1,2");
  CHECK(batch.records[0].offset == 1);
  CHECK(source.read(batch, {.bytes = 100}) == ReadStatus::End);
}

TEST_CASE("reports tell every test, and hold whatever a record holds") {
  FileReport report{.file = "a&b.pipe"};
  report.outcomes.push_back(
      {.name = "fine", .place = {.file = "a&b.pipe", .line = 2, .column = 1}});
  report.outcomes.push_back({.name = "<broken>",
                             .place = {.file = "a&b.pipe", .line = 5, .column = 1},
                             .time = std::chrono::microseconds{2500},
                             .failures = {{.place = {.file = "a&b.pipe", .line = 6, .column = 3},
                                           .message = "it \"differs\"\x01",
                                           .expected = "1",
                                           .got = "2"}}});
  const std::vector<FileReport> reports{report};
  CHECK(human_report(report, false) ==
        "a&b.pipe\n"
        "  ok      fine (< 1 ms)\n"
        "  FAILED  <broken> (2 ms)\n"
        "      --> a&b.pipe:6:3\n"
        "      it \"differs\"\xEF\xBF\xBD\n"
        "        expected  1\n"
        "        got       2\n");
  CHECK(human_summary(reports) == "2 tests: 1 ok, 1 failed\n");
  CHECK(json_members(reports) ==
        R"(,"tests":[{"file":"a&b.pipe","line":2,"column":1,"name":"fine","status":"ok",)"
        R"("seconds":0.000000,"failures":[]},)"
        R"({"file":"a&b.pipe","line":5,"column":1,"name":"<broken>","status":"failed",)"
        R"("seconds":0.002500,"failures":[{"file":"a&b.pipe","line":6,"column":3,)"
        R"("message":"it \"differs\"\u0001","expected":"1","got":"2"}]}],)"
        R"("test_count":2,"failed_count":1)");
  CHECK(junit_report(reports) ==
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<testsuites name=\"kaspar\" tests=\"2\" failures=\"1\" errors=\"0\" skipped=\"0\" "
        "time=\"0.002500\">\n"
        "  <testsuite name=\"a&amp;b.pipe\" tests=\"2\" failures=\"1\" errors=\"0\" skipped=\"0\" "
        "time=\"0.002500\">\n"
        "    <testcase classname=\"a&amp;b.pipe\" name=\"fine\" file=\"a&amp;b.pipe\" line=\"2\" "
        "time=\"0.000000\"/>\n"
        "    <testcase classname=\"a&amp;b.pipe\" name=\"&lt;broken&gt;\" file=\"a&amp;b.pipe\" "
        "line=\"5\" time=\"0.002500\">\n"
        "      <failure type=\"test\" message=\"it &quot;differs&quot;\xEF\xBF\xBD\">"
        "a&amp;b.pipe:6:3: it &quot;differs&quot;\xEF\xBF\xBD&#10;  expected  1&#10;"
        "  got       2&#10;</failure>\n"
        "    </testcase>\n"
        "  </testsuite>\n"
        "</testsuites>\n");
  const auto findings = failed_tests(reports);
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].message == "test \"<broken>\": it \"differs\"\x01\nexpected: 1\ngot: 2");
  CHECK(findings[0].place.region.line == 6);
}

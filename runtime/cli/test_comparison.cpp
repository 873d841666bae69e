#include "runtime/cli/test_comparison.hpp"

#include <fast_float/fast_float.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "runtime/cli/json_difference.hpp"
#include "runtime/core/value_text.hpp"

namespace kaspar::cli {
namespace {

constexpr std::size_t most_failures = 10;  // a sink
constexpr std::size_t longest_text = 200;  // bytes

/// The beginning of a long text, without half a code point.
std::string_view beginning(std::string_view text) {
  std::size_t size = std::min(text.size(), longest_text);
  while (size < text.size() && size > 0 &&
         (static_cast<unsigned char>(text[size]) & 0xC0u) == 0x80u) {
    --size;
  }
  return text.substr(0, size);
}

std::string shortened(std::string_view text) {
  const std::string_view begin = beginning(text);
  if (begin.size() == text.size()) return std::string{text};
  return fmt::format("{}… ({} bytes)", begin, text.size());
}

/// In quotes and shortened: a record may be long and hold anything.
std::string quoted_text(std::string_view text) {
  const std::string_view begin = beginning(text);
  std::string bytes;
  append_bytes(bytes, begin);
  std::string out;
  append_json_string(out, bytes);
  if (begin.size() < text.size()) out += fmt::format("… ({} bytes)", text.size());
  return out;
}

std::string shown(const std::optional<std::string>& text) {
  return text ? quoted_text(*text) : "null";
}

std::string shown(const TestValue& value) {
  if (value.kind == TestValue::Kind::Null) return "null";
  return value.kind == TestValue::Kind::Json ? shortened(value.text) : quoted_text(value.text);
}

std::string shown(const CapturedRecord& record) {
  std::string text = fmt::format("key {}, value {}", shown(record.key), shown(record.value));
  if (record.error) text = fmt::format("an error row {}: {}", name_of(record.error->code), text);
  return text;
}

std::string shown_time(std::int64_t milliseconds) {
  if (milliseconds == -1) return "the time of writing";
  std::string text;
  append_timestamp(text, milliseconds);
  return text;
}

std::optional<double> number(std::string_view text) {
  double value = 0;
  const auto [end, error] = fast_float::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// The same text, or with a tolerance the same JSON or the same numbers, of each field between
/// commas.
bool same_text(std::string_view expected, std::string_view got, double tolerance) {
  if (expected == got) return true;
  if (tolerance == 0) return false;
  if (!json_difference(expected, got, tolerance)) return true;
  while (true) {
    const std::size_t a = expected.find(',');
    const std::size_t b = got.find(',');
    const std::string_view wanted = expected.substr(0, a);
    const std::string_view found = got.substr(0, b);
    if (wanted != found) {
      const auto x = number(wanted);
      const auto y = number(found);
      if (!x || !y || !within(*x, *y, tolerance)) return false;
    }
    if (a == expected.npos || b == got.npos) return a == expected.npos && b == got.npos;
    expected.remove_prefix(a + 1);
    got.remove_prefix(b + 1);
  }
}

bool expects_error(const TestExpectation& expected) {
  return expected.raw || expected.stage || expected.code || expected.message || expected.topic ||
         expected.partition || expected.offset;
}

/// One record of a sink against its expectation.
class RecordComparison {
 public:
  RecordComparison(const TestExpectation& expected, const CapturedRecord& got, std::string where,
                   std::vector<TestFailure>& failures)
      : expected_(expected), got_(got), where_(std::move(where)), failures_(failures) {}

  void run() {
    if (expects_error(expected_) && !got_.error) {
      fail("is no error row", {}, shown(got_));
      return;
    }
    if (expected_.key) value("key", *expected_.key, got_.key);
    if (expected_.value) value("value", *expected_.value, got_.value);
    for (const TestHeader& header : expected_.headers) compare_header(header);
    if (expected_.timestamp && *expected_.timestamp != got_.timestamp) {
      fail("has another `timestamp`", shown_time(*expected_.timestamp), shown_time(got_.timestamp));
    }
    if (got_.error) error_row(*got_.error);
  }

 private:
  void fail(std::string_view what, std::string expected, std::string got) {
    failures_.push_back({.place = expected_.place,
                         .message = fmt::format("{} {}", where_, what),
                         .expected = std::move(expected),
                         .got = std::move(got)});
  }

  void value(std::string_view name, const TestValue& expected,
             const std::optional<std::string>& got) {
    std::string what = fmt::format("has another `{}`", name);
    switch (expected.kind) {
      case TestValue::Kind::Null:
        if (!got) return;
        break;
      case TestValue::Kind::Text:
        if (got && same_text(expected.text, *got, expected_.tolerance)) return;
        break;
      case TestValue::Kind::Json:
        if (!got) break;
        const auto difference = json_difference(expected.text, *got, expected_.tolerance);
        if (!difference) return;
        what += ": " + *difference;
        if (!is_utf8(*got)) break;
        // JSON is read more easily without another layer of quotes.
        return fail(what, shown(expected), shortened(*got));
    }
    fail(what, shown(expected), shown(got));
  }

  void compare_header(const TestHeader& expected) {
    const auto found = std::ranges::find(got_.headers, expected.name, &CapturedHeader::name);
    const std::string name = fmt::format("headers[\"{}\"]", expected.name);
    if (found != got_.headers.end()) {
      value(name, expected.value, found->value);
    } else if (expected.value.kind != TestValue::Kind::Null) {
      fail(fmt::format("has no `{}`", name), shown(expected.value), {});
    }
  }

  void text(std::string_view name, const std::optional<std::string>& expected,
            std::string_view got) {
    if (expected && *expected != got) {
      fail(fmt::format("has another `{}`", name), quoted_text(*expected), quoted_text(got));
    }
  }

  void number(std::string_view name, std::optional<std::int64_t> expected,
              std::optional<std::int64_t> got) {
    if (!expected || expected == got) return;
    fail(fmt::format("has another `{}`", name), fmt::to_string(*expected),
         got ? fmt::to_string(*got) : "null");
  }

  void error_row(const CapturedError& error) {
    text("raw", expected_.raw, got_.value.value_or(""));
    text("stage", expected_.stage, error.stage);
    if (expected_.code && *expected_.code != name_of(error.code)) {
      fail(fmt::format("has another `code`: it failed in `{}`: {}", error.stage, error.message),
           quoted_text(*expected_.code), quoted_text(name_of(error.code)));
    }
    text("message", expected_.message, error.message);
    text("topic", expected_.topic, error.topic);
    const bool topic = !error.topic.empty();
    number("partition", expected_.partition,
           topic ? std::optional<std::int64_t>{error.partition} : std::nullopt);
    number("offset", expected_.offset,
           error.offset >= 0 ? std::optional<std::int64_t>{error.offset} : std::nullopt);
  }

  const TestExpectation& expected_;
  const CapturedRecord& got_;
  std::string where_;
  std::vector<TestFailure>& failures_;
};

/// All records of one sink that the test names.
class SinkComparison {
 public:
  SinkComparison(const std::string& sink, bool gets_results, const Place& place)
      : sink_(sink), gets_results_(gets_results), place_(place) {}

  void expect(const TestExpectation& expectation) {
    place_ = expectation.place;
    if (!expectation.none) expected_.push_back(&expectation);
  }

  void run(const std::vector<CapturedRecord>& got, std::vector<TestFailure>& failures) const {
    std::vector<TestFailure> found;
    std::size_t next = 0;
    for (std::size_t i = 0; i < got.size(); ++i) {
      const CapturedRecord& record = got[i];
      const TestExpectation* expected = next < expected_.size() ? expected_[next] : nullptr;
      // Where results go too, an error row is expected only by what names a field of one.
      if (record.error && (expected == nullptr || (gets_results_ && !expects_error(*expected)))) {
        found.push_back(unexpected_error(record, fmt::format("in `{}`", sink_), place_));
      } else if (expected == nullptr) {
        found.push_back({.place = place_,
                         .message = fmt::format("`{}` gets record {} beyond the {} expected", sink_,
                                                i + 1, expected_.size()),
                         .expected = {},
                         .got = shown(record)});
      } else {
        RecordComparison(*expected, record, fmt::format("record {} of `{}`", i + 1, sink_), found)
            .run();
        ++next;
      }
    }
    for (; next < expected_.size(); ++next) {
      const TestExpectation& missing = *expected_[next];
      found.push_back({.place = missing.place,
                       .message = fmt::format("`{}` does not get record {} of {}", sink_, next + 1,
                                              expected_.size()),
                       .expected = shown_expectation(missing),
                       .got = {}});
    }
    if (found.size() > most_failures) {
      const std::size_t more = found.size() - most_failures;
      found.resize(most_failures);
      found.back().message += fmt::format(" (and {} more in `{}`)", more, sink_);
    }
    std::ranges::move(found, std::back_inserter(failures));
  }

 private:
  static std::string shown_expectation(const TestExpectation& expected) {
    std::vector<std::string> parts;
    if (expected.key) parts.push_back("key " + shown(*expected.key));
    if (expected.value) parts.push_back("value " + shown(*expected.value));
    if (expected.code) parts.push_back("code " + *expected.code);
    if (expected.raw) parts.push_back("raw " + quoted_text(*expected.raw));
    return fmt::format("{}", fmt::join(parts, ", "));
  }

  const std::string& sink_;
  bool gets_results_;
  Place place_;
  std::vector<const TestExpectation*> expected_;
};

}  // namespace

TestFailure unexpected_error(const CapturedRecord& record, std::string_view where,
                             const Place& place) {
  const CapturedError& error = *record.error;
  return {.place = place,
          .message = fmt::format("an error row that is not expected, {}: {} in `{}`: {}", where,
                                 name_of(error.code), error.stage, error.message),
          .expected = {},
          .got = fmt::format("raw {}", shown(record.value))};
}

std::vector<TestFailure> compare(const Plan& plan, const TestPlan& test,
                                 const std::vector<std::vector<CapturedRecord>>& captured) {
  std::vector<TestFailure> failures;
  for (std::size_t sink = 0; sink < plan.sinks.size(); ++sink) {
    const std::string& name = plan.sinks[sink].name;
    const bool gets_results = std::ranges::any_of(
        plan.chains, [&](const ChainPlan& chain) { return chain.sink == sink; });
    SinkComparison comparison(name, gets_results, test.place);
    bool named = false;
    for (const TestExpectation& expectation : test.expectations) {
      if (expectation.sink != sink) continue;
      named = true;
      comparison.expect(expectation);
    }
    if (named) {
      comparison.run(captured[sink], failures);
      continue;
    }
    for (const CapturedRecord& record : captured[sink]) {
      if (!record.error) continue;
      failures.push_back(unexpected_error(record, fmt::format("in `{}`", name), test.place));
      if (failures.size() >= most_failures) break;
    }
  }
  return failures;
}

}  // namespace kaspar::cli

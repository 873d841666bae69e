// The node against an embedded broker: what a source and a sink do as the engine drives them.
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <map>
#include <mutex>
#include <set>

#include "nodes/kafka/broker_for_test.hpp"
#include "nodes/kafka/embedded_broker.hpp"
#include "nodes/kafka/kafka_sink.hpp"
#include "nodes/kafka/kafka_source.hpp"
#include "nodes/kafka/topic_writer.hpp"
#include "runtime/core/node_descriptor.hpp"
#include "test/unit/catch.hpp"

using namespace kaspar;
using namespace kaspar::nodes::kafka;
using namespace std::chrono_literals;

namespace kaspar::nodes {
void register_kafka(NodeRegistry& registry);
}

namespace {

/// Keeps a thread of librdkafka that tells something for a while.
class SlowLog final : public EventLog {
 public:
  explicit SlowLog(std::string_view slow) : slow_(slow) {}
  void write(LogLevel, std::string_view, std::string_view message,
             std::initializer_list<LogField>) noexcept override {
    {
      const std::lock_guard lock(mutex_);
      told_.append(message) += '\n';
    }
    changed_.notify_all();
    if (message.find(slow_) != std::string_view::npos) std::this_thread::sleep_for(300ms);
  }
  [[nodiscard]] bool wait_for(std::string_view text) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 60s, [&] { return told_.find(text) != std::string::npos; });
  }

 private:
  std::string_view slow_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string told_;
};

}  // namespace

TEST_CASE("records come with key, value and place, in order of each partition") {
  World world;
  world.write(0, 200);
  auto source = world.source();
  REQUIRE(source->open().has_value());
  Batches batches;
  read(*source, 200, batches);
  std::map<std::int32_t, std::int64_t> next;
  for (const auto& batch : batches) {
    CHECK(batch->records.size() <= some.records);
    for (const Record& record : batch->records) {
      const PartitionSpan& span = batch->spans[record.span];
      CHECK(span.topic == "in");
      CHECK(record.offset == next[span.partition]++);
      CHECK(record.value == "value " + std::string{record.key});
      CHECK(record.has_key);
      CHECK(record.has_value);
      CHECK(record.timestamp > 0);
    }
  }
  CHECK(next.size() == 2);
  CHECK(keys(batches).size() == 200);
  batches.clear();
  CHECK(source->close(10s).has_value());
}

TEST_CASE("what was acknowledged is not read again, what was not is") {
  World world;
  world.write(0, 100);
  std::multiset<std::string> left;
  {
    auto source = world.source();
    REQUIRE(source->open().has_value());
    Batches batches;
    read(*source, 100, batches);
    // All but the last batch of each partition, and in the wrong order.
    std::set<std::int32_t> seen;
    for (auto batch = batches.rbegin(); batch != batches.rend(); ++batch) {
      bool last = false;
      for (const PartitionSpan& span : (*batch)->spans) {
        last = seen.insert(span.partition).second || last;
      }
      if (last) {
        for (const Record& record : (*batch)->records) left.emplace(record.key);
      } else {
        source->acknowledge(**batch);
      }
    }
    batches.clear();
    CHECK(source->close(10s).has_value());
  }
  auto source = world.source();
  REQUIRE(source->open().has_value());
  Batches batches;
  read(*source, left.size(), batches);
  CHECK(keys(batches) == left);
  batches.clear();
  CHECK(source->close(10s).has_value());
}

TEST_CASE("another member takes partitions over only once what was read of them is acknowledged") {
  World world;
  world.write(0, 100);
  auto first = world.source();
  REQUIRE(first->open().has_value());
  Batches firsts;
  read(*first, 100, firsts);
  auto second = world.source();
  REQUIRE(second->open().has_value());
  // The first one gives a partition up while its reader waits in the rebalance; the
  // acknowledgement comes from another thread, as from the graph.
  std::thread acknowledging([&] {
    std::this_thread::sleep_for(200ms);
    for (const auto& batch : firsts) first->acknowledge(*batch);
  });
  std::atomic<bool> stop{false};
  std::thread reading([&] {
    RecordBatch batch;
    while (!stop) {
      batch.clear();
      if (first->read(batch, some) == ReadStatus::Records) first->acknowledge(batch);
    }
  });
  // Whatever the second one reads was written after the handover.
  Batches seconds;
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  int written = 100;
  while (seconds.empty() && std::chrono::steady_clock::now() < deadline) {
    world.write(written, 10);
    written += 10;
    auto batch = std::make_unique<RecordBatch>();
    if (second->read(*batch, some) == ReadStatus::Records) seconds.push_back(std::move(batch));
  }
  acknowledging.join();
  stop = true;
  reading.join();
  REQUIRE_FALSE(seconds.empty());
  INFO(world.log.text());
  // A member that the machine stalled for seconds is taken for dead, or cannot commit in time, and
  // says so: then records come again.
  const std::string told = world.log.text();
  if (told.find("partitions_lost") == std::string::npos &&
      told.find("before everything read of them was committed") == std::string::npos) {
    for (const std::string& key : keys(seconds)) CHECK(std::stoi(key) >= 100);
  }
  firsts.clear();
  seconds.clear();
  CHECK(second->close(10s).has_value());
  CHECK(first->close(10s).has_value());
}

TEST_CASE("records that an embedded broker evicted before they were read are missed, loudly") {
  World world;
  world.settings.memory_budget = 1u << 20;  // so that little is fetched ahead
  world.write(0, 10);
  auto source = world.source();
  REQUIRE(source->open().has_value());
  Batches batches;
  read(*source, 10, batches);
  {
    auto writer = TopicWriter::open(world.settings.kafka, "in", world.log, nullptr);
    REQUIRE(writer.has_value());
    const std::string large(500'000, 'x');
    for (int i = 0; i < 60; ++i) {
      REQUIRE((*writer)->write("one partition", large).has_value());
      REQUIRE((*writer)->flush(30s).has_value());
    }
  }
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  ReadStatus status = ReadStatus::Idle;
  while (status != ReadStatus::Failed && std::chrono::steady_clock::now() < deadline) {
    auto batch = std::make_unique<RecordBatch>();
    status = source->read(*batch, some);
  }
  CHECK(status == ReadStatus::Failed);
  CHECK(source->failure().status == ExitStatus::Failed);
  CHECK(source->failure().message.find("deleted before they were read") != std::string::npos);
  batches.clear();
}

TEST_CASE("`latest` begins after what is there, and keeps to it") {
  World world;
  world.write(0, 20);
  const StartOffset latest{.kind = StartOffset::Kind::Latest};
  {
    auto source = world.source(latest);
    REQUIRE(source->open().has_value());
    RecordBatch batch;
    const auto deadline = std::chrono::steady_clock::now() + 60s;
    while (world.log.text().find("partitions_assigned") == std::string::npos) {
      REQUIRE(std::chrono::steady_clock::now() < deadline);
      REQUIRE(source->read(batch, some) == ReadStatus::Idle);
    }
    CHECK(source->close(10s).has_value());
  }
  world.write(20, 20);  // while nobody reads: `latest` must not skip it now
  auto source = world.source(latest);
  REQUIRE(source->open().has_value());
  Batches batches;
  read(*source, 20, batches);
  for (const std::string& key : keys(batches)) CHECK(std::stoi(key) >= 20);
  batches.clear();
  CHECK(source->close(10s).has_value());
}

TEST_CASE("a run to the end ends, also of an empty topic") {
  World world;
  world.settings.until_end = true;
  const auto records_until_end = [&] {
    auto source = world.source();
    REQUIRE(source->open().has_value());
    std::size_t records = 0;
    const auto deadline = std::chrono::steady_clock::now() + 60s;
    RecordBatch batch;
    while (true) {
      REQUIRE(std::chrono::steady_clock::now() < deadline);
      batch.clear();
      const ReadStatus status = source->read(batch, some);
      REQUIRE(status != ReadStatus::Failed);
      if (status == ReadStatus::End) break;
      records += batch.records.size();
      if (status == ReadStatus::Records) source->acknowledge(batch);
    }
    batch.clear();
    REQUIRE(source->close(10s).has_value());
    return records;
  };
  CHECK(records_until_end() == 0);
  world.write(0, 130);
  CHECK(records_until_end() == 130);
  CHECK(records_until_end() == 0);
}

TEST_CASE("a sink writes keys, null values and dead letters with their headers") {
  World world;
  auto producer =
      std::make_shared<Producer>(std::vector<ProducedTopic>{{.name = "in"}}, Delivery::Reliable,
                                 world.settings.kafka, world.context);
  KafkaSink sink(producer, 0);
  REQUIRE(sink.open().has_value());
  CHECK(sink.largest_record() < default_max_message_bytes);
  CHECK(sink.largest_record() > default_max_message_bytes - 2'000);
  const DeadLetter letter{.stage = "parse",
                          .code = DiagnosticCode::K0901,
                          .message = "too short",
                          .topic = "origin",
                          .partition = 3,
                          .offset = 44};
  const std::string large(2'000'000, '7');
  const Header own{.name = "trace", .value = "abc"};
  const std::vector<OutputRecord> records = {
      {.key = "a", .value = "plain", .has_key = true},
      {.key = "a", .has_key = true, .has_value = false},
      {.key = "a", .value = "with", .headers = {&own, 1}, .timestamp = 1234, .has_key = true},
      {.key = "a", .value = "1,2", .dead_letter = &letter, .has_key = true},
      {.key = "a", .value = large, .dead_letter = &letter, .has_key = true},
      {.value = "no key"}};
  Heard heard;
  sink.write(records, {}, heard);
  REQUIRE(sink.close(30s).has_value());
  CHECK(heard.delivered_ == 1);
  CHECK(heard.failed_ == 0);

  auto source = world.source();
  REQUIRE(source->open().has_value());
  Batches batches;
  read(*source, records.size(), batches);
  std::vector<std::pair<const RecordBatch*, std::size_t>> keyed;
  for (const auto& batch : batches) {
    for (std::size_t i = 0; i < batch->records.size(); ++i) {
      if (batch->records[i].has_key) {
        keyed.emplace_back(batch.get(), i);
      } else {
        CHECK(batch->records[i].value == "no key");
      }
    }
  }
  REQUIRE(keyed.size() == 5);
  const auto record = [&](std::size_t i) { return keyed[i].first->records[keyed[i].second]; };
  const auto headers = [&](std::size_t i) {
    std::vector<Header> list;
    keyed[i].first->storage->headers(keyed[i].second, list);
    std::map<std::string, std::string> found;
    for (const Header& header : list) found[std::string{header.name}] = header.value;
    return found;
  };
  using Headers = std::map<std::string, std::string>;
  CHECK(record(0).value == "plain");
  CHECK(headers(0).empty());
  CHECK_FALSE(record(1).has_value);
  CHECK(record(2).timestamp == 1234);
  CHECK(headers(2) == Headers{{"trace", "abc"}});
  CHECK(record(3).value == "1,2");
  const Headers why{{"kaspar.stage", "parse"},       {"kaspar.code", "K0901"},
                    {"kaspar.message", "too short"}, {"kaspar.topic", "origin"},
                    {"kaspar.partition", "3"},       {"kaspar.offset", "44"}};
  CHECK(headers(3) == why);
  CHECK(record(4).value.size() < default_max_message_bytes);
  CHECK(record(4).value.size() > default_max_message_bytes - 4'000);
  CHECK(headers(4)["kaspar.original_size"] == "2000000");
  batches.clear();
  CHECK(source->close(10s).has_value());
}

TEST_CASE("a refused request discards its attempt, and the record that is refused alone is told") {
  World world;
  const auto sink = [&] {
    auto made = std::make_unique<KafkaSink>(
        std::make_shared<Producer>(std::vector<ProducedTopic>{{.name = "out"}}, Delivery::Reliable,
                                   world.settings.kafka, world.context),
        0);
    REQUIRE(made->open().has_value());
    return made;
  };
  const std::vector<OutputRecord> records = {{.value = "1"}, {.value = "2"}, {.value = "3"}};
  const auto until = [](const auto& holds) {
    const auto deadline = std::chrono::steady_clock::now() + 30s;
    while (!holds() && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(1ms);
    }
    CHECK(holds());
  };

  SECTION("then the next attempt goes on without it") {
    auto out = sink();
    world.broker->refuse_writes(0, 1);
    Heard first, late, singly, again;
    out->write(records, {.transaction = 1}, first);
    until([&] { return first.discarded_ == 1; });
    out->write(records, {.transaction = 1}, late);  // read before its source knew
    out->write(records, {.transaction = 2, .caution = Caution::Batch}, again);
    until([&] { return again.delivered_ == 1; });
    CHECK(late.discarded_ == 1);

    world.broker->refuse_writes(1, 1);
    out->write(records, {.transaction = 2, .caution = Caution::Record}, singly);
    until([&] { return singly.refusals_ == 1; });
    CHECK(singly.refused_ == std::vector<std::size_t>{1});
    CHECK(singly.why_.find("the topic `out` refuses the result") == 0);
    CHECK(singly.discarded_ == 0);

    Heard with_care, at_full_speed;
    out->write(records, {.transaction = 3, .caution = Caution::Record}, with_care);
    out->write(records, {.transaction = 3}, at_full_speed);
    REQUIRE(out->close(30s).has_value());
    CHECK(with_care.delivered_ == 1);
    CHECK(at_full_speed.delivered_ == 1);
  }
  SECTION("and what cannot be read again has failed") {
    auto out = sink();
    world.broker->refuse_writes(0, 1);
    Heard heard;
    out->write(records, {}, heard);
    until([&] { return heard.failed_ == 1; });
    CHECK_FALSE(out->close(1s).has_value());
  }
  SECTION("and it closes in time while the broker is away") {
    auto out = sink();
    world.broker->refuse_writes(0, 1);
    Heard first, next;
    out->write(records, {.transaction = 1}, first);
    until([&] { return first.discarded_ == 1; });
    world.broker.reset();
    out->write(records, {.transaction = 2, .caution = Caution::Record}, next);
    const auto begun = std::chrono::steady_clock::now();
    CHECK_FALSE(out->close(300ms).has_value());
    CHECK(std::chrono::steady_clock::now() - begun < 30s);  // not for ever
    CHECK(next.delivered_ == 0);
    CHECK(next.discarded_ + next.failed_ == 1);
  }
}

TEST_CASE("what cannot be delivered in time is told to have failed") {
  World world;
  auto producer =
      std::make_shared<Producer>(std::vector<ProducedTopic>{{.name = "out"}}, Delivery::Reliable,
                                 world.settings.kafka, world.context);
  KafkaSink sink(producer, 0);
  REQUIRE(sink.open().has_value());
  world.broker.reset();  // the broker is gone
  const std::vector<OutputRecord> records = {{.value = "1"}, {.value = "2"}};
  Heard heard;
  sink.write(records, {}, heard);
  const auto closed = sink.close(300ms);
  REQUIRE_FALSE(closed.has_value());
  CHECK(closed.error().status == ExitStatus::Failed);
  CHECK(heard.delivered_ == 0);
  CHECK(heard.failed_ == 1);
}

TEST_CASE("a best-effort sink whose broker is gone tells its rows to have failed, not the run") {
  World world;
  auto producer =
      std::make_shared<Producer>(std::vector<ProducedTopic>{{.name = "out"}}, Delivery::BestEffort,
                                 world.settings.kafka, world.context);
  KafkaSink sink(producer, 0);
  REQUIRE(sink.open().has_value());
  Heard heard;
  const std::vector<OutputRecord> records = {{.value = "1"}, {.value = "2"}};
  sink.write(records, {}, heard);
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (heard.delivered_ == 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(1ms);
  }
  CHECK(heard.delivered_ == 1);
  world.broker.reset();
  sink.write(records, {}, heard);
  CHECK(sink.close(300ms).has_value());
  CHECK(heard.failed_ == 1);
}

TEST_CASE("a best-effort sink opens without its cluster or its topic, another does not") {
  World world;
  world.settings.kafka.connect_timeout = 3s;
  KafkaSettings nowhere{.brokers = "127.0.0.1:1"};
  nowhere.connect_timeout = 200ms;
  world.settings.clusters["nowhere"] = nowhere;
  for (const bool absent : {true, false}) {
    const KafkaSettings& cluster =
        absent ? world.settings.kafka : world.settings.clusters.at("nowhere");
    const auto open = [&](Delivery delivery) {
      return KafkaSink(std::make_shared<Producer>(
                           std::vector<ProducedTopic>{{.name = absent ? "absent" : "out"}},
                           delivery, cluster, world.context),
                       0)
          .open();
    };
    CHECK(open(Delivery::BestEffort).has_value());
    CHECK(open(Delivery::Reliable).has_value() == (absent && makes_topics));
  }
  CHECK((world.log.text().find("! best_effort_unreachable: there is no topic `absent`") !=
         std::string::npos) == !makes_topics);
  CHECK(world.log.text().find("! best_effort_unreachable: no Kafka broker answered") !=
        std::string::npos);
}

TEST_CASE("sinks write to their own clusters, and one that no profile defines is told") {
  World world;
  World other;
  world.settings.clusters["shadow"] = other.settings.kafka;
  NodeRegistry registry;
  nodes::register_kafka(registry);
  const auto params = [](const char* cluster) {
    Params made{{"topic", Value{std::string{"out"}}}};
    if (cluster != nullptr) made["cluster"] = Value{std::string{cluster}};
    return made;
  };
  const NodeDescriptor& kafka = *registry.find(NodeRole::Sink, "kafka");
  const std::vector<EndpointCall> calls = {
      {.index = 0, .name = "here", .params = params(nullptr)},
      {.index = 1, .name = "there", .params = params("shadow"), .best_effort = true}};
  auto sinks = kafka.make_sinks(calls, world.context);
  REQUIRE(sinks.has_value());
  Heard heard;
  const std::vector<OutputRecord> here = {{.value = "here"}};
  const std::vector<OutputRecord> there = {{.value = "there"}};
  for (const auto& sink : *sinks) REQUIRE(sink->open().has_value());
  sinks->at(0)->write(here, {}, heard);
  sinks->at(1)->write(there, {}, heard);
  for (const auto& sink : *sinks) REQUIRE(sink->close(30s).has_value());
  CHECK(heard.delivered_ == 2);
  const auto written = [](World& at) {
    auto source = std::make_unique<KafkaSource>(
        "readers", std::vector<Subscription>{{.topic = "out"}}, at.settings.kafka, at.context);
    REQUIRE(source->open().has_value());
    Batches batches;
    read(*source, 1, batches);
    std::string value{batches.front()->records.front().value};
    batches.clear();
    REQUIRE(source->close(10s).has_value());
    return value;
  };
  CHECK(written(world) == "here");
  CHECK(written(other) == "there");

  const std::vector<EndpointCall> unknown = {
      {.index = 0, .name = "there", .params = params("shadows")}};
  const auto refused = kafka.make_sinks(unknown, world.context);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().status == ExitStatus::Problems);
  CHECK(refused.error().message.find("`shadows`") != std::string::npos);
}

TEST_CASE("a source whose broker is gone closes in time, and says what is not committed") {
  World world;
  // A client that cannot leave its group goes on, and tells each attempt to connect.
  world.settings.kafka.options["debug"] = "all";
  world.settings.kafka.options["reconnect.backoff.max.ms"] = "100";
  world.write(0, 100);
  auto source = world.source();
  REQUIRE(source->open().has_value());
  Batches batches;
  read(*source, 100, batches);
  world.broker.reset();
  for (const auto& batch : batches) source->acknowledge(*batch);
  batches.clear();
  const auto begin = std::chrono::steady_clock::now();
  const auto closed = source->close(300ms);
  REQUIRE_FALSE(closed.has_value());
  CHECK(closed.error().status == ExitStatus::Failed);
  CHECK(closed.error().message.find("committed") != std::string::npos);
  source.reset();
  CHECK(std::chrono::steady_clock::now() - begin < 30s);
}

TEST_CASE("a source that closes while partitions are being assigned to it comes to an end") {
  const int round = GENERATE(range(0, 3));
  CAPTURE(round);
  World world;
  // So the group ends while a second answer to its rebalances would be under way.
  SlowLog log("-> term");
  world.settings.kafka.options["debug"] = "cgrp";
  const RunContext context{.settings = world.settings, .log = log};
  auto source = std::make_unique<KafkaSource>("group", std::vector<Subscription>{{.topic = "in"}},
                                              world.settings.kafka, context);
  REQUIRE(source->open().has_value());
  REQUIRE(log.wait_for("delegating incremental assign"));
  std::promise<bool> closed;
  auto result = closed.get_future();
  std::thread closing([&] {
    const bool fine = source->close(10s).has_value();
    source.reset();
    closed.set_value(fine);
  });
  if (result.wait_for(60s) != std::future_status::ready) {
    std::fputs("a source does not come to its end\n", stderr);
    std::_Exit(EXIT_FAILURE);  // its thread cannot be ended
  }
  closing.join();
  CHECK(result.get());
}

TEST_CASE("a missing topic and a missing broker are told") {
  World world;
  world.settings.kafka.connect_timeout = 300ms;
  auto missing =
      std::make_shared<Producer>(std::vector<ProducedTopic>{{.name = "nowhere"}},
                                 Delivery::Reliable, world.settings.kafka, world.context);
  const auto opened = missing->open();
  REQUIRE(opened.has_value() == makes_topics);
  if (!opened) {
    CHECK(opened.error().status == ExitStatus::Failed);
    CHECK(opened.error().message.find("`nowhere`") != std::string::npos);
  }
  world.broker.reset();
  const auto unreachable = world.source()->open();
  REQUIRE_FALSE(unreachable.has_value());
  CHECK(unreachable.error().status == ExitStatus::Failed);
  CHECK(unreachable.error().message.find(world.settings.kafka.brokers) != std::string::npos);
}

TEST_CASE("options that Kafka would refuse are refused by the check") {
  NodeRegistry registry;
  nodes::register_kafka(registry);
  const auto places = [&](NodeRole role, const Params& params) {
    std::vector<std::string> found;
    for (const Issue& issue : registry.find(role, "kafka")->check_endpoint(params)) {
      found.push_back(std::string{name_of(issue.code)} + " " + issue.place.name);
    }
    return found;
  };
  using Places = std::vector<std::string>;
  const auto text = [](const char* value) { return Value{std::string{value}}; };
  CHECK(places(NodeRole::Source, {{"topic", text("a.b-c_1")}, {"group", text("g")}}).empty());
  CHECK(places(NodeRole::Source, {{"topic", text("a b")}, {"group", text("")}}) ==
        Places{"K0302 topic", "K0302 group"});
  const auto start = [&](Value value) {
    return places(NodeRole::Source,
                  {{"topic", text("t")}, {"group", text("g")}, {"start", std::move(value)}});
  };
  CHECK(start(Value{Word{"latest"}}).empty());
  CHECK(start(Value{Word{"1700000000000"}}).empty());
  CHECK(start(text("2026-11-22T10:00:00Z")).empty());
  CHECK(start(Value{Word{"newest"}}) == Places{"K0302 start"});
  const auto create = [&](ValueTable table) {
    return places(NodeRole::Sink, {{"topic", text("t")}, {"create", Value{std::move(table)}}});
  };
  CHECK(create({{"partitions", Value{std::int64_t{6}}}}).empty());
  CHECK(create({{"partitions", Value{std::int64_t{0}}}}) == Places{"K0302 create.partitions"});
  CHECK(create({{"partition", Value{std::int64_t{1}}}}) == Places{"K0201 create.partition:"});
}

TEST_CASE("a topic that was created a moment ago is waited for, another is missing") {
  if (makes_topics) return;
  World world;
  auto writer = std::async(std::launch::async, [&] {
    return TopicWriter::open(world.settings.kafka, "late", world.log, nullptr);
  });
  std::this_thread::sleep_for(200ms);  // long after the first question
  REQUIRE(world.broker->create_topic("late", 1).has_value());
  CHECK(writer.get().has_value());
  const auto absent = TopicWriter::open(world.settings.kafka, "absent", world.log, nullptr);
  REQUIRE_FALSE(absent.has_value());
  CHECK(absent.error().message.starts_with("there is no topic `absent`"));
}

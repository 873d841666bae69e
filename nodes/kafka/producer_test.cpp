// What a producer's writers may rely on.
#include <rdkafka.h>
#include <rdkafka_mock.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "nodes/kafka/broker_for_test.hpp"
#include "nodes/kafka/kafka_sink.hpp"
#include "nodes/kafka/waits.hpp"

using namespace kaspar;
using namespace kaspar::nodes::kafka;

namespace {

std::vector<std::string> texts(const Properties& properties) {
  std::vector<std::string> all;
  for (const auto& [name, value] : properties) all.push_back(name + "=" + value);
  return all;
}

KafkaSink sink_of(World& world) {
  return KafkaSink(
      std::make_shared<Producer>(std::vector<ProducedTopic>{{.name = "in"}}, Delivery::Reliable,
                                 world.settings.kafka, world.context),
      0);
}

}  // namespace

TEST_CASE("small and large writes of one key keep their order") {
  constexpr std::size_t writes = 600;
  World world;
  KafkaSink sink = sink_of(world);
  REQUIRE(sink.open().has_value());
  std::mt19937 random(1);
  std::deque<std::string> values;
  std::deque<std::vector<OutputRecord>> written;
  std::size_t total = 0;
  for (std::size_t i = 0; i < writes; ++i) {
    const std::size_t count = random() % 5 == 0 ? 100 + random() % 100 : 1 + random() % 3;
    auto& records = written.emplace_back();
    for (std::size_t k = 0; k < count; ++k) {
      values.push_back(std::to_string(total++));
      records.push_back({.key = "one", .value = values.back(), .has_key = true});
    }
  }
  Heard heard;
  for (const auto& records : written) sink.write(records, {}, heard);
  REQUIRE(sink.close(30s).has_value());
  CHECK(heard.delivered_ == writes);
  auto source = world.source();
  REQUIRE(source->open().has_value());
  Batches batches;
  read(*source, total, batches);
  std::size_t next = 0;
  std::size_t misplaced = 0;
  for (const auto& batch : batches) {
    for (const Record& record : batch->records) misplaced += record.value != values[next++];
  }
  CHECK(next == total);
  CHECK(misplaced == 0);
  batches.clear();
  REQUIRE(source->close(10s).has_value());
}

TEST_CASE("what several threads write at the same time is delivered, each record once") {
  constexpr std::size_t threads = 4;
  constexpr std::size_t writes = 300;
  World world;
  KafkaSink sink = sink_of(world);
  REQUIRE(sink.open().has_value());
  std::mutex one_at_a_time;  // as the engine calls a sink
  std::atomic<std::size_t> delivered{0};
  std::vector<std::vector<std::string>> keys_of(threads);
  std::vector<std::thread> writers;
  for (std::size_t t = 0; t < threads; ++t) {
    for (std::size_t i = 0; i < writes; ++i) {
      keys_of[t].push_back(std::to_string(t * writes + i));
    }
    writers.emplace_back([&, t] {
      for (const std::string& key : keys_of[t]) {
        const OutputRecord record{.key = key, .value = "x", .has_key = true};
        Heard heard;
        {
          const std::lock_guard lock(one_at_a_time);
          sink.write({&record, 1}, {}, heard);
        }
        while (heard.delivered_ == 0) std::this_thread::sleep_for(100us);
        ++delivered;
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  REQUIRE(sink.close(30s).has_value());
  CHECK(delivered == threads * writes);
  auto source = world.source();
  REQUIRE(source->open().has_value());
  Batches batches;
  read(*source, threads * writes, batches);
  const std::multiset<std::string> found = keys(batches);
  CHECK(found.size() == threads * writes);
  CHECK(std::set<std::string>(found.begin(), found.end()).size() == threads * writes);
  batches.clear();
  REQUIRE(source->close(10s).has_value());
}

TEST_CASE("who writes few records hears of their delivery, the producer's thread of what is left") {
  // Which thread told, and not which record: all are alike.
  class Told final : public DeliveryListener {
   public:
    void delivered() noexcept override {
      (std::this_thread::get_id() == writer_ ? by_writer_ : by_another_) += 1;
    }
    void failed(Failure) noexcept override { ++lost_; }
    void discarded() noexcept override { ++lost_; }
    void refused(std::span<const std::size_t>, std::string_view) noexcept override { ++lost_; }
    const std::thread::id writer_ = std::this_thread::get_id();
    std::atomic<std::size_t> by_writer_{0};
    std::atomic<std::size_t> by_another_{0};
    std::atomic<std::size_t> lost_{0};
  } told;
  World world;
  KafkaSink sink = sink_of(world);
  REQUIRE(sink.open().has_value());
  const OutputRecord record{.key = "one", .value = "x", .has_key = true};
  std::size_t written = 0;
  const auto write_until = [&](auto done) {
    const auto deadline = std::chrono::steady_clock::now() + 60s;
    while (!done()) {
      REQUIRE(std::chrono::steady_clock::now() < deadline);
      sink.write({&record, 1}, {}, told);
      ++written;
      std::this_thread::sleep_for(500us);
      sink.serve();
    }
  };
  const auto wait_until_told = [&] {
    const auto deadline = std::chrono::steady_clock::now() + 60s;
    while (told.by_writer_ + told.by_another_ < written) {
      REQUIRE(std::chrono::steady_clock::now() < deadline);
      std::this_thread::sleep_for(100us);
    }
  };
  // When it does not come back, or waits. The thread looks by itself once a second: twenty times
  // would take twenty.
  const auto begun = std::chrono::steady_clock::now();
  for (int i = 0; i < 20; ++i) {
    const std::size_t before = told.by_writer_;
    write_until([&] { return told.by_writer_ >= before + 5; });
    sink.write({&record, 1}, {}, told);
    ++written;
    if (i % 2 == 0) sink.listen();
    wait_until_told();
  }
  CHECK(std::chrono::steady_clock::now() - begun < 10s);

  // Many at a time, each in a write of its own.
  write_until([&, before = told.by_writer_.load()] { return told.by_writer_ >= before + 5; });
  for (int i = 0; i < 200; ++i) {
    sink.write({&record, 1}, {}, told);
    ++written;
  }
  wait_until_told();

  // What is left to the producer's thread is not heard of by the writer.
  std::vector<OutputRecord> many(100, record);
  const std::size_t heard = told.by_writer_;
  for (int i = 0; i < 20; ++i) {
    sink.write(many, {}, told);
    ++written;
    sink.serve();
  }
  CHECK(told.by_writer_ == heard);
  write_until([&] { return told.by_writer_ > heard; });
  REQUIRE(sink.close(30s).has_value());
  CHECK(told.by_writer_ + told.by_another_ == written);
  CHECK(told.lost_ == 0);
}

TEST_CASE("a mode sets waits alone, which every librdkafka takes or knows nothing of") {
  using Texts = std::vector<std::string>;
  const Texts usual{"fetch.wait.max.ms=100", "fetch.queue.backoff.ms=10"};
  CHECK(texts(consumer_waits(RunMode::Balanced)) == usual);
  CHECK(texts(consumer_waits(RunMode::Throughput)) ==
        Texts{usual[0], usual[1], "fetch.min.bytes=65536"});
  CHECK(texts(consumer_waits(RunMode::Latency)) ==
        Texts{usual[0], usual[1], "socket.nagle.disable=true"});
  CHECK(texts(producer_waits(RunMode::Balanced)) == Texts{"linger.ms=0"});
  CHECK(texts(producer_waits(RunMode::Throughput)) == Texts{"linger.ms=10"});
  CHECK(texts(producer_waits(RunMode::Latency)) ==
        Texts{"linger.ms=0", "socket.nagle.disable=true"});
  rd_kafka_conf_t* const conf = rd_kafka_conf_new();
  for (const RunMode mode : {RunMode::Balanced, RunMode::Throughput, RunMode::Latency}) {
    for (const Properties& waits : {consumer_waits(mode), producer_waits(mode)}) {
      for (const auto& [name, value] : waits) {
        INFO(name);
        CHECK(rd_kafka_conf_set(conf, name.c_str(), value.c_str(), nullptr, 0) !=
              RD_KAFKA_CONF_INVALID);
      }
    }
  }
  rd_kafka_conf_destroy(conf);
}

TEST_CASE("the mode reaches the client: for throughput a record waits for others") {
  World world;
  world.settings.mode = RunMode::Throughput;
  KafkaSink sink = sink_of(world);
  REQUIRE(sink.open().has_value());
  const OutputRecord record{.value = "1"};
  for (int i = 0; i < 3; ++i) {
    Heard heard;
    const auto begun = std::chrono::steady_clock::now();
    sink.write({&record, 1}, {}, heard);
    while (heard.delivered_ == 0) std::this_thread::sleep_for(1ms);
    CHECK(std::chrono::steady_clock::now() - begun >= 9ms);
  }
  REQUIRE(sink.close(30s).has_value());
}

#if RD_KAFKA_VERSION >= 0x020a01ff  // which deploy/librdkafka-window.patch mends

TEST_CASE("librdkafka's thread sleeps while an idempotent producer waits for its window") {
  constexpr std::int16_t produce_request = 0;
  struct Seen {
    std::size_t delivered = 0;
    std::size_t reports = 0;
    long wakeups = 0;
  } seen;
  std::string why(512, '\0');
  rd_kafka_conf_t* configuration = rd_kafka_conf_new();
  for (const auto& [name, value] : {std::pair{"test.mock.num.brokers", "1"},
                                    {"enable.idempotence", "true"},
                                    {"linger.ms", "0"},
                                    {"statistics.interval.ms", "100"}}) {
    REQUIRE(rd_kafka_conf_set(configuration, name, value, why.data(), why.size()) ==
            RD_KAFKA_CONF_OK);
  }
  rd_kafka_conf_set_opaque(configuration, &seen);
  rd_kafka_conf_set_dr_msg_cb(configuration,
                              [](rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
                                if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
                                  ++static_cast<Seen*>(opaque)->delivered;
                              });
  rd_kafka_conf_set_stats_cb(
      configuration, [](rd_kafka_t*, char* json, std::size_t size, void* opaque) {
        Seen& all = *static_cast<Seen*>(opaque);
        ++all.reports;
        all.wakeups = 0;
        constexpr std::string_view name = "\"wakeups\":";
        const std::string_view text(json, size);
        for (std::size_t at = text.find(name); at != text.npos; at = text.find(name, at + 1)) {
          all.wakeups += std::stol(std::string(text.substr(at + name.size(), 20)));
        }
        return 0;
      });
  const ClientHandle producer{
      rd_kafka_new(RD_KAFKA_PRODUCER, configuration, why.data(), why.size())};
  REQUIRE(producer);
  rd_kafka_mock_cluster_t* cluster = rd_kafka_handle_mock_cluster(producer.get());
  REQUIRE(cluster != nullptr);
  REQUIRE(rd_kafka_mock_topic_create(cluster, "out", 1, 1) == RD_KAFKA_RESP_ERR_NO_ERROR);
  const TopicHandle topic{rd_kafka_topic_new(producer.get(), "out", nullptr)};
  const auto write = [&](std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      std::string value = "value";
      REQUIRE(rd_kafka_produce(topic.get(), 0, RD_KAFKA_MSG_F_COPY, value.data(), value.size(),
                               nullptr, 0, nullptr) == 0);
    }
  };
  const auto poll_until = [&](auto done) {
    const auto deadline = std::chrono::steady_clock::now() + 30s;
    while (!done() && std::chrono::steady_clock::now() < deadline) {
      rd_kafka_poll(producer.get(), 5);
    }
    REQUIRE(done());
  };
  const auto requests = [&] {
    std::size_t count = 0;
    std::size_t produced = 0;
    rd_kafka_mock_request_t** all = rd_kafka_mock_get_requests(cluster, &count);
    for (std::size_t i = 0; i < count; ++i) {
      if (rd_kafka_mock_request_api_key(all[i]) == produce_request) ++produced;
    }
    rd_kafka_mock_request_destroy_array(all, count);
    return produced;
  };
  write(10);
  poll_until([&] { return seen.delivered == 10; });  // all is set up

  REQUIRE(rd_kafka_mock_broker_set_rtt(cluster, 1, 1'000) == RD_KAFKA_RESP_ERR_NO_ERROR);
  rd_kafka_mock_start_request_tracking(cluster);
  // More than the few that may be on their way before the window counts as full.
  write(1'000);
  poll_until([&] { return requests() != 0; });
  write(1'000);
  poll_until([&] { return seen.delivered == 2'010; });
  const std::size_t before = seen.reports;
  poll_until([&] { return seen.reports >= before + 2; });
  // Every 10 ms and for what happens. Without waiting: some hundred thousand.
  CHECK(seen.wakeups < 2'000);
}

#endif

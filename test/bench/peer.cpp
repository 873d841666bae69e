// What one writes without kaspar, from one topic to another: the floor and the peer of every
// pipeline.
//
//   forward  a bare librdkafka forwarder: keys, murmur2, delivery reports; it writes each key as
//            the value
//   relay    the same, of the values
//   onnx     a whole job: fast_float, ONNX Runtime in batches of up to 256, the label
//
// Committing is librdkafka's own; nobody waits for a delivery before its offset goes. Ends at the
// end of the topic with
// --until-end, else by SIGTERM.
#include <fmt/format.h>
#include <rdkafka.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "test/bench/fast_float_row.hpp"
#include "test/bench/onnxruntime.hpp"

namespace {

using namespace kaspar::bench;

constexpr std::size_t most_messages = 1024;
constexpr std::size_t model_batch = 256;

struct Options {
  std::string work, brokers, in, out, group, library, model, linger = "0";
  std::vector<std::string> labels;
  float mean = 0, std = 1;
  bool steps = false;  // the model takes a row as a series, [rows, fields, 1]
  int partitions = 1;
  bool until_end = false;
};

std::atomic<bool> stopped{false};
std::size_t undelivered = 0;

using Properties = std::vector<std::pair<std::string, std::string>>;

rd_kafka_t* make_client(rd_kafka_type_t type, const Properties& properties) {
  std::array<char, 512> error{};
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  for (const auto& [name, value] : properties) {
    if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), error.data(), error.size()) !=
        RD_KAFKA_CONF_OK) {
      fmt::print(stderr, "{}\n", error.data());
      std::exit(2);
    }
  }
  if (type == RD_KAFKA_PRODUCER) {
    rd_kafka_conf_set_dr_msg_cb(conf, [](rd_kafka_t*, const rd_kafka_message_t* message, void*) {
      undelivered += message->err != RD_KAFKA_RESP_ERR_NO_ERROR ? 1 : 0;
    });
  }
  rd_kafka_t* client = rd_kafka_new(type, conf, error.data(), error.size());
  if (client == nullptr) fmt::print(stderr, "{}\n", error.data()), std::exit(3);
  return client;
}

/// The label of each message; empty where it is no row of 60 numbers.
class Model {
 public:
  Model(const Options& options, OnnxSession session)
      : mean_(options.mean),
        scale_(1.0F / options.std),
        dimensions_(options.steps ? 3 : 2),
        labels_(options.labels),
        session_(std::move(session)),
        scores_(model_batch * labels_.size()) {}

  void label(std::span<rd_kafka_message_t* const> messages, std::vector<std::string_view>& made) {
    made.assign(messages.size(), {});
    for (std::size_t first = 0; first < messages.size(); first += model_batch) {
      const std::size_t end = std::min(messages.size(), first + model_batch);
      std::size_t rows = 0;
      for (std::size_t i = first; i < end; ++i) {
        float* const row = input_.data() + rows * row_fields;
        if (!read_row({static_cast<const char*>(messages[i]->payload), messages[i]->len}, row))
          continue;
        for (std::size_t f = 0; f < row_fields; ++f) row[f] = (row[f] - mean_) * scale_;
        good_[rows++] = i;
      }
      if (rows == 0) continue;
      const std::array<std::int64_t, 3> shape{static_cast<std::int64_t>(rows), row_fields, 1};
      session_.run({input_.data(), rows * row_fields}, {shape.data(), dimensions_},
                   {scores_.data(), rows * labels_.size()});
      for (std::size_t r = 0; r < rows; ++r) {
        const float* const scores = scores_.data() + r * labels_.size();
        made[good_[r]] = labels_[static_cast<std::size_t>(
            std::max_element(scores, scores + labels_.size()) - scores)];
      }
    }
  }

 private:
  float mean_, scale_;
  std::size_t dimensions_;
  std::vector<std::string> labels_;
  OnnxSession session_;
  std::array<float, model_batch * row_fields> input_{};
  std::vector<float> scores_;
  std::array<std::size_t, model_batch> good_{};
};

int work(const Options& options, std::optional<Model> model) {
  rd_kafka_t* const consumer =
      make_client(RD_KAFKA_CONSUMER, {{"bootstrap.servers", options.brokers},
                                      {"group.id", options.group},
                                      {"auto.offset.reset", "earliest"},
                                      {"enable.partition.eof", "true"},
                                      {"fetch.queue.backoff.ms", "10"},
                                      // By default it is heard of some records half a second late.
                                      {"fetch.wait.max.ms", "100"},
                                      {"queued.min.messages", "1000000"}});
  rd_kafka_t* const producer =
      make_client(RD_KAFKA_PRODUCER, {{"bootstrap.servers", options.brokers},
                                      {"partitioner", "murmur2_random"},
                                      {"enable.idempotence", "true"},
                                      {"linger.ms", options.linger},
                                      {"queue.buffering.max.messages", "10000000"}});
  rd_kafka_topic_t* const out = rd_kafka_topic_new(producer, options.out.c_str(), nullptr);
  rd_kafka_poll_set_consumer(consumer);
  rd_kafka_topic_partition_list_t* const topics = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(topics, options.in.c_str(), RD_KAFKA_PARTITION_UA);
  rd_kafka_subscribe(consumer, topics);
  rd_kafka_topic_partition_list_destroy(topics);
  rd_kafka_queue_t* const queue = rd_kafka_queue_get_consumer(consumer);

  std::vector<rd_kafka_message_t*> messages(most_messages);
  std::vector<rd_kafka_message_t> made(most_messages);
  std::vector<std::string_view> values;
  const bool relay = options.work == "relay";
  std::size_t records = 0;
  std::size_t failed = 0;
  int ended = 0;
  while (!stopped && !(options.until_end && ended == options.partitions)) {
    // One that is waited for, and whatever else is there by now.
    messages[0] = rd_kafka_consumer_poll(consumer, 100);
    rd_kafka_poll(producer, 0);
    if (messages[0] == nullptr) continue;
    const ssize_t more =
        rd_kafka_consume_batch_queue(queue, 0, messages.data() + 1, most_messages - 1);
    std::size_t count = 0;
    for (std::size_t i = 0; i < 1 + static_cast<std::size_t>(std::max<ssize_t>(more, 0)); ++i) {
      if (messages[i]->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        messages[count++] = messages[i];
        continue;
      }
      ended += messages[i]->err == RD_KAFKA_RESP_ERR__PARTITION_EOF ? 1 : 0;
      rd_kafka_message_destroy(messages[i]);
    }
    if (model) model->label({messages.data(), count}, values);
    int good = 0;
    for (std::size_t i = 0; i < count; ++i) {
      rd_kafka_message_t& message = made[static_cast<std::size_t>(good)];
      message = {};
      message.key = messages[i]->key;
      message.key_len = messages[i]->key_len;
      message.payload = relay ? messages[i]->payload : messages[i]->key;
      message.len = relay ? messages[i]->len : messages[i]->key_len;
      if (model) message.payload = const_cast<char*>(values[i].data());
      if (model) message.len = values[i].size();
      good += model && values[i].empty() ? 0 : 1;
    }
    failed += count - static_cast<std::size_t>(good);
    records += count;
    failed += static_cast<std::size_t>(good - rd_kafka_produce_batch(out, RD_KAFKA_PARTITION_UA,
                                                                     RD_KAFKA_MSG_F_COPY,
                                                                     made.data(), good));
    for (std::size_t i = 0; i < count; ++i) rd_kafka_message_destroy(messages[i]);
  }
  rd_kafka_flush(producer, 60'000);
  rd_kafka_queue_destroy(queue);
  rd_kafka_consumer_close(consumer);
  rd_kafka_destroy(consumer);
  rd_kafka_topic_destroy(out);
  rd_kafka_destroy(producer);
  fmt::print("{{\"records\": {}, \"failed\": {}, \"undelivered\": {}}}\n", records, failed,
             undelivered);
  return failed + undelivered == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"What one writes without kaspar"};
  app.add_option("WORK", options.work)
      ->required()
      ->check(CLI::IsMember({"forward", "relay", "onnx"}));
  app.add_option("--brokers", options.brokers)->required();
  app.add_option("--in", options.in)->required();
  app.add_option("--out", options.out)->required();
  app.add_option("--group", options.group)->required();
  app.add_option("--partitions", options.partitions, "of the input");
  app.add_option("--linger", options.linger, "ms");
  app.add_option("--library", options.library, "libonnxruntime.so");
  app.add_option("--model", options.model);
  app.add_option("--mean", options.mean);
  app.add_option("--std", options.std);
  app.add_option("--labels", options.labels, "of the classes")->delimiter(',');
  app.add_flag("--steps", options.steps, "the model takes [rows, 60, 1]");
  app.add_flag("--until-end", options.until_end);
  CLI11_PARSE(app, argc, argv);
  struct sigaction stop{};
  stop.sa_handler = [](int) { stopped = true; };
  ::sigaction(SIGTERM, &stop, nullptr);
  if (options.work != "onnx") return work(options, std::nullopt);
  auto session = OnnxSession::open(options.library, options.model);
  if (!session) return fmt::print(stderr, "{}\n", session.error()), 77;
  return work(options, Model{options, std::move(*session)});
}

// Fills a topic, or sends records at a rate and measures when what comes of them arrives in another
// topic.
//
// Records are the lines of a file, over and over; keys count up, in ten digits. A latency counts
// from the moment when its record was due, so that a sender that is held up makes no latency look
// better.
#include <fmt/format.h>
#include <rdkafka.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::duration_cast;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

struct Options {
  std::string brokers, in, out, file;
  int partitions = 1;
  std::size_t count = 0;
  double rate = 1000;
  int seconds = 5;
  int warm_seconds = 1;
};

[[noreturn]] void give_up(std::string_view why) {
  fmt::print(stderr, "{}\n", why);
  std::exit(3);
}

std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  if (lines.empty()) give_up(path + " has no lines");
  return lines;
}

using Properties = std::vector<std::pair<std::string, std::string>>;

class Sender {
 public:
  Sender(const Options& options, const std::string& linger) : lines_(lines_of(options.file)) {
    std::array<char, 512> error{};
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    for (const auto& [name, value] : Properties{{"bootstrap.servers", options.brokers},
                                                {"partitioner", "murmur2_random"},
                                                {"linger.ms", linger},
                                                {"queue.buffering.max.messages", "100000"}}) {
      if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), error.data(), error.size()) !=
          RD_KAFKA_CONF_OK) {
        give_up(error.data());
      }
    }
    rd_kafka_conf_set_dr_msg_cb(conf, [](rd_kafka_t*, const rd_kafka_message_t* message, void*) {
      if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) give_up(rd_kafka_err2str(message->err));
    });
    client_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error.data(), error.size());
    if (client_ == nullptr) give_up(error.data());
    topic_ = rd_kafka_topic_new(client_, options.in.c_str(), nullptr);
  }
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;
  ~Sender() {
    rd_kafka_topic_destroy(topic_);
    rd_kafka_destroy(client_);
  }

  void send(std::size_t number) {
    std::string& line = lines_[number % lines_.size()];
    const std::string key = fmt::format("{:010}", number);
    while (rd_kafka_produce(topic_, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, line.data(),
                            line.size(), key.data(), key.size(), nullptr) != 0) {
      if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL)
        give_up(rd_kafka_err2str(rd_kafka_last_error()));
      rd_kafka_poll(client_, 10);
    }
    rd_kafka_poll(client_, 0);
  }
  void flush() {
    if (rd_kafka_flush(client_, 60'000) != RD_KAFKA_RESP_ERR_NO_ERROR)
      give_up("records were not delivered");
  }

 private:
  std::vector<std::string> lines_;
  rd_kafka_t* client_ = nullptr;
  rd_kafka_topic_t* topic_ = nullptr;
};

/// Reads the outputs from where they end now; numbers come from the keys.
class Receiver {
 public:
  explicit Receiver(const Options& options) {
    std::array<char, 512> error{};
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    for (const auto& [name, value] :
         Properties{{"bootstrap.servers", options.brokers}, {"group.id", "bench-latency"}}) {
      rd_kafka_conf_set(conf, name.c_str(), value.c_str(), error.data(), error.size());
    }
    client_ = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error.data(), error.size());
    if (client_ == nullptr) give_up(error.data());
    rd_kafka_poll_set_consumer(client_);
    rd_kafka_topic_partition_list_t* const list =
        rd_kafka_topic_partition_list_new(options.partitions);
    for (int p = 0; p < options.partitions; ++p) {
      std::int64_t low = 0;
      std::int64_t high = 0;
      // A topic that was just made takes a while to have leaders.
      const auto deadline = Clock::now() + seconds{10};
      while (rd_kafka_query_watermark_offsets(client_, options.out.c_str(), p, &low, &high,
                                              10'000) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (Clock::now() > deadline) give_up("the output topic's end is not known");
        std::this_thread::sleep_for(milliseconds{50});
      }
      rd_kafka_topic_partition_list_add(list, options.out.c_str(), p)->offset = high;
    }
    rd_kafka_assign(client_, list);
    rd_kafka_topic_partition_list_destroy(list);
  }
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;
  ~Receiver() {
    rd_kafka_consumer_close(client_);
    rd_kafka_destroy(client_);
  }

  /// Calls arrived(number) for the next one, if one comes in time.
  template <class Arrived>
  bool next(int wait, const Arrived& arrived) {
    rd_kafka_message_t* const message = rd_kafka_consumer_poll(client_, wait);
    if (message == nullptr) return false;
    const bool good = message->err == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (good) {
      const auto* const key = static_cast<const char*>(message->key);
      std::size_t number = 0;
      std::from_chars(key, key + message->key_len, number);
      arrived(number);
    }
    rd_kafka_message_destroy(message);
    return good;
  }

 private:
  rd_kafka_t* client_ = nullptr;
};

int fill(const Options& options) {
  Sender sender(options, "20");
  for (std::size_t i = 0; i < options.count; ++i) sender.send(i);
  sender.flush();
  return 0;
}

constexpr std::size_t probes = 1'000'000'000;  // numbers from here on are probes

int latency(const Options& options) {
  Receiver receiver(options);
  Sender sender(options, "0");
  bool serving = false;
  for (std::size_t probe = 0; !serving; ++probe) {
    if (probe == 600) give_up("nothing comes out");
    sender.send(probes + probe);
    const auto until = Clock::now() + milliseconds{100};
    while (Clock::now() < until) {
      receiver.next(10, [&](std::size_t) { serving = true; });
    }
  }
  const auto total =
      static_cast<std::size_t>(options.rate * (options.warm_seconds + options.seconds));
  const auto cold = static_cast<std::size_t>(options.rate * options.warm_seconds);
  const Clock::time_point begun = Clock::now() + milliseconds{10};
  const auto due = [&](std::size_t number) {
    return begun + duration_cast<Clock::duration>(
                       std::chrono::duration<double>(static_cast<double>(number) / options.rate));
  };
  std::thread sending([&] {
    for (std::size_t i = 0; i < total; ++i) {
      std::this_thread::sleep_until(due(i));
      sender.send(i);
    }
    sender.flush();
  });
  std::vector<double> latencies;
  latencies.reserve(total);
  std::size_t seen = 0;
  while (seen < total && Clock::now() < due(total) + seconds{10}) {
    receiver.next(100, [&](std::size_t number) {
      if (number >= total) return;
      ++seen;
      if (number < cold) return;
      const auto took = duration_cast<std::chrono::nanoseconds>(Clock::now() - due(number));
      latencies.push_back(static_cast<double>(took.count()) / 1e6);
    });
  }
  sending.join();
  if (latencies.empty()) give_up("nothing came out in time");
  std::ranges::sort(latencies);
  const auto at = [&](double share) {
    return latencies[std::min(
        latencies.size() - 1,
        static_cast<std::size_t>(share * static_cast<double>(latencies.size())))];
  };
  fmt::print(
      "{{\"records\": {}, \"missing\": {}, \"median\": {:.3f}, \"p90\": {:.3f}, \"p99\": {:.3f}, "
      "\"most\": {:.3f}}}\n",
      seen, total - seen, at(0.5), at(0.9), at(0.99), latencies.back());
  return seen == total ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"Load for measuring"};
  app.require_subcommand(1);
  CLI::App* const filling = app.add_subcommand("fill", "as fast as it goes");
  CLI::App* const measuring = app.add_subcommand("latency", "at a rate; prints percentiles in ms");
  for (CLI::App* command : {filling, measuring}) {
    command->add_option("--brokers", options.brokers)->required();
    command->add_option("--in", options.in)->required();
    command->add_option("--rows", options.file)->required();
  }
  filling->add_option("--count", options.count)->required();
  measuring->add_option("--out", options.out)->required();
  measuring->add_option("--partitions", options.partitions, "of the output");
  measuring->add_option("--rate", options.rate, "records a second");
  measuring->add_option("--seconds", options.seconds);
  measuring->add_option("--warm-seconds", options.warm_seconds);
  CLI11_PARSE(app, argc, argv);
  return filling->parsed() ? fill(options) : latency(options);
}

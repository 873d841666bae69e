// Random plans against a reference that takes one record after the other through all chains.
#include <algorithm>
#include <array>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "runtime/engine/graph_stages.hpp"
#include "runtime/engine/memory_fixture.hpp"
#include "test/unit/catch.hpp"

using namespace kaspar;
using namespace kaspar::engine;
using namespace kaspar::engine::test;
using namespace std::chrono_literals;

namespace {

using Values = std::vector<std::string>;
using Action = ErrorPolicy::Action;

constexpr std::size_t sinks = 4;
constexpr std::size_t best_effort_sinks = 2;  // the first ones, where there are any
constexpr std::size_t most_paths = 64;

class PlanMaker {
 public:
  explicit PlanMaker(std::uint64_t seed) : random_(seed) {}

  std::size_t sources = 0;
  std::vector<Link> links;

  void make(bool best_effort) {
    sources = up_to(2);
    const std::size_t chains = 1 + up_to(9);
    for (std::size_t i = 0; i < chains; ++i) add_link(i, i + 1 == chains);
    for (std::size_t i = 0; i < chains; ++i) {
      if (!read_[i] && links[i].arms == 0) links[i].sink = up_to(sinks) - 1;
    }
    if (best_effort) mark_best_effort();
  }

  std::vector<std::vector<std::vector<std::string>>> records() {
    std::vector<std::vector<std::vector<std::string>>> out(sources);
    for (std::size_t s = 0; s < sources; ++s) {
      std::size_t offset = 0;
      out[s].resize(up_to(30));
      for (auto& batch : out[s]) {
        for (std::size_t n = up_to(12); n > 0; --n) {
          batch.push_back("s" + std::to_string(s) + ":" + std::to_string(offset++));
        }
      }
    }
    return out;
  }

 private:
  /// 1 to `most`.
  std::size_t up_to(std::size_t most) {
    return std::uniform_int_distribution<std::size_t>(1, most)(random_);
  }

  void add_link(std::size_t index, bool last) {
    Link link{.name = std::string(1, static_cast<char>('a' + index))};
    std::size_t paths = 0;
    for (std::size_t n = up_to(4) == 1 ? 1 + up_to(2) : 1; n > 0; --n) {
      const std::size_t pick = up_to(index + 2) - 1;
      if (pick >= index || paths + paths_[pick] > most_paths) {
        link.inputs.push_back(from_source(up_to(sources) - 1));
        ++paths;
        continue;
      }
      const std::uint64_t arms = links[pick].arms;
      link.inputs.push_back(arms == 0 ? from_chain(pick) : from_chain(pick, up_to(arms) - 1));
      paths += paths_[pick];
      read_[pick] = true;
    }
    link.rule = {.seed = random_(),
                 .fails = up_to(3) == 1 ? 3 + up_to(5) : 0,
                 .skips = up_to(3) == 1 ? 1 + up_to(5) : 0};
    link.rule.seed >>= 8;
    if (!last && up_to(3) == 1) link.arms = up_to(4);
    if (up_to(2) == 1) {
      link.on_error = {.action = Action::Sink, .sink = best_effort_sinks + up_to(2) - 1};
    }
    links.push_back(std::move(link));
    paths_.push_back(paths);
    read_.push_back(false);
  }

  // As the compiler does it.
  void mark_best_effort() {
    std::vector<bool> lives(links.size(), false);
    for (std::size_t i = links.size(); i-- > 0;) {
      if (links[i].sink && *links[i].sink >= best_effort_sinks) lives[i] = true;
      links[i].best_effort = !lives[i];
      for (const ChainInput& input : links[i].inputs) {
        if (!input.source && lives[i]) lives[input.chain] = true;
      }
    }
    for (Link& link : links) {
      if (!link.best_effort) continue;
      const bool below_fork = std::ranges::any_of(link.inputs, [&](const ChainInput& input) {
        if (!input.source) return !links[input.chain].best_effort;
        return std::ranges::any_of(links, [&](const Link& other) {
          return !other.best_effort &&
                 std::ranges::any_of(other.inputs, [&](const ChainInput& beside) {
                   return beside.source == input.source;
                 });
        });
      });
      if (below_fork) link.queue_rows = 1'000'000;
    }
  }

  std::mt19937_64 random_;
  std::vector<std::size_t> paths_;
  std::vector<bool> read_;
};

struct Reference {
  std::vector<std::vector<Values>> written;  // by sink and source; a dead letter has "!" in front
  std::size_t dropped = 0;
  std::size_t best_effort_failed = 0;

  Reference(const std::vector<Link>& links, std::size_t sources)
      : written(sinks, std::vector<Values>(sources)) {
    links_ = &links;
  }

  void take(std::size_t source, std::int64_t offset, const std::string& value) {
    std::vector<Values> trails;  // by chain, then path
    for (const Link& link : *links_) {
      Values& mine = trails.emplace_back();
      const bool raw = std::ranges::any_of(
          link.inputs, [](const ChainInput& input) { return input.source.has_value(); });
      for (const ChainInput& input : link.inputs) {
        Values before;
        if (input.source) {
          if (*input.source == source) before = {value};
        } else {
          const Link& parent = (*links_)[input.chain];
          const bool passes = !input.arm || arm_of(offset, parent.rule.seed + 2, parent.arms) ==
                                                static_cast<std::int64_t>(*input.arm);
          if (passes) before = trails[input.chain];
        }
        for (const std::string& trail : before) {
          run(link, source, offset, value, raw ? value : trail, mine);
        }
      }
    }
  }

 private:
  void run(const Link& link, std::size_t source, std::int64_t offset, const std::string& value,
           const std::string& trail, Values& ended) {
    if (link.rule.fail(offset)) {
      if (link.best_effort) {
        ++best_effort_failed;
      } else if (link.on_error.action == Action::Drop) {
        ++dropped;
      } else {
        written[link.on_error.sink][source].push_back("!" + value);
      }
      return;
    }
    if (link.rule.skip(offset)) return;
    ended.push_back(trail + "/" + link.name);
    if (link.sink) written[*link.sink][source].push_back(ended.back());
  }

  const std::vector<Link>* links_;
};

Values of_source(const SinkScript& sink, std::size_t source) {
  Values out;
  for (const Written& record : sink.delivered) {
    if (record.value[1] != static_cast<char>('0' + source)) continue;
    out.push_back((record.code ? "!" : "") + record.value);
  }
  return out;
}

enum class Mode { Live, Lossless, Queued };

void check(std::uint64_t seed, Mode mode) {
  PlanMaker maker(seed);
  maker.make(mode != Mode::Live);
  const auto records = maker.records();
  Reference reference(maker.links, maker.sources);
  for (std::size_t source = 0; source < maker.sources; ++source) {
    std::int64_t offset = 0;
    for (const std::string& value : flattened(records[source])) {
      reference.take(source, offset++, value);
    }
  }
  for (const std::size_t threads : {1u, 2u}) {
    for (const bool fuse : {true, false}) {
      Fixture f(sinks, make_links(maker.links), maker.sources);
      f.settings.threads = threads;
      f.settings.fuse = fuse;
      f.settings.lossless_best_effort = mode == Mode::Lossless;
      f.settings.best_effort_grace = 60s;
      for (std::size_t i = 0; i < maker.sources; ++i) f.sources[i]->batches = records[i];
      for (std::size_t i = 0; i < sinks; ++i) {
        f.sinks[i]->delivery =
            std::array{SinkScript::Delivery::AtOnce, SinkScript::Delivery::Later,
                       SinkScript::Delivery::Copied, SinkScript::Delivery::Served}[(i + seed) % 4];
      }
      auto engine = f.open();
      const RunReport report = engine->run();
      engine.reset();
      INFO("seed " << seed << ", threads " << threads << ", fuse " << fuse);
      REQUIRE(report.status == ExitStatus::Fine);
      REQUIRE(report.batches_held == 0);
      REQUIRE(report.bytes_held == 0);
      REQUIRE(report.dropped == reference.dropped);
      REQUIRE(report.best_effort_failed == reference.best_effort_failed);
      REQUIRE(report.best_effort_dropped == 0);
      for (std::size_t source = 0; source < maker.sources; ++source) {
        const bool is_read = std::ranges::any_of(maker.links, [&](const Link& link) {
          return std::ranges::any_of(
              link.inputs, [&](const ChainInput& input) { return input.source == source; });
        });
        REQUIRE(std::ranges::count(f.sources[source]->acknowledged, is_read ? 1 : 0) ==
                std::ssize(records[source]));
        for (std::size_t sink = 0; sink < sinks; ++sink) {
          Values got = of_source(*f.sinks[sink], source);
          Values wanted = reference.written[sink][source];
          if (mode == Mode::Queued && sink < best_effort_sinks) {
            // What comes to one sink by a queue and also without one has no common order.
            std::ranges::sort(got);
            std::ranges::sort(wanted);
          }
          REQUIRE(got == wanted);
        }
      }
    }
  }
}

}  // namespace

TEST_CASE("random graphs write what the reference writes, in its order") {
  for (std::uint64_t seed = 0; seed < 300; ++seed) check(seed, Mode::Live);
}

TEST_CASE("random graphs with best-effort branches that may not lose anything") {
  for (std::uint64_t seed = 0; seed < 150; ++seed) check(seed, Mode::Lossless);
}

TEST_CASE("random graphs with best-effort branches that have queues") {
  for (std::uint64_t seed = 0; seed < 150; ++seed) check(seed, Mode::Queued);
}

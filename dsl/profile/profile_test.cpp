#include "dsl/profile/profile.hpp"

#include <memory>
#include <string>

#include "test/unit/catch.hpp"

using namespace kaspar;

namespace {

std::vector<SettingIssue> refuse_some(const KafkaSettings& settings) {
  std::vector<SettingIssue> issues;
  for (const auto& [name, value] : settings.options) {
    if (name == "linger.mss") issues.push_back({.option = name, .unknown = true});
    if (name == "acks")
      issues.push_back(
          {.option = name, .forbidden = true, .message = "`acks` is ours", .help = "leave it out"});
  }
  return issues;
}

std::vector<std::string> names() { return {"linger.ms", "client.id"}; }

struct Read {
  explicit Read(const std::string& text) {
    NodeRegistry registry;
    registry.add(NodeDescriptor{.role = NodeRole::Source,
                                .name = "kafka",
                                .check_settings = refuse_some,
                                .setting_names = names});
    const dsl::Environment environment = [](const std::string& name) -> std::optional<std::string> {
      if (name == "PASSWORD") return "hunter2";
      return std::nullopt;
    };
    profile = dsl::read_profile(std::make_shared<const dsl::SourceBuffer>("kaspar.toml", text), {},
                                registry, environment, diagnostics);
    diagnostics.sort();
    printed = dsl::render_human(diagnostics, false);
  }

  /// "K0702 2:5", or what there is.
  std::string first() {
    if (diagnostics.entries().empty()) return "none";
    const dsl::Diagnostic& entry = diagnostics.entries().front();
    const dsl::Position place = entry.source->position(entry.span.begin);
    return std::string{name_of(entry.code)} + " " + std::to_string(place.line) + ":" +
           std::to_string(place.column);
  }

  dsl::Diagnostics diagnostics;
  dsl::Profile profile;
  std::string printed;
};

}  // namespace

TEST_CASE("every section of a profile is read") {
  Read read(R"(
[kafka]
brokers = ["a:9092", "b:9092"]
connect_timeout = "3s"
[kafka.options]
"linger.ms" = 5
sasl.password = { env = "PASSWORD" }
security.protocol = "SASL_SSL"
[clusters.west]
brokers = "w:9092"
[clusters.west.options]
client.id = "x"
[run]
threads = 2
memory_budget = "64MiB"
commit_interval = "250ms"
shutdown_deadline = "1m"
mode = "latency"
instance = "pod-1"
[http]
listen = "0.0.0.0:9000"
probes = "0.0.0.0:9001"
enabled = false
tap = true
[params]
threshold = 5
name = "x"
ratio = 0.5
live = true
since = 2026-01-01T00:00:00Z
token = { env = "PASSWORD" }
)");
  INFO(read.printed);
  REQUIRE(read.diagnostics.entries().empty());
  const RunSettings& settings = read.profile.settings;
  CHECK(settings.kafka.brokers == "a:9092,b:9092");
  CHECK(settings.kafka.connect_timeout == std::chrono::seconds{3});
  CHECK(settings.kafka.options.at("linger.ms") == "5");
  CHECK(settings.kafka.options.at("sasl.password") == "hunter2");
  CHECK(settings.kafka.options.at("security.protocol") == "SASL_SSL");
  CHECK(settings.clusters.at("west").brokers == "w:9092");
  CHECK(settings.clusters.at("west").connect_timeout == std::chrono::seconds{3});
  CHECK(settings.clusters.at("west").options.at("client.id") == "x");
  CHECK(settings.threads == 2);
  CHECK(settings.memory_budget == 64u << 20);
  CHECK(settings.commit_interval == std::chrono::milliseconds{250});
  CHECK(settings.shutdown_deadline == std::chrono::minutes{1});
  CHECK(settings.mode == RunMode::Latency);
  CHECK(settings.instance == "pod-1");
  CHECK(settings.http.listen == "0.0.0.0:9000");
  CHECK(settings.http.listen_given);
  CHECK(settings.http.probes == "0.0.0.0:9001");
  CHECK_FALSE(settings.http.enabled);
  CHECK(read.profile.tap);
  REQUIRE(read.profile.params.size() == 6);
}

TEST_CASE("what is wrong is told at its place, once") {
  CHECK(Read("[kafak]\n").first() == "K0702 1:2");
  CHECK(Read("[kafka]\nbroker = \"a:1\"\n").first() == "K0702 2:1");
  CHECK(Read("[kafka]\nbrokers = 5\n").first() == "K0702 2:11");
  CHECK(Read("kafka = 1\n").first() == "K0702 1:9");
  CHECK(Read("[kafka.options]\nlinger.mss = 1\n").first() == "K0702 2:1");
  CHECK(Read("[kafka.options]\n\"linger.mss\" = 1\n").first() == "K0702 2:1");
  CHECK(Read("[kafka.options]\nacks = 1\n").first() == "K0702 2:1");
  CHECK(Read("[kafka.options]\nclient.id = [1]\n").first() == "K0702 2:13");
  CHECK(Read("[run]\nthreads = -1\n").first() == "K0702 2:11");
  CHECK(Read("[run]\nmemory_budget = \"1MiB\"\n").first() == "K0702 2:17");
  CHECK(Read("[run]\nmemory_budget = \"64 MiB\"\n").first() == "K0702 2:17");
  CHECK(Read("[run]\ncommit_interval = 5\n").first() == "K0702 2:19");
  CHECK(Read("[run]\nmode = \"fast\"\n").first() == "K0702 2:8");
  CHECK(Read("[http]\nlisten = \"8080\"\n").first() == "K0702 2:10");
  CHECK(Read("[http]\nlisten = \"h:99999\"\n").first() == "K0702 2:10");
  CHECK(Read("[http]\nenabled = \"yes\"\n").first() == "K0702 2:11");
  CHECK(Read("[clusters.west]\n").first() == "K0702 1:11");
  CHECK(Read("[kafka\n").first().substr(0, 5) == "K0702");
  CHECK(Read("a = 1\na = 2\n").first().substr(0, 5) == "K0702");
  CHECK(Read("§ = 1\n").first() == "K0702 1:1");
  CHECK(Read("# ü\n\"ü\" = 1\n").first() == "K0702 2:1");
  Read several("[kafka]\nbroker = 1\n[run]\nthread = 1\nmode = 3\n");
  CHECK(several.diagnostics.errors() == 3);
  CHECK(several.printed.find("did you mean `threads`?") != std::string::npos);
  CHECK(several.printed.find("did you mean `brokers`?") != std::string::npos);
}

TEST_CASE("secrets are not written out, and never shown") {
  Read plain("[kafka.options]\nsasl.password = \"swordfish\"\nssl.key.password = \"swordfish\"\n");
  CHECK(plain.first() == "K0703 2:17");
  CHECK(plain.diagnostics.errors() == 2);
  CHECK(plain.printed.find("swordfish") == std::string::npos);
  CHECK(dsl::render_json(plain.diagnostics).find("swordfish") == std::string::npos);
  CHECK(Read("[kafka.options]\nsasl.password = { env = \"UNSET\" }\n").first() == "K0704 2:25");
  CHECK(Read("[kafka.options]\nsasl.password = { file = \"/no/such\" }\n").first() == "K0702 2:26");
  CHECK(Read("[kafka.options]\nsasl.password = { env = \"PASSWORD\", file = \"x\" }\n").first() ==
        "K0702 2:17");
}

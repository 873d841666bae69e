#include "runtime/cli/deployed_profile.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <utility>

#include <toml++/toml.h>

#include "runtime/cli/setting_list.hpp"
#include "runtime/cli/yaml_text.hpp"
#include "runtime/core/value_text.hpp"

namespace kaspar::cli {
namespace {

constexpr std::string_view local_brokers =
    "kafka-0.kafka:9092,kafka-1.kafka:9092,kafka-2.kafka:9092";
constexpr std::string_view example_brokers =
    "kafka-1.example.com:9093,kafka-2.example.com:9093,kafka-3.example.com:9093";
constexpr unsigned default_page = 8080;
constexpr unsigned default_probes = 8081;

std::unexpected<Failure> refuse(std::string message, std::string help) {
  return std::unexpected(
      Failure{.status = ExitStatus::Usage, .message = std::move(message), .help = std::move(help)});
}

unsigned port_of(std::string_view address) {
  return static_cast<unsigned>(std::stoul(std::string{address.substr(address.rfind(':') + 1)}));
}

bool on_loopback(std::string_view address) {
  return address.starts_with("127.") || address.starts_with("localhost:") ||
         address.starts_with("[::1]");
}

std::string http_section(unsigned page, unsigned probes) {
  return fmt::format(
      "[http]\nlisten = \"0.0.0.0:{}\"  # the pod's address, for its Service\nprobes = "
      "\"0.0.0.0:{}\"\n",
      page, probes);
}

/// With what has meaning for every cluster of machines: [run] and [params].
std::string local_profile(const LoadedSettings& loaded, const Deployment& deployment) {
  std::string text =
      fmt::format("# The brokers of kafka.yaml.\n[kafka]\nbrokers = \"{}\"\n\n", local_brokers) +
      http_section(deployment.page_port, deployment.probe_port);
  toml::table more;
  if (!loaded.settings.clusters.empty()) {
    toml::table clusters;
    for (const auto& [name, cluster] : loaded.settings.clusters) {
      clusters.insert_or_assign(name, toml::table{{"brokers", local_brokers}});
    }
    more.insert_or_assign("clusters", std::move(clusters));
  }
  const toml::table whole = toml::parse(deployment.profile);
  for (const std::string_view section : {"run", "params"}) {
    if (const auto found = whole.find(section); found != whole.end()) {
      more.insert_or_assign(section, found->second);
    }
  }
  if (more.empty()) return text;
  std::ostringstream printed;
  printed << '\n' << more << '\n';
  return text + printed.str();
}

std::string example_profile(const Deployment& deployment) {
  return fmt::format(R"([kafka]
brokers = "{0}"

[kafka.options]
"security.protocol" = "SASL_SSL"
"sasl.mechanism" = "SCRAM-SHA-512"
"sasl.username" = {{ file = "{1}/username" }}
"sasl.password" = {{ file = "{1}/password" }}
"ssl.ca.location" = "{1}/ca.crt"
# With the component `fixed-size` a pod that comes back within the session's time gets its partitions again without
# a rebalance. Never with `autoscaling`: a pod that is gone keeps its partitions until its session ends.
# "group.instance.id" = {{ env = "KASPAR_INSTANCE" }}

)",
                     example_brokers, secrets_folder) +
         http_section(deployment.page_port, deployment.probe_port);
}

/// How KEDA names what librdkafka is told.
void take_security(const KafkaSettings& kafka, Deployment& deployment) {
  const auto option = [&](const char* name) {
    const auto found = kafka.options.find(name);
    std::string text = found == kafka.options.end() ? std::string{} : found->second;
    std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::toupper(c); });
    return text;
  };
  const std::string protocol = option("security.protocol");
  std::string mechanism = option("sasl.mechanism");
  if (mechanism.empty()) mechanism = option("sasl.mechanisms");
  static const std::map<std::string, std::string> names{{"PLAIN", "plaintext"},
                                                        {"SCRAM-SHA-256", "scram_sha256"},
                                                        {"SCRAM-SHA-512", "scram_sha512"},
                                                        {"GSSAPI", "gssapi"},
                                                        {"OAUTHBEARER", "oauthbearer"}};
  const auto name = names.find(mechanism);
  deployment.sasl = protocol.starts_with("SASL") && name != names.end() ? name->second : "none";
  deployment.tls = protocol.ends_with("SSL") ? "enable" : "disable";
}

std::expected<void, Failure> take_http(const LoadedSettings& loaded, Deployment& deployment) {
  const HttpSettings& http = loaded.settings.http;
  const bool says_something = loaded.origins.contains("http.listen") ||
                              loaded.origins.contains("http.probes") ||
                              loaded.origins.contains("http.enabled");
  deployment.page_port = default_page;
  deployment.probe_port = default_probes;
  if (!says_something) {
    deployment.profile += (deployment.profile.ends_with('\n') ? "\n" : "\n\n") +
                          http_section(default_page, default_probes);
    return {};
  }
  const std::string help =
      fmt::format("below `[http]` say `listen = \"0.0.0.0:{}\"` and `probes = \"0.0.0.0:{}\"`",
                  default_page, default_probes);
  if (!http.enabled)
    return refuse("the profile turns `[http]` off, which pods are probed by", help);
  if (http.probes.empty() || on_loopback(http.probes)) {
    return refuse("the profile's `[http]` has no `probes` that a cluster could reach", help);
  }
  if (!http.listen_given || on_loopback(http.listen)) {
    return refuse("the profile's `[http]` has no `listen` that a Service could reach", help);
  }
  deployment.page_port = port_of(http.listen);
  deployment.probe_port = port_of(http.probes);
  if (deployment.page_port == 0 || deployment.probe_port == 0) {
    return refuse("the profile's `[http]` leaves a port open, which a Service must know", help);
  }
  return {};
}

/// Finds the `{ env = "…" }` and `{ file = "…" }` of a profile, which `check` accepted.
class ReferenceFinder {
 public:
  explicit ReferenceFinder(Deployment& deployment) : deployment_(deployment) {}

  std::expected<void, Failure> look(const std::string& name, const toml::node& node) {
    const auto* table = node.as_table();
    if (table == nullptr) return {};
    if (table->is_inline() && table->size() == 1) {
      if (const auto* variable = table->get_as<std::string>("env")) return take(variable->get());
      if (const auto* path = table->get_as<std::string>("file")) return judge(name, path->get());
    }
    for (const auto& [key, value] : *table) {
      if (auto looked = look(std::string{key.str()}, value); !looked) return looked;
    }
    return {};
  }

 private:
  std::expected<void, Failure> take(const std::string& variable) {
    const bool name = !variable.empty() && (variable[0] < '0' || variable[0] > '9') &&
                      std::ranges::all_of(variable, [](char c) {
                        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                               (c >= '0' && c <= '9') || c == '_';
                      });
    if (!name) {
      return refuse(fmt::format("`{}` is no name of a variable", variable),
                    "a Secret's keys are letters, digits and `_`");
    }
    auto& variables = deployment_.variables;
    const bool of_every_pod = variable == "KASPAR_INSTANCE";
    if (!of_every_pod && std::ranges::find(variables, variable) == variables.end()) {
      variables.push_back(variable);
    }
    return {};
  }

  static std::expected<void, Failure> judge(const std::string& name, const std::string& path) {
    if (path.starts_with(fmt::format("{}/", secrets_folder))) return {};
    return refuse(fmt::format("`{}` is in the file `{}`, which pods do not have", name, path),
                  fmt::format("they have their Secret's keys as files in `{}`", secrets_folder));
  }

  Deployment& deployment_;
};

}  // namespace

std::expected<void, Failure> take_profile(const LoadedSettings& loaded, Deployment& deployment) {
  if (!is_utf8(loaded.settings.kafka.brokers) || !std::ranges::all_of(deployment.params, is_utf8)) {
    return refuse("the command line is no UTF-8", "");
  }
  const bool given = !loaded.profile.empty();
  const auto brokers = loaded.origins.find("kafka.brokers");
  if (given && brokers != loaded.origins.end() && brokers->second.text == "command line") {
    return refuse(fmt::format("`--brokers` and the profile `{}` are given", loaded.profile),
                  "say `brokers` in the profile, which pods get");
  }
  if (given) {
    std::ifstream file(loaded.profile, std::ios::binary);
    deployment.profile.assign(std::istreambuf_iterator<char>(file), {});
    if (!file) return refuse(fmt::format("cannot read `{}`", loaded.profile), "");
    deployment.brokers = loaded.settings.kafka.brokers;
  } else {
    deployment.brokers = brokers != loaded.origins.end() ? loaded.settings.kafka.brokers
                                                         : std::string{local_brokers};
    deployment.profile = fmt::format("[kafka]\nbrokers = {}\n", yaml_quoted(deployment.brokers));
  }
  if (auto taken = take_http(loaded, deployment); !taken) return taken;
  ReferenceFinder finder(deployment);
  if (auto found = finder.look("profile", toml::parse(deployment.profile)); !found) return found;
  const RunSettings& run = loaded.settings;
  if (run.memory_budget > deployment.memory) {
    return refuse(fmt::format("the profile's `memory_budget`, {}, is more than a pod has, {}",
                              size_text(run.memory_budget), size_text(deployment.memory)),
                  "leave it out, for half of the pod's memory, or give `--memory` more");
  }
  // SIGTERM drains within the deadline; the rest is for closing, and for the container to end.
  constexpr std::size_t margin = 10;
  deployment.grace =
      static_cast<std::size_t>((run.shutdown_deadline.count() + 999) / 1000) + margin;
  deployment.local_profile = local_profile(loaded, deployment);
  const bool own_brokers = given || brokers != loaded.origins.end();
  deployment.production_profile = own_brokers ? deployment.profile : example_profile(deployment);
  deployment.production_brokers = own_brokers ? deployment.brokers : std::string{example_brokers};
  if (own_brokers) {
    take_security(run.kafka, deployment);
  } else {
    deployment.sasl = "scram_sha512";
    deployment.tls = "enable";
  }
  return {};
}

}  // namespace kaspar::cli

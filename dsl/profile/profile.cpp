#include "dsl/profile/profile.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "dsl/lex/secrets.hpp"
#include "dsl/profile/profile_document.hpp"
#include "dsl/profile/setting_value.hpp"

namespace kaspar::dsl {
namespace {

const std::vector<std::string_view> sections{"kafka", "clusters", "run", "http", "params"};

class ProfileReader {
 public:
  ProfileReader(std::shared_ptr<const SourceBuffer> source, RunSettings settings,
                const NodeRegistry& registry, const Environment& environment, References references,
                Diagnostics& diagnostics)
      : document_(std::move(source), diagnostics),
        registry_(registry),
        environment_(environment),
        references_(references) {
    profile_.settings = std::move(settings);
  }

  Profile run() {
    const toml::table root = document_.parse();
    // The other clusters take from [kafka] what they leave out: it is read first.
    const auto main = root.find("kafka");
    if (main != root.end()) read(main->first, main->second);
    for (const auto& [key, value] : root) {
      if (key.str() != "kafka") read(key, value);
    }
    return std::move(profile_);
  }

 private:
  struct Place {
    Span key;
    Span value;
  };

  void read(const toml::key& key, const toml::node& value) {
    const std::string_view name = key.str();
    if (std::ranges::find(sections, name) == sections.end()) {
      return document_.unknown_key(document_.span_of(key), name, {}, sections);
    }
    const auto* table = section(key, value);
    if (table == nullptr) return;
    if (name == "kafka") kafka(*table, "kafka", profile_.settings.kafka);
    if (name == "clusters") clusters(*table);
    if (name == "run") run_section(*table);
    if (name == "http") http(*table);
    if (name == "params") params(*table);
  }

  const toml::table* section(const toml::key& key, const toml::node& value) {
    if (const auto* table = value.as_table()) return table;
    document_.error(DiagnosticCode::K0702, document_.span_of(value),
                    fmt::format("`{}` is a section", key.str()),
                    fmt::format("write `[{}]` on a line of its own, its keys below", key.str()));
    return nullptr;
  }

  void given(std::string name, const toml::node& value) {
    const SourceBuffer& source = *document_.source();
    GivenSetting setting{.line = source.position(document_.span_of(value).begin).line};
    if (const auto* table = value.as_table()) {
      if (const auto* variable = table->get_as<std::string>("env")) {
        setting.reference = "environment variable " + variable->get();
      } else if (const auto* file = table->get_as<std::string>("file")) {
        setting.reference = "file " + file->get();
      }
    }
    profile_.given.insert_or_assign(std::move(name), std::move(setting));
  }

  void wrong(const toml::key& key, const toml::node& value, std::string_view wanted) {
    document_.error(DiagnosticCode::K0702, document_.span_of(value),
                    fmt::format("`{}` takes {}", key.str(), wanted));
  }

  void take(const toml::key& key, const toml::node& value, std::chrono::milliseconds& into) {
    if (const auto time = read_setting_duration(value)) {
      into = *time;
    } else {
      wrong(key, value, "a duration, such as `\"500ms\"`");
    }
  }

  void take(const toml::key& key, const toml::node& value, bool& into) {
    if (const auto* flag = value.as_boolean()) {
      into = flag->get();
    } else {
      wrong(key, value, "`true` or `false`");
    }
  }

  /// HOST:PORT
  void take_address(const toml::key& key, const toml::node& value, std::string& into) {
    const auto* text = value.as_string();
    const std::size_t colon = text != nullptr ? text->get().rfind(':') : std::string::npos;
    bool fine = colon != std::string::npos && colon + 1 < text->get().size();
    unsigned long port = 0;
    for (std::size_t i = colon + 1; fine && i < text->get().size(); ++i) {
      const char digit = text->get()[i];
      port = port * 10 + static_cast<unsigned long>(digit - '0');
      fine = digit >= '0' && digit <= '9' && port <= 65'535;
    }
    if (!fine) return wrong(key, value, "an address, such as `\"127.0.0.1:8080\"`");
    into = text->get();
  }

  /// `a:9092,b:9092`, or a list of such.
  void take_brokers(const toml::key& key, const toml::node& value, std::string& into) {
    std::string brokers;
    const auto add = [&](const toml::node& one) {
      const auto* text = one.as_string();
      if (text == nullptr || text->get().empty()) return false;
      brokers += (brokers.empty() ? "" : ",") + text->get();
      return true;
    };
    bool fine = true;
    if (const auto* list = value.as_array()) {
      for (const toml::node& one : *list) fine = add(one) && fine;
    } else {
      fine = add(value);
    }
    if (!fine || brokers.empty()) {
      return wrong(key, value, "brokers, such as `\"a:9092,b:9092\"`");
    }
    into = std::move(brokers);
  }

  void kafka(const toml::table& table, const std::string& name, KafkaSettings& settings) {
    for (const auto& [key, value] : table) {
      const std::string_view word = key.str();
      if (word != "options") given(fmt::format("{}.{}", name, word), value);
      if (word == "brokers") {
        take_brokers(key, value, settings.brokers);
      } else if (word == "connect_timeout") {
        take(key, value, settings.connect_timeout);
      } else if (word == "options") {
        if (const auto* options_of = section(key, value)) {
          options(*options_of, name + ".options", settings);
        }
      } else {
        document_.unknown_key(document_.span_of(key), word, name,
                              {"brokers", "connect_timeout", "options"});
      }
    }
  }

  void clusters(const toml::table& table) {
    for (const auto& [key, value] : table) {
      const auto* cluster = section(key, value);
      if (cluster == nullptr) continue;
      const std::string name{key.str()};
      KafkaSettings& settings = profile_.settings.clusters[name];
      settings.connect_timeout = profile_.settings.kafka.connect_timeout;
      kafka(*cluster, "clusters." + name, settings);
      if (cluster->contains("brokers")) continue;
      document_.error(DiagnosticCode::K0702, document_.span_of(key),
                      fmt::format("the cluster `{}` has no brokers", name),
                      "add `brokers = \"HOST:PORT\"` below it");
    }
  }

  /// librdkafka's properties: `"a.b" = …`, or, as TOML reads it, `a.b = …`.
  void options(const toml::table& table, const std::string& section_name, KafkaSettings& settings) {
    std::map<std::string, Place> places;
    collect(table, {}, section_name, settings, places);
    for (const auto& node : registry_.all()) {
      if (node->check_settings == nullptr) continue;
      const std::vector<std::string> names =
          node->setting_names != nullptr ? node->setting_names() : std::vector<std::string>{};
      for (const SettingIssue& issue : node->check_settings(settings)) {
        const auto place = places.find(issue.option);
        if (place == places.end()) continue;
        if (issue.unknown) {
          document_.unknown_key(place->second.key, issue.option, section_name,
                                {names.begin(), names.end()});
        } else {
          document_.error(DiagnosticCode::K0702,
                          issue.forbidden ? place->second.key : place->second.value, issue.message,
                          issue.help);
        }
      }
      break;  // one system, one set of options
    }
  }

  void collect(const toml::table& table, const std::string& prefix, const std::string& section_name,
               KafkaSettings& settings, std::map<std::string, Place>& places) {
    for (const auto& [key, value] : table) {
      const std::string name = prefix + std::string{key.str()};
      const auto* inner = value.as_table();
      const bool reference = inner != nullptr && inner->is_inline() &&
                             (inner->contains("env") || inner->contains("file"));
      if (inner != nullptr && !reference) {
        collect(*inner, name + ".", section_name, settings, places);
        continue;
      }
      given(fmt::format("{}.{}", section_name, name), value);
      places[name] = {whole_key(prefix, document_.span_of(key)), document_.span_of(value)};
      if (auto text = option_text(name, key, value)) settings.options[name] = std::move(*text);
    }
  }

  /// The place of `a.b.c`, whose `c` is known.
  [[nodiscard]] Span whole_key(const std::string& prefix, Span last) const {
    const auto size = static_cast<std::uint32_t>(prefix.size());
    if (last.begin < size) return last;
    const Span before{last.begin - size, last.begin};
    return document_.source()->text(before) == prefix ? Span{before.begin, last.end} : last;
  }

  std::optional<std::string> option_text(const std::string& name, const toml::key& key,
                                         const toml::node& value) {
    if (const auto* table = value.as_table())
      return read_reference(*table, environment_, references_, document_);
    if (is_secret(name)) {
      document_.hide(document_.span_of(value));
      document_.error(
          DiagnosticCode::K0703, document_.span_of(value),
          fmt::format("`{}` is a secret, and is not written out in a file", name),
          fmt::format("write `\"{}\" = {{ env = \"NAME\" }}` or `{{ file = \"…\" }}`", name));
      return std::nullopt;
    }
    if (const auto* text = value.as_string()) return text->get();
    if (const auto* whole = value.as_integer()) return std::to_string(whole->get());
    if (const auto* flag = value.as_boolean()) return flag->get() ? "true" : "false";
    if (const auto* real = value.as_floating_point()) return fmt::format("{}", real->get());
    wrong(key, value, "text, a number, `true` or `false`, or `{ env = \"NAME\" }`");
    return std::nullopt;
  }

  void run_section(const toml::table& table) {
    RunSettings& settings = profile_.settings;
    for (const auto& [key, value] : table) {
      const std::string_view name = key.str();
      given(fmt::format("run.{}", name), value);
      if (name == "threads") {
        const auto* count = value.as_integer();
        if (count == nullptr || count->get() < 0 || count->get() > 1024) {
          wrong(key, value, "a whole number from 0 to 1024; 0 is one for each CPU");
        } else {
          settings.threads = static_cast<std::size_t>(count->get());
        }
      } else if (name == "memory_budget") {
        constexpr std::uint64_t least = 16u << 20;
        const auto bytes = read_setting_size(value);
        if (!bytes || *bytes < least) {
          wrong(key, value, "a size of at least 16 MiB, such as `\"256MiB\"`");
        } else {
          settings.memory_budget = *bytes;
        }
      } else if (name == "commit_interval") {
        take(key, value, settings.commit_interval);
      } else if (name == "shutdown_deadline") {
        take(key, value, settings.shutdown_deadline);
      } else if (name == "mode") {
        mode(key, value);
      } else if (name == "instance") {
        const auto* text = value.as_string();
        if (text == nullptr || text->get().empty()) {
          wrong(key, value, "the name of this process among those of its group");
        } else {
          settings.instance = text->get();
        }
      } else {
        document_.unknown_key(document_.span_of(key), name, "run",
                              {"threads", "memory_budget", "commit_interval", "shutdown_deadline",
                               "mode", "instance"});
      }
    }
  }

  void mode(const toml::key& key, const toml::node& value) {
    const auto text = value.value<std::string>();
    if (text == "latency") {
      profile_.settings.mode = RunMode::Latency;
    } else if (text == "throughput") {
      profile_.settings.mode = RunMode::Throughput;
    } else {
      wrong(key, value, "`\"latency\"` or `\"throughput\"`; without it the run is good at both");
    }
  }

  void http(const toml::table& table) {
    HttpSettings& settings = profile_.settings.http;
    for (const auto& [key, value] : table) {
      const std::string_view name = key.str();
      given(fmt::format("http.{}", name), value);
      if (name == "enabled") {
        take(key, value, settings.enabled);
      } else if (name == "tap") {
        take(key, value, profile_.tap);
      } else if (name == "listen") {
        take_address(key, value, settings.listen);
        settings.listen_given = true;
      } else if (name == "probes") {
        take_address(key, value, settings.probes);
      } else {
        document_.unknown_key(document_.span_of(key), name, "http",
                              {"listen", "probes", "enabled", "tap"});
      }
    }
  }

  void params(const toml::table& table) {
    for (const auto& [key, value] : table) {
      OutsideValue param{.name = std::string{key.str()},
                         .source = document_.source(),
                         .name_span = document_.span_of(key),
                         .value_span = document_.span_of(value)};
      if (const auto* flag = value.as_boolean()) {
        param.value = {flag->get()};
      } else if (const auto* whole = value.as_integer()) {
        param.value = {whole->get()};
      } else if (const auto* real = value.as_floating_point()) {
        param.value = {real->get()};
      } else if (const auto* text = value.as_string()) {
        param.value = {text->get()};
      } else if (const auto* reference = value.as_table()) {
        auto secret = read_reference(*reference, environment_, references_, document_);
        if (!secret) continue;
        document_.hide(param.value_span);
        param.value = {std::move(*secret)};
        param.text = true;
        param.secret = true;
      } else if (value.is_date_time()) {
        // As it is written there: RFC 3339.
        const Span span = param.value_span;
        param.value = {std::string{document_.source()->text(span)}};
        param.text = true;
      } else {
        wrong(key, value, "a value of the parameter's type");
        continue;
      }
      profile_.params.push_back(std::move(param));
    }
  }

  ProfileDocument document_;
  const NodeRegistry& registry_;
  const Environment& environment_;
  References references_;
  Profile profile_;
};

}  // namespace

Profile read_profile(std::shared_ptr<const SourceBuffer> source, RunSettings settings,
                     const NodeRegistry& registry, const Environment& environment,
                     Diagnostics& diagnostics, References references) {
  return ProfileReader(std::move(source), std::move(settings), registry, environment, references,
                       diagnostics)
      .run();
}

}  // namespace kaspar::dsl

// kaspar deploy: Kubernetes manifests of a pipeline.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "dsl/plan/compile.hpp"
#include "nodes/model/outside_files.hpp"
#include "nodes/register_nodes.hpp"
#include "runtime/cli/commands.hpp"
#include "runtime/cli/deployed_files.hpp"
#include "runtime/cli/deployed_profile.hpp"
#include "runtime/cli/diagnostic_output.hpp"
#include "runtime/cli/endpoint_argument.hpp"
#include "runtime/cli/failure_text.hpp"
#include "runtime/cli/manifests.hpp"
#include "runtime/cli/profile_options.hpp"
#include "runtime/cli/setting_list.hpp"

namespace kaspar::cli {
namespace {

constexpr std::size_t largest_config_map = 1u << 20;

struct DeployOptions {
  std::string file;
  ProfileOptions profile;
  OutputOptions output;
  std::string to;
  std::string name;
  std::string cluster_namespace = "kaspar";
  std::string image = "localhost/kaspar:" KASPAR_VERSION;
  std::string models = "configmap";
  std::string feed;
  std::string memory = "512Mi";
  std::size_t replicas = 3;
  std::size_t partitions = 3;
  std::size_t cpus = 1;
  bool force = false;
};

Failure wrong_usage(std::string message, std::string help = {}) {
  return {.status = ExitStatus::Usage, .message = std::move(message), .help = std::move(help)};
}

/// RFC 1035: what every kind of object may be called, with room for what is appended.
bool is_label(std::string_view text) {
  constexpr std::size_t longest = 40;
  return !text.empty() && text.size() <= longest && text.front() >= 'a' && text.front() <= 'z' &&
         text.back() != '-' && std::ranges::all_of(text, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
         });
}

/// What YAML takes for no text.
bool is_word_of_yaml(std::string_view text) {
  static const std::set<std::string_view> words{"y",   "n",    "yes",   "no",  "on",
                                                "off", "true", "false", "null"};
  return words.contains(text);
}

/// The file's name as a label: `My_Pipe.pipe` is my-pipe.
std::string label_of(const std::string& file) {
  std::string label;
  for (const char c : std::filesystem::path(file).stem().string().substr(0, 40)) {
    const auto byte = static_cast<unsigned char>(c);
    label += byte < 0x80 && std::isalnum(byte) != 0 ? static_cast<char>(std::tolower(byte)) : '-';
  }
  const auto letter = std::ranges::find_if(label, [](char c) { return c >= 'a' && c <= 'z'; });
  label.erase(label.begin(), letter);
  while (label.ends_with('-')) label.pop_back();
  return label.empty() || is_word_of_yaml(label) ? label + "pipeline" : label;
}

/// Bytes of a quantity of Kubernetes in whole Mi or Gi.
std::optional<std::size_t> bytes_of_quantity(const std::string& text) {
  std::size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
  const std::string_view unit = std::string_view{text}.substr(digits);
  if (digits == 0 || digits > 6 || (unit != "Mi" && unit != "Gi")) return std::nullopt;
  return std::stoul(text.substr(0, digits)) << (unit == "Mi" ? 20u : 30u);
}

std::expected<void, Failure> take_endpoints(const Plan& plan, Deployment& deployment) {
  const auto add = [](std::vector<DeployedTopic>& topics, DeployedTopic topic) {
    if (std::ranges::find(topics, topic.name, &DeployedTopic::name) == topics.end()) {
      topics.push_back(std::move(topic));
    }
  };
  for (const EndpointPlan& source : plan.sources) {
    if (source.node->name != "kafka") {
      return std::unexpected(
          wrong_usage(fmt::format("the source `{}` is no Kafka topic", source.name),
                      "pods share a topic's partitions; they could not share anything else"));
    }
    add(deployment.read, {.name = string_param(source.params, "topic"),
                          .group = string_param(source.params, "group")});
  }
  for (const EndpointPlan& sink : plan.sinks) {
    if (sink.node->name == "file") {
      return std::unexpected(wrong_usage(
          fmt::format("the sink `{}` is a file, and a pod's files are read-only", sink.name),
          "write to a Kafka topic, or to stdout, which is in the pod's log"));
    }
    if (sink.node->name == "kafka") {
      add(deployment.written, {.name = string_param(sink.params, "topic"), .group = {}});
    }
  }
  return {};
}

std::expected<void, Failure> take_files(const DeployOptions& options, const dsl::Compiled& compiled,
                                        Deployment& deployment) {
  std::set<std::string> paths(compiled.paths.begin(), compiled.paths.end());
  std::set<std::string> models;
  for (const ModelPlan& model : compiled.plan->models) {
    models.insert(model.path);
    auto outside = nodes::outside_files(model.path);
    if (!outside) return std::unexpected(wrong_usage(outside.error().message));
    models.merge(*outside);
  }
  paths.insert(models.begin(), models.end());
  auto deployed = read_deployed_files(options.file, paths, models);
  if (!deployed) return std::unexpected(std::move(deployed.error()));
  deployment.files = std::move(deployed->files);
  deployment.pipeline = std::move(deployed->pipeline);
  if (const std::size_t bytes = config_map_bytes(deployment); bytes > largest_config_map) {
    return std::unexpected(wrong_usage(
        fmt::format("the files of the pipeline take {} bytes, and a ConfigMap ends at 1 MiB",
                    bytes),
        deployment.models == ModelPlace::ConfigMap
            ? "keep the models elsewhere: `--models volume` or `--models image`"
            : "make the data of its tests smaller"));
  }
  return {};
}

std::expected<void, Failure> take_feed(const DeployOptions& options, const Plan& plan,
                                       Deployment& deployment) {
  if (options.feed.empty()) return {};
  const auto feed = parse_feed_argument(options.feed);
  if (!feed) return std::unexpected(wrong_usage(feed.error()));
  const auto source = std::ranges::find(plan.sources, feed->source, &EndpointPlan::name);
  if (source == plan.sources.end()) {
    return std::unexpected(wrong_usage(
        fmt::format("--feed {}: the file has no source `{}`", options.feed, feed->source)));
  }
  std::ifstream file(feed->path, std::ios::binary);
  deployment.feed.assign(std::istreambuf_iterator<char>(file), {});
  if (!file) return std::unexpected(wrong_usage(fmt::format("cannot read `{}`", feed->path)));
  if (deployment.feed.size() > largest_config_map) {
    return std::unexpected(wrong_usage(
        fmt::format("the file `{}` is larger than 1 MiB, at which a ConfigMap ends", feed->path)));
  }
  deployment.feed_topic = string_param(source->params, "topic");
  return {};
}

std::expected<Deployment, Failure> described(const DeployOptions& options, std::size_t memory,
                                             const ConfiguredProgram& program) {
  static const std::map<std::string, ModelPlace> places{{"configmap", ModelPlace::ConfigMap},
                                                        {"volume", ModelPlace::Volume},
                                                        {"image", ModelPlace::Image}};
  Deployment deployment{.name = options.name.empty() ? label_of(options.file) : options.name,
                        .cluster_namespace = options.cluster_namespace,
                        .image = options.image,
                        .replicas = options.replicas,
                        .partitions = options.partitions,
                        .memory = memory,
                        .cpus = options.cpus,
                        .models = places.at(options.models),
                        .params = options.profile.params};
  for (const std::string* label : {&deployment.name, &deployment.cluster_namespace}) {
    if (is_label(*label) && !is_word_of_yaml(*label)) continue;
    return std::unexpected(wrong_usage(fmt::format("`{}` is no name of an object", *label),
                                       "it is a word of at most 40 small letters, digits and `-`"));
  }
  const Plan& plan = *program.compiled.plan;
  if (auto taken = take_endpoints(plan, deployment); !taken) return std::unexpected(taken.error());
  if (auto taken = take_files(options, program.compiled, deployment); !taken) {
    return std::unexpected(taken.error());
  }
  if (auto taken = take_feed(options, plan, deployment); !taken)
    return std::unexpected(taken.error());
  if (auto taken = take_profile(program.loaded, deployment); !taken) {
    return std::unexpected(taken.error());
  }
  return deployment;
}

/// Overlays are for people to change: one that is there is left as it is.
bool is_kept(const DeployOptions& options, const std::filesystem::path& path,
             const ManifestFile& file) {
  if (options.force || !file.path.starts_with("overlays/")) return false;
  std::ifstream there(path, std::ios::binary);
  if (!there) return false;
  const std::string bytes((std::istreambuf_iterator<char>(there)),
                          std::istreambuf_iterator<char>());
  if (bytes != file.bytes) {
    fmt::print(stderr, "note: `{}` is left as it is; `--force` writes it anew\n",
               dsl::shown_on_terminal(path.string()));
  }
  return true;
}

ExitStatus write_files(const DeployOptions& options, const std::vector<ManifestFile>& files) {
  for (const ManifestFile& file : files) {
    const std::filesystem::path path = std::filesystem::path(options.to) / file.path;
    if (is_kept(options, path, file)) continue;
    std::error_code failed;
    std::filesystem::create_directories(path.parent_path(), failed);
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out << file.bytes << std::flush;
    if (!out) return tell({.message = fmt::format("cannot write `{}`", path.string())});
  }
  fmt::print(stderr, "{} files in `{}`; for a cluster: kubectl apply -k {}/overlays/local\n",
             files.size(), dsl::shown_on_terminal(options.to), dsl::shown_on_terminal(options.to));
  return ExitStatus::Fine;
}

/// Where models are to be put that no manifest holds.
void tell_models(const Deployment& deployment) {
  if (deployment.models == ModelPlace::ConfigMap) return;
  for (const DeployedFile& file : deployment.files) {
    if (!file.model) continue;
    if (deployment.models == ModelPlace::Volume) {
      fmt::print(stderr, "note: pods read `{0}` as `{1}/{0}` of the volume `{2}-models`\n",
                 file.path, model_folder(deployment), deployment.name);
    } else {
      fmt::print(stderr, "note: pods read `{0}` as `/pipeline/{0}` of the image\n", file.path);
    }
  }
}

ExitStatus deploy(DeployOptions options) {
  const auto memory = bytes_of_quantity(options.memory);
  if (!memory || *memory < (64u << 20)) {
    return tell(wrong_usage(fmt::format("`--memory {}` is no size of a pod", options.memory),
                            "say at least 64Mi, such as `512Mi` or `2Gi`"));
  }
  options.profile.elsewhere = *memory;
  NodeRegistry registry;
  nodes::register_all(registry);
  const auto program = compile_configured(options.file, registry, {}, options.profile);
  if (!program) return tell(program.error());
  const dsl::Compiled& compiled = program->compiled;
  if (compiled.unreadable) return tell(wrong_usage(*compiled.unreadable));
  fmt::print(stderr, "{}",
             dsl::render_human(compiled.diagnostics, options.output.coloured(STDERR_FILENO)));
  if (compiled.diagnostics.has_errors()) return ExitStatus::Problems;
  const auto deployment = described(options, *memory, *program);
  if (!deployment) return tell(deployment.error());
  tell_models(*deployment);
  if (!options.to.empty()) return write_files(options, manifest_files(*deployment));
  fmt::print("{}", manifest_stream(*deployment));
  return ExitStatus::Fine;
}

}  // namespace

void add_deploy(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("deploy", "Write Kubernetes manifests of a pipeline");
  auto options = std::make_shared<DeployOptions>();
  command->add_option("FILE", options->file, "pipeline file")->required();
  command->add_option(
      "--to", options->to,
      "a folder for Kustomize, with overlays for a local cluster and for production; else plain "
      "manifests are printed");
  command->add_flag("--force", options->force, "write overlays anew that are there already");
  command->add_option("--name", options->name, "of the objects; the file's name unless given");
  command->add_option("--namespace", options->cluster_namespace, "of the overlays")
      ->capture_default_str();
  command->add_option("--image", options->image, "that pods run")->capture_default_str();
  command
      ->add_option("--models", options->models,
                   "where pods have the models from: configmap, volume or image")
      ->check(CLI::IsMember({"configmap", "volume", "image"}))
      ->capture_default_str();
  command->add_option("--replicas", options->replicas, "pods")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  command
      ->add_option("--partitions", options->partitions,
                   "of each topic; more pods than that have nothing to do")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  command->add_option("--memory", options->memory, "of a pod, such as 512Mi or 2Gi")
      ->capture_default_str();
  command->add_option("--cpus", options->cpus, "of a pod, at most")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command->add_option(
      "--feed", options->feed,
      "NAME=PATH: in the local cluster, a client writes the file's lines to a source's topic");
  add_profile_options(*command, options->profile, true);
  command->callback([options, &action] { action = [options] { return deploy(*options); }; });
}

}  // namespace kaspar::cli

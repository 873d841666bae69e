#include "runtime/cli/manifests.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <set>
#include <string_view>
#include <utility>

#include "runtime/cli/deployed_files.hpp"
#include "runtime/cli/deployed_profile.hpp"
#include "runtime/cli/manifest_template.hpp"
#include "runtime/cli/yaml_text.hpp"
#include "runtime/core/value_text.hpp"

namespace kaspar::cli {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view consumer_template = "overlays/local/consumer.yaml";
constexpr std::string_view producer_template = "overlays/local/producer.yaml";
/// Records that wait for a pod until KEDA takes another one.
constexpr int lag_of_a_pod = 50'000;

std::string_view template_text(std::string_view path) {
  const auto all = manifest_templates();
  return std::ranges::find(all, path, &ManifestTemplate::path)->text;
}

bool in_config_map(const Deployment& deployment, const DeployedFile& file) {
  return !file.model || deployment.models == ModelPlace::ConfigMap;
}

std::vector<const DeployedFile*> config_map_files(const Deployment& deployment) {
  std::vector<const DeployedFile*> files;
  for (const DeployedFile& file : deployment.files) {
    if (in_config_map(deployment, file)) files.push_back(&file);
  }
  return files;
}

std::string mounts(const Deployment& deployment) {
  std::string out;
  for (const DeployedFile& file : deployment.files) {
    const bool here = in_config_map(deployment, file);
    if (!here && deployment.models == ModelPlace::Image) continue;
    out += fmt::format("- name: {}\n  mountPath: {}\n  subPath: {}\n  readOnly: true\n",
                       here ? "pipeline" : "models", yaml_quoted("/pipeline/" + file.path),
                       yaml_quoted(here ? file.key : model_folder(deployment) + "/" + file.path));
  }
  return out;
}

std::string model_volume(const Deployment& deployment) {
  if (deployment.models != ModelPlace::Volume) return {};
  return fmt::format(
      "- name: models\n  persistentVolumeClaim:\n    claimName: {}-models\n    readOnly: true\n",
      deployment.name);
}

std::string params(const Deployment& deployment) {
  std::string out;
  for (const std::string& param : deployment.params) {
    out += fmt::format("- -p\n- {}\n", yaml_quoted(param));
  }
  return out;
}

std::string variables(const Deployment& deployment) {
  std::string out;
  for (const SecretVariable& variable : deployment.variables) {
    out += fmt::format(
        "- name: {0}\n  valueFrom:\n    secretKeyRef:\n      name: {1}-secrets\n      key: {0}\n",
        variable, deployment.name);
  }
  return out;
}

/// Each port of a list of brokers once.
std::vector<std::string> ports_of(std::string_view brokers) {
  std::vector<std::string> ports;
  while (!brokers.empty()) {
    const std::size_t end = std::min(brokers.find(','), brokers.size());
    const std::string_view broker = brokers.substr(0, end);
    const std::size_t colon = broker.rfind(':');
    const bool named = colon != broker.npos && broker.find(']', colon) == broker.npos;
    std::string port{named ? broker.substr(colon + 1) : "9092"sv};
    const bool digits = std::ranges::all_of(port, [](char c) { return c >= '0' && c <= '9'; });
    if (port.empty() || !digits) port = "9092";  // librdkafka's judgement comes at the start
    if (std::ranges::find(ports, port) == ports.end()) ports.push_back(std::move(port));
    brokers.remove_prefix(std::min(end + 1, brokers.size()));
  }
  return ports;
}

std::string port_list(std::string_view brokers) {
  std::string out;
  for (const std::string& port : ports_of(brokers)) out += fmt::format("- port: {}\n", port);
  return out;
}

std::string port_flow(std::string_view brokers) {
  std::string out;
  for (const std::string& port : ports_of(brokers)) {
    out += fmt::format("{}{{port: {}}}", out.empty() ? "" : ", ", port);
  }
  return out;
}

std::string lag_triggers(const Deployment& deployment) {
  std::string out;
  for (const DeployedTopic& topic : deployment.read) {
    out += fmt::format(
        "- type: kafka\n  metadata:\n    bootstrapServers: {}\n    consumerGroup: {}\n    topic: "
        "{}\n"
        "    lagThreshold: \"{}\"\n    offsetResetPolicy: earliest\n    sasl: {}\n    tls: {}\n"
        "  authenticationRef:\n    name: {}-lag\n",
        yaml_quoted(deployment.production_brokers), yaml_quoted(topic.group),
        yaml_quoted(topic.name), lag_of_a_pod, deployment.sasl, deployment.tls, deployment.name);
  }
  return out;
}

std::string quantity(std::size_t bytes) {
  return bytes % (1u << 30) == 0 ? fmt::format("{}Gi", bytes >> 30)
                                 : fmt::format("{}Mi", bytes >> 20);
}

/// A container's name for a topic.
std::string container_name(const std::string& topic, std::set<std::string>& taken) {
  std::string name;
  for (const char c : topic.substr(0, 50)) {
    name += std::isalnum(static_cast<unsigned char>(c)) != 0
                ? static_cast<char>(std::tolower(static_cast<unsigned char>(c)))
                : '-';
  }
  name = "of-" + name + "-x";
  name.resize(name.size() - 2);
  while (name.ends_with('-')) name.pop_back();
  for (int i = 2; !taken.insert(name).second; ++i) name += fmt::format("-{}", i);
  return name;
}

std::string consumers(const Deployment& deployment, TemplateValues values) {
  std::string out;
  std::set<std::string> names;
  for (const DeployedTopic& topic :
       deployment.written.empty() ? deployment.read : deployment.written) {
    values["consumer"] = container_name(topic.name, names);
    values["topic"] = yaml_quoted(topic.name);
    out += fill_template(template_text(consumer_template), values);
  }
  return out;
}

/// The image without its tag, and the tag.
std::pair<std::string, std::string> split_image(const std::string& image) {
  const std::size_t digest = image.find('@');
  if (digest != image.npos) return {image.substr(0, digest), KASPAR_VERSION};
  const std::size_t colon = image.rfind(':');
  const std::size_t slash = image.rfind('/');
  if (colon == image.npos || (slash != image.npos && colon < slash)) return {image, KASPAR_VERSION};
  return {image.substr(0, colon), image.substr(colon + 1)};
}

TemplateValues values_of(const Deployment& deployment) {
  const auto files = config_map_files(deployment);
  std::vector<const DeployedFile*> all;
  for (const DeployedFile& file : deployment.files) all.push_back(&file);
  std::set<std::string> topics;
  for (const auto* side : {&deployment.read, &deployment.written}) {
    for (const DeployedTopic& topic : *side) topics.insert("'" + topic.name + "'");
  }
  const auto [image_name, image_tag] = split_image(deployment.image);
  TemplateValues values{
      {"annotations",
       fmt::format("# Of all files of the pipeline: a change rolls the pods.\nkaspar/files: \"{}\"",
                   content_hash(all))},
      {"broker_ports", port_list(deployment.brokers)},
      {"cpus", std::to_string(deployment.cpus)},
      {"file_mounts", mounts(deployment)},
      {"grace", std::to_string(deployment.grace)},
      {"image", yaml_quoted(deployment.image)},
      {"image_name", image_name},
      {"image_tag", image_tag},
      {"labels", fmt::format("app.kubernetes.io/name: {}\napp.kubernetes.io/component: pipeline",
                             deployment.name)},
      {"lag_triggers", lag_triggers(deployment)},
      {"least_replicas", std::to_string(std::min<std::size_t>(2, deployment.partitions))},
      {"memory", quantity(deployment.memory)},
      {"model_volume", model_volume(deployment)},
      {"name", deployment.name},
      {"namespace", deployment.cluster_namespace},
      {"page_port", std::to_string(deployment.page_port)},
      {"params", params(deployment)},
      {"partitions", std::to_string(deployment.partitions)},
      {"pipeline_config_map", deployment.name + "-pipeline"},
      {"pipeline_path", yaml_quoted("/pipeline/" + deployment.pipeline)},
      {"probe_port", std::to_string(deployment.probe_port)},
      {"production_ports", port_flow(deployment.production_brokers)},
      {"profile_config_map", deployment.name + "-profile"},
      {"replicas", std::to_string(deployment.replicas)},
      {"secrets_folder", std::string{secrets_folder}},
      {"topics", fmt::format("{}", fmt::join(topics, " "))},
      {"variables", variables(deployment)},
  };
  std::string listed;
  for (const DeployedFile* file : files) {
    listed += fmt::format("- {}=pipeline/{}\n", file->key, file->path);
  }
  values["pipeline_files"] = listed;
  values["consumers"] = consumers(deployment, values);
  values["producer"] = {};
  values["feed_config_map"] = {};
  if (!deployment.feed_topic.empty()) {
    values["feed_topic"] = yaml_quoted(deployment.feed_topic);
    values["producer"] = fill_template(template_text(producer_template), values);
    values["feed_config_map"] =
        fmt::format("- name: {}-feed\n  files:\n    - rows=feed/rows", deployment.name);
  }
  return values;
}

std::string config_map(const std::string& name, const TemplateValues& values,
                       const std::vector<const DeployedFile*>& files) {
  std::string out =
      fmt::format("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {}-{}\n  labels:\n", name,
                  content_hash(files));
  out += fill_template("    @labels@", values);
  std::string data;
  std::string binary;
  for (const DeployedFile* file : files) {
    if (is_utf8(file->bytes)) {
      data += yaml_text_member(file->key, file->bytes, 2);
    } else {
      std::string encoded;
      append_bytes(encoded, file->bytes);  // "base64:…"
      binary +=
          fmt::format("  {}: {}\n", yaml_quoted(file->key), encoded.substr(encoded.find(':') + 1));
    }
  }
  if (!data.empty()) out += "data:\n" + data;
  if (!binary.empty()) out += "binaryData:\n" + binary;
  return out;
}

}  // namespace

std::size_t config_map_bytes(const Deployment& deployment) {
  std::size_t bytes = 0;
  for (const DeployedFile* file : config_map_files(deployment)) bytes += file->bytes.size();
  return bytes;
}

std::string model_folder(const Deployment& deployment) {
  std::vector<const DeployedFile*> models;
  for (const DeployedFile& file : deployment.files) {
    if (file.model) models.push_back(&file);
  }
  return content_hash(models);
}

std::vector<ManifestFile> manifest_files(const Deployment& deployment) {
  const TemplateValues values = values_of(deployment);
  std::vector<ManifestFile> files;
  for (const ManifestTemplate& manifest : manifest_templates()) {
    if (manifest.path == consumer_template || manifest.path == producer_template) continue;
    files.push_back(
        {.path = std::string{manifest.path}, .bytes = fill_template(manifest.text, values)});
  }
  for (const DeployedFile* file : config_map_files(deployment)) {
    files.push_back({.path = "base/pipeline/" + file->path, .bytes = file->bytes});
  }
  files.push_back({.path = "base/kaspar.toml", .bytes = deployment.profile});
  files.push_back({.path = "overlays/local/kaspar.toml", .bytes = deployment.local_profile});
  files.push_back(
      {.path = "overlays/production/kaspar.toml", .bytes = deployment.production_profile});
  if (!deployment.feed_topic.empty()) {
    files.push_back({.path = "overlays/local/feed/rows", .bytes = deployment.feed});
  }
  return files;
}

std::string manifest_stream(const Deployment& deployment) {
  TemplateValues values = values_of(deployment);
  const DeployedFile profile{
      .path = "kaspar.toml", .key = "kaspar.toml", .bytes = deployment.profile};
  const std::vector<const DeployedFile*> profile_files{&profile};
  const auto pipeline_files = config_map_files(deployment);
  std::string& pipeline_map = values["pipeline_config_map"];
  std::string& profile_map = values["profile_config_map"];
  std::string out = config_map(pipeline_map, values, pipeline_files) + "---\n" +
                    config_map(profile_map, values, profile_files);
  pipeline_map += "-" + content_hash(pipeline_files);
  profile_map += "-" + content_hash(profile_files);
  for (const ManifestTemplate& manifest : manifest_templates()) {
    if (!manifest.path.starts_with("base/") || manifest.path == "base/kustomization.yaml") continue;
    out += "---\n" + fill_template(manifest.text, values);
  }
  return out;
}

}  // namespace kaspar::cli

// What `kaspar deploy` makes manifests of: a pipeline, and how it is to run in a cluster.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace kaspar::cli {

/// Where pods have the models from. A ConfigMap ends at 1 MiB.
enum class ModelPlace : std::uint8_t { ConfigMap, Volume, Image };

/// A file that the pipeline reads.
struct DeployedFile {
  std::string path;  // below the folder that all of them are in, with `/`
  std::string key;   // in a ConfigMap
  std::string bytes;
  bool model = false;  // a model, or weights of one
};

/// A topic that the pipeline reads or writes.
struct DeployedTopic {
  std::string name;
  std::string group;  // of one that is read; else empty
};

/// A value that the profile takes from the environment, and the Secret's key with it: both names
/// are one.
using SecretVariable = std::string;

struct Deployment {
  std::string name;  // of every object, or what its name begins with: a DNS label
  std::string cluster_namespace = "kaspar";
  std::string image;
  std::size_t replicas = 3;
  std::size_t partitions = 3;       // of each topic: more pods than that have nothing to do
  std::size_t memory = 512u << 20;  // bytes, of a pod
  std::size_t cpus = 1;
  std::size_t grace = 30;  // seconds from SIGTERM to SIGKILL

  std::vector<DeployedFile> files;
  std::string pipeline;  // the path of the `.pipe` among them
  ModelPlace models = ModelPlace::ConfigMap;
  std::vector<std::string> params;  // `NAME=VALUE`, as `-p` takes them

  std::string profile;             // TOML
  std::string local_profile;       // the same, with the brokers of the local cluster
  std::string production_profile;  // the same, or an example of one
  std::string brokers;             // as the profile has them
  std::string production_brokers;
  std::string sasl;  // of these, as KEDA names it: "none", "plaintext", "scram_sha512" …
  std::string tls;   // "enable" or "disable"
  std::vector<SecretVariable> variables;
  unsigned page_port = 0;
  unsigned probe_port = 0;

  std::vector<DeployedTopic> read;
  std::vector<DeployedTopic> written;
  std::string feed_topic;  // that a job of the local cluster writes `feed` to; empty: there is none
  std::string feed;        // lines
};

}  // namespace kaspar::cli

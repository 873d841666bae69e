// Kubernetes manifests of a deployment.
#pragma once

#include <string>
#include <vector>

#include "runtime/cli/deployment.hpp"

namespace kaspar::cli {

struct ManifestFile {
  std::string path;  // below the folder that the manifests go to
  std::string bytes;
};

/// A folder for Kustomize: `base`, `components`, and the overlays `local` and `production`.
[[nodiscard]] std::vector<ManifestFile> manifest_files(const Deployment& deployment);

/// What `kubectl kustomize base` would print of it, the ConfigMaps named by hashes of our own.
[[nodiscard]] std::string manifest_stream(const Deployment& deployment);

/// Bytes that the pipeline's ConfigMap holds.
[[nodiscard]] std::size_t config_map_bytes(const Deployment& deployment);

/// The folder of the models' volume that the pods read from: another one for other models.
[[nodiscard]] std::string model_folder(const Deployment& deployment);

}  // namespace kaspar::cli

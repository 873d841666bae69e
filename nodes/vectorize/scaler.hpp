// The file that `standardize … using` names: the mean and the standard deviation of each element.
#pragma once

#include <cstddef>
#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "runtime/core/node_descriptor.hpp"

namespace kaspar::nodes::vectorize {

/// Immutable. Both arrays have the width that the scaler was read for (1 for a scalar).
class Scaler final : public Resource {
 public:
  Scaler(std::vector<double> mean, std::vector<double> std)
      : mean_(std::move(mean)), std_(std::move(std)) {}

  [[nodiscard]] const std::vector<double>& mean() const noexcept { return mean_; }
  /// Each finite and above 0.
  [[nodiscard]] const std::vector<double>& std() const noexcept { return std_; }
  [[nodiscard]] std::size_t memory() const noexcept override {
    return (mean_.size() + std_.size()) * sizeof(double);
  }

 private:
  std::vector<double> mean_;
  std::vector<double> std_;
};

/// Reads TOML with `mean` and `std`, each a number or an array of as many numbers as the column has
/// elements; a number counts for all. Issues: K0405 (missing, damaged, std not above 0), K0403 (an
/// array of another width), both at the file.
[[nodiscard]] std::expected<std::shared_ptr<const Scaler>, Issue> load_scaler(
    const std::string& path, const Type& type);

}  // namespace kaspar::nodes::vectorize

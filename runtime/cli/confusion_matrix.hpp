// How often each true label was taken for each other.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

namespace kaspar::cli {

class ConfusionMatrix {
 public:
  void count(const std::string& truth, const std::string& predicted) {
    ++counts_[{truth, predicted}];
    ++rows_;
    if (truth == predicted) ++right_;
  }

  [[nodiscard]] std::uint64_t rows() const noexcept { return rows_; }
  [[nodiscard]] std::uint64_t right() const noexcept { return right_; }
  /// right / rows; 0 without rows.
  [[nodiscard]] double accuracy() const noexcept {
    return rows_ == 0 ? 0.0 : static_cast<double>(right_) / static_cast<double>(rows_);
  }

  /// By true and predicted label.
  [[nodiscard]] const std::map<std::pair<std::string, std::string>, std::uint64_t>& counts()
      const noexcept {
    return counts_;
  }

  /// A table of lines: a row a true label, a column a predicted one, both in bytewise order.
  [[nodiscard]] std::string text() const;

 private:
  std::map<std::pair<std::string, std::string>, std::uint64_t> counts_;
  std::uint64_t rows_ = 0;
  std::uint64_t right_ = 0;
};

}  // namespace kaspar::cli

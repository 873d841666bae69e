// A constant: what an option of a pipeline file holds once the file is checked.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace kaspar {

struct Value;
using ValueList = std::vector<Value>;
using ValueTable = std::map<std::string, Value, std::less<>>;

/// A bare word of a closed set: `earliest`, `json`.
struct Word {
  std::string text;
  friend bool operator==(const Word&, const Word&) = default;
};

/// The path of a `file "…"`, made absolute or relative to the working directory.
struct FilePath {
  std::string path;
  bool lines = false;
  friend bool operator==(const FilePath&, const FilePath&) = default;
};

struct Value {
  std::variant<std::monostate, bool, std::int64_t, double, std::string, std::chrono::milliseconds,
               Word, FilePath, ValueList, ValueTable>
      data;

  template <class T>
  [[nodiscard]] const T* get() const noexcept {
    return std::get_if<T>(&data);
  }
};

/// Options by name, defaults filled in.
using Params = ValueTable;

/// The string option `name`, or `otherwise` where it is absent or no string.
[[nodiscard]] inline std::string string_param(const Params& params, std::string_view name,
                                              std::string_view otherwise = {}) {
  const auto found = params.find(name);
  if (found == params.end()) return std::string{otherwise};
  if (const auto* text = found->second.get<std::string>()) return *text;
  if (const auto* word = found->second.get<Word>()) return word->text;
  return std::string{otherwise};
}

[[nodiscard]] inline bool bool_param(const Params& params, std::string_view name, bool otherwise) {
  const auto found = params.find(name);
  if (found == params.end()) return otherwise;
  const auto* flag = found->second.get<bool>();
  return flag != nullptr ? *flag : otherwise;
}

}  // namespace kaspar

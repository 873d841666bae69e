#include "nodes/kafka/topic_creation.hpp"

#include <cstdint>
#include <string_view>

namespace kaspar::nodes::kafka {
namespace {

int number_of(const ValueTable& table, std::string_view name, int otherwise) {
  const auto found = table.find(name);
  if (found == table.end()) return otherwise;
  const auto* number = found->second.get<std::int64_t>();
  return number != nullptr ? static_cast<int>(*number) : otherwise;
}

}  // namespace

std::optional<TopicCreation> topic_creation(const Params& params) {
  const auto create = params.find("create");
  if (create == params.end()) return std::nullopt;
  const auto* table = create->second.get<ValueTable>();
  if (table == nullptr) return std::nullopt;
  return TopicCreation{.partitions = number_of(*table, "partitions", 3),
                       .replication = number_of(*table, "replication", 1)};
}

}  // namespace kaspar::nodes::kafka

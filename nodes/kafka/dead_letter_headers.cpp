#include "nodes/kafka/dead_letter_headers.hpp"

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace kaspar::nodes::kafka {
namespace {

void add(rd_kafka_headers_t& headers, std::string_view name, std::string_view value) {
  rd_kafka_header_add(&headers, name.data(), static_cast<ssize_t>(name.size()), value.data(),
                      static_cast<ssize_t>(value.size()));
}

}  // namespace

void add_dead_letter_headers(rd_kafka_headers_t& headers, const DeadLetter& letter) {
  add(headers, "kaspar.stage", letter.stage);
  add(headers, "kaspar.code", name_of(letter.code));
  add(headers, "kaspar.message", letter.message);
  if (!letter.topic.empty()) {
    add(headers, "kaspar.topic", letter.topic);
    add(headers, "kaspar.partition", fmt::to_string(letter.partition));
  }
  if (letter.offset >= 0) add(headers, "kaspar.offset", fmt::to_string(letter.offset));
}

void add_original_size(rd_kafka_headers_t& headers, std::size_t bytes) {
  add(headers, "kaspar.original_size", fmt::to_string(bytes));
}

}  // namespace kaspar::nodes::kafka

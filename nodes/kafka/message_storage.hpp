// The messages of a batch: its records view librdkafka's own buffers.
#pragma once

#include <mutex>
#include <vector>

#include "nodes/kafka/handles.hpp"
#include "runtime/core/record.hpp"

namespace kaspar::nodes::kafka {

class MessageStorage final : public RecordStorage {
 public:
  MessageStorage() { messages_.reserve(max_batch_records); }
  ~MessageStorage() override { release(); }

  /// Takes the message; its record is the one with the same index.
  void add(MessageHandle message) { messages_.push_back(message.release()); }

  void release() noexcept override {
    for (rd_kafka_message_t* message : messages_) rd_kafka_message_destroy(message);
    messages_.clear();
  }

  void headers(std::size_t row, std::vector<Header>& headers) const override {
    // librdkafka parses a message's headers when they are first asked for.
    const std::lock_guard lock(parsing_);
    rd_kafka_headers_t* list = nullptr;
    if (rd_kafka_message_headers(messages_[row], &list) != RD_KAFKA_RESP_ERR_NO_ERROR) return;
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    for (std::size_t i = 0;
         rd_kafka_header_get_all(list, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
         ++i) {
      headers.push_back({.name = name,
                         .value = {static_cast<const char*>(value), value != nullptr ? size : 0},
                         .has_value = value != nullptr});
    }
  }

 private:
  std::vector<rd_kafka_message_t*> messages_;
  mutable std::mutex parsing_;
};

}  // namespace kaspar::nodes::kafka

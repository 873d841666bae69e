// How `trace` prints what became of a record: for people, and as JSON.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "runtime/cli/record_trace.hpp"

namespace kaspar::cli {

/// Partitions of sinks' topics, by sink, where they are known.
using SinkPartitions = std::map<std::size_t, std::int32_t>;

/// `colour`: with terminal escapes. Records' own control characters are escaped in any case.
[[nodiscard]] std::string trace_for_people(const Plan& plan, const TracedRecord& record,
                                           const std::vector<TracedChain>& traced,
                                           const SinkPartitions& partitions, bool colour);
/// {"format_version":1,"record":{…},"chains":[…]} on one line.
[[nodiscard]] std::string trace_json(const Plan& plan, const TracedRecord& record,
                                     const std::vector<TracedChain>& traced,
                                     const SinkPartitions& partitions);

}  // namespace kaspar::cli

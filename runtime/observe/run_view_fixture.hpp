// A run as it might be seen, for the tests of what shows it.
#pragma once

#include <memory>
#include <string>

#include "runtime/observe/run_view.hpp"

namespace kaspar::observe::test {

/// windows |> parse |> filter |> to labels, failed rows to dead; then a snapshot of it.
struct SeenRun {
  Plan plan;
  std::unique_ptr<PipelineGraph> graph;
  RunFacts facts;
  RunView view;
  NodeDescriptor source{.role = NodeRole::Source, .name = "kafka"};
  NodeDescriptor sink{.role = NodeRole::Sink, .name = "kafka"};

  explicit SeenRun(const std::string& name = "windows") {
    plan.file = "x.pipe";
    plan.sources.push_back({.name = name, .node = &source, .place = {"x.pipe", 3, 1}});
    plan.sources[0].params["topic"] = {std::string{"in"}};
    plan.sinks.push_back({.name = "labels", .node = &sink, .place = {"x.pipe", 4, 1}});
    plan.sinks.push_back({.name = "dead", .node = &sink, .place = {"x.pipe", 5, 1}});
    ChainPlan& chain = plan.chains.emplace_back();
    chain.inputs.push_back({.source = 0});
    const ErrorPolicy to_dead{.action = ErrorPolicy::Action::Sink, .sink = 1};
    chain.stages.push_back({.word = "parse",
                            .text = "parse csv as Window",
                            .fallible = true,
                            .on_error = to_dead,
                            .place = {"x.pipe", 8, 6}});
    chain.stages.push_back({.word = "to",
                            .text = "",
                            .fallible = true,
                            .implicit = true,
                            .on_error = to_dead,
                            .place = {"x.pipe", 9, 6}});
    chain.stages.push_back({.word = "filter", .text = "filter x > 0", .place = {"x.pipe", 9, 6}});
    chain.stages.push_back({.word = "to", .text = "to labels", .place = {"x.pipe", 10, 6}});
    chain.sink = 0;
    graph = std::make_unique<PipelineGraph>(plan);
    facts.name = "x";
    facts.version = "1.2.3";
    RunSnapshot& now = view.now;
    now.opened = true;
    now.records_read = {100};
    now.sinks = {{.records = 60, .unconfirmed = 10}, {.dead_letters = 5}};
    now.chains.push_back({.stages = {{.records_in = 98, .failed = 4},
                                     {.records_in = 94, .failed = 1},
                                     {.records_in = 93, .filtered = 23},
                                     {.records_in = 70}},
                          .waiting = 2,
                          .unconfirmed = 10,
                          .written = 60});
    now.errors[static_cast<std::size_t>(DiagnosticCode::K0902)] = 5;
    now.dead_letters = 5;
    SourceSnapshot& group = now.sources.emplace_back();
    group.group = "g";
    group.partitions = {{.topic = "in", .partition = 0, .read = 50, .committed = 40, .end = 90},
                        {.topic = "in", .partition = 1, .read = 50}};
    now.batches.buckets[3] = 99;
    now.batches.buckets[5] = 1;
    now.recent.push_back({.code = DiagnosticCode::K0902,
                          .chain = 0,
                          .stage = 1,
                          .topic = "in",
                          .partition = 1,
                          .offset = 7});
    view.facts = &facts;
    view.graph = graph.get();
    view.time = facts.started;
    view.ready = true;
  }
  SeenRun(const SeenRun&) = delete;
  SeenRun& operator=(const SeenRun&) = delete;
};

}  // namespace kaspar::observe::test

#include <memory>
#include <string>
#include <vector>

#include "dsl/check/check.hpp"
#include "dsl/parse/parse.hpp"
#include "runtime/core/node_descriptor.hpp"
#include "test/unit/catch.hpp"

using namespace kaspar;
using namespace kaspar::dsl;

namespace {

/// The messages of K0602 for a pipeline between topics of a system that says this of transactions.
std::vector<std::string> refusals(const std::string& transactions_refused) {
  const std::vector<ParamDescriptor> params = {{.name = "topic", .kind = ParamKind::String}};
  NodeRegistry registry;
  registry.add(NodeDescriptor{.role = NodeRole::Source,
                              .name = "kafka",
                              .params = params,
                              .transactions_refused = transactions_refused});
  registry.add(NodeDescriptor{.role = NodeRole::Sink, .name = "kafka", .params = params});
  Diagnostics diagnostics;
  const TokenBuffer tokens = lex(std::make_shared<const SourceBuffer>("t.pipe", R"(pipe 1
source rows = kafka { topic: "in" }
sink out = kafka { topic: "out" }
on error drop
deliver exactly_once
from rows |> to out { value: "x" }
)"));
  (void)check(parse(tokens, diagnostics), registry, {}, std::nullopt, 1u << 20, diagnostics);
  std::vector<std::string> messages;
  for (const Diagnostic& entry : diagnostics.entries()) {
    if (entry.code == DiagnosticCode::K0602) messages.push_back(entry.message);
  }
  return messages;
}

}  // namespace

TEST_CASE("exactly once is refused where the endpoints' library cannot give it") {
  CHECK(refusals("").empty());
  CHECK(refusals("it is too old") ==
        std::vector<std::string>{"`exactly_once` cannot be given here: it is too old"});
}

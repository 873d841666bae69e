#include <string>

#include "nodes/model/model_for_test.hpp"

using namespace kaspar;
using namespace kaspar::test;

TEST_CASE("branches and loops that records would decide are refused, and loops that do not end") {
  struct Refusal {
    std::string name;
    DiagnosticCode code;
    std::string message;
  };
  const auto refusal = GENERATE(values<Refusal>({
      {"branch-on-data", DiagnosticCode::K0404,
       "operator `If` of node `If2_0` is not supported where the condition depends on the data"},
      {"loop-on-data", DiagnosticCode::K0404,
       "operator `Loop` of node `Loop2_0` is not supported whose number of steps depends on the "
       "data"},
      {"loop-endless", DiagnosticCode::K0407,
       "operator `Loop` of node `Loop0_0` would be unrolled to more than 262144 nodes and "
       "names"},
  }));
  CAPTURE(refusal.name);
  const auto model = load(fixtures + refusal.name + ".onnx");
  REQUIRE_FALSE(model);
  CHECK(model.error().code == refusal.code);
  CHECK(model.error().message == refusal.message);
  CHECK_FALSE(model.error().help.empty());
}

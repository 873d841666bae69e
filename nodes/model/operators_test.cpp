#include <set>
#include <sstream>
#include <string>

#include "nodes/model/model_for_test.hpp"
#include "nodes/model/operators.hpp"

using namespace kaspar;
using namespace kaspar::test;

TEST_CASE("the explanation of K0404 lists the operators that are executed") {
  const std::string text = bytes_of("dsl/diag/explanations/K0404.md");
  const std::size_t start = text.find("Executed are:");
  REQUIRE(start != std::string::npos);
  std::istringstream words(text.substr(start + 13));
  std::set<std::string> listed;
  for (std::string word; words >> word;) listed.insert(word);
  std::set<std::string> executed;
  for (const nodes::NamedOperator& op : nodes::all_operators()) executed.emplace(op.name);
  CHECK(listed == executed);
}

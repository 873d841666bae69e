// The compiler on any text: it must answer with a plan or with diagnostics whose places are in the
// text, and both prints of them must be made.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include "dsl/check/check.hpp"
#include "dsl/parse/parse.hpp"
#include "nodes/register_nodes.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kaspar;
  using namespace kaspar::dsl;
  static const NodeRegistry registry = [] {
    NodeRegistry made;
    nodes::register_all(made);
    return made;
  }();
  const std::string text{reinterpret_cast<const char*>(data), size};
  Diagnostics diagnostics;
  const TokenBuffer tokens = lex(std::make_shared<const SourceBuffer>("/nowhere/fuzz.pipe", text));
  const ast::File file = parse(tokens, diagnostics);
  const TypedPipeline typed = check(file, registry, diagnostics);
  diagnostics.sort();
  for (const Diagnostic& entry : diagnostics.entries()) {
    if (entry.span.begin > entry.span.end || entry.span.end > size) std::abort();
    if (entry.message.empty()) std::abort();
  }
  (void)render_human(diagnostics, false);
  (void)render_json(diagnostics);
  return 0;
}

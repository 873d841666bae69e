#include "dsl/parse/print_ast.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace kaspar::dsl {
namespace {

using ast::Node;

class Printer {
 public:
  Printer(const SourceBuffer& source, std::span<const Span> secrets)
      : source_(source), secrets_(secrets) {}

  std::string print(const ast::File& file) {
    for (const ast::Item& item : file.items) {
      damaged_ = item.damaged ? " (damaged)" : "";
      span_ = item.span;
      std::visit([this](const auto& data) { print_item(data); }, item.data);
    }
    return std::move(text_);
  }

 private:
  /// Everything that `inner` prints stands below the line.
  template <class Inner>
  void line(Span span, const std::string& what, Inner inner) {
    const Position place = source_.position(span.begin);
    fmt::format_to(std::back_inserter(text_), "{:>8}  {:{}}{}\n",
                   fmt::format("{}:{}", place.line, place.column), "", 2 * depth_, what);
    ++depth_;
    inner();
    --depth_;
  }
  void line(Span span, const std::string& what) {
    line(span, what, [] {});
  }
  template <class Inner>
  void item(const std::string& what, Inner inner) {
    line(span_, what + std::string{damaged_}, inner);
  }

  static std::string type_text(const ast::TypeName& type) {
    std::string text = type.name.text;
    if (type.width) text += fmt::format("[{}]", *type.width);
    if (type.optional) text += '?';
    return text;
  }

  void print_item(const ast::Use& use) {
    item("use as " + use.name.text, [&] { node(use.file); });
  }
  void print_item(const ast::Param& param) {
    item(fmt::format("param {}: {}", param.name.text, type_text(param.type)), [&] {
      node(param.value);
      options(param.options);
    });
  }
  void print_item(const ast::Schema& schema) {
    item("schema " + schema.name.text, [&] {
      for (const ast::Field& field : schema.fields) print_field(field);
    });
  }
  void print_item(const ast::Function& function) {
    item(fmt::format("fn {}: {}", function.name.text, type_text(function.result)), [&] {
      for (const ast::Field& parameter : function.parameters) print_field(parameter);
      node(function.body);
    });
  }
  void print_item(const ast::Model& model) {
    item(fmt::format("model {} = {}", model.name.text, model.format.text), [&] {
      node(model.file);
      options(model.options);
    });
  }
  void print_item(const ast::Endpoint& endpoint) {
    item(fmt::format("{} {} = {}", endpoint.source ? "source" : "sink", endpoint.name.text,
                     endpoint.kind.text),
         [&] { options(endpoint.options); });
  }
  void print_item(const ast::Chain& chain) {
    item(chain.stream.empty() ? std::string{"chain"} : "stream " + chain.stream.text, [&] {
      line(chain.from, chain.merge ? "from merge" : "from", [&] {
        for (const ast::Name& input : chain.inputs) line(input.span, input.text);
      });
      for (const ast::Stage& stage : chain.stages) print_stage(stage);
    });
  }
  void print_item(const ast::OnError& policy) {
    item("on error " + policy.target.text, [] {});
  }
  void print_item(const ast::Deliver& deliver) {
    item("deliver " + deliver.guarantee.text, [] {});
  }
  void print_item(const ast::Test& test) {
    item("test", [&] {
      node(test.name);
      for (const auto& step : test.steps) {
        if (const auto* feed = std::get_if<ast::Feed>(&step)) {
          line(feed->endpoint.span, "feed " + feed->endpoint.text, [&] { options(feed->options); });
        } else {
          const auto& expect = std::get<ast::Expect>(step);
          line(expect.endpoint.span,
               fmt::format("expect {}{}", expect.endpoint.text, expect.none ? " none" : ""),
               [&] { options(expect.options); });
        }
      }
    });
  }
  void print_item(const ast::UnknownItem& unknown) {
    item("unknown item " + unknown.name.text, [] {});
  }

  void print_field(const ast::Field& field) {
    line(field.name.span, fmt::format("{}: {}", field.name.text, type_text(field.type)), [&] {
      if (field.from) line(field.from->span, "from", [&] { node(field.from); });
      if (field.from_to) line(field.from_to->span, "to", [&] { node(field.from_to); });
    });
  }

  void print_stage(const ast::Stage& stage) {
    std::string what = "|> " + stage.word.text;
    const auto add = [&](std::string_view before, const ast::Name& name) {
      if (!name.empty()) what += fmt::format(" {}{}", before, name.text);
    };
    add("", stage.format);
    add("as ", stage.schema);
    add("", stage.model);
    add("column ", stage.column);
    add("", stage.sink);
    if (stage.damaged) what += " (damaged)";
    line(stage.span, what, [&] {
      if (stage.file) line(stage.file->span, "using", [&] { node(stage.file); });
      for (const ast::NodePtr& operand : stage.operands) node(operand);
      entries(stage.columns);
      for (const ast::RouteArm& arm : stage.arms) {
        line(arm.span, (arm.condition ? "arm => " : "else => ") + arm.target.text,
             [&] { node(arm.condition); });
      }
      options(stage.options);
      if (stage.on_error) line(stage.on_error->span, "else " + stage.on_error->text);
    });
  }

  void options(const ast::Options& options) { entries(options.entries); }

  void entries(const std::vector<ast::Entry>& entries) {
    for (const ast::Entry& entry : entries) {
      line(entry.name.span,
           entry.quoted ? fmt::format("{:?}:", entry.name.text) : entry.name.text + ":",
           [&] { node(entry.value); });
    }
  }

  [[nodiscard]] bool secret(Span span) const {
    return std::ranges::any_of(
        secrets_, [&](Span hidden) { return hidden.begin < span.end && span.begin < hidden.end; });
  }

  /// The parser bounds the tree's height.
  void node(const ast::NodePtr& pointer) {
    if (!pointer) return;
    const Node& node = *pointer;
    if (secret(node.span)) {
      line(node.span, "***");
      return;
    }
    line(node.span, name_of(node), [&] {
      for (const ast::NodePtr& child : node.children) this->node(child);
      entries(node.entries);
    });
  }

  static std::string literal(const Node& node) {
    return fmt::format("{:?}", std::get<StringLiteral>(node.literal).text());
  }

  static std::string name_of(const Node& node) {
    switch (node.kind) {
      case Node::Kind::Error:
        return "damaged";
      case Node::Kind::Integer:
        return fmt::to_string(std::get<std::int64_t>(node.literal));
      case Node::Kind::Float:
        return fmt::format("{} (float)", std::get<double>(node.literal));
      case Node::Kind::Duration:
        return fmt::format("{} ms", std::get<std::chrono::milliseconds>(node.literal).count());
      case Node::Kind::String:
        return literal(node);
      case Node::Kind::True:
        return "true";
      case Node::Kind::False:
        return "false";
      case Node::Kind::Null:
        return "null";
      case Node::Kind::Name:
        return "name " + node.text;
      case Node::Kind::Member:
        return "member " + node.text;
      case Node::Kind::Call:
        return "call";
      case Node::Kind::Index:
        return "index";
      case Node::Kind::Negate:
        return "negate";
      case Node::Kind::Not:
        return "not";
      case Node::Kind::Binary:
        return "binary " + node.text;
      case Node::Kind::If:
        return "if";
      case Node::Kind::List:
        return "list";
      case Node::Kind::Table:
        return "table";
      case Node::Kind::File:
        return "file " + literal(node);
      case Node::Kind::LinesFile:
        return "lines file " + literal(node);
    }
    return {};
  }

  const SourceBuffer& source_;
  std::span<const Span> secrets_;
  std::string text_;
  std::size_t depth_ = 0;
  Span span_;
  std::string_view damaged_;
};

}  // namespace

std::string print_ast(const ast::File& file, std::span<const Span> secrets) {
  return Printer(*file.source, secrets).print(file);
}

}  // namespace kaspar::dsl

#include "dsl/lex/secrets.hpp"

#include <algorithm>
#include <string>

namespace kaspar::dsl {

bool is_secret(std::string_view option) {
  return option.find("password") != std::string_view::npos ||
         option.find("secret") != std::string_view::npos || option == "ssl.key.pem" ||
         option == "sasl.oauthbearer.config";
}

std::vector<Span> secret_values(const TokenBuffer& buffer) {
  std::vector<Span> values;
  const std::vector<Token>& tokens = buffer.tokens;
  for (std::size_t at = 0; at + 1 < tokens.size(); ++at) {
    if (tokens[at].kind != TokenKind::Name) continue;
    std::string name{buffer.text(tokens[at])};
    std::size_t next = at + 1;
    while (next + 1 < tokens.size() && tokens[next].kind == TokenKind::Dot &&
           tokens[next + 1].kind == TokenKind::Name) {
      name.append(".").append(buffer.text(tokens[next + 1]));
      next += 2;
    }
    const bool option = next > at + 1;  // a schema may have a column `password`
    at = next - 1;
    if (!is_secret(name)) continue;
    if (tokens[next].kind == TokenKind::Colon || tokens[next].kind == TokenKind::Equal) ++next;
    const Token& value = tokens[next];
    if (value.kind == TokenKind::String) {
      values.push_back({value.span.begin + 1, value.span.end - 1});
    } else if (value.kind == TokenKind::Error || (option && value.kind != TokenKind::End)) {
      // Where it ends cannot be told: all up to the end of the line.
      const std::string_view text = buffer.source->text();
      const std::size_t end = std::min(text.find('\n', value.span.begin), text.size());
      values.push_back({value.span.begin, static_cast<std::uint32_t>(end)});
    }
  }
  return values;
}

}  // namespace kaspar::dsl

// A small HTTP/1.1 server for those who look on: GET and HEAD only, and no client, however slow,
// large or numerous, takes more than its share of memory, descriptors and time.
#pragma once

#include <chrono>
#include <cstddef>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/core/issue.hpp"

namespace kaspar::observe {

struct HttpRequest {
  std::string_view path;                                   // decoded; begins with `/`
  std::vector<std::pair<std::string, std::string>> query;  // decoded, in their order

  [[nodiscard]] std::string_view parameter(std::string_view name) const noexcept;
};

/// What goes on after the response's head, piece by piece.
struct HttpStream {
  std::chrono::milliseconds interval{1'000};
  /// The next piece, asked for at once and then in every interval; it may be empty. Nothing: the
  /// stream is over.
  std::function<std::optional<std::string>()> next;
};

struct HttpResponse {
  unsigned status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  std::optional<HttpStream> stream;  // in place of a body
};

struct HttpLimits {
  std::size_t connections = 64;  // further ones are closed at once
  std::size_t streams = 4;       // of these; further ones get status 503
  std::size_t head_bytes = 8'192;
  std::chrono::milliseconds read_time{5'000};    // for a whole request, or until the next one
  std::chrono::milliseconds write_time{10'000};  // for a whole response, or a piece of a stream
  std::size_t requests = 1'000;                  // on one connection
};

/// One listener and one thread, which calls the handler.
class HttpServer {
 public:
  using Handler = std::function<HttpResponse(const HttpRequest&)>;

  /// Binds and listens at HOST:PORT. `next_free`: if the port is taken, at the next one that is
  /// not. A failure has ExitStatus::Usage.
  [[nodiscard]] static std::expected<std::unique_ptr<HttpServer>, Failure> listen(
      const std::string& address, bool next_free, Handler handler, HttpLimits limits = {});
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  /// Closes all connections; the handler is not called any more.
  ~HttpServer();

  /// HOST:PORT, as it was bound.
  [[nodiscard]] const std::string& address() const noexcept;

 private:
  struct State;
  explicit HttpServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace kaspar::observe

#include "runtime/observe/http_server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "runtime/observe/http_client.hpp"
#include "runtime/observe/http_target.hpp"
#include "test/unit/catch.hpp"

using namespace kaspar;
using namespace kaspar::observe;

namespace {

HttpResponse serve(const HttpRequest& request) {
  if (request.path == "/stream") {
    auto left = std::make_shared<int>(3);
    return {.stream = HttpStream{.interval = std::chrono::milliseconds{1},
                                 .next = [left]() -> std::optional<std::string> {
                                   if (--*left < 0) return std::nullopt;
                                   return "piece\n";
                                 }}};
  }
  if (request.path == "/endless") {
    return {.stream = HttpStream{.interval = std::chrono::milliseconds{1},
                                 .next = []() -> std::optional<std::string> { return "x"; }}};
  }
  if (request.path != "/") return {.status = 404, .body = "no\n"};
  return {.body = "hello " + std::string{request.parameter("name")} + "\n"};
}

std::unique_ptr<HttpServer> make_server(HttpLimits limits = {}) {
  auto server = HttpServer::listen("127.0.0.1:0", false, serve, limits);
  REQUIRE(server.has_value());
  return std::move(*server);
}

/// A client that says whatever it wants.
class RawClient {
 public:
  explicit RawClient(const HttpServer& server) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    const std::string& address = server.address();
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port =
        htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
    ::inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    REQUIRE(::connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
    const timeval patience{.tv_sec = 20, .tv_usec = 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;
  ~RawClient() { ::close(socket_); }

  void say(std::string_view text) const {
    (void)::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
  }
  /// Until the other side closes; "timeout" where it does not.
  [[nodiscard]] std::string hear() const {
    std::string heard;
    char room[4096];
    while (true) {
      const ssize_t got = ::recv(socket_, room, sizeof room, 0);
      if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return "timeout";
      if (got <= 0) return heard;
      heard.append(room, static_cast<std::size_t>(got));
    }
  }
  /// The first bytes that come.
  [[nodiscard]] std::string hear_some() const {
    char room[4096];
    const ssize_t got = ::recv(socket_, room, sizeof room, 0);
    return got > 0 ? std::string(room, static_cast<std::size_t>(got)) : std::string{};
  }

 private:
  int socket_;
};

std::string asked(const HttpServer& server, std::string_view request) {
  const RawClient client(server);
  client.say(request);
  return client.hear();
}

}  // namespace

TEST_CASE("a target is a path and a decoded query, or nothing") {
  const auto parsed = parse_target("/api/tap?stream=a%20b&x=%3C&flag");
  REQUIRE(parsed);
  CHECK(parsed->path == "/api/tap");
  CHECK(parsed->parameter("stream") == "a b");
  CHECK(parsed->parameter("x") == "<");
  CHECK(parsed->parameter("flag").empty());
  CHECK(parsed->parameter("none").empty());
  for (const char* wrong : {"", "api", "http://host/", "*", "/?a=%", "/?a=%2", "/?a=%zz"}) {
    CHECK_FALSE(parse_target(wrong));
  }
}

TEST_CASE("only names of this machine are local hosts") {
  for (const char* local : {"", "localhost", "localhost:8080", "127.0.0.1", "127.0.0.1:80",
                            "[::1]:80", "a.localhost"}) {
    CHECK(is_local_host(local));
  }
  for (const char* other :
       {"evil.example", "127.evil.example", "localhost.evil.example", "10.0.0.1", "[::2]"}) {
    CHECK_FALSE(is_local_host(other));
  }
}

TEST_CASE("a GET is answered, with headers that keep it to itself") {
  const auto server = make_server();
  const std::string answer =
      asked(*server, "GET /?name=you HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  CHECK(answer.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(answer.ends_with("\r\n\r\nhello you\n"));
  for (const char* header : {"Content-Security-Policy: default-src 'none'",
                             "Cache-Control: no-store", "X-Content-Type-Options: nosniff"}) {
    CHECK(answer.find(header) != std::string::npos);
  }
  const std::string head =
      asked(*server, "HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  CHECK(head.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(head.ends_with("\r\n\r\n"));
}

TEST_CASE("what is no small GET of a local name is refused") {
  const auto server = make_server();
  const std::string host = "Host: localhost\r\n";
  CHECK(asked(*server, "POST / HTTP/1.1\r\n" + host + "Content-Length: 0\r\n\r\n")
            .starts_with("HTTP/1.1 405 "));
  CHECK(asked(*server, "GET / HTTP/1.1\r\n" + host + "Content-Length: 3\r\n\r\nabc")
            .starts_with("HTTP/1.1 413 "));
  CHECK(
      asked(*server, "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n").starts_with("HTTP/1.1 421 "));
  CHECK(asked(*server, "GET / HTTP/1.1\r\n" + host + "X: " + std::string(9'000, 'x') + "\r\n\r\n")
            .starts_with("HTTP/1.1 431 "));
  std::string many = "GET / HTTP/1.1\r\n" + host;
  for (int i = 0; i < 2'000; ++i) many += "A: b\r\n";
  CHECK(asked(*server, many + "\r\n").starts_with("HTTP/1.1 431 "));
  CHECK(asked(*server, "\x16\x03\x01\x02 no HTTP at all\r\n\r\n").starts_with("HTTP/1.1 400 "));
  CHECK(asked(*server, "GET * HTTP/1.1\r\n" + host + "\r\n").starts_with("HTTP/1.1 400 "));
  // It still serves.
  CHECK(asked(*server, "GET / HTTP/1.0\r\n" + host + "\r\n").find("hello") != std::string::npos);
}

TEST_CASE("who is too slow is cut off, and as many connections as may be are kept") {
  const auto server = make_server({.connections = 2, .read_time = std::chrono::milliseconds{200}});
  const RawClient slow(*server);
  slow.say("GET / HT");
  const RawClient silent(*server);
  const RawClient third(*server);
  CHECK(third.hear().empty());  // closed at once
  CHECK(slow.hear().empty());
  CHECK(silent.hear().empty());
  CHECK(asked(*server, "GET / HTTP/1.0\r\nHost: localhost\r\n\r\n").find("hello") !=
        std::string::npos);
}

TEST_CASE("streams come piece by piece, and no more of them than may be") {
  const auto server = make_server({.streams = 1});
  const std::string request = "GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n";
  {
    const RawClient first(*server);
    first.say(request);
    CHECK(first.hear_some().starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(asked(*server, request).starts_with("HTTP/1.1 503 "));
  }
  // Once the first one has gone its place is free.
  std::string body;
  const std::atomic<bool> stopped{false};
  while (true) {
    const auto answer = http_get(
        server->address(), "/stream",
        [&](std::string_view piece) {
          body += piece;
          return true;
        },
        stopped);
    REQUIRE(answer.has_value());
    if (answer->status == 200) break;
    CHECK(answer->status == 503);
  }
  CHECK(body == "piece\npiece\npiece\n");
}

TEST_CASE("a port that is taken is a mistake, or the next one is tried") {
  const auto first = make_server();
  const auto refused = HttpServer::listen(first->address(), false, serve);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().status == ExitStatus::Usage);
  const auto next = HttpServer::listen(first->address(), true, serve);
  REQUIRE(next.has_value());
  CHECK((*next)->address() != first->address());
  for (const char* wrong : {"8080", "127.0.0.1:http", "127.0.0.1:99999", ":80", "203.0.113.1:80"}) {
    const auto bad = HttpServer::listen(wrong, false, serve);
    REQUIRE_FALSE(bad.has_value());
    CHECK(bad.error().status == ExitStatus::Usage);
  }
}

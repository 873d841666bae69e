#include "runtime/observe/http_client.hpp"

#include <fmt/format.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <cstdint>
#include <limits>
#include <optional>

namespace kaspar::observe {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using Error = boost::system::error_code;

constexpr std::chrono::seconds answer_time{10};
constexpr std::chrono::milliseconds look_interval{100};
constexpr std::size_t most_of_an_error = 64u << 10;

}  // namespace

std::expected<HttpAnswer, Failure> http_get(const std::string& address, const std::string& target,
                                            const std::function<bool(std::string_view)>& piece,
                                            const std::atomic<bool>& stopped) {
  const auto failed = [&](const std::string& why) {
    return std::unexpected(
        Failure{.message = fmt::format("nothing answers at http://{}: {}", address, why),
                .help = "is the pipeline running, and is this its address below `[http]`? The log "
                        "tells it as `http_listening`"});
  };
  const std::size_t colon = address.rfind(':');
  if (colon == std::string::npos) return failed("that is no HOST:PORT");
  std::string host = address.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  asio::io_context context{1};
  Error error;
  const auto found = tcp::resolver(context).resolve(host, address.substr(colon + 1), error);
  if (error) return failed(error.message());
  beast::tcp_stream stream(context);
  // Every step is waited for in pieces, so that `stopped` is seen soon.
  const auto wait = [&](auto begin, std::optional<std::chrono::seconds> within) {
    std::optional<Error> result;
    within ? stream.expires_after(*within) : stream.expires_never();
    begin([&](Error ended, auto&&...) { result = ended; });
    context.restart();
    while (!result && !stopped) context.run_for(look_interval);
    if (result) return *result;
    stream.cancel();
    context.run();
    return Error{asio::error::operation_aborted};
  };
  error = wait([&](auto done) { stream.async_connect(found, done); }, answer_time);
  if (error) return failed(error.message());
  http::request<http::empty_body> request{http::verb::get, target, 11};
  request.set(http::field::host, address);
  request.set(http::field::connection, "close");
  error = wait([&](auto done) { http::async_write(stream, request, done); }, answer_time);
  if (error) return failed(error.message());
  beast::flat_buffer buffer(64u << 10);
  http::response_parser<http::buffer_body> parser;
  parser.body_limit(std::numeric_limits<std::uint64_t>::max());
  error =
      wait([&](auto done) { http::async_read_header(stream, buffer, parser, done); }, answer_time);
  if (error) return failed(error.message());
  HttpAnswer answer{.status = parser.get().result_int()};
  std::string room(16u << 10, '\0');
  while (!parser.is_done() && !stopped) {
    parser.get().body().data = room.data();
    parser.get().body().size = room.size();
    error =
        wait([&](auto done) { http::async_read_some(stream, buffer, parser, done); }, std::nullopt);
    if (error == http::error::need_buffer) error = {};
    const std::string_view got(room.data(), room.size() - parser.get().body().size);
    if (answer.status == 200) {
      if (!got.empty() && !piece(got)) return answer;
    } else if (answer.body.size() < most_of_an_error) {
      answer.body += got;
    }
    if (error) break;  // the end of a stream is that of its connection
  }
  return answer;
}

std::string query_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '_' || c == '-' || c == '.';
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

}  // namespace kaspar::observe

#include "runtime/observe/http_server.hpp"

#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <charconv>
#include <list>
#include <thread>

#include "runtime/observe/http_target.hpp"

namespace kaspar::observe {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using Error = boost::system::error_code;

constexpr int ports_to_try = 100;
constexpr std::chrono::milliseconds pause_without_descriptors{200};

struct Endpoint {
  std::string host;
  std::uint16_t port = 0;
};

std::optional<Endpoint> parse_address(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  Endpoint endpoint{.host = std::string{text.substr(0, colon)}};
  if (endpoint.host.starts_with('[') && endpoint.host.ends_with(']')) {
    endpoint.host = endpoint.host.substr(1, endpoint.host.size() - 2);
  }
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, endpoint.port);
  if (error != std::errc{} || stop != end || endpoint.host.empty()) return std::nullopt;
  return endpoint;
}

std::string text_of(const tcp::endpoint& endpoint) {
  const std::string host = endpoint.address().to_string();
  return endpoint.address().is_v6() ? fmt::format("[{}]:{}", host, endpoint.port())
                                    : fmt::format("{}:{}", host, endpoint.port());
}

}  // namespace

/// All of it but listen() is the thread's own.
struct HttpServer::State {
  State(Handler given, HttpLimits bounds)
      : handler(std::move(given)), limits(bounds), acceptor(context), pause(context) {}

  class Session;

  void accept();

  Handler handler;
  HttpLimits limits;
  std::size_t connections = 0;  // these outlive the connections, which end with the context
  std::size_t streams = 0;
  asio::io_context context{1};
  tcp::acceptor acceptor;
  asio::steady_timer pause;
  std::string address;
  bool loopback = false;
  std::thread thread;
};

/// One connection. It lives as long as something of it is awaited.
class HttpServer::State::Session : public std::enable_shared_from_this<Session> {
 public:
  Session(State& state, tcp::socket socket)
      : state_(state),
        stream_(std::move(socket)),
        buffer_(state.limits.head_bytes),
        timer_(state.context) {
    ++state_.connections;
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() {
    --state_.connections;
    if (streaming_) --state_.streams;
  }

  void read() {
    parser_.emplace();
    parser_->header_limit(static_cast<std::uint32_t>(state_.limits.head_bytes));
    parser_->body_limit(std::uint64_t{0});
    stream_.expires_after(state_.limits.read_time);
    http::async_read_header(
        stream_, buffer_, *parser_,
        [self = shared_from_this()](Error error, std::size_t) { self->on_read(error); });
  }

 private:
  void on_read(Error error) {
    if (error == http::error::header_limit || error == http::error::buffer_overflow) {
      return respond_and_close({.status = 431, .body = "the request's head is too large\n"});
    }
    if (error == http::error::body_limit) {
      return respond_and_close({.status = 413, .body = "a request has no body here\n"});
    }
    if (error && error.category() == http::make_error_code(http::error::bad_method).category() &&
        error != http::error::end_of_stream && error != http::error::partial_message) {
      return respond_and_close({.status = 400, .body = "that is no HTTP request\n"});
    }
    if (error) return close();
    const auto& request = parser_->get();
    const bool head = request.method() == http::verb::head;
    keep_alive_ = request.keep_alive() && ++requests_ < state_.limits.requests;
    if (!head && request.method() != http::verb::get) {
      return respond_and_close({.status = 405,
                                .body = "only GET is served here\n",
                                .headers = {{"Allow", "GET, HEAD"}}});
    }
    if (!parser_->is_done()) {
      return respond_and_close({.status = 413, .body = "a request has no body here\n"});
    }
    // A page of somebody else whose name leads here must not read what this server says.
    const auto host = request[http::field::host];
    if (state_.loopback && !is_local_host({host.data(), host.size()})) {
      return respond_and_close(
          {.status = 421, .body = "this server is for `localhost`, by that name or its address\n"});
    }
    const auto target = request.target();
    const auto parsed = parse_target({target.data(), target.size()});
    if (!parsed) return respond_and_close({.status = 400, .body = "that is no address\n"});
    HttpResponse response = state_.handler(*parsed);
    if (response.stream && !head) return begin_stream(std::move(response));
    respond(std::move(response), head);
  }

  void respond_and_close(HttpResponse response) {
    keep_alive_ = false;
    respond(std::move(response), false);
  }

  template <class Message>
  void set_head(Message& message, const HttpResponse& response) {
    message.set(http::field::content_type, response.content_type);
    message.set(http::field::cache_control, "no-store");
    message.set("X-Content-Type-Options", "nosniff");
    message.set("X-Frame-Options", "DENY");
    message.set("Referrer-Policy", "no-referrer");
    message.set("Cross-Origin-Resource-Policy", "same-origin");
    message.set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
    for (const auto& [name, value] : response.headers) message.set(name, value);
  }

  void respond(HttpResponse response, bool head) {
    response_ = {};
    response_.result(response.status);
    response_.version(11);
    set_head(response_, response);
    response_.keep_alive(keep_alive_);
    response_.content_length(response.body.size());
    if (!head) response_.body() = std::move(response.body);
    serializer_.emplace(response_);
    stream_.expires_after(state_.limits.write_time);
    const auto written = [self = shared_from_this()](Error error, std::size_t) {
      if (error || !self->keep_alive_) return self->close();
      self->read();
    };
    if (head) return http::async_write_header(stream_, *serializer_, written);
    http::async_write(stream_, *serializer_, written);
  }

  void begin_stream(HttpResponse response) {
    if (state_.streams >= state_.limits.streams) {
      return respond_and_close({.status = 503,
                                .body = "as many streams as may be are open\n",
                                .headers = {{"Retry-After", "5"}}});
    }
    streaming_ = true;
    ++state_.streams;
    source_ = std::move(*response.stream);
    response_ = {};
    response_.result(response.status);
    response_.version(11);
    set_head(response_, response);
    response_.keep_alive(false);  // its end is the connection's
    serializer_.emplace(response_);
    stream_.expires_after(state_.limits.write_time);
    http::async_write_header(stream_, *serializer_,
                             [self = shared_from_this()](Error error, std::size_t) {
                               if (error) return self->close();
                               self->watch_for_end();
                               self->next_piece();
                             });
  }

  // Whoever reads a stream says nothing more: what comes is the end.
  void watch_for_end() {
    stream_.socket().async_wait(tcp::socket::wait_read,
                                [self = shared_from_this()](Error) { self->close(); });
  }

  void next_piece() {
    auto piece = source_.next();
    if (!piece) return close();
    piece_ = std::move(*piece);
    stream_.expires_after(state_.limits.write_time);
    asio::async_write(stream_, asio::buffer(piece_),
                      [self = shared_from_this()](Error error, std::size_t) {
                        if (error) return self->close();
                        self->wait_for_next();
                      });
  }

  void wait_for_next() {
    stream_.expires_never();
    timer_.expires_after(source_.interval);
    timer_.async_wait([self = shared_from_this()](Error error) {
      if (!error && self->stream_.socket().is_open()) self->next_piece();
    });
  }

  void close() {
    Error ignored;
    timer_.cancel(ignored);
    stream_.socket().shutdown(tcp::socket::shutdown_both, ignored);
    stream_.socket().close(ignored);
  }

  State& state_;
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  asio::steady_timer timer_;
  std::optional<http::request_parser<http::empty_body>> parser_;
  http::response<http::string_body> response_;
  std::optional<http::response_serializer<http::string_body>> serializer_;
  HttpStream source_;
  std::string piece_;
  std::size_t requests_ = 0;
  bool keep_alive_ = false;
  bool streaming_ = false;
};

void HttpServer::State::accept() {
  acceptor.async_accept([this](Error error, tcp::socket socket) {
    if (error == asio::error::operation_aborted) return;
    if (error) {
      // Without descriptors it would fail again at once.
      pause.expires_after(pause_without_descriptors);
      pause.async_wait([this](Error stopped) {
        if (!stopped) accept();
      });
      return;
    }
    if (connections < limits.connections) {
      std::make_shared<Session>(*this, std::move(socket))->read();
    }
    accept();
  });
}

HttpServer::HttpServer(std::unique_ptr<State> state) : state_(std::move(state)) {}

std::expected<std::unique_ptr<HttpServer>, Failure> HttpServer::listen(const std::string& address,
                                                                       bool next_free,
                                                                       Handler handler,
                                                                       HttpLimits limits) {
  const auto refused = [&](const std::string& why, std::string help) {
    return std::unexpected(
        Failure{.status = ExitStatus::Usage,
                .message = fmt::format("cannot listen at `{}`: {}", address, why),
                .help = std::move(help)});
  };
  const auto wanted = parse_address(address);
  if (!wanted) return refused("that is no HOST:PORT", "such as 127.0.0.1:8080");
  auto state = std::make_unique<State>(std::move(handler), limits);
  Error error;
  tcp::resolver resolver(state->context);
  const auto found =
      resolver.resolve(wanted->host, std::to_string(wanted->port),
                       tcp::resolver::passive | tcp::resolver::numeric_service, error);
  if (error || found.empty()) {
    return refused(error ? error.message() : "there is no such host",
                   "give an address of this machine");
  }
  tcp::endpoint endpoint = found.begin()->endpoint();
  for (int tried = 0; tried < ports_to_try; ++tried) {
    state->acceptor.open(endpoint.protocol(), error);
    if (!error) state->acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) state->acceptor.bind(endpoint, error);
    if (!error) state->acceptor.listen(128, error);
    if (!error) break;
    Error ignored;
    state->acceptor.close(ignored);
    if (!next_free || error != asio::error::address_in_use || endpoint.port() == 65535) break;
    endpoint.port(static_cast<std::uint16_t>(endpoint.port() + 1));
  }
  if (error) {
    return refused(error.message(), error == asio::error::address_in_use
                                        ? "another process listens there; give another port"
                                        : "give an address of this machine");
  }
  state->address = text_of(state->acceptor.local_endpoint());
  state->loopback = endpoint.address().is_loopback();
  state->accept();
  state->thread = std::thread([state = state.get()] { state->context.run(); });
  pthread_setname_np(state->thread.native_handle(), "kaspar-http");
  return std::unique_ptr<HttpServer>{new HttpServer(std::move(state))};
}

HttpServer::~HttpServer() {
  state_->context.stop();
  state_->thread.join();
}

const std::string& HttpServer::address() const noexcept { return state_->address; }

std::string_view HttpRequest::parameter(std::string_view name) const noexcept {
  const auto found = std::ranges::find(query, name, &std::pair<std::string, std::string>::first);
  return found == query.end() ? std::string_view{} : std::string_view{found->second};
}

}  // namespace kaspar::observe

#include "nodes/kafka/transactional_producer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "nodes/kafka/fail_point.hpp"
#include "nodes/kafka/refusal.hpp"

namespace kaspar::nodes::kafka {
namespace {

using std::chrono::milliseconds;
using Outcome = TransactionResult::Outcome;

constexpr milliseconds default_timeout{10'000};
constexpr milliseconds closing_abort{1'000};
constexpr milliseconds commit_share{3'000};
constexpr milliseconds renewal{3'000};  // of one attempt

milliseconds timeout_of(const KafkaSettings& cluster) {
  const auto given = cluster.options.find("transaction.timeout.ms");
  if (given == cluster.options.end()) return default_timeout;
  std::int64_t number = 0;
  const std::string& text = given->second;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return milliseconds{std::max<std::int64_t>(number, 1'000)};
}

/// Whether a record that was given up for this may well be taken when it is produced again.
bool is_passing(rd_kafka_resp_err_t code) {
  switch (code) {
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
      return false;
    default:
      return true;
  }
}

}  // namespace

TransactionalProducer::TransactionalProducer(std::vector<ProducedTopic> topics, std::string id,
                                             const KafkaSettings& cluster,
                                             const RunContext& context)
    : Producer(std::move(topics), Delivery::Reliable, cluster, context),
      id_(std::move(id)),
      timeout_(timeout_of(cluster)) {}

TransactionalProducer::~TransactionalProducer() { end(); }

void TransactionalProducer::end() {
  ending_ = true;
  (void)close(milliseconds{0});
}

void TransactionalProducer::configure(ClientConfiguration& configuration) const {
  configuration.defaults.emplace_back("transaction.timeout.ms", std::to_string(timeout_.count()));
  configuration.owned.emplace_back("transactional.id", id_);
  // A record that does not arrive within the transaction's time-out comes with the next one. An
  // aborted transaction has no order to keep.
  std::erase_if(configuration.owned, [](const auto& property) {
    return property.first == "message.timeout.ms" || property.first == "enable.gapless.guarantee";
  });
}

std::expected<void, Failure> TransactionalProducer::ready() {
  const TransactionResult result =
      init_transactions(client(), within(timeout_ + cluster().connect_timeout));
  if (result.done()) return {};
  return std::unexpected(
      Failure{.message = fmt::format("the transactional id `{}` cannot be taken over: {}", id_,
                                     result.why)});
}

TransactionPatience TransactionalProducer::within(milliseconds time) const {
  return {.deadline = std::chrono::steady_clock::now() + time, .cut_short = ending_};
}

void TransactionalProducer::commit(Commit request) {
  {
    const std::lock_guard lock(requests_);
    commit_ = std::move(request);
  }
  wake();
}

void TransactionalProducer::recover(std::uint64_t next) {
  {
    const std::lock_guard lock(requests_);
    commit_.reset();
    recover_ = next;
  }
  wake();
}

std::optional<TransactionalProducer::Report> TransactionalProducer::take_report() {
  const std::lock_guard lock(requests_);
  if (reports_.empty()) return std::nullopt;
  Report first = std::move(reports_.front());
  reports_.erase(reports_.begin());
  return first;
}

std::optional<TransactionalProducer::Trouble> TransactionalProducer::trouble() const {
  const std::lock_guard lock(requests_);
  return trouble_;
}

std::expected<void, Failure> TransactionalProducer::finish(milliseconds within) {
  // The rest is for the commit that follows.
  if (wait_until_told(within - std::min(within / 4, commit_share))) return {};
  return std::unexpected(Failure{
      .message =
          fmt::format("not every record was delivered to Kafka within {} ms", within.count()),
      .help = "what was not committed is read again by the next run"});
}

void TransactionalProducer::report(Report report) {
  {
    const std::lock_guard lock(requests_);
    reports_.push_back(std::move(report));
  }
  if (told_) told_();
}

// From here on the transaction is bound to be aborted; whoever drives it hears of it.
void TransactionalProducer::give_up(std::string why, bool refused) {
  const bool first = !std::exchange(failed_, true);
  if (!first && !refused) return;
  {
    const std::lock_guard lock(requests_);
    if (!first && !trouble_) return;  // it is being recovered from
    trouble_ = {.why = std::move(why), .refused = refused};
  }
  if (told_) told_();
}

void TransactionalProducer::fail(const TransactionResult& result) {
  failed_ = dead_ = true;
  discard_held();
  rd_kafka_purge(client(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  Failure failure{.message = fmt::format("writing to Kafka in transactions: {}", result.why)};
  if (result.outcome == Outcome::Fenced) {
    failure = {
        .message = fmt::format("this process is fenced: another one with the transactional id "
                               "`{}` took over, or brokers heard nothing of this one for {} ms",
                               id_, timeout_.count()),
        .help =
            "give each live process of a group its own `instance` below `[run]`, or "
            "KASPAR_INSTANCE"};
  }
  report({.kind = Report::Kind::Failed, .failure = std::move(failure)});
}

void TransactionalProducer::end(const TransactionResult& result) {
  if (result.outcome == Outcome::Fenced || result.outcome == Outcome::Fatal) return fail(result);
  lost_ = result.outcome == Outcome::Unknown;
  give_up(result.why);
}

void TransactionalProducer::discard_held() {
  for (const Job& job : held_) discard(job);
  held_.clear();
}

void TransactionalProducer::take(const Job& job) {
  if (failed_ || job.terms.transaction < producing_) return discard(job);
  if (job.terms.transaction > producing_ && !planted_bug("early_produce")) {
    held_.push_back(job);
    return;
  }
  if (!begun_) {
    if (const TransactionResult begun = begin_transaction(client()); !begun.done()) {
      end(begun);
      return discard(job);
    }
    begun_ = true;
  }
  produce(job);
}

bool TransactionalProducer::retracts(const Write& write, rd_kafka_resp_err_t code) {
  const bool refused = is_refusal(code);
  if (!refused && !is_passing(code)) return false;
  if (refused && !std::exchange(refused_, true)) log_refusal(write, code);
  give_up(rd_kafka_err2str(code), refused);
  return true;
}

void TransactionalProducer::work(bool closing) {
  std::optional<Commit> commit;
  std::optional<std::uint64_t> next;
  {
    const std::lock_guard lock(requests_);
    commit = std::exchange(commit_, std::nullopt);
    next = std::exchange(recover_, std::nullopt);
  }
  if (closing) {
    discard_held();
    if (begun_ && !lost_ && !dead_) {
      // What is open now is not to be seen; brokers would find out only after the time-out.
      (void)abort_transaction(client(), within(closing_abort));
    }
    begun_ = false;
    failed_ = true;
    return;
  }
  if (!dead_ && fatal()) {
    const bool fenced = rd_kafka_fatal_error(client(), nullptr, 0) == RD_KAFKA_RESP_ERR__FENCED;
    return fail({.outcome = fenced ? Outcome::Fenced : Outcome::Fatal, .why = *fatal()});
  }
  if (next && !dead_) return make_recovery(*next);
  if (commit && !failed_) make_commit(*commit);
}

void TransactionalProducer::make_commit(Commit& request) {
  TransactionResult result;
  const bool offsets = request.offsets->cnt != 0;
  const TransactionPatience patience = within(timeout_);
  if (!begun_ && offsets) {
    result = begin_transaction(client());
    begun_ = result.done();
  }
  if (begun_ && !offsets) {
    return give_up("records were written, and no offset is there to commit with them");
  }
  if (begun_) {
    result = send_offsets(client(), request.offsets.get(), request.metadata, patience);
    fail_point("after_offsets");
    if (result.done() && fault_due("abort")) result = {.outcome = Outcome::Abort, .why = "a test"};
    if (result.done()) {
      fail_point("inside_commit");
      result = commit_transaction(client(), patience);
    }
  }
  if (!result.done()) return end(result);
  begun_ = false;
  producing_ = request.number + 1;
  report({.kind = Report::Kind::Committed, .number = request.number});
  const std::deque<Job> due = std::exchange(held_, {});
  for (const Job& job : due) take(job);
}

void TransactionalProducer::make_recovery(std::uint64_t next) {
  failed_ = true;
  discard_held();
  if (begun_ && !lost_) {
    const TransactionResult result = abort_transaction(client(), within(timeout_));
    if (result.outcome == Outcome::Fenced) return fail(result);
    lost_ = !result.done();
  }
  begun_ = false;
  if (lost_ && !renew()) return;
  if (new_ && !settle_predecessor()) {
    // Again before long; until then whoever closes is heard.
    const std::lock_guard lock(requests_);
    if (!recover_) recover_ = next;
    return;
  }
  if (dead_) return;
  reports_heard();  // before what was discarded is read again
  producing_ = next;
  failed_ = refused_ = false;
  {
    const std::lock_guard lock(requests_);
    trouble_.reset();
  }
  report({.kind = Report::Kind::Recovered, .number = next});
}

// A new producer of the same id ends what the old one left open: brokers then know, one way or the
// other.
bool TransactionalProducer::renew() {
  context().log.write(LogLevel::Warning, "producer_renewed",
                      "brokers did not tell how a transaction ended; a new producer finds out");
  if (auto made = reconnect(); !made) {
    fail({.outcome = Outcome::Fatal, .why = made.error().message});
    return false;
  }
  lost_ = false;
  new_ = true;
  return true;
}

bool TransactionalProducer::settle_predecessor() {
  const TransactionResult result = init_transactions(client(), within(renewal));
  if (result.outcome == Outcome::Unknown) return false;
  new_ = false;
  if (!result.done()) fail(result);
  return true;
}

}  // namespace kaspar::nodes::kafka

// A topic of Kafka. The positions are our own, committed with the rows; the broker is told of them only so that others see the lag.
#include <dlfcn.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>

#include "address.h"
#include "feed.h"
#include "maru/base/text.h"
#include "sources.h"

namespace maru::connect {
namespace {

using base::Code;
using base::fail;
using base::Status;

constexpr const char* kLibrary = "librdkafka.so.1";
constexpr int kMetadataMs = 500;  // of one try
constexpr int kMetadataTries = 20;
constexpr std::int64_t kNewPartitionsNs = 30'000'000'000;  // between two looks for more partitions
// What an address may set beside: nothing that names files or commands of this machine.
constexpr std::array<std::string_view, 8> kSettings = {
    "security.protocol",       "sasl.mechanism",        "sasl.mechanisms", "session.timeout.ms",
    "fetch.message.max.bytes", "broker.address.family", "client.id",       "isolation.level"};

struct Conf {
  rd_kafka_conf_t* conf = ::rd_kafka_conf_new();
  ~Conf() {
    if (conf != nullptr) ::rd_kafka_conf_destroy(conf);
  }
  Status set(const std::string& name, const std::string& value) {
    std::array<char, 512> why{};
    if (::rd_kafka_conf_set(conf, name.c_str(), value.c_str(), why.data(), why.size()) ==
        RD_KAFKA_CONF_OK)
      return {};
    return fail(Code::kInvalidArgument, "Kafka's setting " + name + " is wrong: " + why.data());
  }
};

class KafkaFeed final : public Feed {
 public:
  explicit KafkaFeed(const std::atomic<bool>& stop) : stop_(stop) {}
  ~KafkaFeed() override {
    if (queue_ != nullptr) ::rd_kafka_queue_destroy(queue_);
    if (client_ == nullptr) return;
    ::rd_kafka_consumer_close(client_);
    ::rd_kafka_destroy(client_);
  }

  Status open(const StreamSpec& spec, const SourceSettings& settings,
              const std::map<int, std::int64_t>& next) {
    TRY_ASSIGN(const Address address, parse_address(spec.address));
    const std::string rest = address.plain.substr(address.plain.find("://") + 3);
    const std::size_t slash = rest.find('/');
    std::string brokers = rest.substr(0, slash);
    brokers = brokers.substr(brokers.rfind('@') + 1);
    TRY_ASSIGN(topic_, percent_decoded(rest.substr(slash + 1)));
    from_latest_ = spec.from_latest;
    positions_ = next;
    Conf conf;
    TRY(conf.set("bootstrap.servers", brokers));
    TRY(conf.set("group.id", "maru-" + spec.project + "-" + spec.name));
    TRY(conf.set("enable.auto.commit", "false"));
    TRY(conf.set("enable.auto.offset.store", "false"));
    TRY(conf.set("enable.partition.eof", "false"));
    TRY(conf.set("auto.offset.reset", "error"));
    TRY(conf.set("isolation.level", "read_committed"));
    TRY(conf.set("queued.min.messages", "100000"));
    TRY(conf.set("queued.max.messages.kbytes", "65536"));
    TRY(conf.set("fetch.wait.max.ms", "50"));
    TRY(conf.set("log_level", "2"));
    for (const auto& [name, value] : address.options) {
      if (name == "secret") continue;
      if (std::find(kSettings.begin(), kSettings.end(), name) == kSettings.end())
        return fail(Code::kInvalidArgument, "unknown option of a kafka address: " + name,
                    "secret, security.protocol, sasl.mechanism, ...");
      TRY(conf.set(name, value));
    }
    TRY_ASSIGN(const std::string secret, named_secret(address, settings));
    if (!secret.empty()) {
      const std::size_t colon = secret.find(':');
      TRY(conf.set("sasl.username",
                   colon == std::string::npos ? address.user : secret.substr(0, colon)));
      TRY(conf.set("sasl.password",
                   colon == std::string::npos ? secret : secret.substr(colon + 1)));
      if (address.option("security.protocol").empty())
        TRY(conf.set("security.protocol", "SASL_SSL"));
      if (address.option("sasl.mechanism").empty() && address.option("sasl.mechanisms").empty())
        TRY(conf.set("sasl.mechanism", "PLAIN"));
    }
    std::array<char, 512> why{};
    client_ = ::rd_kafka_new(RD_KAFKA_CONSUMER, conf.conf, why.data(), why.size());
    if (client_ == nullptr)
      return fail(Code::kInternal, std::string("Kafka's client cannot start: ") + why.data());
    conf.conf = nullptr;  // the client's now
    ::rd_kafka_poll_set_consumer(client_);
    queue_ = ::rd_kafka_queue_get_consumer(client_);
    return assign();
  }

  Status poll(std::size_t most, int wait_ms, std::vector<Event>& events) override {
    if (clock_.monotonic_ns() - looked_ns_ > kNewPartitionsNs) TRY(assign());
    messages_.resize(most);
    const ssize_t got =
        ::rd_kafka_consume_batch_queue(queue_, wait_ms, messages_.data(), messages_.size());
    if (got < 0) return fail(Code::kUnavailable, "Kafka gives no events: " + last());
    Status status;
    for (ssize_t i = 0; i < got; ++i) {
      rd_kafka_message_t* message = messages_[static_cast<std::size_t>(i)];
      if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (status) {
          events.push_back({message->partition, message->offset,
                            std::string(static_cast<const char*>(message->payload), message->len)});
          positions_[message->partition] = message->offset + 1;
        }
      } else if (status && message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        status = trouble(*message);
      }
      ::rd_kafka_message_destroy(message);
    }
    return status;
  }

  void taken(const std::map<int, std::int64_t>& next) override {
    rd_kafka_topic_partition_list_t* list = list_of(next);
    // Nobody waits for it, and nothing depends on it.
    static_cast<void>(::rd_kafka_commit(client_, list, 1));
    ::rd_kafka_topic_partition_list_destroy(list);
  }

  std::int64_t lag(const std::map<int, std::int64_t>& next) override {
    std::int64_t sum = 0;
    for (const int partition : partitions_) {
      std::int64_t low = -1, high = -1;
      if (::rd_kafka_get_watermark_offsets(client_, topic_.c_str(), partition, &low, &high) !=
              RD_KAFKA_RESP_ERR_NO_ERROR ||
          high < 0)
        return -1;
      const auto at = next.find(partition);
      sum += std::max<std::int64_t>(
          0, high - (at == next.end() ? std::max<std::int64_t>(0, low) : at->second));
    }
    return sum;
  }

 private:
  std::string last() const { return ::rd_kafka_err2str(::rd_kafka_last_error()); }

  Status trouble(const rd_kafka_message_t& message) {
    const std::string what = ::rd_kafka_message_errstr(&message);
    switch (message.err) {
      case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
      case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        return fail(Code::kDataLoss,
                    "events that were not yet taken are gone from the topic (partition " +
                        std::to_string(message.partition) + "): " + what,
                    "the topic keeps too little; remove the stream and add it again to go on from "
                    "what is left");
      case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
      case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
      case RD_KAFKA_RESP_ERR__AUTHENTICATION:
        return fail(Code::kPermissionDenied, "Kafka refuses: " + what);
      default:
        return fail(Code::kUnavailable, "Kafka: " + what);
    }
  }

  rd_kafka_topic_partition_list_t* list_of(const std::map<int, std::int64_t>& next) const {
    auto* list = ::rd_kafka_topic_partition_list_new(static_cast<int>(next.size()));
    for (const auto& [partition, offset] : next)
      ::rd_kafka_topic_partition_list_add(list, topic_.c_str(), partition)->offset = offset;
    return list;
  }

  // All partitions of the topic, each from where we are.
  Status assign() {
    looked_ns_ = clock_.monotonic_ns();
    rd_kafka_topic_t* topic = ::rd_kafka_topic_new(client_, topic_.c_str(), nullptr);
    const rd_kafka_metadata_t* found = nullptr;
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    for (int i = 0; i < kMetadataTries && code != RD_KAFKA_RESP_ERR_NO_ERROR && !stop_; ++i)
      code = ::rd_kafka_metadata(client_, 0, topic, &found, kMetadataMs);
    ::rd_kafka_topic_destroy(topic);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
      return fail(Code::kUnavailable,
                  "Kafka does not answer: " + std::string(::rd_kafka_err2str(code)));
    std::vector<int> partitions;
    rd_kafka_resp_err_t refused = RD_KAFKA_RESP_ERR_NO_ERROR;
    for (int i = 0; i < found->topic_cnt; ++i) {
      refused = found->topics[i].err;
      for (int p = 0; p < found->topics[i].partition_cnt; ++p)
        partitions.push_back(found->topics[i].partitions[p].id);
    }
    ::rd_kafka_metadata_destroy(found);
    if (partitions.empty())
      return fail(Code::kUnavailable,
                  "the topic is not there: " + topic_ + " (" + ::rd_kafka_err2str(refused) + ")");
    std::sort(partitions.begin(), partitions.end());
    if (partitions == partitions_) return {};
    std::map<int, std::int64_t> from;
    for (const int partition : partitions) {
      const auto at = positions_.find(partition);
      // A partition that came later is read from its beginning.
      const bool latest = from_latest_ && partitions_.empty() && positions_.empty();
      from[partition] = at != positions_.end() ? at->second
                        : latest               ? RD_KAFKA_OFFSET_END
                                               : RD_KAFKA_OFFSET_BEGINNING;
    }
    auto* list = list_of(from);
    const rd_kafka_resp_err_t assigned = ::rd_kafka_assign(client_, list);
    ::rd_kafka_topic_partition_list_destroy(list);
    if (assigned != RD_KAFKA_RESP_ERR_NO_ERROR)
      return fail(Code::kUnavailable,
                  "Kafka gives no partitions: " + std::string(::rd_kafka_err2str(assigned)));
    partitions_ = std::move(partitions);
    return {};
  }

  const std::atomic<bool>& stop_;
  base::Clock& clock_ = base::system_clock();
  rd_kafka_t* client_ = nullptr;
  rd_kafka_queue_t* queue_ = nullptr;
  std::string topic_;
  bool from_latest_ = false;
  std::map<int, std::int64_t> positions_;
  std::vector<int> partitions_;
  std::vector<rd_kafka_message_t*> messages_;
  std::int64_t looked_ns_ = 0;
};

}  // namespace

base::Result<std::unique_ptr<Feed>> open_kafka_feed(const StreamSpec& spec,
                                                    const SourceSettings& settings,
                                                    const std::map<int, std::int64_t>& next,
                                                    const std::atomic<bool>& stop) {
  static const bool present = ::dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL) != nullptr;
  if (!present)
    return fail(Code::kFailedPrecondition,
                std::string("Kafka's client library is not installed: ") + kLibrary,
                "apt install librdkafka1");
  auto feed = std::make_unique<KafkaFeed>(stop);
  TRY(feed->open(spec, settings, next));
  return std::unique_ptr<Feed>(std::move(feed));
}

}  // namespace maru::connect

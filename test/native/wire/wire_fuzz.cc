// SPDX-License-Identifier: Apache-2.0
// Plays random conversations with a server whose handlers do what they like, and checks what must always hold.
//   wire_fuzz [--seconds N] [--from SEED]     rounds with one seed after the other, for so long (60)
//   wire_fuzz --seed SEED                     one round again
//
// A round is a server, some connections and a random choice of everything that is said on them: valid conversations,
// and the same with frames, header blocks and messages damaged. Everything that is sent, and what the handlers do with
// a call, follows from the seed; only when threads run does not. Nothing may crash or leak (build it with sanitizers),
// every call that a handler has seen ends exactly once, every token comes back exactly once, and when all connections
// have ended no counter is left. In calm rounds nothing is damaged, and every call gets the answer it should get.
#include <signal.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <random>
#include <set>
#include <thread>
#include <unordered_map>

#include "client.h"
#include "server.h"

extern "C" void __sanitizer_set_death_callback(void (*callback)()) __attribute__((weak));

namespace aiges::wire::test {
namespace {

using std::chrono::milliseconds;

constexpr char kUnary[] = "/fuzz.Service/Unary";
constexpr char kStream[] = "/fuzz.Service/Stream";
constexpr milliseconds kPatience{30'000};

std::uint64_t current_seed = 0;

void TellSeed() {
  std::array<char, 64> text{};
  const int size = std::snprintf(text.data(), text.size(), "\nreplay: wire_fuzz --seed %llu\n",
                                 static_cast<unsigned long long>(current_seed));
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text.data(), static_cast<std::size_t>(size));
}

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  TellSeed();
  std::_Exit(1);
}

void Check(bool holds, const std::string& what) {
  if (!holds) Fail(what);
}

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  std::uint32_t Below(std::uint32_t n) { return n == 0 ? 0 : static_cast<std::uint32_t>(engine_() % n); }
  bool OneIn(std::uint32_t n) { return Below(n) == 0; }
  std::uint64_t Any() { return engine_(); }
  std::string Bytes(std::size_t n) {
    std::string bytes(n, '\0');
    for (char& byte : bytes) byte = static_cast<char>(engine_());
    return bytes;
  }
  // Mostly small, now and then around the lengths at which the wire takes another path.
  std::size_t Length(std::size_t most) {
    constexpr std::array<std::size_t, 6> kBorders{1024, 16384, 65536, 262144, 524288, 1048576};
    if (OneIn(3)) return std::min<std::size_t>(Below(20), most);
    if (OneIn(4)) return std::min(kBorders[Below(kBorders.size())] - 3 + Below(7), most);
    return Below(static_cast<std::uint32_t>(std::min<std::size_t>(most, 40'000)) + 1);
  }

 private:
  std::mt19937_64 engine_;
};

// ---- What is agreed about a call --------------------------------------------------------------------------------

// What its handler does, told by the client in the header field "plan".
struct Plan {
  enum class Kind { kEcho, kEchoAfterMetadata, kError, kSeveral, kEarly, kNever, kTooLong, kLongMetadata };

  explicit Plan(std::uint32_t number)
      : kind(static_cast<Kind>(number % 8)), delay(number >> 3 & 7), hold(number >> 6 & 7), consume(number >> 9 & 3) {}

  Kind kind;
  unsigned delay;    // turns until it does something about an event
  unsigned hold;     // turns for which it keeps a message that it does not need any more
  unsigned consume;  // 0, 1: at once; 2: when the answer is out; 3: more than there was
};

constexpr std::uint32_t kErrorCode = 9;
constexpr std::size_t kSeveralMessages = 5;

std::string Pattern(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(size * 31 + i * 7 + (i >> 8));
  return bytes;
}

// What the client gets in the end when nothing goes wrong.
struct Expected {
  std::string data;
  std::string status = "0";
  int kind = 0;
};

Expected ExpectedOf(const Plan& plan, bool unary, const std::vector<std::string>& messages) {
  Expected expected;
  if (unary && messages.size() > 1) return {.data = "", .status = "13"};
  switch (plan.kind) {
    case Plan::Kind::kError: return {.data = "", .status = std::to_string(kErrorCode)};
    case Plan::Kind::kEarly: return {};
    case Plan::Kind::kTooLong:
    case Plan::Kind::kLongMetadata: return {.data = "", .status = "8"};
    case Plan::Kind::kSeveral:
      if (unary) break;
      for (std::size_t i = 0; i < kSeveralMessages; ++i) expected.data += Prefixed(Pattern(i * 5'000));
      return expected;
    default: break;
  }
  for (const std::string& message : messages) expected.data += Prefixed(message);
  return expected;
}

// ---- The handlers -----------------------------------------------------------------------------------------------

class Handlers final : public EventSink {
 public:
  Handlers(const Nghttp2& api, Options options)
      : too_long_(options.max_send_bytes + 1, 'l'), server_(api, std::move(options), *this) {
    server_.AddMethod(kUnary, MethodKind::kUnary);
    server_.AddMethod(kStream, MethodKind::kStream);
    for (std::size_t i = 0; i < kSeveralMessages; ++i) several_.push_back(Pattern(i * 5'000));
  }

  Server& server() { return server_; }
  void Wake() noexcept override {}

  // Takes what has happened, and does what is due.
  void Turn() {
    ++turn_;
    for (Event& event : server_.Take()) On(event);
    Commands commands;
    for (auto& [id, call] : calls_) {
      if (!call.over() && turn_ >= call.due) Act(id, call, commands);
    }
    std::erase_if(kept_, [&](const auto& kept) { return kept.first <= turn_; });
    server_.Submit(std::move(commands));
  }

  // Ends what is left, as handlers do at last.
  void FinishAll() {
    Commands commands;
    for (auto& [id, call] : calls_) {
      if (call.over()) continue;
      call.finished = true;
      commands.Finish(id, {1, "the end"}, {});
    }
    server_.Submit(std::move(commands));
  }

  bool AllOver() const {
    return std::all_of(calls_.begin(), calls_.end(), [](const auto& entry) { return entry.second.over(); });
  }

  // After the server has been stopped.
  void CheckNothingLeft() {
    for (Events events = server_.Take(); !events.empty(); events = server_.Take()) {
      for (Event& event : events) On(event);
    }
    Check(AllOver(), "a call has not ended");
    for (const auto& [id, call] : calls_) {
      Check(call.finished || call.cancelled, "call " + std::to_string(id) + " has no end");
    }
    Check(lent_.empty(), std::to_string(lent_.size()) + " tokens have not come back");
    calls_.clear();
    kept_.clear();
    const Stats& stats = server_.stats();
    const std::pair<const char*, const Stats::Number&> live[] = {
        {"connections", stats.connections},
        {"connections_paused", stats.connections_paused},
        {"calls", stats.calls},
        {"bytes_held", stats.bytes_held},
        {"bytes_queued", stats.bytes_queued},
        {"header_bytes", stats.header_bytes},
        {"tokens", stats.tokens},
    };
    for (const auto& [name, number] : live) {
      Check(number == 0, std::string(name) + " is " + std::to_string(number.load()) + " at the end");
    }
  }

 private:
  struct State {
    Plan plan;
    bool unary;
    bool input_ended = false;
    bool finished = false;   // by us
    bool cancelled = false;  // by the wire
    bool metadata_sent = false;
    std::uint64_t due = 0;
    std::vector<Message> messages{};  // to be answered
    bool over() const { return finished || cancelled; }
  };
  struct Lent {
    CallId call;
    Message message;      // whose memory it is, if it is one's
    std::size_t consume;  // then
  };

  void On(Event& event) {
    using Kind = Event::Kind;
    if (event.kind == Kind::kDrained) {
      Check(!std::exchange(drained_, true), "drained twice");
      return;
    }
    if (event.kind == Kind::kReleased) {
      const auto lent = lent_.find(event.token);
      Check(lent != lent_.end(), "a token came back that was not lent");
      Check(lent->second.call == event.call, "a token came back with another call");
      if (lent->second.consume > 0) {
        Commands commands;
        commands.Consumed(event.call, lent->second.consume);
        server_.Submit(std::move(commands));
      }
      lent_.erase(lent);
      return;
    }
    if (event.kind == Kind::kStart) {
      Check(event.call != 0 && event.start != nullptr && event.start->connection != nullptr, "half a start");
      const bool unary = event.start->method == 0;
      const auto [call, fresh] = calls_.try_emplace(event.call, State{.plan = ReadPlan(*event.start), .unary = unary});
      Check(fresh, "a call began twice");
      Check(!unary || (event.message.block && event.end_of_input), "a unary call without its message");
      call->second.due = turn_ + call->second.plan.delay;
    }
    const auto found = calls_.find(event.call);
    Check(found != calls_.end(), "an event of a call that has not begun");
    State& call = found->second;
    if (event.kind == Kind::kCancelled) {
      Check(!std::exchange(call.cancelled, true), "a call was cancelled twice");
      Keep(call, std::move(call.messages));
      return;
    }
    Check(!call.cancelled, "an event of a call that was cancelled");
    Check(!call.input_ended, "an event after the end of input");
    if (event.message.block) {
      const Message& message = event.message;
      Check(message.offset + message.size <= message.block->size(), "a message outside of its block");
      checksum_ += Sum(message);
      call.messages.push_back(std::move(event.message));
    }
    call.input_ended = event.end_of_input;
  }

  void Act(CallId id, State& call, Commands& commands) {
    using Kind = Plan::Kind;
    switch (call.plan.kind) {
      case Kind::kNever: return Consume(id, call, commands);
      case Kind::kEarly:
      case Kind::kError:
        commands.Finish(id, {call.plan.kind == Kind::kError ? kErrorCode : 0, "as planned \xe2\x98\xba"}, {});
        return End(call);
      case Kind::kTooLong: {
        OutgoingMessage message = Outgoing(id, too_long_);
        // The wire ends the call, and says so unless this was the end anyway.
        if (call.unary) {
          commands.Reply(id, std::move(message), {});
          return End(call);
        }
        if (!std::exchange(call.metadata_sent, true)) {
          commands.SendMessage(id, std::move(message));
        } else {
          lent_.erase(message.token);
        }
        return;
      }
      case Kind::kLongMetadata: {
        Metadata metadata;
        metadata.Add("long", std::string(100'000, 'm'));
        if (call.plan.consume == 0) {
          commands.Finish(id, {}, std::move(metadata));
        } else {
          commands.SendMetadata(id, std::move(metadata));
          commands.Finish(id, {}, {});
        }
        return End(call);
      }
      case Kind::kSeveral:
        if (call.unary) break;
        Consume(id, call, commands);
        if (!call.input_ended) return;
        for (const std::string& bytes : several_) commands.SendMessage(id, Outgoing(id, bytes));
        commands.Finish(id, {}, {});
        return End(call);
      case Kind::kEchoAfterMetadata:
        if (!std::exchange(call.metadata_sent, true)) {
          Metadata metadata;
          metadata.Add("early", "metadata");
          metadata.Add("early-bin", std::string("\0\xff", 2));
          commands.SendMetadata(id, std::move(metadata));
        }
        break;
      default: break;
    }
    Echo(id, call, commands);
  }

  void Echo(CallId id, State& call, Commands& commands) {
    for (Message& message : std::exchange(call.messages, {})) {
      const std::size_t size = message.size;
      OutgoingMessage answer;
      // In pieces, of which the first may be copied.
      const std::string_view bytes(reinterpret_cast<const char*>(message.data()), size);
      const std::size_t head = std::min<std::size_t>(size, call.plan.hold * 3);
      answer.head = bytes.substr(0, head);
      for (std::size_t at = head; at < size;) {
        const std::size_t part = std::min<std::size_t>(size - at, 1 + (call.plan.delay + 1) * 9'000);
        answer.chunks.push_back({message.data() + at, part});
        at += part;
      }
      answer.token = ++last_token_;
      const std::size_t later = call.plan.consume == 2 && !call.unary ? size : 0;
      lent_.emplace(answer.token, Lent{id, std::move(message), later});
      if (call.unary) {
        answer.leased = call.plan.hold % 2 == 1;
        commands.Reply(id, std::move(answer), {});
        return End(call);
      }
      commands.SendMessage(id, std::move(answer));
      if (later == 0) commands.Consumed(id, call.plan.consume == 3 ? size * 2 : size);
    }
    if (!call.input_ended) return;
    commands.Finish(id, {}, {});
    // Commands for a call that has ended do nothing, and their memory comes back.
    if (call.plan.delay == 5) {
      commands.SendMessage(id, Outgoing(id, several_[1]));
      commands.Consumed(id, 1);
      commands.Finish(id, {2, "twice"}, {});
    }
    End(call);
  }

  // Reads without answering.
  void Consume(CallId id, State& call, Commands& commands) {
    for (const Message& message : call.messages) commands.Consumed(id, message.size);
    Keep(call, std::move(call.messages));
    call.messages.clear();
  }

  void End(State& call) {
    call.finished = true;
    Keep(call, std::move(call.messages));
  }

  void Keep(const State& call, std::vector<Message> messages) {
    for (Message& message : messages) kept_.emplace_back(turn_ + call.plan.hold, std::move(message));
  }

  OutgoingMessage Outgoing(CallId id, const std::string& bytes) {
    OutgoingMessage message;
    message.chunks.push_back({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()});
    message.token = ++last_token_;
    lent_.emplace(message.token, Lent{id, {}, 0});
    return message;
  }

  // Everything that is handed out can be read.
  static std::uint64_t Sum(const Message& message) {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < message.size; ++i) sum += static_cast<std::uint64_t>(message.data()[i]);
    return sum;
  }

  static Plan ReadPlan(const CallStart& start) {
    std::uint32_t number = 0;
    for (std::size_t i = 0; i < start.metadata.size(); ++i) {
      const auto [name, value] = start.metadata[i];
      if (name == "plan") std::from_chars(value.data(), value.data() + value.size(), number);
    }
    return Plan(number);
  }

  std::uint64_t turn_ = 0;
  std::map<CallId, State> calls_;
  std::unordered_map<Token, Lent> lent_;
  std::vector<std::pair<std::uint64_t, Message>> kept_;  // until that turn
  std::vector<std::string> several_;
  const std::string too_long_;
  Token last_token_ = 0;
  bool drained_ = false;
  std::uint64_t checksum_ = 0;
  Server server_;
};

// ---- The clients ------------------------------------------------------------------------------------------------

// A frame before it becomes bytes, so that it can be damaged where it hurts.
struct Draft {
  int type;
  int flags;
  std::uint32_t stream;
  std::string payload;
};

// Literal fields that leave the dynamic table alone: a header block that can be left out, repeated or moved.
std::string Literal(const Fields& fields) {
  const auto text = [](std::string& block, const std::string& bytes) {
    if (bytes.size() < 127) {
      block += static_cast<char>(bytes.size());
    } else {
      block += '\x7f';
      std::size_t rest = bytes.size() - 127;
      for (; rest >= 128; rest >>= 7) block += static_cast<char>(rest % 128 + 128);
      block += static_cast<char>(rest);
    }
    block += bytes;
  };
  std::string block;
  for (const auto& [name, value] : fields) {
    block += '\0';
    text(block, name);
    text(block, value);
  }
  return block;
}

class Talker {
 public:
  // `damage`: one in so many frames; 0 for none.
  Talker(std::uint16_t port, std::uint64_t seed, std::uint32_t damage, bool slow)
      : random_(seed), damage_(damage), slow_(slow), client_(port, slow ? 4096 : 0) {
    if (damage_ > 0 && random_.OneIn(20)) {
      client_.Send(random_.Bytes(random_.Below(100)));
    } else if (slow_) {
      client_.Hello({{kSetInitialWindow, random_.Below(70'000)}}, random_.Below(100'000));
    } else {
      client_.Hello();
    }
    // By then it has the server's windows.
    if (damage_ == 0) Check(client_.RoundTrip(), "no answer to a ping");
    for (std::uint32_t calls = 1 + random_.Below(8); calls > 0; --calls) Compose();
  }

  bool HasMore() const { return !units_.empty() && !client_.closed(); }

  // Says the next thing, perhaps only a part of it.
  void Step() {
    if (!HasMore()) return;
    std::size_t chosen = random_.Below(static_cast<std::uint32_t>(units_.size()));
    // Streams begin in their order.
    for (std::size_t i = 0; i < chosen && !opened_.contains(units_[chosen].front().front().stream); ++i) {
      if (!opened_.contains(units_[i].front().front().stream)) chosen = i;
    }
    std::vector<std::vector<Draft>>& conversation = units_[chosen];
    std::vector<Draft> unit = std::move(conversation.front());
    conversation.erase(conversation.begin());
    if (conversation.empty()) units_.erase(units_.begin() + static_cast<std::ptrdiff_t>(chosen));
    if (unit.front().type == 1) opened_.insert(unit.front().stream);
    std::string bytes;
    for (Draft& draft : unit) bytes += Serialize(std::move(draft));
    while (!bytes.empty()) {
      const std::size_t part =
          random_.OneIn(3) ? 1 + random_.Below(static_cast<std::uint32_t>(bytes.size())) : bytes.size();
      client_.Send(std::string_view(bytes).substr(0, part));
      bytes.erase(0, part);
      if (random_.OneIn(4)) client_.ReadFor(milliseconds(random_.Below(2)));
    }
    if (slow_ && random_.OneIn(4)) GiveWindow(random_.Below(30'000));
    if (damage_ == 0) return;
    if (random_.OneIn(60)) client_.Abort();
    if (random_.OneIn(60)) client_.CloseWriting();
  }

  void Read() { client_.ReadFor(milliseconds(0)); }

  void GiveWindow(std::uint32_t size) {
    if (size == 0 || !slow_) return;
    client_.SendWindow(0, size);
    for (const std::uint32_t stream : opened_) client_.SendWindow(stream, size);
  }

  // Of a calm conversation, when everything has been said and enough window given.
  bool Answered() {
    Read();
    if (client_.closed()) {
      Fail("the connection has ended" +
           (client_.goaways().empty()
                ? ""
                : ", error " + std::to_string(client_.goaways().front().code) + " " + client_.goaways().front().text));
    }
    return std::all_of(expected_.begin(), expected_.end(),
                       [&](const auto& entry) { return client_.answer(entry.first).over(); });
  }
  // For whoever looks into a round: what has not been answered.
  std::string Unanswered() {
    std::string text;
    for (const auto& [stream, expected] : expected_) {
      const Answer& answer = client_.answer(stream);
      if (answer.over()) continue;
      if (text.empty()) text = slow_ ? "slow " : "fast ";
      text += "stream " + std::to_string(stream) + " (plan kind " + std::to_string(expected.kind) +
              "): " + std::to_string(answer.data.size()) + " of " + std::to_string(expected.data.size()) + " bytes; ";
    }
    return text;
  }
  void CheckAnswers() {
    for (const auto& [stream, expected] : expected_) {
      const Answer& answer = client_.answer(stream);
      const std::string where = "stream " + std::to_string(stream) + ": ";
      Check(answer.status() == expected.status,
            where + "status \"" + answer.status() + "\" (" + answer.message() + "), expected " + expected.status);
      Check(answer.data == expected.data, where + std::to_string(answer.data.size()) + " bytes, expected " +
                                              std::to_string(expected.data.size()) + " or others");
    }
  }

  Client& client() { return client_; }

 private:
  // One call, as units of frames that belong together.
  void Compose() {
    const std::uint32_t stream = client_.NextStream();
    const bool unary = random_.OneIn(2);
    std::uint32_t number = random_.Below(1u << 11);
    if (damage_ == 0 && Plan(number).kind == Plan::Kind::kNever) number &= ~7u;
    Fields more = {{"plan", std::to_string(number)}};
    if (random_.OneIn(4)) more.emplace_back("padding", std::string(random_.Below(20'000), 'p'));
    if (damage_ > 0) {
      if (random_.OneIn(6)) more.emplace_back("grpc-timeout", std::to_string(random_.Below(20)) + "m");
      if (random_.OneIn(12)) more.emplace_back("grpc-encoding", random_.OneIn(2) ? "gzip" : "snappy");
      if (random_.OneIn(12)) more.emplace_back("some-bin", random_.OneIn(2) ? "AAEC" : "not base64!");
      if (random_.OneIn(30)) more.emplace_back("content-type", "application/json");
    }
    const Fields fields = Client::Request(unary ? kUnary : kStream, more);
    std::vector<std::vector<Draft>> units;
    units.push_back(HeaderFrames(stream, Literal(fields), false));

    std::vector<std::string> messages;
    for (std::uint32_t count = !unary             ? random_.Below(6)
                               : random_.OneIn(4) ? 2 + random_.Below(2)
                                                  : 1;
         count > 0; --count) {
      messages.push_back(Pattern(random_.Length(damage_ > 0 ? 700'000 : 300'000)));
    }
    std::string data;
    for (const std::string& message : messages) {
      std::string bytes = Prefixed(message, damage_ > 0 && random_.OneIn(30));
      if (damage_ > 0 && random_.OneIn(damage_ * 4)) bytes[random_.Below(5)] = static_cast<char>(random_.Any());
      data += bytes;
    }
    if (damage_ > 0 && random_.OneIn(15)) data.resize(random_.Below(static_cast<std::uint32_t>(data.size()) + 1));
    const bool trailers = random_.OneIn(8);
    const std::size_t frame =
        1 + (random_.OneIn(5) && data.size() < 2'000 ? random_.Below(4) : 100 + random_.Below(16'000));
    do {
      const std::string part = data.substr(0, frame);
      data.erase(0, part.size());
      const bool last = data.empty() && !trailers;
      if (random_.OneIn(6) && part.size() < 16'000) {
        const std::string padding(random_.Below(200), '\0');
        units.push_back({{0, 8 | (last ? 1 : 0), stream, static_cast<char>(padding.size()) + part + padding}});
      } else {
        units.push_back({{0, last ? 1 : 0, stream, part}});
      }
      if (random_.OneIn(12)) units.push_back({{6, 0, 0, random_.Bytes(8)}});
    } while (!data.empty());
    if (trailers) units.push_back(HeaderFrames(stream, Literal({{"trailing", "field"}}), true));
    if (damage_ > 0 && random_.OneIn(8)) units.push_back({{3, 0, stream, Int32(random_.Below(16))}});
    if (damage_ > 0 && random_.OneIn(10)) {
      units.push_back(
          {{4, 0, 0, SettingsPayload({{static_cast<std::uint16_t>(random_.Below(10)), random_.Below(200'000)}})}});
    }
    if (damage_ == 0) {
      expected_[stream] = ExpectedOf(Plan(number), unary, messages);
      expected_[stream].kind = static_cast<int>(number % 8);
    }
    units_.push_back(std::move(units));
  }

  std::vector<Draft> HeaderFrames(std::uint32_t stream, std::string block, bool end_stream) {
    std::vector<Draft> frames;
    const std::size_t frame = random_.OneIn(3) ? 1 + block.size() / (1 + random_.Below(10)) : 16'384;
    int type = 1;
    do {
      const std::string part = block.substr(0, frame);
      block.erase(0, part.size());
      frames.push_back({type, (type == 1 && end_stream ? 1 : 0) | (block.empty() ? 4 : 0), stream, part});
      type = 9;
    } while (!block.empty());
    return frames;
  }

  std::string Serialize(Draft draft) {
    if (damage_ == 0 || !random_.OneIn(damage_))
      return FrameBytes(draft.type, draft.flags, draft.stream, draft.payload);
    const auto somewhere = [&](const std::string& text) {
      return random_.Below(static_cast<std::uint32_t>(text.size()));
    };
    std::string& payload = draft.payload;
    switch (random_.Below(12)) {
      case 0: draft.type = static_cast<int>(random_.Below(12)); break;
      case 1: draft.flags ^= 1 << random_.Below(8); break;
      case 2: draft.stream = random_.OneIn(3) ? 0 : 1 + 2 * random_.Below(10); break;
      case 3: payload.resize(random_.Below(static_cast<std::uint32_t>(payload.size()) + 1)); break;
      case 4: payload.insert(payload.empty() ? 0 : somewhere(payload), random_.Bytes(1 + random_.Below(20))); break;
      case 5:
        for (std::uint32_t flips = 1 + random_.Below(4); flips > 0 && !payload.empty(); --flips) {
          payload[somewhere(payload)] ^= static_cast<char>(1 << random_.Below(8));
        }
        break;
      case 6: return "";
      case 7: {
        const std::string once = FrameBytes(draft.type, draft.flags, draft.stream, payload);
        return once + once;
      }
      case 8: {
        // A length that is not true.
        std::string bytes = FrameBytes(draft.type, draft.flags, draft.stream, payload);
        bytes[random_.Below(3)] = static_cast<char>(random_.Below(4));
        return bytes;
      }
      case 9: return random_.Bytes(1 + random_.Below(30));
      case 10:
        return FrameBytes(8, 0, random_.OneIn(2) ? 0 : draft.stream, Int32(static_cast<std::uint32_t>(random_.Any())));
      default: draft.payload = random_.Bytes(random_.Below(60));
    }
    return FrameBytes(draft.type, draft.flags, draft.stream, draft.payload);
  }

  Random random_;
  const std::uint32_t damage_;
  const bool slow_;
  Client client_;
  std::vector<std::vector<std::vector<Draft>>> units_;  // what is left to say, by call
  std::map<std::uint32_t, Expected> expected_;
  std::set<std::uint32_t> opened_;
};

// ---- A round ----------------------------------------------------------------------------------------------------

Options RandomOptions(Random& random, bool calm) {
  Options options;
  options.max_receive_bytes = options.max_send_bytes = 1 << 20;
  options.drain_ping_timeout = milliseconds(20);
  if (random.OneIn(2)) options.stream_window = 65'535 + random.Below(100'000);
  // A calm client sends without looking at its windows.
  if (calm) options.stream_window = options.connection_window = 16u << 20;
  if (calm) options.max_ping_strikes = 1'000'000;  // data for a call that has been answered is no progress
  if (calm) return options;
  if (random.OneIn(2)) options.lease_time = milliseconds(random.Below(5));
  if (random.OneIn(2)) options.connection_window = 65'535 + random.Below(200'000);
  if (random.OneIn(3)) options.max_frame_size = 16'384;
  if (random.OneIn(3)) options.connection_memory = 100'000 + random.Below(1'000'000);
  if (random.OneIn(3)) options.total_memory = 100'000 + random.Below(2'000'000);
  if (random.OneIn(4)) options.max_streams = 1 + random.Below(10);
  if (random.OneIn(4)) options.header_bytes_per_stream = random.Below(100);
  if (random.OneIn(4)) options.max_header_bytes = 300 + random.Below(5'000);
  if (random.OneIn(8)) options.max_connections = 2;
  if (random.OneIn(8)) options.max_age = milliseconds(1 + random.Below(30));
  if (random.OneIn(8)) options.max_age_grace = milliseconds(1 + random.Below(30));
  if (random.OneIn(8)) options.idle_timeout = milliseconds(1 + random.Below(30));
  if (random.OneIn(8)) options.keepalive_interval = milliseconds(1 + random.Below(20));
  if (random.OneIn(8)) options.keepalive_timeout = milliseconds(1 + random.Below(20));
  options.memory_stall = milliseconds(1 + random.Below(30));
  options.handshake_timeout = milliseconds(50);
  return options;
}

void Round(const Nghttp2& api, std::uint64_t seed) {
  Random random(seed);
  const bool calm = random.OneIn(3);
  const std::uint32_t damage = calm ? 0 : random.OneIn(2) ? 100 : 8;
  Handlers handlers(api, RandomOptions(random, calm));
  const Server::Bound bound = handlers.server().Listen({.host = "127.0.0.1"});
  Check(bound.endpoint.has_value(), bound.error.text);
  std::vector<std::unique_ptr<Talker>> talkers;
  for (std::uint32_t count = 1 + random.Below(4); count > 0; --count) {
    talkers.push_back(std::make_unique<Talker>(bound.endpoint->port, random.Any(), damage, random.OneIn(3)));
  }
  const bool drains = random.OneIn(6);
  const std::uint32_t drain_at = random.Below(60);
  const bool stops_under_way = !calm && random.OneIn(5);
  const std::uint32_t stop_at = random.Below(80);

  for (std::uint32_t step = 0;; ++step) {
    if (!calm && drains && step == drain_at) handlers.server().Drain();
    if (stops_under_way && step == stop_at) break;
    bool more = false;
    for (auto& talker : talkers) {
      talker->Step();
      more = more || talker->HasMore();
      if (random.OneIn(3)) talker->Read();
    }
    if (random.OneIn(2)) handlers.Turn();
    if (!more) break;
  }

  const auto patient_until = std::chrono::steady_clock::now() + kPatience;
  const auto until = [&](const char* what, const auto& holds) {
    while (!holds()) {
      if (std::chrono::steady_clock::now() > patient_until) {
        for (auto& talker : talkers) std::fprintf(stderr, "%s\n", talker->Unanswered().c_str());
        const Stats& stats = handlers.server().stats();
        std::fprintf(stderr, "connections %lld, calls %lld of %lld, held %lld, queued %lld, tokens %lld\n",
                     static_cast<long long>(stats.connections), static_cast<long long>(stats.calls),
                     static_cast<long long>(stats.calls_started), static_cast<long long>(stats.bytes_held),
                     static_cast<long long>(stats.bytes_queued), static_cast<long long>(stats.tokens));
        Fail(std::string("this does not happen: ") + what);
      }
      handlers.Turn();
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
  };
  if (calm) {
    for (auto& talker : talkers) talker->GiveWindow(100'000'000);
    for (auto& talker : talkers) {
      until("all calls are answered", [&] { return talker->Answered(); });
      talker->CheckAnswers();
    }
    if (drains) handlers.server().Drain();
  }
  if (!stops_under_way) {
    const bool abort = random.OneIn(2);
    for (auto& talker : talkers) {
      if (abort) talker->client().Abort();
    }
    talkers.clear();
    // Handlers that never answer hear that nobody waits any more.
    until("all connections end", [&] { return handlers.server().stats().connections == 0; });
    until("all calls end", [&] { return handlers.AllOver(); });
  } else if (random.OneIn(2)) {
    handlers.FinishAll();
  }
  handlers.server().Stop();
  handlers.CheckNothingLeft();
}

}  // namespace

int Main(int argc, char** argv) {
  std::uint64_t seed = 1;
  long seconds = 60;
  bool once = false;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    const char* end = argv[i + 1] + std::strlen(argv[i + 1]);
    if (name == "--seconds") std::from_chars(argv[i + 1], end, seconds);
    if (name == "--seed" || name == "--from") std::from_chars(argv[i + 1], end, seed);
    once = once || name == "--seed";
  }
  const auto api = Nghttp2::FromLibrary("libnghttp2.so.14");
  if (!api.ok()) Fail(api.status().text);
  if (__sanitizer_set_death_callback != nullptr) {
    __sanitizer_set_death_callback(TellSeed);
  } else {
    for (const int number : {SIGSEGV, SIGABRT, SIGBUS}) {
      signal(number, [](int failed) {
        TellSeed();
        signal(failed, SIG_DFL);
        raise(failed);
      });
    }
  }
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  std::uint64_t rounds = 0;
  do {
    current_seed = seed++;
    Round(api.value(), current_seed);
    ++rounds;
  } while (!once && std::chrono::steady_clock::now() < end);
  std::printf("%llu rounds, seeds up to %llu\n", static_cast<unsigned long long>(rounds),
              static_cast<unsigned long long>(current_seed));
  return 0;
}

}  // namespace aiges::wire::test

int main(int argc, char** argv) { return aiges::wire::test::Main(argc, argv); }

// SPDX-License-Identifier: Apache-2.0
#include "wire_wrap.h"

#include <algorithm>
#include <memory>
#include <string>
#include <unordered_set>
#include <utility>
#include <variant>

#include "command_reader.h"
#include "event_packer.h"
#include "frames.h"
#include "js_thread.h"
#include "nghttp2_api.h"
#include "promise.h"
#include "read_options.h"
#include "received_buffers.h"
#include "server.h"

namespace aiges {
namespace {

constexpr napi_type_tag kWireTag{0x1d80f4b2a6937ce5, 0xa3c95e7716d04b2f};

// A year in milliseconds: the clock's arithmetic cannot overflow.
constexpr double kLongest = 365.0 * 86'400'000;

class WireWrap;
// The servers that one environment has open. JavaScript thread only; each of them holds it as well.
using OpenServers = std::unordered_set<WireWrap*>;

// One server. JavaScript thread only, except for Wake.
class WireWrap final : public wire::EventSink, public std::enable_shared_from_this<WireWrap> {
 public:
  WireWrap(std::shared_ptr<JsThread> js, const wire::Nghttp2& api, wire::Options options, Napi::Function deliver,
           std::shared_ptr<OpenServers> list)
      : js_(std::move(js)),
        api_(api),
        deliver_(Napi::Persistent(deliver)),
        list_(std::move(list)),
        server_(api_, std::move(options), *this) {
    list_->insert(this);
  }
  ~WireWrap() override { list_->erase(this); }
  WireWrap(const WireWrap&) = delete;
  WireWrap& operator=(const WireWrap&) = delete;

  wire::Server& server() { return server_; }
  ReceivedBuffers& buffers() { return *buffers_; }
  bool stopped() const { return stopped_; }

  // Somebody can connect from now on, so the event loop has something to wait for.
  void HoldLoop() {
    if (!std::exchange(holding_, true)) js_->Hold();
  }

  void Submit(wire::Commands commands) {
    server_.Submit(std::move(commands));
    if (stopped_) Wake();  // the wire does not say any more that it has released what they lend
  }

  // After the last events have been delivered nothing refers to JavaScript any more.
  void Stop(UniqueFunction<void(Status)> done) {
    server_.Stop();
    stopped_ = true;
    js_->Post([self = shared_from_this(), done = std::move(done)](Napi::Env env) mutable {
      self->Deliver(env);
      self->deliver_.Reset();
      if (std::exchange(self->holding_, false)) self->js_->Unhold();
      done(Status{});
    });
  }

  // The environment ends: no JavaScript runs any more, and the memory that replies lie in goes with it.
  void LetGo() {
    server_.Stop();
    stopped_ = true;
    deliver_.Reset();
  }

  void Wake() noexcept override {
    js_->Post([weak = weak_from_this()](Napi::Env env) {
      if (const auto self = weak.lock()) self->Deliver(env);
    });
  }

 private:
  void Deliver(Napi::Env env) {
    wire::Events events = server_.Take();
    if (events.empty() || deliver_.IsEmpty()) return;
    try {
      const EventPacker::Packed packed = packer_.Pack(env, std::move(events));
      deliver_.Call({packed.events, packed.count, packed.bytes, packed.large});
    } catch (const Napi::Error& error) {
      // It never throws; if it does, that must not pass unnoticed. Refused only while the environment is ending.
      napi_fatal_exception(env, error.Value());
    }
  }

  const std::shared_ptr<JsThread> js_;
  const wire::Nghttp2 api_;
  Napi::FunctionReference deliver_;  // empty once stopped
  const std::shared_ptr<OpenServers> list_;
  const std::shared_ptr<ReceivedBuffers> buffers_ = std::make_shared<ReceivedBuffers>();
  EventPacker packer_{buffers_};
  bool holding_ = false;
  bool stopped_ = false;
  wire::Server server_;  // the last: its thread ends before anything else does
};

using WireHandle = std::shared_ptr<WireWrap>;

WireWrap& WireOf(const Napi::Value& value) {
  if (!value.IsExternal() || !value.As<Napi::External<WireHandle>>().CheckTypeTag(&kWireTag)) {
    throw Napi::TypeError::New(value.Env(), "expected a server that wireOpen() gave");
  }
  return **value.As<Napi::External<WireHandle>>().Data();
}

WireWrap& RunningWireOf(const Napi::Value& value) {
  WireWrap& wrap = WireOf(value);
  if (wrap.stopped()) throw Napi::TypeError::New(value.Env(), "expected a running server, this one has been stopped");
  return wrap;
}

wire::Options ReadOptions(const Napi::Object& given) {
  auto size = [&](const char* name) { return ReadSize(given, name); };
  auto number = [&](const char* name) { return static_cast<std::uint32_t>(ReadNumber(given, name, 2147483647)); };
  auto time = [&](const char* name) {
    return wire::Milliseconds(static_cast<std::int64_t>(ReadNumber(given, name, kLongest)));
  };
  wire::Options options;
  options.max_receive_bytes = size("maxReceiveBytes");
  options.max_send_bytes = size("maxSendBytes");
  options.stream_window = number("streamWindow");
  options.connection_window = number("connectionWindow");
  options.connection_memory = size("connectionMemory");
  options.total_memory = size("totalMemory");
  options.max_connections = size("maxConnections");
  options.max_streams = number("maxStreams");
  options.handshake_timeout = time("handshakeTimeoutMs");
  options.idle_timeout = time("idleTimeoutMs");
  options.max_age = time("maxAgeMs");
  options.max_age_grace = time("maxAgeGraceMs");
  options.lease_time = time("leaseTimeMs");
  options.keepalive_interval = time("keepaliveIntervalMs");
  options.keepalive_timeout = time("keepaliveTimeoutMs");
  return options;
}

// wireUnavailable(version)
Napi::Value Unavailable(const Napi::CallbackInfo& info) {
  const auto api = wire::Nghttp2::FromProcess(ReadKey(info[0], "version"));
  return api.ok() ? info.Env().Null() : Napi::Value(Napi::String::New(info.Env(), api.status().text));
}

// wireOpen(version, options, paths, streaming, deliver)
Napi::Value Open(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto api = wire::Nghttp2::FromProcess(ReadKey(info[0], "version"));
  if (!api.ok()) throw Napi::Error::New(env, api.status().text);
  if (!info[1].IsObject()) throw Napi::TypeError::New(env, "expected an object for options");
  wire::Options options = ReadOptions(info[1].As<Napi::Object>());
  if (!info[2].IsArray() || !info[3].IsArray()) throw Napi::TypeError::New(env, "expected arrays for methods");
  if (!info[4].IsFunction()) throw Napi::TypeError::New(env, "expected a function for deliver");
  const auto paths = info[2].As<Napi::Array>();
  const auto streaming = info[3].As<Napi::Array>();

  auto* list = static_cast<std::shared_ptr<OpenServers>*>(info.Data());
  auto wrap = std::make_shared<WireWrap>(JsThread::Of(env), api.value(), std::move(options),
                                         info[4].As<Napi::Function>(), *list);
  for (std::uint32_t i = 0; i < paths.Length(); ++i) {
    const bool stream = streaming.Get(i).ToBoolean().Value();
    wrap->server().AddMethod(ReadKey(paths.Get(i), "path"),
                             stream ? wire::MethodKind::kStream : wire::MethodKind::kUnary);
  }
  auto external = Napi::External<WireHandle>::New(env, new WireHandle(std::move(wrap)),
                                                  [](Napi::Env, WireHandle* owned) { delete owned; });
  external.TypeTag(&kWireTag);
  return external;
}

wire::Endpoint ListenOn(Napi::Env env, WireWrap& wrap, const wire::ListenOptions& options) {
  const wire::Server::Bound bound = wrap.server().Listen(options);
  if (!bound.endpoint.has_value()) {
    Napi::Object error = Napi::Error::New(env, bound.error.text).Value();
    error.Set("code", bound.error.name);
    error.Set("errno", -bound.error.number);
    error.Set("syscall", "listen");
    throw Napi::Error(env, error);
  }
  wrap.HoldLoop();
  return *bound.endpoint;
}

// wireListen(server, host, port, reusePort)
Napi::Value Listen(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  WireWrap& wrap = RunningWireOf(info[0]);
  wire::ListenOptions options;
  options.host = ReadKey(info[1], "host");
  const double port = info[2].IsNumber() ? info[2].As<Napi::Number>().DoubleValue() : -1;
  if (!(port >= 0 && port <= 65535)) throw Napi::TypeError::New(env, "expected a port number for port");
  options.port = static_cast<std::uint16_t>(port);
  if (!info[3].IsBoolean()) throw Napi::TypeError::New(env, "expected a boolean for reusePort");
  options.reuse_port = info[3].As<Napi::Boolean>().Value();
  return Napi::Number::New(env, ListenOn(env, wrap, options).port);
}

// wireListenUnix(server, path)
void ListenUnix(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  WireWrap& wrap = RunningWireOf(info[0]);
  wire::ListenOptions options;
  options.path = ReadKey(info[1], "path");
  if (options.path.empty()) throw Napi::TypeError::New(env, "expected a file name for path");
  ListenOn(env, wrap, options);
}

// wireSubmit(server, commands, count, bytes, chunks)
void Submit(const Napi::CallbackInfo& info) { WireOf(info[0]).Submit(ReadCommands(info, 1)); }

// wireRelease(server, buffer)
void Release(const Napi::CallbackInfo& info) {
  WireWrap& wrap = WireOf(info[0]);
  if (!info[1].IsArrayBuffer()) throw Napi::TypeError::New(info.Env(), "expected an ArrayBuffer for buffer");
  wrap.buffers().Release(info[1].As<Napi::ArrayBuffer>());
}

// wireDrain(server)
void Drain(const Napi::CallbackInfo& info) { RunningWireOf(info[0]).server().Drain(); }

// wireStop(server)
Napi::Value Stop(const Napi::CallbackInfo& info) {
  WireWrap& wrap = RunningWireOf(info[0]);
  const Napi::Env env = info.Env();
  auto pending = MakePromise<std::monostate>(JsThread::Of(env), env,
                                             [](Napi::Env env, std::monostate) { return env.Undefined(); });
  wrap.Stop([settle = std::move(pending.settle)](Status status) mutable {
    settle(status.ok() ? Result<std::monostate>(std::monostate{}) : Result<std::monostate>(std::move(status)));
  });
  return pending.promise;
}

// wireStats(server)
Napi::Value ReadStats(const Napi::CallbackInfo& info) {
  const wire::Stats& s = WireOf(info[0]).server().stats();
  auto object = Napi::Object::New(info.Env());
  auto set = [&](const char* name, const wire::Stats::Number& number) {
    object.Set(name, static_cast<double>(number.load()));
  };
  set("connections", s.connections);
  set("connectionsPaused", s.connections_paused);
  set("calls", s.calls);
  set("bytesHeld", s.bytes_held);
  set("bytesQueued", s.bytes_queued);
  set("headerBytes", s.header_bytes);
  set("tokens", s.tokens);
  set("connectionsAccepted", s.connections_accepted);
  set("connectionsRefused", s.connections_refused);
  set("callsStarted", s.calls_started);
  set("messagesReceived", s.messages_received);
  set("messagesSent", s.messages_sent);
  set("bytesReceived", s.bytes_received);
  set("bytesSent", s.bytes_sent);
  set("bytesCopiedIn", s.bytes_copied_in);
  set("bytesCopiedOut", s.bytes_copied_out);
  set("resetsReceived", s.resets_received);
  set("resetsSent", s.resets_sent);
  set("goawaysSent", s.goaways_sent);
  set("connectionsAbused", s.connections_abused);
  set("memoryPauses", s.memory_pauses);
  set("callsParked", s.calls_parked);
  set("metadataUnsendable", s.metadata_unsendable);
  return object;
}

}  // namespace

void ExportWire(Napi::Env env, Napi::Object exports) {
  auto* list = new std::shared_ptr<OpenServers>(std::make_shared<OpenServers>());
  // Runs before the JsThread's own: while its heap exists, nobody reads replies from it any more afterwards.
  env.AddCleanupHook([list] {
    for (WireWrap* wrap : **list) wrap->LetGo();
    delete list;
  });
  exports.Set("wireUnavailable", Napi::Function::New<Unavailable>(env, "wireUnavailable"));
  exports.Set("wireOpen", Napi::Function::New<Open>(env, "wireOpen", list));
  exports.Set("wireListen", Napi::Function::New<Listen>(env, "wireListen"));
  exports.Set("wireListenUnix", Napi::Function::New<ListenUnix>(env, "wireListenUnix"));
  exports.Set("wireSubmit", Napi::Function::New<Submit>(env, "wireSubmit"));
  exports.Set("wireRelease", Napi::Function::New<Release>(env, "wireRelease"));
  exports.Set("wireDrain", Napi::Function::New<Drain>(env, "wireDrain"));
  exports.Set("wireStop", Napi::Function::New<Stop>(env, "wireStop"));
  exports.Set("wireStats", Napi::Function::New<ReadStats>(env, "wireStats"));
}

}  // namespace aiges

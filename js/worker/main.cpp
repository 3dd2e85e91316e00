// The JavaScript worker: one process, one engine, requests over descriptor 3. Started by js::Pool; not for people.

#include <js/CallAndConstruct.h>
#include <js/CompilationAndEvaluation.h>
#include <js/Conversions.h>
#include <js/Initialization.h>
#include <js/Interrupt.h>
#include <js/Object.h>
#include <js/SourceText.h>
#include <jsapi.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <list>
#include <mutex>
#include <string>
#include <thread>

#include "js/pool.hpp"
#include "js/wire.hpp"

namespace {

using reqld::js::ReplyHeader;
using reqld::js::RequestHeader;
using Kind = reqld::js::Result::Kind;

constexpr int kSocket = 3;
constexpr std::uint32_t kMaxRequestBytes = 256u << 20;
// Functions kept compiled, each in a world of its own.
constexpr std::size_t kMaxRealms = 16;

// Between JavaScript and ReQL values: times are Dates. Taken from the realm before any foreign code has run in it.
constexpr char kPrelude[] = R"js(
(() => {
  const {parse, stringify} = JSON, {isArray} = Array, {keys} = Object, TimeOf = Date.prototype.getTime, D = Date, S = String;
  const input = (v) => {
    if (v === null || typeof v !== 'object') return v;
    if (isArray(v)) { const out = []; for (let i = 0; i < v.length; ++i) out[i] = input(v[i]); return out; }
    if (v.$reql_type$ === 'TIME') return new D(v.epoch_time * 1000);
    const out = {};
    for (const k of keys(v)) out[k] = input(v[k]);
    return out;
  };
  const fail = (v) => { throw 'Cannot convert javascript `' + S(v) + '` to ql::datum_t.'; };
  const output = (v, depth) => {
    if (depth > 500) throw 'Recursion limit exceeded while converting a javascript object (it may contain itself).';
    switch (typeof v) {
      case 'string': case 'boolean': return v;
      case 'number': return isFinite(v) ? v : fail(v);
      case 'object':
        if (v === null) return v;
        if (v instanceof D) return {$reql_type$: 'TIME', epoch_time: TimeOf.call(v) / 1000, timezone: '+00:00'};
        if (isArray(v)) { const out = []; for (let i = 0; i < v.length; ++i) out[i] = output(v[i], depth + 1); return out; }
        { const out = {}; for (const k of keys(v)) out[k] = output(v[k], depth + 1); return out; }
      default: return fail(v);
    }
  };
  return {
    value: (v) => stringify(output(v, 0)),
    call: (f, args) => stringify(output(f(...input(parse(args))), 0)),
  };
})()
)js";

bool read_all(void* data, std::size_t size) {
  char* at = static_cast<char*>(data);
  while (size > 0) {
    const ssize_t n = read(kSocket, at, size);
    if (n <= 0) return false;
    at += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

bool write_all(const void* data, std::size_t size) {
  const char* at = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t n = write(kSocket, at, size);
    if (n <= 0) return false;
    at += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

// Interrupts the engine when a request's time is over.
class Watchdog {
 public:
  explicit Watchdog(JSContext* cx) : cx_(cx), thread_([this] { run(); }) { thread_.detach(); }

  void start(std::uint32_t timeout_ms) {
    const std::lock_guard lock(mutex_);
    deadline_ = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
    fired_ = false;
    armed_ = true;
    wake_.notify_one();
  }
  /// Whether the time was over before.
  bool stop() {
    const std::lock_guard lock(mutex_);
    armed_ = false;
    return fired_;
  }
  bool fired() const { return fired_; }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return armed_; });
      if (wake_.wait_until(lock, deadline_, [this] { return !armed_ || std::chrono::steady_clock::now() >= deadline_; }) && armed_) {
        fired_ = true;
        armed_ = false;
        JS_RequestInterruptCallback(cx_);
      }
    }
  }

  JSContext* const cx_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::chrono::steady_clock::time_point deadline_;
  bool armed_ = false;
  std::atomic<bool> fired_{false};
  std::thread thread_;
};

Watchdog* watchdog = nullptr;

// False ends the script, uncatchably.
bool on_interrupt(JSContext*) { return !watchdog->fired(); }

struct Realm {
  std::string source;
  JS::PersistentRootedObject global;
  JS::PersistentRootedObject bridge;
  JS::PersistentRootedValue value;
};

struct Reply {
  Kind kind;
  std::string text;
};

std::string to_text(JSContext* cx, JS::HandleValue value) {
  JS::RootedString text(cx, JS::ToString(cx, value));
  if (!text) {
    JS_ClearPendingException(cx);
    return "(an error that has no text)";
  }
  const JS::UniqueChars chars = JS_EncodeStringToUTF8(cx, text);
  return chars ? std::string(chars.get()) : std::string();
}

Reply failure(JSContext* cx) {
  if (watchdog->fired()) {
    JS_ClearPendingException(cx);
    return {Kind::kTimeout, {}};
  }
  JS::RootedValue exception(cx);
  if (!JS_GetPendingException(cx, &exception)) return {Kind::kError, "The script ended without a result (out of memory?)."};
  JS_ClearPendingException(cx);
  return {Kind::kError, to_text(cx, exception)};
}

bool evaluate(JSContext* cx, const char* source, std::size_t size, JS::MutableHandleValue out) {
  JS::CompileOptions options(cx);
  options.setFileAndLine("query", 1);
  JS::SourceText<mozilla::Utf8Unit> text;
  return text.init(cx, source, size, JS::SourceOwnership::Borrowed) && JS::Evaluate(cx, options, text, out);
}

class Engine {
 public:
  explicit Engine(JSContext* cx) : cx_(cx) {}

  Reply run(const std::string& source, const std::string& arguments, bool is_call) {
    // A plain expression is evaluated each time; a function's world is kept for its next call.
    if (!is_call) forget(source);
    auto realm = find(source);
    if (realm == realms_.end()) {
      Reply error{};
      if (!make(source, error)) return error;
      realm = realms_.begin();
    }
    JSAutoRealm in(cx_, realm->global);
    JS::RootedValue function(cx_, realm->value);
    const bool is_function = function.isObject() && JS_ObjectIsFunction(&function.toObject());
    JS::RootedValue result(cx_);
    if (is_call) {
      if (!is_function) return {Kind::kError, "The javascript expression is not a function."};
      JS::RootedValueVector args(cx_);
      JS::RootedString text(cx_, JS_NewStringCopyUTF8N(cx_, JS::UTF8Chars(arguments.data(), arguments.size())));
      if (!text || !args.append(function) || !args.append(JS::StringValue(text)) ||
          !JS_CallFunctionName(cx_, realm->bridge, "call", args, &result)) {
        return failure(cx_);
      }
    } else {
      if (is_function) return {Kind::kFunction, {}};
      JS::RootedValueVector args(cx_);
      if (!args.append(function) || !JS_CallFunctionName(cx_, realm->bridge, "value", args, &result)) return failure(cx_);
    }
    return {Kind::kValue, to_text(cx_, result)};
  }

 private:
  std::list<Realm>::iterator find(const std::string& source) {
    for (auto it = realms_.begin(); it != realms_.end(); ++it) {
      if (it->source == source) return it;
    }
    return realms_.end();
  }

  void forget(const std::string& source) {
    const auto it = find(source);
    if (it != realms_.end()) realms_.erase(it);
  }

  bool make(const std::string& source, Reply& error) {
    static const JSClass kGlobal = {"global", JSCLASS_GLOBAL_FLAGS, &JS::DefaultGlobalClassOps};
    if (realms_.size() >= kMaxRealms) realms_.pop_back();
    JS::RealmOptions options;
    JS::RootedObject global(cx_, JS_NewGlobalObject(cx_, &kGlobal, nullptr, JS::FireOnNewGlobalHook, options));
    if (!global) {
      error = failure(cx_);
      return false;
    }
    JSAutoRealm in(cx_, global);
    JS::RootedValue bridge(cx_), value(cx_);
    if (!evaluate(cx_, kPrelude, sizeof kPrelude - 1, &bridge) || !evaluate(cx_, source.data(), source.size(), &value)) {
      error = failure(cx_);
      return false;
    }
    realms_.emplace_front();
    Realm& realm = realms_.front();
    realm.source = source;
    realm.global.init(cx_, global);
    realm.bridge.init(cx_, &bridge.toObject());
    realm.value.init(cx_, value);
    return true;
  }

  JSContext* const cx_;
  std::list<Realm> realms_;  // most recently made first
};

// From here on no file, no socket, no process can be opened. The engine needs memory, time, and its threads.
bool lock_up() {
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  setrlimit(RLIMIT_FSIZE, &none);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
  const scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
  if (!filter) return false;
  constexpr int kAllowed[] = {
      SCMP_SYS(read),          SCMP_SYS(write),           SCMP_SYS(close),         SCMP_SYS(mmap),
      SCMP_SYS(munmap),        SCMP_SYS(mprotect),        SCMP_SYS(mremap),        SCMP_SYS(madvise),
      SCMP_SYS(brk),           SCMP_SYS(futex),           SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday),
      SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep),     SCMP_SYS(exit),          SCMP_SYS(exit_group),
      SCMP_SYS(rt_sigaction),  SCMP_SYS(rt_sigprocmask),  SCMP_SYS(rt_sigreturn),  SCMP_SYS(sigaltstack),
      SCMP_SYS(sched_yield),   SCMP_SYS(sched_getaffinity), SCMP_SYS(getpid),      SCMP_SYS(gettid),
      SCMP_SYS(getrandom),     SCMP_SYS(getrusage),       SCMP_SYS(set_robust_list), SCMP_SYS(rseq),
      SCMP_SYS(clone),         SCMP_SYS(clone3),          SCMP_SYS(prctl),         SCMP_SYS(tgkill),
      SCMP_SYS(restart_syscall), SCMP_SYS(getrlimit),     SCMP_SYS(prlimit64),     SCMP_SYS(sysinfo),
  };
  for (const int call : kAllowed) seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0);
  const bool done = seccomp_load(filter) == 0;
  seccomp_release(filter);
  return done;
}

}  // namespace

int main(int argc, char** argv) {
  const auto heap_bytes = static_cast<std::uint32_t>(std::min(argc > 1 ? std::stoull(argv[1]) : 256ull << 20, 0xffffffffull));
  for (int fd = 4; fd < 1024; ++fd) close(fd);
  if (!JS_Init()) return 1;
  JSContext* cx = JS_NewContext(heap_bytes);
  if (!cx) return 1;
  JS_SetNativeStackQuota(cx, 4u << 20);
  if (!JS::InitSelfHostedCode(cx)) return 1;
  Watchdog dog(cx);
  watchdog = &dog;
  JS_AddInterruptCallback(cx, on_interrupt);
  if (!lock_up()) return 2;

  Engine engine(cx);
  RequestHeader header{};
  std::string source, arguments;
  while (read_all(&header, sizeof header)) {
    if (header.source_bytes > kMaxRequestBytes || header.argument_bytes > kMaxRequestBytes) return 3;
    source.resize(header.source_bytes);
    arguments.resize(header.argument_bytes);
    if (!read_all(source.data(), source.size()) || !read_all(arguments.data(), arguments.size())) break;
    dog.start(header.timeout_ms);
    const Reply reply = engine.run(source, arguments, header.is_call != 0);
    dog.stop();
    JS_MaybeGC(cx);
    const ReplyHeader out{static_cast<std::uint8_t>(reply.kind), static_cast<std::uint32_t>(reply.text.size())};
    if (!write_all(&out, sizeof out) || !write_all(reply.text.data(), reply.text.size())) break;
  }
  // The engine's own threads are gone with the process; taking it down in order would only take time.
  _exit(0);
}

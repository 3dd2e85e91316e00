#include "reql/http_call.hpp"

#include "datum/json.hpp"
#include "http_fetch/error_text.hpp"
#include "http_fetch/fetcher.hpp"
#include "reql/engine.hpp"
#include "reql/error.hpp"

namespace reqld::reql {

namespace {

using http_fetch::BodyKind;

http_fetch::Outcome fetch(Context& cx, const http_fetch::Request& request) {
  auto outcome = await_value<http_fetch::Outcome>(cx.waiting(), [&](http_fetch::Callback done) {
    const http_fetch::FetchHandle handle = cx.engine().fetcher().submit(request, std::move(done));
    if (cx.cancellation) cx.cancellation->set_listener([handle] { handle.cancel(); });
  });
  if (cx.cancellation) cx.cancellation->clear_listener();
  cx.check_in();
  return outcome;
}

// Turns one body into a value.
class BodyReader {
 public:
  BodyReader(Context& cx, const http_fetch::Request& request, const http_fetch::Response& response)
      : cx_(cx), request_(request), response_(response) {}

  Datum read(BodyKind kind) {
    switch (kind) {
      case BodyKind::kNull: return Datum();
      case BodyKind::kText: return Datum::string(response_.body);
      case BodyKind::kBinary: return Datum::binary(response_.body);
      case BodyKind::kJson: return json(response_.body);
      case BodyKind::kJsonp: return jsonp();
      case BodyKind::kJsonpOrText: return jsonp_or_text();
    }
    return Datum();
  }

 private:
  [[noreturn]] void fail(const std::string& reason, std::optional<std::string_view> body) {
    throw_non_existence(http_fetch::failure_text(request_.method, request_.url, reason, &response_.headers, body));
  }

  Datum json(std::string_view text) {
    try {
      return parse(text);
    } catch (const JsonSyntaxError& e) {
      fail(std::string("failed to parse JSON response: ") + e.what(), text);
    }
  }

  // JSON that makes no value is reported without the body.
  Datum parse(std::string_view text) {
    try {
      Datum d = parse_json(text);
      check_array_sizes(cx_, d);
      return d;
    } catch (const JsonSyntaxError&) {
      throw;
    } catch (const DatumError& e) {
      fail(e.what(), std::nullopt);
    } catch (const EvalError& e) {
      fail(e.message(), std::nullopt);
    }
  }

  Datum jsonp() {
    const auto text = http_fetch::unwrap_jsonp(response_.body);
    if (!text) fail("failed to parse JSONP response", response_.body);
    return json(*text);
  }

  Datum jsonp_or_text() {
    const auto unwrapped = http_fetch::unwrap_jsonp(response_.body);
    for (const std::string_view text : {std::string_view(response_.body), unwrapped.value_or(std::string_view())}) {
      try {
        return parse(text);
      } catch (const JsonSyntaxError&) {
        continue;
      }
    }
    return Datum::string(response_.body);
  }

  Context& cx_;
  const http_fetch::Request& request_;
  const http_fetch::Response& response_;
};

}  // namespace

HttpAnswer perform_http(Context& cx, const http_fetch::Request& request, http_fetch::ResultFormat format) {
  http_fetch::Outcome outcome = fetch(cx, request);
  if (!outcome.ok()) throw_non_existence(std::move(outcome.error().message));
  http_fetch::Response& response = outcome.value();
  const bool is_head = request.method == http_fetch::Method::kHead;
  const BodyKind kind = http_fetch::body_kind(format, is_head, response.content_type);
  HttpAnswer answer;
  answer.body = BodyReader(cx, request, response).read(kind);
  answer.headers = std::move(response.headers);
  answer.cookies = std::move(response.cookies);
  return answer;
}

std::vector<http_fetch::Param> http_params(const Datum& object) {
  const auto found = [](const Datum& d) { return std::string(type_name(d.type())) + ":\n" + to_pretty_json(d); };
  if (!object.is(Type::kObject)) throw_logic("Expected `params` to be an OBJECT, but found " + found(object));
  std::vector<http_fetch::Param> params;
  for (std::size_t i = 0; i < object.object_size(); ++i) {
    const std::string name(object.name_at(i));
    const Datum value = object.value_at(i);
    switch (value.type()) {
      case Type::kNull: params.push_back({name, {}}); break;
      case Type::kNumber: params.push_back({name, http_fetch::number_text(value.as_number())}); break;
      case Type::kString: params.push_back({name, std::string(value.as_string())}); break;
      default:
        throw_logic("Expected `params." + name + "` to be a NUMBER, STRING or NULL, but found " + found(value));
    }
  }
  return params;
}

}  // namespace reqld::reql

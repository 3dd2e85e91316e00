// r.http.

#include <limits>

#include "datum/json.hpp"
#include "reql/eval.hpp"
#include "reql/permissions.hpp"
#include "reql/http_call.hpp"
#include "reql/permissions.hpp"
#include "reql/streams/http_pages.hpp"
#include "reql/terms/families.hpp"

namespace reqld::reql {

namespace {

using http_fetch::Method;

// Runs `body` with the optional argument's value, if there is one; errors are blamed on it.
template <typename F>
void with_optarg(Args& args, std::string_view name, F&& body) {
  if (const auto d = args.datum_optarg(name)) Args::blaming(args.optarg_node(name), [&] { body(*d); });
}

std::string found(const Datum& d) { return ", but found " + std::string(type_name(d.type())) + "."; }

Method read_method(const Datum& d) {
  const std::string_view name = d.as_string();
  if (const auto method = http_fetch::parse_method(name)) return *method;
  throw_logic("`method` (" + std::string(name) + ") is not recognized (GET, HEAD, POST, PUT, PATCH and DELETE are allowed).");
}

http_fetch::ResultFormat read_format(const Datum& d) {
  const std::string_view name = d.as_string();
  if (const auto format = http_fetch::parse_result_format(name)) return *format;
  throw_logic("`result_format` (" + std::string(name) +
              ") is not recognized, ('auto', 'json', 'jsonp', 'text', and 'binary' are allowed).");
}

std::uint32_t read_redirects(const Datum& d) {
  const std::int64_t n = d.as_integer();
  if (n < 0 || n > std::numeric_limits<std::uint32_t>::max()) throw_logic("Integer too large: " + std::to_string(n));
  return static_cast<std::uint32_t>(n);
}

std::chrono::milliseconds read_timeout(const Datum& d) {
  const double seconds = d.as_number();
  if (seconds < 0) throw_logic("`timeout` may not be negative.");
  return http_fetch::timeout_from_seconds(seconds);
}

std::string header_line(std::string line) {
  if (line.find_first_of("\r\n") != std::string::npos) throw_logic("A `header` item contains newline characters.");
  return line;
}

std::vector<std::string> read_header(const Datum& d) {
  std::vector<std::string> lines;
  if (d.is(Type::kObject)) {
    for (std::size_t i = 0; i < d.object_size(); ++i) {
      const std::string name(d.name_at(i));
      const Datum value = d.value_at(i);
      if (value.is(Type::kString)) {
        lines.push_back(header_line((name + ": ").append(value.as_string())));
      } else if (value.is_null()) {
        lines.push_back(header_line(name + ":"));
      } else {
        throw_logic("Expected `header." + name + "` to be a STRING or NULL" + found(value));
      }
    }
  } else if (d.is(Type::kArray)) {
    for (std::size_t i = 0; i < d.array_size(); ++i) {
      const Datum line = d.at(i);
      if (!line.is(Type::kString)) throw_logic("Expected `header[" + std::to_string(i) + "]` to be a STRING" + found(line));
      lines.push_back(header_line(std::string(line.as_string())));
    }
  } else {
    throw_logic("Expected `header` to be an ARRAY or OBJECT" + found(d));
  }
  return lines;
}

std::string read_form(const Datum& d) {
  std::vector<http_fetch::Param> fields;
  for (std::size_t i = 0; i < d.object_size(); ++i) {
    const std::string name(d.name_at(i));
    const Datum value = d.value_at(i);
    switch (value.type()) {
      case Type::kNull: fields.push_back({name, {}}); break;
      case Type::kNumber: fields.push_back({name, http_fetch::number_text(value.as_number())}); break;
      case Type::kString: fields.push_back({name, std::string(value.as_string())}); break;
      default: throw_logic("Expected `data." + name + "` to be a NUMBER, STRING or NULL" + found(value));
    }
  }
  return http_fetch::encode_form(fields);
}

void read_data(const Datum& d, http_fetch::Request& request) {
  if (d.is(Type::kString)) {
    request.body = d.as_string();
  } else if (request.method == Method::kPost) {
    if (!d.is(Type::kObject)) throw_logic("Expected `data` to be a STRING or OBJECT" + found(d));
    request.body = read_form(d);
  } else {
    request.body = to_pretty_json(d);
    request.body_is_json = true;
  }
}

std::string auth_field(const Datum& auth, std::string_view name) {
  const auto field = auth.get(name);
  const std::string path = "`auth." + std::string(name) + "`";
  if (!field) throw_logic(path + " not found in the auth object.");
  if (!field->is(Type::kString)) throw_logic("Expected " + path + " to be a STRING" + found(*field));
  return std::string(field->as_string());
}

http_fetch::Auth read_auth(const Datum& d) {
  if (!d.is(Type::kObject)) throw_logic("Expected `auth` to be an OBJECT" + found(d));
  http_fetch::Auth auth;
  const std::string type = d.get("type") ? auth_field(d, "type") : "basic";
  if (type == "digest") {
    auth.type = http_fetch::Auth::Type::kDigest;
  } else if (type != "basic") {
    throw_logic("`auth.type` is not recognized ('basic', and 'digest' are allowed).");
  }
  auth.user = auth_field(d, "user");
  auth.pass = auth_field(d, "pass");
  return auth;
}

http_fetch::Request read_request(Args& args, Datum& params) {
  http_fetch::Request request;
  request.url = args.string(0);
  with_optarg(args, "method", [&](const Datum& d) { request.method = read_method(d); });
  with_optarg(args, "timeout", [&](const Datum& d) { request.timeout = read_timeout(d); });
  // A negative number of attempts is as good as no limit.
  with_optarg(args, "attempts", [&](const Datum& d) { request.attempts = static_cast<std::uint64_t>(d.as_integer()); });
  with_optarg(args, "redirects", [&](const Datum& d) { request.max_redirects = read_redirects(d); });
  if (const auto verify = args.bool_optarg("verify")) request.verify_tls = *verify;
  with_optarg(args, "header", [&](const Datum& d) { request.header_lines = read_header(d); });
  with_optarg(args, "params", [&](const Datum& d) {
    request.params = http_params(d);
    params = d;
  });
  with_optarg(args, "auth", [&](const Datum& d) { request.auth = read_auth(d); });
  if (args.has_optarg("data")) {
    if (request.method == Method::kGet || request.method == Method::kHead) {
      throw_logic(
          "`data` should only be specified on a PUT, POST, PATCH, or DELETE request.  If you want URL parameters, use `params` "
          "instead.");
    }
    with_optarg(args, "data", [&](const Datum& d) { read_data(d, request); });
  }
  return request;
}

// The function that turns pages; null for `link-next`.
Ref<Function> read_page(Args& args) {
  const auto page = args.optarg("page");
  return Args::blaming(args.optarg_node("page"), [&]() -> Ref<Function> {
    if (page->is(ValueKind::kFunction)) return page->ref<Function>();
    const Datum d = to_datum(args.cx(), *page);
    const std::string_view name = d.as_string();
    if (name == "link-next") return {};
    throw_logic("`page` (" + std::string(name) + ") is not recognized, ('link-next' is allowed, or a function).");
  });
}

std::int64_t read_page_limit(Args& args) {
  std::int64_t limit = 0;
  with_optarg(args, "page_limit", [&](const Datum& d) {
    limit = d.as_integer();
    if (limit < -1) throw_logic("`page_limit` should be greater than or equal to -1.");
  });
  return limit;
}

Value http(Args& args) {
  require(args.cx(), Permission::kConnect, {});
  Datum params = Datum::empty_object();
  http_fetch::Request request = read_request(args, params);
  auto format = http_fetch::ResultFormat::kAuto;
  with_optarg(args, "result_format", [&](const Datum& d) { format = read_format(d); });
  require(args.cx(), Permission::kConnect, {});
  if (!args.has_optarg("page")) return Value(perform_http(args.cx(), request, format).body);
  if (!args.has_optarg("page_limit")) {
    throw EvalError(ErrorCode::kQueryLogic,
                    "Cannot use `page` without specifying `page_limit` (a positive number performs that many requests, -1 is "
                    "unlimited).",
                    args.optarg_node("page"));
  }
  HttpPaging paging;
  paging.first = std::move(request);
  paging.params = std::move(params);
  paging.format = format;
  paging.next_page = read_page(args);
  paging.page_limit = read_page_limit(args);
  paging.node = &args.node();
  paging.page_node = args.optarg_node("page");
  return Value(http_pages(std::move(paging)));
}

constexpr Optarg kOptargs[] = {
    {"attempts", "how often to try (5)"},
    {"auth", "{user, pass, type}; the type is `basic` (the default) or `digest`"},
    {"data", "the body: a string or binary as it is, an object as a form for POST and as JSON for PUT, PATCH and DELETE"},
    {"header", "headers, as an object or as an array of `Name: value`"},
    {"method", "GET (the default), PUT, POST, PATCH, DELETE or HEAD"},
    {"page", "`link-next` or a function of {params, header, body} that gives the next URL, or null at the end"},
    {"page_limit", "at most so many pages; -1: no limit. Required with `page`"},
    {"params", "parameters for the URL, an object"},
    {"redirects", "how many redirects to follow (1)"},
    {"result_format", "`auto` (by content type, the default), `text`, `json`, `jsonp` or `binary`"},
    {"timeout", "seconds for everything (30)"},
    {"verify", "check the server's certificate (true)"},
};

constexpr Example kHttpExamples[] = {
    {"r.http('nosuch://host/', attempts=1).default('not there')",
     R"([92,[[153,["nosuch://host/"],{"attempts":1}],"not there"]])",
     R"("not there")"},
    {"r.http('http://127.0.0.1/', method='FETCH')",
     R"([153,["http://127.0.0.1/"],{"method":"FETCH"}])",
     "`method` (FETCH) is not recognized (GET, HEAD, POST, PUT, PATCH and DELETE are allowed)."},
};

constexpr TermDef kTerms[] = {
    {.type = TermType::kHttp, .name = "http", .arity = exactly(1), .flags = kFetches, .eval = http,
     .optargs = kOptargs,
     .signature = "r.http(url) → value",
     .doc = "What a web server answers; with `page`, a stream of one answer after the other.",
     .examples = kHttpExamples},
};

}  // namespace

std::span<const TermDef> http_terms() { return kTerms; }

}  // namespace reqld::reql

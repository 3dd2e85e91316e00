#include "reql/streams/http_pages.hpp"

#include "reql/error.hpp"
#include "reql/eval.hpp"

namespace reqld::reql {

namespace {

Datum header_datum(const http_fetch::HeaderList& headers) {
  const http_fetch::HeaderObject parsed = http_fetch::header_object(headers);
  ObjectBuilder header;
  for (const auto& [name, value] : parsed.fields) header.set(name, Datum::string(value));
  if (parsed.has_link) {
    ObjectBuilder links;
    for (const auto& [relation, url] : parsed.links) links.set(relation, Datum::string(url));
    header.set("link", links.finish());
  }
  return header.finish();
}

class HttpPages : public Stream {
 public:
  explicit HttpPages(HttpPaging paging)
      : paging_(std::move(paging)), request_(paging_.first), params_(paging_.params) {}

  bool next(Context& cx, const BatchLimits& limits, Batch& out) override {
    if (at_ == items_.size()) {
      if (!fetch_page(cx)) return false;
    }
    std::size_t bytes = 0;
    for (std::size_t rows = 0; at_ < items_.size() && rows < limits.max_rows && bytes < limits.max_bytes; ++rows) {
      bytes += items_[at_].encoded_size();
      out.push_back(std::move(items_[at_++]));
    }
    return true;
  }

 private:
  // False when there is no further page.
  bool fetch_page(Context& cx) {
    items_.clear();
    at_ = 0;
    if (paging_.page_limit >= 0 && requests_ >= paging_.page_limit) return false;
    if (requests_ > 0 && !turn_page(cx)) return false;
    ++requests_;
    answer_ = Args::blaming(paging_.node, [&] { return perform_http(cx, request_, paging_.format); });
    request_.cookies = answer_.cookies;
    if (answer_.body.is(Type::kArray)) {
      for (std::size_t i = 0; i < answer_.body.array_size(); ++i) items_.push_back(answer_.body.at(i));
    } else {
      items_.push_back(answer_.body);
    }
    return true;
  }

  // Makes the request that follows the last answer; false when there is none.
  bool turn_page(Context& cx) {
    if (!paging_.next_page) {
      const auto links = http_fetch::header_object(answer_.headers).links;
      const auto next = links.find("rel=\"next\"");
      if (next == links.end()) return false;
      request_.url = next->second;
      return true;
    }
    ObjectBuilder info;
    info.set("params", params_);
    info.set("header", header_datum(answer_.headers));
    info.set("body", answer_.body);
    const Datum next = paging_.next_page->call1(cx, info.finish());
    return Args::blaming(paging_.page_node, [&] { return follow(next); });
  }

  bool follow(const Datum& next) {
    switch (next.type()) {
      case Type::kNull: return false;
      case Type::kString: request_.url = next.as_string(); return true;
      case Type::kObject: break;
      default:
        throw_logic("Expected `page` function to return an OBJECT, STRING or NULL, but found " +
                    std::string(type_name(next.type())) + ".");
    }
    if (const auto url = next.get("url")) {
      if (url->is_null()) return false;
      if (!url->is(Type::kString)) {
        throw_logic("Expected `url` in the OBJECT returned by the `page` function to be a STRING or NULL, but found " +
                    std::string(type_name(url->type())) + ".");
      }
      request_.url = url->as_string();
    }
    if (const auto params = next.get("params")) {
      (void)http_params(*params);  // refuses what is no object before it is taken apart
      ObjectBuilder merged(params_);
      for (std::size_t i = 0; i < params->object_size(); ++i) merged.set(params->name_at(i), params->value_at(i));
      params_ = merged.finish();
      request_.params = http_params(params_);
    }
    return true;
  }

  const HttpPaging paging_;
  http_fetch::Request request_;
  Datum params_;
  std::int64_t requests_ = 0;
  HttpAnswer answer_;
  std::vector<Datum> items_;
  std::size_t at_ = 0;
};

}  // namespace

Ref<Stream> http_pages(HttpPaging paging) { return make_ref<HttpPages>(std::move(paging)); }

}  // namespace reqld::reql

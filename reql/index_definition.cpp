#include "reql/index_definition.hpp"

#include "datum/json.hpp"
#include "reql/error.hpp"
#include "reql/eval.hpp"
#include "reql/geo/index.hpp"

namespace reqld::reql {

namespace {

constexpr std::string_view kBinaryPrefix = "$reql_index_function$";

// What may not be an index value (outside geospatial indexes): such a row is left out.
bool indexable(const Datum& d) {
  switch (d.type()) {
    case Type::kNull:
    case Type::kObject:
    case Type::kGeometry:
    case Type::kMinVal:
    case Type::kMaxVal: return false;
    case Type::kArray:
      for (std::size_t i = 0; i < d.array_size(); ++i) {
        if (!indexable(d.at(i))) return false;
      }
      return true;
    default: return true;
  }
}

std::string source_of(const Datum& definition) {
  const Datum source = *definition.get("source");
  return std::string(source.as_string());
}

class ReqlIndexFunction : public storage::IndexFunction {
 public:
  explicit ReqlIndexFunction(const Datum& definition)
      : program_(parse_term(source_of(definition))),
        function_(make_function(*program_, *program_->root(), nullptr)),
        multi_(definition.get("multi")->as_bool()),
        geo_(definition.get("geo")->as_bool()) {}

  void keys(const Datum& row, std::vector<Datum>& out) const override {
    try {
      each_value(row, [&, ordinal = std::size_t{0}](const Datum& value) mutable {
        if (!geo_) {
          if (indexable(value)) out.push_back(value);
        } else if (value.is(Type::kGeometry)) {
          geo::append_index_values(value, ordinal++, out);
        }
      });
    } catch (const EvalError&) {
      out.clear();
    } catch (const DatumError&) {
      out.clear();
    }
  }

  std::vector<Datum> geometries(const Datum& row) const {
    std::vector<Datum> out;
    try {
      each_value(row, [&](const Datum& value) {
        if (value.is(Type::kGeometry)) out.push_back(value);
      });
    } catch (const EvalError&) {
      out.clear();
    } catch (const DatumError&) {
      out.clear();
    }
    return out;
  }

 private:
  // Calls `each` for what the function makes of `row`; for a multi index for each element of that.
  template <typename Each>
  void each_value(const Datum& row, Each&& each) const {
    // A row has the same values whoever asks.
    const MemoryAccount::Pause pause;
    // No query, no user: a deterministic function needs neither.
    Context cx = Context::detached(*program_);
    const Datum value = function_->call1(cx, row);
    if (!multi_ || !value.is(Type::kArray)) {
      each(value);
      return;
    }
    for (std::size_t i = 0; i < value.array_size(); ++i) each(value.at(i));
  }

  const Ref<const Program> program_;
  const Ref<Function> function_;
  const bool multi_;
  const bool geo_;
};

}  // namespace

Datum make_index_definition(const Function::Source& source, bool multi, bool geo) {
  ObjectBuilder out;
  out.set("source", Datum::string(source.json));
  if (source.captures) out.set("captures", Datum::boolean(true));
  out.set("multi", Datum::boolean(multi));
  out.set("geo", Datum::boolean(geo));
  return out.finish();
}

std::string index_function_binary(const Datum& definition) { return std::string(kBinaryPrefix) + to_json(definition); }

Datum parse_index_function(std::string_view bytes) {
  if (bytes.starts_with(kBinaryPrefix)) {
    try {
      Datum definition = parse_json(bytes.substr(kBinaryPrefix.size()));
      if (definition.is(Type::kObject) && definition.get("source") && definition.get("multi") && definition.get("geo")) {
        return definition;
      }
    } catch (const DatumError&) {
      // Falls through to the same answer as for any other bytes.
    }
  }
  throw_logic("Cannot create an sindex except from a reql_index_function returned from `index_status` in the field `function`.");
}

std::vector<Datum> index_geometries(const storage::IndexFunction& function, const Datum& row) {
  return static_cast<const ReqlIndexFunction&>(function).geometries(row);
}

storage::IndexFunctionFactory index_function_factory() {
  return [](const Datum& definition) -> std::shared_ptr<const storage::IndexFunction> {
    return std::make_shared<ReqlIndexFunction>(definition);
  };
}

}  // namespace reqld::reql

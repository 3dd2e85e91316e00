#include "reql/error.hpp"

#include "datum/json.hpp"

namespace reqld::reql {

namespace {

ErrorCode code_of(DatumErrorKind kind) {
  switch (kind) {
    case DatumErrorKind::kLogic: return ErrorCode::kQueryLogic;
    case DatumErrorKind::kNonExistence: return ErrorCode::kNonExistence;
    case DatumErrorKind::kResource: return ErrorCode::kResourceLimit;
    case DatumErrorKind::kInternal: return ErrorCode::kInternal;
  }
  return ErrorCode::kInternal;
}

}  // namespace

EvalError::EvalError(const DatumError& e, const Node* node) : EvalError(code_of(e.kind()), e.what(), node) {}

void throw_logic(std::string message) { throw EvalError(ErrorCode::kQueryLogic, std::move(message)); }
void throw_non_existence(std::string message) { throw EvalError(ErrorCode::kNonExistence, std::move(message)); }
void throw_op_failed(std::string message) { throw EvalError(ErrorCode::kOpFailed, std::move(message)); }
void throw_resource(std::string message) { throw EvalError(ErrorCode::kResourceLimit, std::move(message)); }
void throw_internal(std::string message) { throw EvalError(ErrorCode::kInternal, std::move(message)); }

void throw_empty_error() {
  EvalError error(ErrorCode::kQueryLogic, "Empty ERROR term outside a default block.");
  error.empty_ = true;
  throw error;
}

Reply error_reply(ReplyType type, ErrorCode code, std::string_view message, Backtrace backtrace) {
  Reply reply;
  reply.type = type;
  reply.error = code;
  reply.backtrace = std::move(backtrace);
  append_json_string(message, reply.rows);
  return reply;
}

}  // namespace reqld::reql

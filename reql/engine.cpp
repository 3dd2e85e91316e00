#include "reql/engine.hpp"

namespace reqld::reql {

Engine::Engine(EngineOptions options, storage::Database& database, http_fetch::Fetcher& fetcher)
    : options_(std::move(options)), database_(database), fetcher_(fetcher) {}

Engine::~Engine() = default;

}  // namespace reqld::reql

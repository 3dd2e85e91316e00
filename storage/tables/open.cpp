#include "storage/tables/database_impl.hpp"

namespace reqld::storage {

Result<std::unique_ptr<Database>> Database::open(DatabaseOptions options) {
  Result<std::unique_ptr<Engine>> engine = Engine::open(options.engine);
  if (!engine) return engine.error();
  return open_database(std::move(*engine), std::move(options));
}

}  // namespace reqld::storage

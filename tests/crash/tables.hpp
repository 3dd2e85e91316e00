// A workload of tables, documents with binaries, indexes and drops, for the power-cut simulator.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "storage/engine.hpp"
#include "tests/crash/history.hpp"
#include "tests/crash/workload.hpp"

namespace reqld::crash {

/// Works with a Database on `engine`, which it closes; every write goes into `history`, those of storage
/// itself included. False when something got an unexpected Error, said on stderr.
bool run_table_workload(std::unique_ptr<storage::Engine> engine, const WorkloadOptions& options,
                        History& history, const OnAck& on_ack);

/// What storage::check_database says: indexes against rows, counts, binaries. The first finding.
std::optional<std::string> check_tables(storage::Engine& engine);

/// Opens a Database on `engine` and waits until what a crash interrupted (builds, drops) is done, and checks
/// that it is; works on for a little, and closes it. `last` is then the newest commit.
std::optional<std::string> settle_tables(std::unique_ptr<storage::Engine> engine, History& history,
                                         const OnAck& on_ack, storage::Sequence& last);

}  // namespace reqld::crash

// An Engine in front of another one that tells a History of every write that its jobs make.
#pragma once

#include <memory>

#include "storage/engine.hpp"
#include "tests/crash/history.hpp"

namespace reqld::crash {

/// `history` outlives it.
std::unique_ptr<storage::Engine> record_writes(std::unique_ptr<storage::Engine> engine, History& history);

}  // namespace reqld::crash

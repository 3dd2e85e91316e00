// What a daemon does to its own process.
#pragma once

#include <functional>
#include <string>

namespace reqld::server {

/// Functions that can fail return an error text for the operator, empty when all is well.

/// As many open files as the system allows. Returns how many that is.
std::size_t raise_file_limit();

/// Has the C library keep freed memory for the next request instead of giving it back at once: a query with a
/// file of a megabyte takes and frees several such blocks, and each would be faulted in page by page. Once,
/// before any thread is started.
void keep_freed_memory();

/// Gives up root for a user and a group; either may be empty.
std::string change_user(const std::string& user, const std::string& group);

/// A small file with `text`, as a whole or not at all.
std::string write_file(const std::string& file_name, const std::string& text);

/// Goes to the background. Only the child returns; the parent stays in the foreground until the child calls
/// the function it got (exit status 0), or ends without (1). Before any thread is started.
std::string go_to_background(std::function<void()>& ready);

/// From here on SIGTERM, SIGINT and SIGHUP wait for wait_for_signal(); SIGPIPE is ignored. Before any thread
/// is started.
void hold_signals();
/// Returns the next one.
int wait_for_signal();
/// A second SIGTERM or SIGINT ends the process at once.
void let_signals_kill();

}  // namespace reqld::server

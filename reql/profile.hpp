// Where a query's time goes: the `profile` of a reply.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace reqld::reql {

struct Node;

/// What a query does, as a tree of tasks. What happens again within the same task (a function called for each
/// row, one more batch) is one task that was done several times, so the tree is no larger than the query.
/// Belongs to one query, for whichever thread runs it. Outlives nodes that were evaluated: a write hook's are gone before the
/// reply is made.
class Profile {
 public:
  Profile();
  Profile(const Profile&) = delete;
  Profile& operator=(const Profile&) = delete;
  ~Profile();

  /// As RethinkDB writes it: [{description, "duration(ms)", sub_tasks}], and of tasks that were done several
  /// times {description, "mean_duration(ms)", n_samples}, here with their sub_tasks where they have some.
  /// Tasks that are still under way are left out.
  std::string to_json() const;

 private:
  friend class ProfiledTask;
  struct Task;
  using Clock = std::chrono::steady_clock;

  std::unique_ptr<Task> root_;
  Task* current_;
};

/// A task, from its construction to its destruction. Costs nothing but a look where `profile` is null.
class ProfiledTask {
 public:
  /// The evaluation of a term.
  ProfiledTask(Profile* profile, const Node& node) {
    if (profile != nullptr) [[unlikely]]
      begin(*profile, &node, {});
  }
  /// Anything else: "Perform read.". The text must be a literal.
  ProfiledTask(Profile* profile, std::string_view description) {
    if (profile != nullptr) [[unlikely]]
      begin(*profile, nullptr, description);
  }
  ProfiledTask(const ProfiledTask&) = delete;
  ProfiledTask& operator=(const ProfiledTask&) = delete;
  ~ProfiledTask() {
    if (profile_ != nullptr) [[unlikely]]
      end();
  }

 private:
  void begin(Profile& profile, const Node* node, std::string_view description);
  void end();

  Profile* profile_ = nullptr;
  Profile::Task* outer_ = nullptr;
  Profile::Clock::time_point began_;
};

}  // namespace reqld::reql

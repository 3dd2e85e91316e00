#include "reql/profile.hpp"

#include "datum/json.hpp"
#include "reql/program.hpp"

namespace reqld::reql {

struct Profile::Task {
  const void* node = nullptr;    // tells terms of one name apart, and is never looked into
  std::string_view description;  // of a node: the name of its term
  std::uint64_t times = 0;
  Clock::duration duration{};
  std::vector<std::unique_ptr<Task>> parts;

  Task& part(const void* of_node, std::string_view described) {
    for (const auto& part : parts) {
      if (part->node == of_node && part->description == described) return *part;
    }
    parts.push_back(std::make_unique<Task>());
    parts.back()->node = of_node;
    parts.back()->description = described;
    return *parts.back();
  }

  Datum parts_to_datum() const {
    ArrayBuilder out;
    for (const auto& part : parts) {
      if (part->times > 0) out.add(part->to_datum());
    }
    return out.finish();
  }

  Datum to_datum() const {
    const double milliseconds = std::chrono::duration<double, std::milli>(duration).count();
    const Datum sub_tasks = parts_to_datum();
    ObjectBuilder out;
    const std::string text(description);
    out.set("description", Datum::string(node != nullptr ? "Evaluating " + text + "." : text));
    if (times == 1) {
      out.set("duration(ms)", Datum::number(milliseconds));
      out.set("sub_tasks", sub_tasks);
    } else {
      out.set("mean_duration(ms)", Datum::number(milliseconds / static_cast<double>(times)));
      out.set("n_samples", Datum::number(static_cast<double>(times)));
      if (sub_tasks.array_size() > 0) out.set("sub_tasks", sub_tasks);
    }
    return out.finish();
  }
};

Profile::Profile() : root_(std::make_unique<Task>()), current_(root_.get()) {}
Profile::~Profile() = default;

std::string Profile::to_json() const {
  return reqld::to_json(root_->parts_to_datum());
}

void ProfiledTask::begin(Profile& profile, const Node* node, std::string_view description) {
  profile_ = &profile;
  outer_ = profile.current_;
  profile.current_ = &outer_->part(node, node != nullptr ? node->def->name : description);
  began_ = Profile::Clock::now();
}

void ProfiledTask::end() {
  Profile::Task& task = *profile_->current_;
  task.duration += Profile::Clock::now() - began_;
  ++task.times;
  profile_->current_ = outer_;
}

}  // namespace reqld::reql

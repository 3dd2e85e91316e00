// The examples of the definition table do what they say.

#include <doctest/doctest.h>

#include <memory>

#include "reql/term_def.hpp"
#include "tests/reql/support/cases.hpp"
#include "tests/reql/support/example_data.hpp"
#include "tests/reql/support/in_process.hpp"

using namespace reqld;
using namespace reqld::reql;

namespace {

std::unique_ptr<InProcess> with_data() {
  auto process = std::make_unique<InProcess>();
  for (const ExampleData& step : kExampleData) {
    const Reply reply = process->run(std::string(step.query));
    REQUIRE_MESSAGE(static_cast<int>(reply.type) < static_cast<int>(ReplyType::kClientError),
                    step.text << ": " << reply.rows);
  }
  return process;
}

bool writes(const std::map<int, int>& terms) {
  return std::any_of(terms.begin(), terms.end(), [](const auto& term) {
    const TermDef* def = find_term(term.first);
    return def && (def->flags & kWrites);
  });
}

}  // namespace

TEST_CASE("examples of the definition table") {
  std::unique_ptr<InProcess> process;
  for (const TermDef* def : all_terms()) {
    for (const Example& example : def->examples) {
      CAPTURE(example.text);
      if (!process) process = with_data();
      const std::string query(example.query);
      const Reply reply = process->run(query);
      Usage usage;
      usage.add(query);
      // A literal of the language has no term of its own on the wire.
      const bool shown = usage.terms.contains(static_cast<int>(def->type)) || def->type == TermType::kDatum ||
                         def->type == TermType::kMakeObj;
      CHECK_MESSAGE(shown, "the example does not use " << def->name);
      switch (reply.type) {
        case ReplyType::kAtom:
          CHECK_MESSAGE(matches_reply(std::string(example.reply), reply.rows), "answered " << reply.rows);
          break;
        case ReplyType::kSequence:
          CHECK_MESSAGE(matches_reply(std::string(example.reply), "[" + reply.rows + "]"),
                        "answered " << reply.rows);
          break;
        default: {
          std::string text;
          append_json_string(example.reply, text);
          CHECK_MESSAGE(matches_reply(text, reply.rows), "answered " << reply.rows);
        }
      }
      if (writes(usage.terms)) process.reset();
    }
  }
}

TEST_CASE("every term says what it is, and shows it") {
  for (const TermDef* def : all_terms()) {
    CAPTURE(def->name);
    CHECK(!def->name.empty());
    CHECK(def->signature.find(" → ") != std::string_view::npos);
    CHECK(def->doc.ends_with('.'));
    CHECK(!def->examples.empty());
    for (const Optarg& option : def->optargs) CHECK_MESSAGE(!option.doc.empty(), option.name);
  }
}

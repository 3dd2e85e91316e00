#include "tests/reql/support/pages.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "reql/term_def.hpp"
#include "reql/terms/families.hpp"
#include "tests/reql/support/example_data.hpp"

namespace reqld::reql {

namespace {

constexpr std::string_view kGenerated =
    "<!-- Generated from reql/terms/ by `./dev docs`. Change it there. -->\n\n";

// The families in the order in which a reader would look for them.
struct Chapter {
  std::string_view title;
  std::vector<Family> families;
};

std::vector<Chapter> chapters() {
  return {{"Values and functions", {core_terms}},
          {"Databases, tables and indexes", {admin_terms}},
          {"Tables and rows", {table_terms}},
          {"Writing", {write_terms}},
          {"Changefeeds", {change_terms}},
          {"Sequences", {sequence_terms, position_terms, order_by_terms}},
          {"Aggregation and groups", {aggregate_terms, group_terms}},
          {"Joins", {join_terms}},
          {"Documents", {document_terms}},
          {"Arrays and sets", {array_terms}},
          {"Comparison and logic", {logic_terms}},
          {"Mathematics", {math_terms}},
          {"Strings", {string_terms}},
          {"Types and conversions", {convert_terms, info_terms}},
          {"Times", {time_terms}},
          {"Geometry", {geo_terms}},
          {"Control", {control_terms}},
          {"The web and JavaScript", {http_terms, javascript_terms}},
          {"Administration", {meta_terms, grant_terms}}};
}

bool is_json(std::string_view reply) {
  constexpr std::string_view kStarts = "\"[{-0123456789";
  return !reply.empty() && (kStarts.find(reply[0]) != std::string_view::npos || reply == "null" ||
                            reply == "true" || reply == "false");
}

void append_comment(std::string_view mark, std::string_view text, std::string& out) {
  std::string_view prefix = mark;
  while (true) {
    const std::size_t end = text.find('\n');
    out += "# ";
    out += prefix;
    out += text.substr(0, end);
    out += '\n';
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
    prefix = "";
  }
}

// Markdown takes some characters for its own.
std::string escaped(std::string_view text) {
  std::string out;
  bool code = false;
  for (const char c : text) {
    if (c == '`') code = !code;
    if (!code && (c == '|' || c == '*' || c == '_' || c == '<')) out += '\\';
    out += c;
  }
  return out;
}

void append_term(const TermDef& def, std::string& out) {
  out += "### " + escaped(def.name) + "\n\n";
  std::istringstream forms{std::string(def.signature)};
  for (std::string form; std::getline(forms, form);) out += "    " + form + "\n";
  out += "\n" + escaped(def.doc) + "\n\n";
  if (!def.optargs.empty()) {
    out += "| option | |\n|---|---|\n";
    for (const Optarg& o : def.optargs) out += "| `" + std::string(o.name) + "` | " + escaped(o.doc) + " |\n";
    out += '\n';
  }
  out += "```python\n";
  for (const Example& example : def.examples) {
    out += example.text;
    out += '\n';
    append_comment(is_json(example.reply) ? "" : "error: ", example.reply, out);
  }
  out += "```\n\n";
}

std::string arity_text(const Arity& arity) {
  if (arity.max < 0) return std::to_string(arity.min) + " or more";
  if (arity.min == arity.max) return std::to_string(arity.min);
  return std::to_string(arity.min) + " to " + std::to_string(arity.max);
}

std::string flags_text(TermFlags flags) {
  constexpr std::pair<TermFlags, std::string_view> kNames[] = {
      {kNonDeterministic, "not deterministic"},
      {kNonDeterministicWithoutArguments, "not deterministic without arguments"},
      {kConstantInQuery, "constant in a query"},
      {kReadsTable, "reads tables"},
      {kWrites, "writes"},
      {kForbidsWrites, "no writes inside"},
      {kGroupAware, "takes groups whole"},
      {kFusesGroups, "takes groups row by row"},
      {kFetches, "fetches"},
  };
  std::string out;
  for (const auto& [flag, name] : kNames) {
    if (!(flags & flag)) continue;
    if (!out.empty()) out += ", ";
    out += name;
  }
  return out;
}

// So that not every new case changes the page.
int rounded_down(int cases) {
  constexpr int kSteps[] = {500, 200, 100, 50, 20, 10, 5};
  const auto* const step =
      std::find_if(std::begin(kSteps), std::end(kSteps), [&](int n) { return n <= cases; });
  return step == std::end(kSteps) ? std::min(cases, 1) : *step;
}

std::string optargs_text(const TermDef& def) {
  if (def.any_optargs) return "any";
  std::string out;
  for (const Optarg& o : def.optargs) {
    if (!out.empty()) out += ' ';
    out += '`' + std::string(o.name) + '`';
  }
  return out;
}

}  // namespace

std::string reference_page() {
  std::string out(kGenerated);
  out +=
      "# ReQL, term by term\n\n"
      "Names and calls are those of the official Python driver; JavaScript writes `getAll` for `get_all` and "
      "options as an\n"
      "object. Every example is run by the tests and answers what stands below it. "
      "[reql_status.md](reql_status.md) lists\n"
      "the terms by their numbers in the protocol.\n\n"
      "An option given to `run` is that of every term of the query that has one of this name and was not given it:\n"
      "`run(conn, return_changes=True)`.\n\n";
  const auto all_chapters = chapters();
  for (const Chapter& chapter : all_chapters) {
    out += "- **" + std::string(chapter.title) + "**: ";
    bool first = true;
    for (const Family family : chapter.families) {
      for (const TermDef& def : family()) {
        if (def.type == TermType::kBetweenDeprecated) continue;
        if (!first) out += ", ";
        first = false;
        out += "[" + escaped(def.name) + "](#" + std::string(def.name) + ")";
      }
    }
    out += '\n';
  }
  out +=
      "\n## The data of the examples\n\n"
      "```python\n";
  for (const ExampleData& step : kExampleData) out += std::string(step.text) + '\n';
  out += "```\n\n";
  for (const Chapter& chapter : all_chapters) {
    out += "## " + std::string(chapter.title) + "\n\n";
    for (const Family family : chapter.families) {
      for (const TermDef& def : family()) {
        // Drivers since 2014 do not send it; the status page has it.
        if (def.type != TermType::kBetweenDeprecated) append_term(def, out);
      }
    }
  }
  out.pop_back();
  return out;
}

std::vector<ProtocolTerm> read_protocol_terms() {
  std::vector<ProtocolTerm> terms;
  std::ifstream file(std::filesystem::path(REQLD_SOURCE_DIR) / "tests/conformance/terms.txt");
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    ProtocolTerm term;
    std::istringstream(line) >> term.number >> term.name >> term.recorded_steps;
    terms.push_back(std::move(term));
  }
  return terms;
}

std::string status_page(const std::vector<ProtocolTerm>& protocol, const std::map<int, int>& cases) {
  const auto there = std::count_if(protocol.begin(), protocol.end(),
                                   [](const auto& t) { return find_term(t.number) != nullptr; });
  std::string out(kGenerated);
  out += "# ReQL: what there is\n\n" + std::to_string(there) + " of " + std::to_string(protocol.size()) +
         " terms are there: those of the protocol definition of RethinkDB 2.4.4, and FORMAT of its main "
         "branch.\n"
         "*cases*: how many steps of [tests/cases](../tests/cases) use the term, at least. *recorded*: "
         "replies recorded from\n"
         "RethinkDB 2.4.4 that use it; [tests/conformance/expected.txt](../tests/conformance/expected.txt) "
         "says how many of them\n"
         "are answered alike. What each does: [reql_reference.md](reql_reference.md).\n\n"
         "| | term | there | arguments | options | | cases | recorded |\n|--:|---|---|---|---|---|--:|--:|\n";
  for (const ProtocolTerm& term : protocol) {
    const TermDef* def = find_term(term.number);
    const auto known = cases.find(term.number);
    out += "| " + std::to_string(term.number) + " | " + escaped(term.name) + " | " +
           (def ? "yes" : "**no**") + " | ";
    if (def) out += arity_text(def->arity);
    out += " | ";
    if (def) out += optargs_text(*def);
    out += " | ";
    if (def) out += flags_text(def->flags);
    out += " | " + std::to_string(rounded_down(known == cases.end() ? 0 : known->second)) + " | " +
           std::to_string(term.recorded_steps) + " |\n";
  }
  return out;
}

}  // namespace reqld::reql

#!/usr/bin/env python3
"""Writes terms.txt: the protocol definition's terms, and how many recorded steps use each.

The definition is that of the official JavaScript driver (`npm ci` in tests/drivers/js), and FORMAT, which RethinkDB has
on its main branch only.  docs/reql_status.md is made from it: run `./dev docs` afterwards.
"""

import collections
import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
DEFINITION = HERE.parent / "drivers" / "js" / "node_modules" / "rethinkdb" / "proto-def.js"
FORMAT = ("FORMAT", 197)


def protocol_terms():
    text = DEFINITION.read_text()
    block = re.search(r"TermType: \{(.*?)\}", text, re.S).group(1)
    terms = [(name, int(number)) for name, number in re.findall(r"(\w+): (\d+)", block)]
    return sorted(terms + [FORMAT], key=lambda term: term[1])


def terms_of(json_term, found):
    if isinstance(json_term, dict):
        for value in json_term.values():
            terms_of(value, found)
    elif isinstance(json_term, list) and json_term and isinstance(json_term[0], int):
        found.add(json_term[0])
        for part in json_term[1:]:
            for argument in part if isinstance(part, list) else [part]:
                terms_of(argument, found)


def recorded_steps(corpus):
    steps = collections.Counter()
    for path in sorted(corpus.glob("*/*.jsonl")):
        for line in path.read_text().split("\n"):
            query = json.loads(line).get("query") if line else None
            if isinstance(query, list) and len(query) > 1:
                found = set()
                terms_of(query[1], found)
                steps.update(found)
    return steps


def main():
    corpus = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parents[2] / "shared" / "conformance"
    steps = recorded_steps(corpus)
    lines = ["# The terms of the protocol definition: number, name, recorded steps that use it.  Written by terms.py."]
    lines += ["%d %s %d" % (number, name, steps[number]) for name, number in protocol_terms()]
    (HERE / "terms.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

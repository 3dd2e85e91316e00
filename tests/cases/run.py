#!/usr/bin/env python3
"""The language cases of this folder over a socket: each file on a server of its own, its cases in order.

The files are described in tests/reql/support/cases.hpp, whose program runs the same in process.
Ends with 'N passed, N failed, N skipped'.
"""

import argparse
import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))

from reql_wire import Connection, PARTIAL, SEQUENCE, START  # noqa: E402
from reqld_server import Server  # noqa: E402

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")
FIRST_ERROR = 16
WILDCARDS = {
    "{{any}}": lambda got: True,
    "{{uuid}}": lambda got: isinstance(got, str) and UUID.match(got) is not None,
    "{{number}}": lambda got: isinstance(got, (int, float)) and not isinstance(got, bool),
    "{{text}}": lambda got: isinstance(got, str),
}
LINE = re.compile(r"(- |  )(what|query|options|reply|bag): '(.*)'\Z")


def read_cases(path):
    """The YAML that the files keep to: a list of maps, every value in single quotes on its line."""
    cases = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if not line or line.startswith("#"):
            continue
        found = LINE.match(line)
        if not found:
            raise ValueError("%s:%d is no line of a case: %s" % (path.name, number, line))
        if found.group(1) == "- ":
            cases.append({})
        cases[-1][found.group(2)] = found.group(3).replace("''", "'")
    return cases


def matches(wanted, got):
    if isinstance(wanted, str) and wanted in WILDCARDS:
        return WILDCARDS[wanted](got)
    if isinstance(wanted, list):
        return isinstance(got, list) and len(wanted) == len(got) and all(map(matches, wanted, got))
    if isinstance(wanted, dict):
        return (isinstance(got, dict) and wanted.keys() == got.keys() and
                all(matches(wanted[key], got[key]) for key in wanted))
    return wanted == got and isinstance(wanted, bool) == isinstance(got, bool)


def matches_reply(wanted, got, any_order):
    if not any_order:
        return matches(wanted, got)
    rows_wanted, rows_got = wanted["r"], got["r"]
    if len(rows_wanted) == len(rows_got) == 1 and isinstance(rows_wanted[0], list):
        rows_wanted, rows_got = rows_wanted[0], rows_got[0]
    left = list(rows_got)
    for row in rows_wanted:
        at = next((i for i, candidate in enumerate(left) if matches(row, candidate)), None)
        if at is None:
            return False
        del left[at]
    return not left and matches(dict(wanted, r=[]), dict(got, r=[]))


def ask(connection, case):
    """The reply, with all rows of a stream, and of its fields those that cases name."""
    # Sent as it is written: a case may say what no JSON library would.
    connection.send_text("[%d,%s,%s]" % (START, case["query"], case.get("options", "{}")))
    rows = []
    while True:
        token, reply = connection.receive()
        if reply["t"] == PARTIAL:
            rows += reply["r"]
            connection.ask_for_more(token)
            continue
        if reply["t"] == SEQUENCE:
            reply["r"] = rows + reply["r"]
        return {key: reply[key] for key in ("t", "r", "e", "b") if key in reply}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", help="the reqld binary")
    parser.add_argument("--filter", default="", help="only files with this in their name")
    arguments = parser.parse_args()
    passed = failed = 0
    for path in sorted(HERE.glob("*.yaml")):
        if arguments.filter not in path.name:
            continue
        with Server(binary=arguments.server) as server, Connection(server.port) as connection:
            for case in read_cases(path):
                got = ask(connection, case)
                if "reply" in case:
                    good = matches_reply(json.loads(case["reply"]), got, case.get("bag") == "true")
                else:
                    good = got["t"] < FIRST_ERROR
                passed, failed = passed + good, failed + (not good)
                if not good:
                    print("%s: %s\n  query %s\n  got   %s\n  not   %s" %
                          (path.name, case.get("what"), case["query"], json.dumps(got), case.get("reply")))
    print("%d passed, %d failed, 0 skipped" % (passed, failed))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())

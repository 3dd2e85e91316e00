#!/usr/bin/env python3
"""Measures builds of the server by turns, so that a machine that changes its speed by the minute cannot favour one.

    bench/compare.py before=/path/to/reqld after=build/release/reqld --name insert_soft --rounds 6

Each build gets a server and a directory of its own; in every round each scenario runs on all of them, the first one
changing. Printed are the median and the least of the rounds, and how the last build's median compares with the first's.
"""

import argparse
import contextlib
import pathlib
import statistics
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "support"))

from reqld_server import Server  # noqa: E402
from run import built, load, measured, number, scenarios  # noqa: E402


def build(text):
    name, equals, binary = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError("NAME=BINARY")
    return name, str(pathlib.Path(binary).resolve())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("builds", nargs="+", type=build, metavar="NAME=BINARY", help="the builds of the server")
    parser.add_argument("--reqlload", type=pathlib.Path,
                        default=HERE.parents[1] / "shared" / "tools" / "reqlload" / "reqlload.cpp",
                        help="the source of the load generator")
    parser.add_argument("--group", action="append", default=[], help="only this group of scenarios (repeatable)")
    parser.add_argument("--name", action="append", default=[], help="only this scenario (repeatable)")
    parser.add_argument("--rows", type=int, default=100_000, help="rows of the shared tables")
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=4)
    options = parser.parse_args()
    reqlload = built(options.reqlload)

    chosen = list(scenarios(options.group, options.name))
    names = [name for name, _ in options.builds]
    figures = {(scenario[0], name): [] for scenario in chosen for name in names}
    with contextlib.ExitStack() as stack:
        servers = {name: stack.enter_context(Server(binary=binary)) for name, binary in options.builds}
        for turn in range(options.rounds):
            for scenario, unit, _, _, arguments in chosen:
                for name in names[turn % len(names):] + names[:turn % len(names)]:
                    lines, failure = load(reqlload, servers[name], "--rows", options.rows, "--seconds", options.seconds,
                                          *arguments)
                    if failure:
                        sys.exit("%s, %s: %s" % (scenario, name, failure))
                    figures[scenario, name].append(measured(lines[-1], unit, options.rows))

    print("| scenario | unit | %s | ratio |" % " | ".join("%s: median (least)" % name for name in names))
    print("|---|---|%s---:|" % ("---:|" * len(names)))
    for scenario, unit, _, _, _ in chosen:
        runs = [figures[scenario, name] for name in names]
        print("| %s | %s | %s | %.3f |" % (
            scenario, unit,
            " | ".join("%s (%s)" % (number(statistics.median(run)), number(min(run))) for run in runs),
            statistics.median(runs[-1]) / statistics.median(runs[0])))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Replays the recorded RethinkDB 2.4.4 replies against a server of our own, and guards what was reached.

expected.txt holds, for every file of the corpus, how many steps passed and how many backtraces matched when it
was last raised: a file that falls below is a failure, a file that rises is an invitation to --update.  Of the
closing line, `failed` counts steps lost against expected.txt, and `skipped` the steps that differ by design
(differences.txt), that the corpus itself skips, or that have not been reached yet.
"""

import argparse
import fnmatch
import json
import pathlib
import shlex
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
EXPECTED = HERE / "expected.txt"
DIFFERENCES = HERE / "differences.txt"
HEADER = """\
# What of ../shared/conformance passes, as last raised by `./dev conformance --update`; ./dev test fails below it.
# One a line: file, steps passed, steps scored, backtraces that match, backtraces compared.
"""


class Counts:
    """One file's outcome."""

    def __init__(self, passed=0, scored=0, backtraces=0, compared=0, skipped=0):
        self.passed, self.scored, self.backtraces, self.compared, self.skipped = (
            passed, scored, backtraces, compared, skipped)

    @classmethod
    def of(cls, steps):
        scored = [s for s in steps if not s["setup"] and s["status"] != "skipped"]
        verdicts = [s["backtrace"] for s in steps if s.get("backtrace") is not None]
        return cls(sum(s["status"] == "passed" for s in scored), len(scored), sum(verdicts), len(verdicts),
                   sum(s["status"] == "skipped" for s in steps))

    def below(self, other):
        return self.passed < other.passed or self.backtraces < other.backtraces

    def best(self, other):
        return Counts(max(self.passed, other.passed), self.scored, max(self.backtraces, other.backtraces),
                      max(self.compared, other.compared), self.skipped)


def read_expected():
    expected = {}
    if EXPECTED.exists():
        for line in EXPECTED.read_text().splitlines():
            if line and not line.startswith("#"):
                name, *numbers = line.split()
                expected[name] = Counts(*map(int, numbers))
    return expected


def write_expected(counts):
    lines = ["%-40s %5d %5d %5d %5d" % (n, c.passed, c.scored, c.backtraces, c.compared)
             for n, c in sorted(counts.items())]
    EXPECTED.write_text(HEADER + "\n".join(lines) + "\n")


def replay(options, filters, logs, quiet=False):
    """Runs the replayer with its own servers; returns {file: steps}, or None when it did not come to its end."""
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        command = [sys.executable, str(options.corpus / "replay.py"), "--differences", str(DIFFERENCES),
                   "--json", report.name]
        if options.port:
            command += ["--port", str(options.port)]
        else:
            server = shlex.quote(str(pathlib.Path(options.server).resolve()))
            command += ["--jobs", str(options.jobs), "--spawn",
                        "%s --directory {dir}/data --bind 127.0.0.1 --driver-port {port} --no-http-admin "
                        "--log-file %s/server-{port}.log" % (server, shlex.quote(logs))]
        for pattern in filters:
            command += ["--filter", pattern]
        command += ["--verbose"] if options.verbose else []
        command += ["--strict-backtrace"] if options.strict_backtrace else []
        command += [str(options.corpus)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="replace") as process:
            for line in process.stdout:
                # The replayer's closing line counts known gaps as failures; ours comes at the end.
                if not quiet and " passed, " not in line:
                    print(line, end="", flush=True)
        text = pathlib.Path(report.name).read_text()
    return json.loads(text)["files"] if text else None


def crashed_logs(logs):
    """The ends of the logs of servers that died on a signal or a sanitizer's report."""
    marks = ("AddressSanitizer", "ThreadSanitizer", "runtime error:", "terminate called", "assert")
    for path in sorted(pathlib.Path(logs).glob("*.log")):
        lines = path.read_text(errors="replace").splitlines()
        for number, line in enumerate(lines):
            if any(mark in line for mark in marks):
                yield "\n".join(lines[number:number + 40])
                break


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True, help="the server binary to start")
    parser.add_argument("--port", type=int, help="replay against a running server instead (its data is dropped!)")
    parser.add_argument("--corpus", required=True, type=pathlib.Path)
    parser.add_argument("--filter", action="append", default=[], metavar="GLOB", help="only these files")
    parser.add_argument("--jobs", type=int, default=2, help="servers, and files at a time")
    parser.add_argument("--verbose", action="store_true", help="show every failing step")
    parser.add_argument("--strict-backtrace", action="store_true", help="a wrong backtrace fails the step")
    parser.add_argument("--update", action="store_true", help="raise expected.txt to what passes now")
    options = parser.parse_args()
    options.corpus = options.corpus.resolve()

    expected = read_expected()
    with tempfile.TemporaryDirectory(prefix="reqld-conformance-") as logs:
        files = replay(options, options.filter, logs)
        if files is None:
            print("the replay did not come to its end")
            print("0 passed, 1 failed, 0 skipped")
            return 1
        counts = {name: Counts.of(steps) for name, steps in files.items()}
        worse = [n for n, c in sorted(counts.items()) if n in expected and c.below(expected[n])]
        if worse and not options.port:
            # Some steps look at the clock; a file that only stumbled on a busy machine gets a second try.
            print("\nreplaying once more what fell below expected.txt: %s" % " ".join(worse))
            again = replay(options, worse, logs, quiet=True) or {}
            for name in worse:
                counts[name] = counts[name].best(Counts.of(again.get(name, [])))
        for text in crashed_logs(logs):
            print("\nfrom a server's log:\n%s" % text)

    if options.update:
        write_expected({**expected, **{n: c.best(expected.get(n, Counts())) for n, c in counts.items()}})
    lost = 0
    print()
    for name, now in sorted(counts.items()):
        before = expected.get(name, Counts())
        if now.below(before):
            lost += max(before.passed - now.passed, 0) or 1
            print("WORSE  %-40s %d/%d passed, %d backtraces; expected %d, %d" % (
                name, now.passed, now.scored, now.backtraces, before.passed, before.backtraces))
        elif before.below(now) and not options.update:
            print("better %-40s %d/%d passed, %d backtraces; expected.txt says %d, %d" % (
                name, now.passed, now.scored, now.backtraces, before.passed, before.backtraces))
    gone = [n for n in expected if n not in counts and (
        not options.filter or any(fnmatch.fnmatchcase(n, p + "*") for p in options.filter))]
    for name in gone:
        print("note: %s is in expected.txt but no longer in the corpus" % name)

    passed, scored = sum(c.passed for c in counts.values()), sum(c.scored for c in counts.values())
    by_design = sum(c.skipped for c in counts.values())
    print("conformance: %d of %d steps in %d files (%d files whole), %d skipped by design; "
          "backtraces: %d of %d; %d steps below expected.txt" % (
              passed, scored, len(counts), sum(c.passed == c.scored for c in counts.values()), by_design,
              sum(c.backtraces for c in counts.values()), sum(c.compared for c in counts.values()), lost))
    print("%d passed, %d failed, %d skipped" % (passed, lost, scored - passed - min(lost, scored - passed) + by_design))
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())

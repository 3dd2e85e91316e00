#!/usr/bin/env python3
"""Measures the scenarios of scenarios.txt with reqlload against a server of its own, and prints them beside the goals.

The steady figure on a busy machine is the server's CPU per operation; the table also gives rate and latency.  Every
reply is verified by reqlload: a scenario with an error is reported as such, never as a figure.

Goals are for the machine of ../shared/baselines, whose echo server took 1.75 us for a message.  `echo` is what the same
echo server took here right before and after the scenario, and `scaled` is the measured figure at that machine's speed:
measured * 1.75 / echo.  A (!) is a goal that was missed.
"""

import argparse
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "support"))

from reqld_server import Server  # noqa: E402


def scenarios(groups, names):
    for line in (HERE / "scenarios.txt").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            name, group, unit, goal, baseline, *arguments = line.split()
            if (not groups and not names) or group in groups or name in names:
                yield name, unit, float(goal), baseline, arguments


def built(source):
    """Builds a program of one source file, once."""
    target = pathlib.Path(tempfile.gettempdir()) / ("%s-%d" % (source.stem, int(source.stat().st_mtime)))
    if not target.exists():
        building = str(target) + ".new"
        subprocess.run(["g++", "-std=c++17", "-O2", "-w", "-o", building, str(source), "-pthread", "-lcrypto"], check=True)
        shutil.move(building, target)
    return str(target)


class Machine:
    """How fast this machine is just now, against the one the goals are for."""

    ECHO_OF_GOALS_US = 1.75

    def __init__(self, source):
        self.pingpong = built(source) if source.exists() else None
        self.last = None

    def echo_us(self):
        """Server CPU of one echoed message, 32 connections with 4 each; the mean with the last call's, or None without the program."""
        if not self.pingpong:
            return None
        before = self.last
        line = subprocess.run([self.pingpong, "32", "4", "80", "326", "1"], stdout=subprocess.PIPE, check=True).stdout
        self.last = json.loads(line)["server_cpu_us_per_op"]
        return statistics.mean((before or self.last, self.last))

    def scaled(self, value, unit, echo):
        return value * self.ECHO_OF_GOALS_US / echo if echo and unit != "/s" else value


def load(reqlload, server, *arguments):
    """Runs reqlload against a server: the results that it printed, and what went wrong, or None."""
    process = subprocess.run(
        [reqlload, "--port", str(server.port), "--pid", str(server.process.pid), "--reuse", "--quiet", *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    lines = [json.loads(line) for line in process.stdout.splitlines() if line.startswith("{")]
    result = lines[-1] if lines else {}
    if process.returncode or result.get("errors") or "ops_per_s" not in result:
        return lines, result.get("first_error") or process.stderr.strip()[-200:] or "no result"
    return lines, None


def measured(result, unit, rows):
    """The figure in the scenario's unit."""
    if unit == "/s":
        return result["ops_per_s"]
    work = unit.partition("/")[2] or "1"
    return result["srv_cpu_us_per_op"] / (rows if work == "R" else int(work))


def number(value):
    return "%.0f" % value if value >= 100 else "%.3g" % value


def marked(value, unit, goal):
    return number(value) + ("" if (value >= goal if unit == "/s" else value <= goal) else " (!)")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True, help="the server binary")
    parser.add_argument("--reqlload", type=pathlib.Path,
                        default=HERE.parents[1] / "shared" / "tools" / "reqlload" / "reqlload.cpp",
                        help="the source of the load generator")
    parser.add_argument("--echo", type=pathlib.Path,
                        default=HERE.parents[1] / "shared" / "tools" / "reqlload" / "limits" / "pingpong.cpp",
                        help="the source of the echo server; nothing is scaled without it")
    parser.add_argument("--group", action="append", default=[], help="only this group of scenarios (repeatable)")
    parser.add_argument("--name", action="append", default=[], help="only this scenario (repeatable)")
    parser.add_argument("--rows", type=int, default=100_000, help="rows of the shared tables")
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=1, help="the median of so many runs")
    parser.add_argument("--directory", help="keep the data here (a temporary directory otherwise)")
    parser.add_argument("--json", type=pathlib.Path, help="append every run as a JSON line")
    options = parser.parse_args()
    if not options.reqlload.exists():
        parser.error("no load generator at %s" % options.reqlload)
    reqlload = built(options.reqlload)
    machine = Machine(options.echo)

    wrong = 0
    print("| scenario | unit | measured | echo | scaled | goal | RethinkDB 2.4.4 | times less | op/s | p50 ms | p99 ms |")
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    machine.echo_us()
    with Server(binary=options.server, directory=options.directory) as server:
        for name, unit, goal, baseline, arguments in scenarios(options.group, options.name):
            runs = []
            for _ in range(options.rounds):
                lines, failure = load(reqlload, server, "--rows", options.rows, "--seconds", options.seconds, *arguments)
                if options.json:
                    with options.json.open("a") as f:
                        f.writelines(json.dumps(dict(line, scenario=name)) + "\n" for line in lines)
                if failure:
                    print("| %s | | failed: %s |" % (name, failure))
                    wrong += 1
                    break
                runs.append(lines[-1])
            else:
                value = statistics.median(measured(run, unit, options.rows) for run in runs)
                middle = sorted(runs, key=lambda run: run["ops_per_s"])[len(runs) // 2]
                echo = machine.echo_us()
                ratio = ""
                if baseline != "-" and value > 0:
                    ratio = number(value / float(baseline) if unit == "/s" else float(baseline) / value)
                print("| %s | %s | %s | %s | %s | %s%s | %s | %s | %s | %.2f | %.2f |" % (
                    name, unit, marked(value, unit, goal), number(echo) if echo else "",
                    marked(machine.scaled(value, unit, echo), unit, goal), "≥ " if unit == "/s" else "≤ ", number(goal),
                    baseline, ratio, number(middle["ops_per_s"]), middle.get("p50_us", 0) / 1000,
                    middle.get("p99_us", 0) / 1000))
            sys.stdout.flush()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

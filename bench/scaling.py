#!/usr/bin/env python3
"""How point reads scale: with the cores of the server, with the rows of the table, and beside long scans and writes.

The load generator shares the machine: where it has no core of its own, look at the CPU that a read takes, not at the rate.
"""

import argparse
import pathlib
import socket
import subprocess
import sys
import threading
import time
import types

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "support"))

from probe import Prober  # noqa: E402
from reql_wire import Connection  # noqa: E402
from reqld_server import Server  # noqa: E402
from run import load, built  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True, help="the server binary")
    parser.add_argument("--reqlload", type=pathlib.Path,
                        default=HERE.parents[1] / "shared" / "tools" / "reqlload" / "reqlload.cpp")
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--seconds", type=int, default=5)
    options = parser.parse_args()
    reqlload = built(options.reqlload)

    def measure(server, rows, *arguments):
        lines, failure = load(reqlload, server, "--rows", rows, "--seconds", options.seconds, *arguments)
        if failure:
            sys.exit(failure)
        return lines[-1]

    read = ("--workload", "point_get", "--conns", 32, "--pipeline", 4)
    print("%10s %6s %12s %10s %9s %9s" % ("rows", "cores", "reads/s", "CPU us", "p99 ms", "p99.9 ms"))
    for rows in options.rows:
        for cores in (1, 2) if rows == options.rows[0] else (2,):
            with Server("--cores", str(cores), binary=options.server) as server:
                result = measure(server, rows, *read)
                print("%10d %6d %12.0f %10.2f %9.2f %9.2f" % (
                    rows, cores, result["ops_per_s"], result["srv_cpu_us_per_op"], result["p99_us"] / 1e3,
                    result["p999_us"] / 1e3), flush=True)
                if rows == options.rows[-1]:
                    beside_echo(reqlload, measure, server, rows)
                    beside_scans(server, options.seconds)
                    beside_mixed_load(measure, server, rows)


def beside_scans(server, seconds):
    """A row read again and again, alone and while other connections scan the whole table."""
    scan = [43, [[39, [table_of_load(server), [69, [[2, [1]], [17, [[170, [[10, [1]], "n"]], -1]]]]]]]]

    def repeat(stop):
        with Connection(server.port) as connection:
            while not stop.is_set():
                connection.run(scan)

    with Connection(server.port) as connection:
        connection.run([60, ["hot"]])
        connection.run([56, [[15, ["hot"]], {"id": 1, "text": "x" * 100}]])
    for scanners in (0, 1, 2):
        stop = threading.Event()
        threads = [threading.Thread(target=repeat, args=(stop,), daemon=True) for _ in range(scanners)]
        prober = Prober(server.port, [16, [[15, ["hot"]], 1]])
        for thread in (*threads, prober):
            thread.start()
        time.sleep(seconds)
        waits = prober.finish()
        stop.set()
        for thread in threads:
            thread.join()
        print("a row beside %d scans: p50 %.2f, p99 %.2f, p99.9 %.2f, longest %.1f ms" % (scanners, *waits), flush=True)


def beside_mixed_load(measure, server, rows):
    """A row read again and again beside reads and updates, from a little of them to as many as there can be."""
    mixed = ("--workload", "mixed_ycsb_a", "--conns")
    capacity = measure(server, rows, *mixed, 64)["ops_per_s"]
    for connections in (1, 2, 4, 8, 16, 32, 64):
        prober = Prober(server.port, [16, [table_of_load(server), "k000000001"]])
        prober.start()
        result = measure(server, rows, *mixed, connections)
        print("a row beside a mixed load of %3.0f %%: p50 %.2f, p99 %.2f, p99.9 %.2f, longest %.1f ms" % (
            100 * result["ops_per_s"] / capacity, *prober.finish()), flush=True)


def beside_echo(reqlload, measure, server, rows):
    """The same reads, answered by a server that only echoes."""
    read = ("--workload", "point_get", "--conns", 128, "--pipeline", 1)
    with socket.socket() as free:
        free.bind((server.host, 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([reqlload, "--null-server", str(port), "--rows", str(rows)], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    try:
        echo = types.SimpleNamespace(port=port, process=process)
        for _ in range(2):
            reached = measure(server, rows, *read)["ops_per_s"]
            limit = measure(echo, rows, *read)["ops_per_s"]
            print("128 connections, 1 query each: %.0f reads/s, of an echo server %.0f: %.0f %%" % (
                reached, limit, 100 * reached / limit), flush=True)
    finally:
        process.kill()
        process.wait()


def table_of_load(server):
    """The table that reqlload has made for its reads."""
    with Connection(server.port) as connection:
        return [15, [next(name for name in connection.run([62, [[14, ["test"]]]]) if name.startswith("rl_r_"))]]


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Point reads of a table that is much larger than the memory for its pages.

Loads the table (once: a directory that has it is used again), starts the server anew with its memory, page cache included,
limited by a cgroup, and reads random rows with reqlload from more and more connections.  Beside them one connection reads
a row that is in memory all the time, another computes without reading: what they wait is what others' page faults cost
them.  The limit is the disk: random reads of single pages of the same file, past the cache, by as many threads.

Needs root and the memory controller of cgroup v1.
"""

import argparse
import mmap
import os
import pathlib
import random
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "support"))

from probe import Prober  # noqa: E402
from reql_wire import Connection  # noqa: E402
from reqld_server import Server  # noqa: E402
from run import load, built  # noqa: E402

GROUP = pathlib.Path("/sys/fs/cgroup/memory/reqld-bench")
PAGE = 4096


def disk_reads_per_second(path, threads, seconds):
    """Random pages of a file, read past the page cache."""
    pages = os.path.getsize(path) // PAGE
    counts = [0] * threads
    end = time.monotonic() + seconds

    def read(number):
        chance = random.Random(number)
        buffer = mmap.mmap(-1, PAGE)  # aligned, as O_DIRECT wants it
        file = os.open(path, os.O_RDONLY | os.O_DIRECT)
        while time.monotonic() < end:
            os.preadv(file, [buffer], chance.randrange(pages) * PAGE)
            counts[number] += 1
        os.close(file)

    running = [threading.Thread(target=read, args=(n,)) for n in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return sum(counts) / seconds


def forget_pages(path):
    file = os.open(path, os.O_RDONLY)
    os.fsync(file)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(file)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True, help="the server binary, as an absolute path")
    parser.add_argument("--directory", required=True, help="where the data are, or will be and stay")
    parser.add_argument("--reqlload", type=pathlib.Path,
                        default=HERE.parents[1] / "shared" / "tools" / "reqlload" / "reqlload.cpp")
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--value-size", type=int, default=4000)
    parser.add_argument("--memory-mb", type=int, default=2048, help="for the server and the pages it reads")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 4, 16, 64, 128])
    parser.add_argument("--seconds", type=int, default=20, help="for each number of connections")
    options = parser.parse_args()
    reqlload = built(options.reqlload)

    def point_get(server, connections, seconds):
        lines, failure = load(
            reqlload, server, "--workload", "point_get", "--rows", options.rows, "--value-size", options.value_size,
            "--conns", connections, "--pipeline", 1, "--seconds", seconds)
        if failure:
            sys.exit(failure)
        return lines[-1]

    with Server(binary=options.server, directory=options.directory) as server:
        point_get(server, 1, 1)  # loads the table when it is not there
    data = os.path.join(options.directory, "data.mdb")
    forget_pages(data)

    GROUP.mkdir(exist_ok=True)
    (GROUP / "memory.limit_in_bytes").write_text(str(options.memory_mb << 20))
    with tempfile.TemporaryDirectory() as scratch:
        limited = os.path.join(scratch, "limited-reqld")
        pathlib.Path(limited).write_text(
            f'#!/bin/sh\necho $$ >{GROUP}/cgroup.procs\nexec {options.server} "$@"\n')
        os.chmod(limited, 0o755)
        print("data file %.1f GB, %d MB of memory" % (os.path.getsize(data) / 1e9, options.memory_mb))
        with Server(binary=limited, directory=options.directory) as server:
            with Connection(server.port) as connection:
                if "hot" not in connection.run([62, [[14, ["test"]]]]):
                    connection.run([60, [[14, ["test"]], "hot"]])
                connection.run([56, [[15, ["hot"]], {"id": 1, "text": "x" * 100}], {"conflict": "replace"}])
            print("%12s %10s %10s %8s %8s %8s   %-26s %-26s" % (
                "connections", "disk /s", "gets /s", "CPU us", "p50 ms", "p99 ms", "hot row: p50, p99, max ms", "1: p50, p99, max ms"))
            for connections in options.connections:
                disk = disk_reads_per_second(data, connections, 3)
                point_get(server, connections, 5)  # the inner pages of the tree are wanted by all
                probers = [Prober(server.port, [16, [[15, ["hot"]], 1]]), Prober(server.port, [24, [0, 1]])]
                for prober in probers:
                    prober.start()
                result = point_get(server, connections, options.seconds)
                waits = ["%.2f, %.2f, %.1f, %.1f" % prober.finish() for prober in probers]
                print("%12d %10.0f %10.0f %8.1f %8.2f %8.2f   %-26s %-26s" % (
                    connections, disk, result["ops_per_s"], result["srv_cpu_us_per_op"], result["p50_us"] / 1e3,
                    result["p99_us"] / 1e3, *waits), flush=True)
            usage = int((GROUP / "memory.max_usage_in_bytes").read_text())
            print("at most %d MB used" % (usage >> 20))
    GROUP.rmdir()
    return 0


if __name__ == "__main__":
    sys.exit(main())

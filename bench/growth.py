#!/usr/bin/env python3
"""How memory and files grow under a mixed load that changes all the time what it does.

Loads a table with two indexes, then keeps it busy from several connections, every kind of work on one of its own:
rows overwritten in batches (a quarter with another length) and deleted again, single rows updated, files stored and
replaced, point reads, index reads, sorts, groups, whole-table scans, feeds that come and go, queries that fail, and
connections that come and go; some cursors stay open and are never read on.  Prints the memory of the server that is
not page cache, and the size of the files.  Sound when both level off: what no snapshot needs is reused.
"""

import argparse
import base64
import os
import pathlib
import random
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "support"))

from reql_wire import Connection, ReplyError, START  # noqa: E402
from reqld_server import Server  # noqa: E402

TABLE_CREATE, INDEX_CREATE, INDEX_WAIT = 60, 75, 140
INSERT, UPDATE, DELETE, GET, GET_ALL, BETWEEN = 56, 53, 54, 16, 78, 182
COUNT, FILTER, FUNC, LIMIT, ORDER_BY, GROUP, SUM, CHANGES, PLUCK = 43, 39, 69, 71, 41, 144, 145, 152, 33
MAKE_ARRAY, BRACKET, VAR, EQ, ADD = 2, 170, 10, 17, 24
T = [15, [[14, ["test"]], "t"]]
FILES = [15, [[14, ["test"]], "files"]]


def document(key, chance):
    text = "x" * (230 if chance.random() < 0.75 else chance.randrange(900))
    return {"id": key, "n": chance.randrange(1000), "m": chance.randrange(50), "text": text}


class Load:
    """Threads that each do one kind of work until they are stopped, and how often they have done it."""

    def __init__(self, port, rows):
        self.port, self.rows = port, rows
        self.stop = threading.Event()
        self.done = {}
        self.failures = []
        self.threads = []

    def start(self, work, count=1):
        for number in range(count):
            thread = threading.Thread(target=self._repeat, args=(work, number), daemon=True)
            self.threads.append(thread)
            thread.start()

    def _repeat(self, work, number):
        name = work.__name__
        chance = random.Random(f"{name} {number}")
        self.done.setdefault(name, 0)
        try:
            with Connection(self.port) as connection:
                while not self.stop.is_set():
                    work(self, connection, chance)
                    self.done[name] += 1
        except Exception as e:  # what has failed here must be told at the end, not lost with its thread
            self.failures.append(f"{name}: {e!r}")

    def finish(self):
        self.stop.set()
        for thread in self.threads:
            thread.join(60)

    def key(self, chance):
        return chance.randrange(self.rows)


def overwrite(load, connection, chance):
    rows = [document(load.key(chance), chance) for _ in range(50)]
    durability = "hard" if chance.random() < 0.2 else "soft"
    connection.run([INSERT, [T, [MAKE_ARRAY, rows]], {"conflict": "replace", "durability": durability}])


def delete(load, connection, chance):
    keys = [load.key(chance) for _ in range(10)]
    connection.run([DELETE, [[GET_ALL, [T] + keys]]])


def update(load, connection, chance):
    add = [ADD, [[BRACKET, [[VAR, [1]], "n"]], 1]]
    connection.run([UPDATE, [[GET, [T, load.key(chance)]], [FUNC, [[MAKE_ARRAY, [1]], {"n": add}]]]])


def store_file(load, connection, chance):
    data = base64.b64encode(chance.randbytes(chance.choice((10_000, 64_000, 300_000)))).decode()
    row = {"id": chance.randrange(200), "data": {"$reql_type$": "BINARY", "data": data}}
    connection.run([INSERT, [FILES, row], {"conflict": "replace", "durability": "soft"}])
    connection.run([PLUCK, [[GET, [FILES, row["id"]]], "id"]])


def get(load, connection, chance):
    connection.run([GET, [T, load.key(chance)]])


def read_index(load, connection, chance):
    n = chance.randrange(950)
    connection.run([LIMIT, [[BETWEEN, [T, n, n + 50], {"index": "n"}], 100]])
    connection.run([LIMIT, [[ORDER_BY, [T], {"index": "n"}], 100]])
    connection.run([COUNT, [[GET_ALL, [T, n], {"index": "n"}]]])


def sort_and_group(load, connection, chance):
    connection.run([LIMIT, [[ORDER_BY, [T, "text", "n"]], 10]])
    connection.run([SUM, [[GROUP, [T], {"index": "m"}], "n"]])
    connection.run([COUNT, [[GROUP, [T, "n"]]]])


def scan(load, connection, chance):
    # All rows are looked at, none is sent.
    unequal = [EQ, [[BRACKET, [[VAR, [1]], "n"]], -1]]
    connection.run([COUNT, [[FILTER, [T, [FUNC, [[MAKE_ARRAY, [1]], unequal]]]]]])


def fail(load, connection, chance):
    for term in ([ADD, [1, "a"]], [GET, [[15, ["nothing"]], 1]], [LIMIT, [[173, []], -1]], [9999, []]):
        try:
            connection.run(term)
        except ReplyError:
            continue
        raise AssertionError(f"{term} did not fail")


def connect(load, connection, chance):
    with Connection(load.port) as other:
        other.run([GET, [T, load.key(chance)]])
        feed = other.send([START, [CHANGES, [T]], {}])
        other.receive()
        if chance.random() < 0.5:
            other.stop(feed)
            other.receive()
    time.sleep(0.02)


KINDS = (overwrite, delete, update, store_file, get, read_index, sort_and_group, scan, fail, connect)


def memory_mb(pid):
    """Resident memory that is the process's own, not the page cache's."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1e3
    raise RuntimeError("/proc tells no RssAnon")


def file_mb(directory):
    data = os.stat(os.path.join(directory, "data.mdb")).st_size
    log = sum(f.stat().st_size for f in pathlib.Path(directory).glob("log.*"))
    return data / 1e6, log / 1e6


def prepare(port, rows):
    with Connection(port) as connection:
        for name in ("t", "files"):
            connection.run([TABLE_CREATE, [[14, ["test"]], name]])
        for index in ("n", "m"):
            connection.run([INDEX_CREATE, [T, index]])
        connection.run([INDEX_WAIT, [T]])
        chance = random.Random(1)
        for start in range(0, rows, 500):
            batch = [document(k, chance) for k in range(start, min(start + 500, rows))]
            connection.run([INSERT, [T, [MAKE_ARRAY, batch]], {"durability": "soft"}])


def hold_cursors(port, count):
    idle = []
    for _ in range(count):
        connection = Connection(port)
        connection.send([START, T, {}])
        connection.receive()  # the first batch, and never a second one
        idle.append(connection)
    return idle


def growth(history, seconds, column):
    """The most within the second half against the most within the first but its beginning."""
    first = max(line[column] for line in history if seconds * 0.1 <= line[0] <= seconds / 2)
    second = max(line[column] for line in history if line[0] > seconds / 2)
    return "%.1f MB at most in the first half, %.1f MB in the second (%+.1f %%)" % (first, second, 100 * (second / first - 1))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True, help="the server binary")
    parser.add_argument("--seconds", type=int, default=3600)
    parser.add_argument("--every", type=int, default=60, help="seconds between two lines")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--connections", type=int, default=1, help="for each kind of work")
    parser.add_argument("--cursors", type=int, default=20)
    options = parser.parse_args()
    if options.every * 5 > options.seconds:
        parser.error("five lines at least are needed to tell growth")

    with Server(binary=options.server) as server:
        prepare(server.port, options.rows)
        idle = hold_cursors(server.port, options.cursors)
        load = Load(server.port, options.rows)
        for kind in KINDS:
            load.start(kind, options.connections)
        print("%6s %10s %10s %10s %12s" % ("s", "memory MB", "data MB", "log MB", "operations"))
        began = time.monotonic()
        history = []
        while True:
            passed = time.monotonic() - began
            history.append((passed, memory_mb(server.process.pid), *file_mb(server.directory)))
            print("%6.0f %10.1f %10.1f %10.1f %12d" % (*history[-1], sum(load.done.values())), flush=True)
            if passed >= options.seconds or load.failures:
                break
            time.sleep(min(options.every, options.seconds - passed + 0.01))
        load.finish()
        for connection in idle:
            connection.close()
        print(", ".join(f"{name} {count}" for name, count in load.done.items()))
        for failure in load.failures:
            print("failed:", failure)
        if load.failures:
            return 1
        print("memory:", growth(history, options.seconds, 1))
        print("data file:", growth(history, options.seconds, 2))
    return 0


if __name__ == "__main__":
    sys.exit(main())

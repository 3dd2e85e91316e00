#!/usr/bin/env python3
"""Figures of storage at a million rows, of a real server: loading, size, memory, restart after a kill, index builds.

Rows are about 300 bytes of JSON.  Rates are wall clock, CPU is the server's.  Everything is printed as it comes.
"""

import argparse
import json
import os
import pathlib
import random
import struct
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "support"))

from reql_wire import Connection, ReplyError  # noqa: E402
from reqld_server import Server  # noqa: E402

TABLE_CREATE, TABLE_DROP, INSERT, COUNT, INDEX_CREATE, INDEX_WAIT, INDEX_STATUS, GET_ALL, BETWEEN, UPDATE, GET, SYNC = (
    60, 61, 56, 43, 75, 140, 139, 78, 182, 53, 16, 138)
BATCH = 200


def table(name):
    return [15, [[14, ["test"]], name]]


def document(i):
    return {"id": "%08x-0000-4000-8000-%012d" % (i * 2654435761 % 2**32, i), "number": i % 1000,
            "group": i * 7919 % 100003, "name": "somebody number %d" % i, "text": "x" * 150}


def cpu_seconds(pid):
    with open("/proc/%d/stat" % pid, encoding="utf-8") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid):
    with open("/proc/%d/status" % pid, encoding="utf-8") as f:
        lines = dict(line.split(":", 1) for line in f)
    return {name: int(lines[name].split()[0]) / 1024 for name in ("VmRSS", "RssAnon", "RssFile")}


def load(server, name, rows, durability, connections=4):
    """Inserts from several connections; (rows/s, µs of CPU per row)."""
    bodies = [json.dumps([1, [INSERT, [table(name), [2, [document(i) for i in range(start, start + BATCH)]]],
                              {"durability": durability}]]).encode() for start in range(0, min(rows, 200_000), BATCH)]
    took = cpu = 0.0
    done = 0
    while done < rows:
        # Made before, so that the client's work does not count.
        if done:
            bodies = [json.dumps([1, [INSERT, [table(name), [2, [document(i) for i in range(start, start + BATCH)]]],
                                      {"durability": durability}]]).encode()
                      for start in range(done, min(done + 200_000, rows), BATCH)]
        parts = [bodies[n::connections] for n in range(connections)]
        barrier = threading.Barrier(connections + 1)

        def work(part):
            with Connection(server.port) as connection:
                barrier.wait()
                for n, body in enumerate(part, 1):
                    connection.sock.sendall(struct.pack("<qI", n, len(body)) + body)
                    _, reply = connection.receive()
                    assert reply["t"] == 1 and reply["r"][0]["errors"] == 0, reply
            barrier.wait()

        threads = [threading.Thread(target=work, args=(part,)) for part in parts]
        for thread in threads:
            thread.start()
        barrier.wait()
        began, cpu_began = time.monotonic(), cpu_seconds(server.process.pid)
        barrier.wait()
        took += time.monotonic() - began
        cpu += cpu_seconds(server.process.pid) - cpu_began
        for thread in threads:
            thread.join()
        done += len(bodies) * BATCH
    return rows / took, cpu / rows * 1e6


def empty_tables(server, count=4000):
    """What tables without rows take on disk and in memory, each. Before, as many are made that the pages which commits
    leave behind until the next checkpoints are there already."""
    def footprint():
        with Connection(server.port) as connection:
            connection.run([SYNC, [table("rows")]])
        return sum(os.stat(entry.path).st_blocks * 512 for entry in os.scandir(server.directory)
                   if entry.name == "data.mdb"), memory(server.process.pid)["RssAnon"] * 1e6

    with Connection(server.port) as connection:
        for i in range(2 * count):
            if i == count:
                before = footprint()
            connection.run([TABLE_CREATE, [[14, ["test"]], "empty%d" % i]])
        after = footprint()
        for i in range(2 * count):
            connection.run([TABLE_DROP, [[14, ["test"]], "empty%d" % i]])
    print("%-34s %.0f bytes of disk, %.0f of memory" % (
        "an empty table", *((now - then) / count for then, now in zip(before, after))), flush=True)


def clean_restart(server):
    server.process.terminate()
    server.process.wait(60)
    began = time.monotonic()
    server.start()
    print("%-34s %.0f ms" % ("listens again after a clean stop", 1000 * (time.monotonic() - began)), flush=True)


class PointWriter(threading.Thread):
    """Updates one row after the other, and remembers how long each took."""

    def __init__(self, server, rows):
        super().__init__(daemon=True)
        self.server, self.rows, self.delays, self.stopped = server, rows, [], threading.Event()

    def run(self):
        chance = random.Random(1)
        try:
            with Connection(self.server.port) as connection:
                while not self.stopped.is_set():
                    key = document(chance.randrange(self.rows))["id"]
                    began = time.monotonic()
                    connection.run([UPDATE, [[GET, [table("rows"), key]], {"number": chance.randrange(1000)}],
                                    {"durability": "soft"}])
                    self.delays.append((time.monotonic() - began) * 1000)
                    time.sleep(0.001)
        except (OSError, ValueError):
            pass

    def report(self):
        self.stopped.set()
        self.join(30)
        delays = sorted(self.delays)
        return "%d point writes: p50 %.2f, p99 %.2f, max %.2f ms" % (
            len(delays), delays[len(delays) // 2], delays[len(delays) * 99 // 100], delays[-1])


def build(server, rows, name, field):
    writer = PointWriter(server, rows)
    with Connection(server.port, timeout_s=1800) as connection:
        writer.start()
        began, cpu = time.monotonic(), cpu_seconds(server.process.pid)
        connection.run([INDEX_CREATE, [table("rows"), field]])
        connection.run([INDEX_WAIT, [table("rows"), field]])
        took = time.monotonic() - began
        cpu = cpu_seconds(server.process.pid) - cpu
    print("%-34s %.0f rows/s, %.2f µs CPU/row; meanwhile %s" % (name, rows / took, cpu / rows * 1e6, writer.report()),
          flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True, help="the server binary")
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args()
    rows = options.rows
    with Server(binary=options.server, start_timeout_s=300) as server:
        with Connection(server.port) as connection:
            for name in ("rows", "hard"):
                connection.run([TABLE_CREATE, [[14, ["test"]], name]])
        empty_tables(server)
        json_bytes = sum(len(json.dumps(document(i), separators=(",", ":"))) for i in range(0, rows, 1000)) / (rows / 1000)
        print("%-34s %.0f rows/s, %.2f µs CPU/row" % ("insert, batches of 200, soft", *load(server, "rows", rows, "soft")),
              flush=True)
        size = os.stat(os.path.join(server.directory, "data.mdb")).st_size
        print("%-34s %.0f bytes per document, its JSON has %.0f" % ("data file", size / rows, json_bytes), flush=True)
        use = memory(server.process.pid)
        print("%-34s RSS %.0f MB, of it the server's own %.0f MB, pages of the data file %.0f MB" % (
            "memory after loading", use["VmRSS"], use["RssAnon"], use["RssFile"]), flush=True)
        clean_restart(server)
        print("%-34s %.0f rows/s, %.2f µs CPU/row" % (
            "insert, batches of 200, hard", *load(server, "hard", rows // 5, "hard")), flush=True)
        build(server, rows, "index on small numbers", "number")
        build(server, rows, "index on strings", "name")

        # Killed under load: soft bulk writes, as much log as there can be; and in the middle of a build.
        with Connection(server.port) as connection:
            connection.run([INDEX_CREATE, [table("rows"), "group"]])
        stop = threading.Event()

        def write():
            chance = random.Random(7)
            try:
                with Connection(server.port) as connection:
                    while not stop.is_set():
                        part = [document(chance.randrange(rows)) for _ in range(BATCH)]
                        connection.run([INSERT, [table("rows"), [2, part]], {"conflict": "replace", "durability": "soft"}])
            except (OSError, ValueError, ReplyError):
                pass

        threads = [threading.Thread(target=write, daemon=True) for _ in range(3)]
        for thread in threads:
            thread.start()
        worst = 0.0
        for round_number in range(5):
            time.sleep(3)
            with Connection(server.port) as connection:
                status = connection.run([INDEX_STATUS, [table("rows"), "group"]])[0]
            server.kill()
            stop.set()
            for thread in threads:
                thread.join()
            began = time.monotonic()
            server.start()
            took = time.monotonic() - began
            worst = max(worst, took)
            print("%-34s %.2f s (the index had %.0f %%)" % (
                "listens again after kill -9", took, 100 * status.get("progress", 1)), flush=True)
            stop.clear()
            threads = [threading.Thread(target=write, daemon=True) for _ in range(3)]
            for thread in threads:
                thread.start()
        stop.set()
        for thread in threads:
            thread.join()
        began = time.monotonic()
        with Connection(server.port, timeout_s=1800) as connection:
            connection.run([INDEX_WAIT, [table("rows"), "group"]])
            found = connection.run([COUNT, [[BETWEEN, [table("rows"), [180, []], [181, []]], {"index": "group"}]]])
            count = connection.run([COUNT, [table("rows")]])
        print("%-34s ready after %.1f s more, %d entries of %d rows" % (
            "the interrupted build", time.monotonic() - began, found, count), flush=True)
        server.process.terminate()
        server.process.wait(60)
        status = os.spawnv(os.P_WAIT, options.server, [options.server, "check", server.directory])
        return 0 if status == 0 and found == count else 1


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""How the data directory grows under sustained updates, with scans and idle cursors beside them.

Loads a table, then overwrites its rows again and again from several connections, a quarter of them with another length,
while others scan the whole table without a pause and some hold a cursor that nobody reads on.  Prints the size of the
files every few seconds.  Sound when the size levels off: versions of rows that no snapshot needs are reused.
"""

import argparse
import os
import pathlib
import random
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "support"))

from reql_wire import Connection, START  # noqa: E402
from reqld_server import Server  # noqa: E402

TABLE_CREATE, INSERT, COUNT, FILTER, FUNC = 60, 56, 43, 39, 69
T = [15, [[14, ["test"]], "t"]]


def document(key, chance):
    return {"id": key, "n": chance.randrange(1000), "text": "x" * (230 if chance.random() < 0.75 else chance.randrange(900))}


def sizes(directory):
    data = os.stat(os.path.join(directory, "data.mdb")).st_size
    log = sum(f.stat().st_size for f in pathlib.Path(directory).glob("log.*"))
    return data, log


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True, help="the server binary")
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--every", type=int, default=20, help="seconds between two lines")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--writers", type=int, default=4)
    parser.add_argument("--scanners", type=int, default=2)
    parser.add_argument("--cursors", type=int, default=20)
    parser.add_argument("--batch", type=int, default=50)
    options = parser.parse_args()

    with Server(binary=options.server) as server:
        with Connection(server.port) as connection:
            connection.run([TABLE_CREATE, [[14, ["test"]], "t"]])
            chance = random.Random(1)
            for start in range(0, options.rows, 500):
                rows = [document(k, chance) for k in range(start, min(start + 500, options.rows))]
                connection.run([INSERT, [T, [2, rows]], {"durability": "soft"}])
        stop = threading.Event()
        counts = {"updates": 0, "scans": 0}
        lock = threading.Lock()

        def write(number):
            chance = random.Random(number)
            with Connection(server.port) as connection:
                while not stop.is_set():
                    rows = [document(chance.randrange(options.rows), chance) for _ in range(options.batch)]
                    durability = "hard" if chance.random() < 0.2 else "soft"
                    connection.run([INSERT, [T, [2, rows]], {"conflict": "replace", "durability": durability}])
                    with lock:
                        counts["updates"] += options.batch

        def scan():
            with Connection(server.port) as connection:
                while not stop.is_set():
                    # All rows are looked at, none is sent.
                    connection.run([COUNT, [[FILTER, [T, [FUNC, [[2, [1]], [17, [[170, [[10, [1]], "n"]], -1]]]]]]]])
                    with lock:
                        counts["scans"] += 1

        threads = [threading.Thread(target=write, args=(n,), daemon=True) for n in range(options.writers)]
        threads += [threading.Thread(target=scan, daemon=True) for _ in range(options.scanners)]
        idle = []
        for _ in range(options.cursors):
            connection = Connection(server.port)
            connection.send([START, T, {}])
            connection.receive()  # the first batch, and never a second one
            idle.append(connection)
        print("%6s %12s %8s %10s %10s" % ("s", "updates", "scans", "data MB", "log MB"))
        began = time.monotonic()
        for thread in threads:
            thread.start()
        history = []
        while True:
            passed = time.monotonic() - began
            data, log = sizes(server.directory)
            history.append((passed, data))
            with lock:
                print("%6.0f %12d %8d %10.1f %10.1f" % (passed, counts["updates"], counts["scans"], data / 1e6, log / 1e6),
                      flush=True)
            if passed >= options.seconds:
                break
            time.sleep(min(options.every, options.seconds - passed + 0.01))
        stop.set()
        for thread in threads:
            thread.join(60)
        for connection in idle:
            connection.close()
        # The second half against the end of the first: growth that goes on shows there.
        half = [size for passed, size in history if passed <= options.seconds / 2][-1]
        print("data file: %.1f MB loaded, %.1f MB after half the time, %.1f MB at the end (%+.1f %%)" % (
            history[0][1] / 1e6, half / 1e6, history[-1][1] / 1e6, 100 * (history[-1][1] / half - 1)))
    return 0


if __name__ == "__main__":
    sys.exit(main())

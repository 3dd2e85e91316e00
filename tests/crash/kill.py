#!/usr/bin/env python3
"""kill -9 under load, again and again: after each restart everything acknowledged must be there, whole.

Writers insert, update, replace and delete documents of their own keys, hard and soft, small ones and ones with files,
and remember what was acknowledged.  The server is killed at a random moment and started again; then every key must
hold either the last acknowledged state or the one state that was under way, and count() must agree with a scan.
Ends with 'N passed, N failed, N skipped', one for each round.
"""

import argparse
import base64
import hashlib
import pathlib
import random
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from reql_wire import Connection, ReplyError  # noqa: E402
from reqld_server import Server  # noqa: E402

DB, TABLE, GET, INSERT, UPDATE, REPLACE, DELETE, COUNT, TABLE_CREATE, DB_CREATE = (
    14, 15, 16, 56, 53, 55, 54, 43, 60, 57)
TABLE_TERM = [TABLE, [[DB, ["crash"]], "rows"]]
FILE_SIZES = (10, 1000, 20_000, 300_000)


def contents(key, version, size):
    """The bytes of a file, always the same for the same key and version."""
    block = hashlib.sha256(("%s/%d" % (key, version)).encode()).digest()
    return (block * (size // len(block) + 1))[:size]


def binary(data):
    return {"$reql_type$": "BINARY", "data": base64.b64encode(data).decode()}


class Writer(threading.Thread):
    """One connection's writes, one after the other, on keys nobody else writes."""

    def __init__(self, number, port, seed, states):
        super().__init__(daemon=True)
        self.number, self.port, self.random = number, port, random.Random(seed)
        self.states = states      # key -> (version, file size) or None; what was acknowledged
        self.pending = {}         # the one write under way: key -> state
        self.acknowledged = 0
        self.problem = None

    def run(self):
        try:
            with Connection(self.port) as conn:
                while True:
                    self.write_one(conn)
        except (OSError, ValueError):
            pass  # the kill
        except ReplyError as error:
            self.problem = "writer %d was answered: %s" % (self.number, error)

    def write_one(self, conn):
        key = "w%d-%d" % (self.number, self.random.randrange(200))
        now = self.states.get(key)
        version = self.random.randrange(1 << 30)
        size = self.random.choice(FILE_SIZES) if self.random.random() < 0.3 else None
        optargs = {"durability": self.random.choice(("hard", "soft"))}
        document = {"id": key, "version": version}
        if size is not None:
            document["file"] = binary(contents(key, version, size))
        row = [GET, [TABLE_TERM, key]]
        if now is None:
            state, term = (version, size), [INSERT, [TABLE_TERM, document], optargs]
        elif self.random.random() < 0.2:
            state, term = None, [DELETE, [row], optargs]
        elif self.random.random() < 0.5 or size is not None:
            state, term = (version, size), [REPLACE, [row, document], optargs]
        else:
            # Only the small fields change: a file written earlier stays, and belongs to its own version.
            state, term = (now[0], now[1], version), [UPDATE, [row, {"touched": version}], optargs]
        self.pending = {key: state}
        result = conn.run(term)
        if result["errors"]:
            raise ReplyError({"t": 18, "r": [result["first_error"]]})
        self.states[key] = state
        self.pending = {}
        self.acknowledged += 1


def matches(row, state):
    if state is None or row is None:
        return state is None and row is None
    version, size = state[0], state[1]
    if row["version"] != version or row.get("touched") != (state[2] if len(state) > 2 else None):
        return False
    if size is None:
        return "file" not in row
    return base64.b64decode(row["file"]["data"]) == contents(row["id"], version, size)


def check(port, states, pending):
    """Returns what is wrong, as a list of lines, and makes `states` what is really there."""
    wrong = []
    with Connection(port) as conn:
        rows = {row["id"]: row for row in conn.run(TABLE_TERM)}
        count = conn.run([COUNT, [TABLE_TERM]])
    if count != len(rows):
        wrong.append("count() says %d, a scan finds %d" % (count, len(rows)))
    for key in set(states) | set(pending) | set(rows):
        acceptable = [states.get(key)] + ([pending[key]] if key in pending else [])
        found = [state for state in acceptable if matches(rows.get(key), state)]
        if not found:
            row = rows.get(key)
            wrong.append("%s: acknowledged %r, under way %r, found %r" % (
                key, states.get(key), pending.get(key, "nothing"),
                row and {k: v for k, v in row.items() if k != "file"}))
        else:
            states[key] = found[-1]
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True, help="the server binary")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--writers", type=int, default=6)
    parser.add_argument("--seed", type=int, default=None, help="repeat a run's random choices")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.randrange(1 << 30)
    print("seed %d" % seed)
    chance = random.Random(seed)

    states, passed, failed, acknowledged = {}, 0, 0, 0
    with Server(binary=options.server) as server:
        with Connection(server.port) as conn:
            conn.run([DB_CREATE, ["crash"]])
            conn.run([TABLE_CREATE, [[DB, ["crash"]], "rows"]])
        for round_number in range(options.rounds):
            writers = [Writer(n, server.port, chance.random(), {k: v for k, v in states.items()
                                                                  if k.startswith("w%d-" % n)})
                       for n in range(options.writers)]
            for writer in writers:
                writer.start()
            time.sleep(chance.uniform(0.05, 1.0))
            server.kill()
            pending = {}
            for writer in writers:
                writer.join()
                states.update(writer.states)
                pending.update(writer.pending)
            wrong = [writer.problem for writer in writers if writer.problem]
            began = time.monotonic()
            server.start()
            reopened_s = time.monotonic() - began
            wrong += check(server.port, states, pending)
            print("round %d: %d writes acknowledged, reopened in %.2f s, %s" % (
                round_number + 1, sum(writer.acknowledged for writer in writers), reopened_s,
                "all there" if not wrong else "%d WRONG" % len(wrong)), flush=True)
            for line in wrong[:20]:
                print("    " + line)
            passed, failed = passed + (not wrong), failed + bool(wrong)
            acknowledged += sum(writer.acknowledged for writer in writers)
    if not acknowledged:
        print("no write was ever acknowledged: this proved nothing")
        failed += 1
    print("%d passed, %d failed, 0 skipped" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

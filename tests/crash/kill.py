#!/usr/bin/env python3
"""kill -9 under load, again and again: after each restart everything acknowledged must be there, whole.

Writers insert, update, replace and delete documents of their own keys, hard and soft, small ones and ones with files,
and remember what was acknowledged.  The server is killed at a random moment and started again; then every key must
hold either the last acknowledged state or the one state that was under way, and count() must agree with a scan.
A resumable feed goes on after each kill where its client stood: no change may be missing from it, or come twice.
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

from reql_wire import PARTIAL, START, Connection, ReplyError  # noqa: E402
from reqld_server import Server  # noqa: E402

DB, TABLE, GET, INSERT, UPDATE, REPLACE, DELETE, COUNT, TABLE_CREATE, DB_CREATE, WITHOUT, CHANGES, CONFIG = (
    14, 15, 16, 56, 53, 55, 54, 43, 60, 57, 34, 152, 174)
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


class Follower:
    """A feed that is resumed again and again, and the rows as it tells them."""

    def __init__(self):
        self.rows, self.token, self.changes, self.problem = {}, None, 0, None
        self._changed = threading.Condition()
        self._thread = None

    def start(self, port):
        """Returns when the feed is there."""
        ready = threading.Event()
        self._thread = threading.Thread(target=self._follow, args=(port, ready), daemon=True)
        self._thread.start()
        ready.wait(60)

    def join(self):
        self._thread.join(60)

    def wait_for(self, row):
        """Whether the feed tells of this row."""
        with self._changed:
            return self._changed.wait_for(lambda: self.problem or self.rows.get(row["id"]) == row, 60)

    def _follow(self, port, ready):
        options = {"include_states": True, **({"resume_token": self.token} if self.token else {"resumable": True})}
        try:
            with Connection(port) as conn:
                token = conn.send([START, [CHANGES, [[WITHOUT, [TABLE_TERM, "file"]]], options], {}])
                while True:
                    _, reply = conn.receive()
                    if reply["t"] != PARTIAL:
                        raise ReplyError(reply)
                    with self._changed:
                        for element in reply["r"]:
                            self._take(element)
                        self._changed.notify_all()
                    ready.set()
                    conn.ask_for_more(token)
        except (OSError, ValueError):
            pass  # the kill
        except ReplyError as error:
            self.problem = "the feed was answered: %s" % error
        finally:
            ready.set()

    def _take(self, element):
        self.token = element.get("token", self.token)
        if "state" in element:
            return
        old, new = element["old_val"], element["new_val"]
        key = (old or new)["id"]
        if self.rows.get(key) != old:
            self.problem = self.problem or "%s: the feed had told %r, and then of a change from %r to %r" % (
                key, self.rows.get(key), old, new)
        self.changes += 1
        if new is None:
            self.rows.pop(key, None)
        else:
            self.rows[key] = new

    def check(self, port, round_number):
        """Returns what is wrong, as a list of lines, once the feed has told all that there is."""
        mark = {"id": "mark", "version": round_number}
        with Connection(port) as conn:
            conn.run([INSERT, [TABLE_TERM, mark], {"conflict": "replace"}])
            arrived = self.wait_for(mark)
            rows = {row["id"]: row for row in conn.run([WITHOUT, [TABLE_TERM, "file"]])}
        if self.problem or not arrived:
            return [self.problem or "the feed does not tell of the newest change"]
        return ["%s: there is %r, the feed told %r" % (key, rows.get(key), self.rows.get(key))
                for key in set(rows) | set(self.rows) if rows.get(key) != self.rows.get(key)]


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
    rows.pop("mark", None)  # the follower's
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
            conn.run([UPDATE, [[CONFIG, [TABLE_TERM]], {"change_log": {"retention_seconds": 86400}}]])
        follower = Follower()
        follower.start(server.port)
        for round_number in range(options.rounds):
            writers = [Writer(n, server.port, chance.random(), {k: v for k, v in states.items()
                                                                  if k.startswith("w%d-" % n)})
                       for n in range(options.writers)]
            for writer in writers:
                writer.start()
            time.sleep(chance.uniform(0.05, 1.0))
            server.kill()
            follower.join()
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
            follower.start(server.port)
            wrong += follower.check(server.port, round_number)
            print("round %d: %d writes acknowledged, %d changes told, reopened in %.2f s, %s" % (
                round_number + 1, sum(writer.acknowledged for writer in writers), follower.changes, reopened_s,
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

#!/usr/bin/env python3
"""Many connections: what an idle one costs in memory, and whether many busy ones are all answered rightly.

    bench/connections.py --server build/release/reqld

First --idle connections are opened and held (10,000); the server's own memory is looked at before and after, once when
they have only logged in and once when each has run queries.  All must still answer.  Then 64 connections keep 16
queries outstanding each, of all kinds, for --seconds (60); every reply is compared with what it must be.  The exit
status is 1 when anything is wrong or an idle connection takes more than --limit bytes (6,144).
"""

import argparse
import base64
import collections
import hashlib
import json
import pathlib
import random
import resource
import selectors
import struct
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "support"))

from reql_wire import Connection  # noqa: E402
from reqld_server import Server  # noqa: E402

TABLE = [15, [[14, ["test"]], "load"]]
ROWS = 1000
FILE = bytes(range(256)) * 256  # 64 KiB: out of line
FILE_SHA = hashlib.sha256(FILE).hexdigest()


def anonymous_kb(pid):
    """Memory that the process itself takes: not the mapped database, not its code."""
    with open("/proc/%d/status" % pid, encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("RssAnon"))


def idle(server, count):
    """Bytes for each idle connection: (logged in only, after queries)."""
    pid = server.process.pid
    with Connection(server.port) as warm:
        for _ in range(50):
            warm.run([24, [1, 2]])
        before = anonymous_kb(pid)
    began = time.monotonic()
    held = [Connection(server.port) for _ in range(count)]
    logged_in = (anonymous_kb(pid) - before) * 1024 / count
    print("%d connections opened in %.1f s" % (count, time.monotonic() - began), flush=True)
    for n, connection in enumerate(held):
        # A query that is held back for more bytes, a reply that is longer than a packet, a cursor to its end.
        assert connection.run([24, [n, 2]]) == n + 2
        if n % 10 == 0:
            assert len(connection.run([51, [[173, [20000]], "array"]])) == 20000
        if n % 10 == 5:
            assert connection.run([43, [[2, ["x"] * 5000]]]) == 5000
    after = (anonymous_kb(pid) - before) * 1024 / count
    for n, connection in enumerate(held):
        assert connection.run([24, [n, 3]]) == n + 3
        connection.close()
    return logged_in, after


class Busy:
    """One connection that keeps queries outstanding and knows the answer to each."""

    def __init__(self, port, number, outstanding):
        self.connection = Connection(port)
        self.socket = self.connection.sock
        self.number = number
        self.random = random.Random(number)
        self.expected = {}
        self.rows = collections.defaultdict(list)
        self.token = 1000
        self.written = 0
        self.input = bytearray()
        self.output = bytearray()
        for _ in range(outstanding):
            self.ask()

    def ask(self):
        self.token += 1
        pick = self.random.randrange(100)
        n = self.random.randrange(ROWS)
        optargs = {}
        if pick < 40:
            term, answer = [31, [[16, [TABLE, n]], "square"]], n * n
        elif pick < 60:
            term, answer = [24, [n, [26, [2, 3]]]], n + 6
        elif pick < 75:
            key = "%d-%d" % (self.number, self.written)
            self.written += 1
            term = [31, [[56, [TABLE, {"id": key, "text": "x" * self.random.randrange(2000)}],
                          {"durability": "soft"}], "inserted"]]
            answer = 1
        elif pick < 85:
            term = [31, [[53, [[16, [TABLE, "c%d" % self.number]], [69, [[2, [1]], {
                "n": [24, [[170, [[10, [1]], "n"]], 1]]}]]]], "errors"]]
            answer = 0
        elif pick < 90:
            low = min(n, ROWS - 20)
            term = [31, [[182, [TABLE, low, low + 20]], "square"]]
            answer, optargs = sorted(k * k for k in range(low, low + 20)), {"max_batch_rows": 7}
        elif pick < 94:
            term, answer = [38, [[173, [20000]], [69, [[2, [1]], [26, [[10, [1]], 2]]]]]], "count"
            term, answer = [43, [term]], 20000
        elif pick < 97:
            term, answer = [31, [[16, [TABLE, "file"]], "file"]], "file"
        else:
            term, answer = [12, ["mine %d" % n]], ValueError("mine %d" % n)
        self.expected[self.token] = answer
        self.send(self.token, [1, term, optargs])

    def send(self, token, query):
        body = json.dumps(query).encode()
        self.output += struct.pack("<qI", token, len(body)) + body

    def flush(self):
        if self.output:
            try:
                del self.output[:self.socket.send(self.output)]
            except BlockingIOError:
                pass

    def receive(self):
        """Takes what has come; returns how many queries are answered.  Raises when an answer is wrong."""
        data = self.socket.recv(1 << 18)
        if not data:
            raise ConnectionError("closed by the server")
        self.input += data
        done = at = 0
        while len(self.input) - at >= 12:
            token, size = struct.unpack_from("<qI", self.input, at)
            if len(self.input) - at - 12 < size:
                break
            reply = json.loads(self.input[at + 12:at + 12 + size])
            at += 12 + size
            done += self.check(token, reply)
        del self.input[:at]
        return done

    def check(self, token, reply):
        expected = self.expected[token]
        if reply["t"] == 3:
            self.rows[token] += reply["r"]
            self.send(token, [2])
            return 0
        del self.expected[token]
        if isinstance(expected, ValueError):
            good = reply["t"] == 18 and reply["r"] == [str(expected)]
        elif expected == "file":
            good = reply["t"] == 1 and hashlib.sha256(
                base64.b64decode(reply["r"][0]["data"])).hexdigest() == FILE_SHA
        elif isinstance(expected, list):
            good = reply["t"] == 2 and sorted(self.rows.pop(token, []) + reply["r"]) == expected
        else:
            good = reply["t"] == 1 and reply["r"] == [expected]
        if not good:
            raise AssertionError("token %d: expected %r, got %r" % (token, expected, str(reply)[:500]))
        return 1


def busy(server, connections, outstanding, seconds):
    """Queries answered in that time."""
    with Connection(server.port) as admin:
        admin.run([60, [[14, ["test"]], "load"]])
        rows = [{"id": n, "square": n * n} for n in range(ROWS)]
        rows += [{"id": "c%d" % n, "n": 0} for n in range(connections)]
        rows.append({"id": "file", "file": {"$reql_type$": "BINARY", "data": base64.b64encode(FILE).decode()}})
        assert admin.run([56, [TABLE, [2, rows]]])["inserted"] == len(rows)
    clients = [Busy(server.port, n, outstanding) for n in range(connections)]
    selector = selectors.DefaultSelector()
    for client in clients:
        client.socket.setblocking(False)
        selector.register(client.socket, selectors.EVENT_READ, client)
    end = time.monotonic() + seconds
    answered = 0
    while any(client.expected for client in clients):
        for client in clients:
            client.flush()
        writing = any(client.output for client in clients)
        ready = selector.select(0.01 if writing else 30)
        if not ready and not writing:
            raise TimeoutError("%d queries are not answered" % sum(len(client.expected) for client in clients))
        for key, _ in ready:
            client = key.data
            done = client.receive()
            answered += done
            if time.monotonic() < end:
                for _ in range(done):
                    client.ask()
    with Connection(server.port) as admin:
        written = sum(client.written for client in clients)
        assert admin.run([43, [TABLE]]) == ROWS + connections + 1 + written, "rows are missing"
    for client in clients:
        client.connection.close()
    return answered


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True, help="the server binary")
    parser.add_argument("--idle", type=int, default=10000)
    parser.add_argument("--limit", type=int, default=6144, help="bytes that an idle connection may take; 0: any")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--outstanding", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=60)
    arguments = parser.parse_args()
    binary = str(pathlib.Path(arguments.server).resolve())
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    count = min(arguments.idle, most - 100)
    if count < arguments.idle:
        print("only %d connections: the system allows no more open files" % count)
    good = True
    with Server(binary=binary) as server:
        if count > 0:
            logged_in, after = idle(server, count)
            print("memory for each idle connection: %.0f bytes logged in, %.0f bytes after queries" % (logged_in, after))
            if arguments.limit and max(logged_in, after) > arguments.limit:
                print("more than %d bytes" % arguments.limit)
                good = False
        if arguments.seconds > 0:
            began = time.monotonic()
            answered = busy(server, arguments.connections, arguments.outstanding, arguments.seconds)
            took = time.monotonic() - began
            print("%d connections with %d outstanding queries each: %d answered rightly in %.0f s, %.0f a second" % (
                arguments.connections, arguments.outstanding, answered, took, answered / took))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

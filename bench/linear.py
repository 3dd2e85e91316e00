#!/usr/bin/env python3
"""How the time of each term over sequences grows from 10^5 to 10^6 elements.

    bench/linear.py --server build/release/reqld [--only PART-OF-A-NAME] [--small N] [--large N]

starts a server of its own on a directory that goes with it. Every term is run at both sizes, and the server's CPU time taken (the
best of a few runs). What grows by more than n log n, with room for noise, is run at a size four times larger too, and flagged when it
does so again. The last line is `N linear, N flagged`; the exit status says whether any was.
"""

import argparse
import json
import math
import pathlib
import socket
import struct
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "support"))

from reqld_server import Server  # noqa: E402


class Client:
    """The wire protocol, as far as this needs it."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.sendall(struct.pack("<III", 0x400C2D20, 0, 0x7E6970C7))
        greeting = b""
        while not greeting.endswith(b"\0"):
            greeting += self.socket.recv(1)
        if greeting != b"SUCCESS\0":
            sys.exit(f"handshake: {greeting!r}")
        self.token = 0

    def exactly(self, size):
        parts = []
        while size > 0:
            part = self.socket.recv(min(size, 1 << 20))
            if not part:
                sys.exit("the server closed the connection")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def round_trip(self, text):
        body = text.encode()
        self.socket.sendall(struct.pack("<QI", self.token, len(body)) + body)
        _, size = struct.unpack("<QI", self.exactly(12))
        return self.exactly(size)

    def run(self, term):
        """Reads everything; answers the last reply."""
        self.token += 1
        options = {"array_limit": 100_000_000, "max_batch_bytes": 16 << 20}
        reply = self.round_trip(json.dumps([1, term, options]))
        while reply.startswith(b'{"t":3'):
            reply = self.round_trip("[2]")
        if not reply.startswith((b'{"t":1,', b'{"t":2,')):
            sys.exit(f"{json.dumps(term)[:300]}\nanswered {reply[:500]!r}")
        return reply


# Terms by their numbers on the wire.
def f1(body):
    return [69, [[2, [1]], body]]


def f2(body):
    return [69, [[2, [1, 2]], body]]


X, Y = [10, [1]], [10, [2]]


def numbers(n):
    return [173, [n]]


def array(n):
    return [51, [numbers(n), "array"]]


def documents(n):
    return [38, [numbers(n), f1({"id": X, "a": [28, [X, 1000]], "b": [25, [0, X]], "s": [51, [X, "string"]]})]]


def count(sequence):
    return [43, [sequence]]


def table(n):
    return [15, [f"t{n}"]]


def big_object(n):
    return [51, [[38, [numbers(n), f1([2, [[51, [X, "string"]], X]])]], "object"]]


CASES = {
    "count": lambda n: count(numbers(n)),
    "count(value)": lambda n: [43, [numbers(n), 5]],
    "count(function)": lambda n: [43, [numbers(n), f1([21, [X, 5]])]],
    "sum": lambda n: [145, [numbers(n)]],
    "avg(field)": lambda n: [146, [documents(n), "a"]],
    "min": lambda n: [147, [numbers(n)]],
    "max(function)": lambda n: [148, [numbers(n), f1([25, [0, X]])]],
    "reduce": lambda n: [37, [numbers(n), f2([24, [X, Y]])]],
    "fold": lambda n: [187, [numbers(n), 0, f2([24, [X, Y]])]],
    "fold(emit)": lambda n: count([187, [numbers(n), 0, f2([24, [X, Y]])], {"emit": [69, [[2, [3, 4, 5]], [2, [[10, [5]]]]]]}]),
    "contains": lambda n: [93, [numbers(n), -1]],
    "distinct, all different": lambda n: count([42, [numbers(n)]]),
    "distinct, few different": lambda n: count([42, [[31, [documents(n), "a"]]]]),
    "group, 1000 groups": lambda n: [43, [[144, [documents(n), "a"]]]],
    "group, all different": lambda n: count([150, [[43, [[144, [numbers(n), f1(X)]]]]]]),
    "group, rows kept": lambda n: count([150, [[144, [numbers(n), f1([28, [X, 10]])]]]]),
    "map": lambda n: count([38, [numbers(n), f1([24, [X, 1]])]]),
    "map of two": lambda n: count([38, [numbers(n), numbers(n), f2([24, [X, Y]])]]),
    "concat_map": lambda n: count([40, [numbers(n), f1([2, [X, X]])]]),
    "filter": lambda n: count([39, [numbers(n), f1([21, [X, 5]])]]),
    "order_by": lambda n: count([41, [documents(n), "b"]]),
    "order_by, read": lambda n: [31, [[41, [documents(n), "b"]], "id"]],
    "order_by, two keys": lambda n: count([41, [documents(n), "a", [74, ["b"]]]]),
    "order_by().limit(10)": lambda n: [71, [[41, [documents(n), "b"]], 10]],
    "skip": lambda n: count([70, [numbers(n), n - 1]]),
    "limit": lambda n: count([71, [numbers(n), n]]),
    "nth": lambda n: [45, [numbers(n), n - 1]],
    "slice": lambda n: count([30, [numbers(n), n // 2, n]]),
    "offsets_of": lambda n: count([87, [numbers(n), f1(True)]]),
    "union": lambda n: count([44, [numbers(n), numbers(n)]]),
    "union, ordered": lambda n: count([44, [documents(n), documents(n)], {"interleave": "id"}]),
    "sample": lambda n: [81, [numbers(n), 10]],
    "with_fields": lambda n: count([96, [documents(n), "a", "b"]]),
    "pluck": lambda n: count([33, [documents(n), "a"]]),
    "zip": lambda n: count([72, [[38, [numbers(n), f1({"left": {"a": X}, "right": {"b": X}})]]]]),
    "eq_join": lambda n: count([50, [documents(n), "id", table(n)]]),
    "eq_join(index)": lambda n: count([50, [[71, [documents(n), n // 100]], "id", table(n)], {"index": "a"}]),
    "inner_join with one": lambda n: count([48, [numbers(n), [2, [1]], f2([17, [X, Y]])]]),
    "coerce_to(array)": lambda n: count(array(n)),
    "coerce_to(object)": lambda n: count(big_object(n)),
    "coerce_to(string)": lambda n: count([51, [array(n), "string"]]),
    "to_json_string": lambda n: count([172, [array(n)]]),
    "json": lambda n: count([98, [[172, [array(n)]]]]),
    "split": lambda n: count([149, [[51, [array(n), "string"]], ","]]),
    "keys": lambda n: count([94, [big_object(n)]]),
    "values": lambda n: count([186, [big_object(n)]]),
    "merge": lambda n: count([35, [big_object(n), big_object(n)]]),
    "without": lambda n: count([34, [big_object(n), "7"]]),
    "append": lambda n: count([29, [array(n), 1]]),
    "prepend": lambda n: count([80, [array(n), 1]]),
    "insert_at": lambda n: count([82, [array(n), n // 2, 1]]),
    "splice_at": lambda n: count([85, [array(n), n // 2, array(n)]]),
    "delete_at": lambda n: count([83, [array(n), 1, n // 2]]),
    "change_at": lambda n: count([84, [array(n), n // 2, 1]]),
    "difference": lambda n: count([95, [array(n), array(n // 2)]]),
    "set_insert": lambda n: count([88, [array(n), -1]]),
    "set_union": lambda n: count([90, [array(n), array(n)]]),
    "set_intersection": lambda n: count([89, [array(n), array(n)]]),
    "set_difference": lambda n: count([91, [array(n), array(n)]]),
    "array + array": lambda n: count([24, [array(n), array(n)]]),
    "array * 3": lambda n: count([26, [array(n), 3]]),
    "array.slice(-10)": lambda n: [30, [array(n), -10, n]],
    "array == array": lambda n: [17, [array(n), array(n)]],
    "upcase": lambda n: count([141, [[51, [array(n), "string"]]]]),
    "match": lambda n: [97, [[51, [array(n), "string"]], "zzz"]],
    "args": lambda n: [147, [[2, [[154, [array(n)]]]]]],
    "table.filter": lambda n: count([39, [table(n), {"a": 5}]]),
    "table.skip": lambda n: count([70, [table(n), n - 1]]),
    "table.between": lambda n: count([182, [table(n), 0, n]]),
    "table.order_by(index)": lambda n: count([41, [table(n)], {"index": "a"}]),
    "table.order_by(index).skip": lambda n: [71, [[70, [[41, [table(n)], {"index": "a"}], n - 5]], 3]],
    "table.order_by(field, index)": lambda n: count([41, [table(n), "b"], {"index": "a"}]),
    "table.get_all of many": lambda n: count([78, [table(n), [154, [[51, [numbers(n // 10), "array"]]]]]]),
    "table.distinct(index)": lambda n: count([42, [table(n)], {"index": "a"}]),
    "table.group(index)": lambda n: [43, [[144, [table(n)], {"index": "a"}]]],
    "table.count of index": lambda n: count([182, [table(n), 0, 500], {"index": "a"}]),
    "table.pluck, read": lambda n: [33, [table(n), "id"]],
    "table.update": lambda n: [53, [table(n), f1({"c": [24, [[170, [X, "a"]], 1]]})], {"durability": "soft"}],
    "insert": lambda n: [56, [[15, [f"i{n}"]], documents(n)], {"durability": "soft", "conflict": "replace"}],
    "delete": lambda n: [54, [[15, [f"i{n}"]]], {"durability": "soft"}],
    "for_each, arrays added": lambda n: [68, [numbers(n), f1({"changes": [2, [X]]})]],
    "for_each": lambda n: [68, [numbers(n // 100), f1([56, [[15, [f"i{n}"]], {"id": X}], {"durability": "soft", "conflict": "replace"}])]],
}


def cpu_seconds(pid):
    with open(f"/proc/{pid}/schedstat") as total:
        main = int(total.read().split()[0])
    threads = 0
    for stat in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"):
        threads += int(stat.read_text().split()[0])
    return max(main, threads) * 1e-9


def allowed(small, large):
    """The growth of n log n, and half as much again for caches that are outgrown and for noise."""
    return 1.5 * large / small * math.log(large) / math.log(small)


# What must be run before each run of a term, and is not measured: the term uses it up.
BEFORE = {"delete": CASES["insert"]}


def best_time(client, pid, term, before_term, enough):
    best = math.inf
    spent = 0.0
    for _ in range(3):
        if before_term:
            client.run(before_term)
        before = cpu_seconds(pid)
        started = time.monotonic()
        client.run(term)
        best = min(best, cpu_seconds(pid) - before)
        took = time.monotonic() - started
        spent += took
        if spent > enough:
            break
    return best


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True)
    parser.add_argument("--only", default="")
    parser.add_argument("--small", type=int, default=100_000)
    parser.add_argument("--large", type=int, default=1_000_000)
    arguments = parser.parse_args()
    flagged = linear = 0
    with Server("--query-memory", "4096", binary=arguments.server) as server:
        client = Client(server.port)
        prepared = set()

        def prepare(n):
            client.run([60, [f"t{n}"]])
            client.run([60, [f"i{n}"]])
            client.run([56, [table(n), documents(n)], {"durability": "soft"}])
            client.run([75, [table(n), "a"]])
            client.run([140, [table(n)]])
            prepared.add(n)

        def seconds(name, n):
            term = CASES[name](n)
            if n not in prepared and any(f'"{kind}{n}"' in json.dumps(term) for kind in "ti"):
                prepare(n)
            return best_time(client, server.process.pid, term, BEFORE[name](n) if name in BEFORE else None, 2.0)

        sizes = (arguments.small, arguments.large, 4 * arguments.large)
        print(f"{'':32}{sizes[0]:>12} {sizes[1]:>12}   growth (at most {allowed(*sizes[:2]):.0f})")
        for name in CASES:
            if arguments.only not in name:
                continue
            small, large = (seconds(name, n) for n in sizes[:2])
            # What takes no time at all has no growth to speak of.
            bad = large / small > allowed(*sizes[:2]) and large > 0.02
            line = f"{name:32}{small * 1e3:9.1f} ms {large * 1e3:9.1f} ms {large / small:7.1f}"
            if bad:
                # What outgrows a cache grows by more once, what is not linear at every size.
                growth = seconds(name, sizes[2]) / large
                bad = growth > allowed(*sizes[1:])
                line += f", {growth:.1f} to {sizes[2]} (at most {allowed(*sizes[1:]):.0f})"
            flagged += bad
            linear += not bad
            print(line + ("   FLAGGED" if bad else ""), flush=True)
    print(f"{linear} linear, {flagged} flagged")
    sys.exit(1 if flagged else 0)


if __name__ == "__main__":
    main()

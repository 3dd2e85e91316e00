#!/usr/bin/env python3
"""What an operator does with the data: check, backup, restore, compact; and what happens when the disk fails.

Ends with 'N passed, N failed, N skipped'.
"""

import base64
import errno
import os
import pathlib
import pty
import re
import shutil
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))

import storage_reader  # noqa: E402
from reql_wire import Connection, ReplyError  # noqa: E402
from reqld_server import Server, default_binary  # noqa: E402
from runner import Skipped, eventually, expect, main, test  # noqa: E402

TABLE_CREATE, INSERT, GET, COUNT, DELETE, INDEX_CREATE, INDEX_WAIT, HAS_FIELDS = 60, 56, 16, 43, 54, 75, 140, 32
T = [15, [[14, ["test"]], "t"]]
ISSUES = [15, [[14, ["rethinkdb"]], "current_issues"]]


def run(*arguments, stdin=subprocess.DEVNULL, timeout=120, **options):
    """Runs the binary to its end: (exit status, stdout, stderr)."""
    done = subprocess.run([default_binary(), *map(str, arguments)], stdin=stdin, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=timeout, **options)
    return done.returncode, done.stdout, done.stderr.decode()


def must(*arguments, **options):
    status, out, err = run(*arguments, **options)
    expect(status == 0, arguments, status, out[-2000:], err)
    return out, err


def binary(size, fill_byte):
    return {"$reql_type$": "BINARY", "data": base64.b64encode(fill_byte * size).decode()}


def fill(connection, rows=500):
    """A table `t` with an index `n` and some files."""
    connection.run([TABLE_CREATE, [[14, ["test"]], "t"]])
    connection.run([INDEX_CREATE, [T, "n"]])
    documents = [{"id": i, "n": i % 7, "text": "x" * 100} for i in range(rows)]
    for i in range(0, rows, 100):
        documents[i]["file"] = binary(50_000, b"%d" % (i % 10))
    for start in range(0, rows, 100):
        connection.run([INSERT, [T, [2, documents[start:start + 100]]]])
    connection.run([INDEX_WAIT, [T]])


def everything(server):
    with Connection(server.port) as connection:
        return {row["id"]: row for row in connection.run(T)}


def checked(path, *arguments):
    out, _ = must("check", path, *arguments)
    text = out.decode()
    expect(text.endswith("no problems\n"), text)
    return text


@test
def help_texts(_):
    text = must("help")[0].decode()
    for command in ("check", "backup", "restore", "compact"):
        expect(re.search(r"^  %s +\w" % command, text, re.M), command, text)
        own = must(command, "--help")[0].decode()
        expect(own.startswith("Usage: reqld " + command), own)
        expect(must("help", command)[0].decode() == own)
        expect(run(command, "--nosuch")[0] == 2)


@test
def clear_errors(scratch):
    (scratch / "empty").mkdir()
    (scratch / "junk").write_bytes(b"not a backup at all")
    for arguments, message in [
            (["backup", "-d", scratch / "nosuch", "x"], "There is no directory"),
            (["backup", "-d", scratch / "empty", scratch / "b"], "holds no database"),
            (["backup", "-d", scratch / "empty"], "Where to?"),
            (["restore", "-d", scratch / "r"], "Which backup?"),
            (["restore", "-d", scratch / "r", scratch / "nosuch"], "No such file"),
            (["restore", "-d", scratch / "r", scratch / "junk"], "not a backup"),
            (["restore", "-d", scratch / "r", "--until", "2026-01-01T00:00", scratch / "junk"], "need --log"),
            (["restore", "-d", scratch / "r", "--log", scratch, "--until", "noon", scratch / "junk"], "is no time"),
            (["check", scratch / "empty"], "holds no database"),
            (["check", scratch / "nosuch"], "No such file"),
            (["check", scratch / "junk"], "not a backup"),
            (["compact", scratch / "empty"], "holds no database")]:
        status, out, err = run(*arguments)
        expect(status == 1 and message in err, arguments, status, out, err)
    expect(not (scratch / "b").exists() and not (scratch / "b.partial").exists())


@test
def backup_of_a_running_server(scratch):
    """To a file, a directory, a pipe and a named pipe, while writes go on; each restores to a sound database."""
    with Server(directory=scratch / "data") as server:
        with Connection(server.port) as connection:
            fill(connection)
        stop = threading.Event()
        written = []

        def write():
            with Connection(server.port) as connection:
                # Two rows of one query: both are in a snapshot, or none.
                while not stop.is_set():
                    n = len(written)
                    connection.run([INSERT, [T, [2, [{"id": "a%d" % n, "n": n}, {"id": "b%d" % n, "n": n}]]]])
                    written.append(n)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            expect(eventually(lambda: len(written) > 10))
            (scratch / "into").mkdir()
            os.mkfifo(scratch / "fifo")
            must("backup", "-d", scratch / "data", scratch / "file")
            must("backup", "-d", scratch / "data", scratch / "into")
            (scratch / "pipe").write_bytes(must("backup", "-d", scratch / "data", "-")[0])
            copier = threading.Thread(target=lambda: (scratch / "copy").write_bytes((scratch / "fifo").read_bytes()))
            copier.start()
            must("backup", "--directory=%s" % (scratch / "data"), scratch / "fifo")
            copier.join(30)
            checked(scratch / "data")  # a running server too
            seen = len(written)
            expect(eventually(lambda: len(written) > seen + 10), "writes stand still")
        finally:
            stop.set()
            writer.join(60)
        backups = [scratch / "file", *(scratch / "into").iterdir(), scratch / "pipe", scratch / "copy"]
        expect(len(backups) == 4 and re.match(r"reqld-\d{8}-\d{6}\.backup$", backups[1].name), backups)
        expect("a backup ended" in server.log())
    for number, backup in enumerate(backups):
        checked(backup)
        target = scratch / ("restored%d" % number)
        if number == 2:
            with open(backup, "rb") as stream:
                must("restore", "-d", target, "-", stdin=stream)
        else:
            must("restore", "-d", target, backup)
        checked(target)
        with Server(directory=target) as server:
            rows = everything(server)
        expect(sum(isinstance(i, int) for i in rows) == 500)
        pairs = [i for i in rows if isinstance(i, str)]
        expect(len(pairs) > 20 and all(("b" if i[0] == "a" else "a") + i[1:] in rows for i in pairs), "half a query")
        expect(run("restore", "-d", target, backup)[0] == 1, "restored over a database")


@test
def backup_of_a_stopped_server(scratch):
    with Server(directory=scratch / "data") as server:
        with Connection(server.port) as connection:
            fill(connection, 200)
        before = everything(server)
    must("backup", "-d", scratch / "data", scratch / "clean")
    server = Server(directory=scratch / "data")
    with Connection(server.port) as connection:
        connection.run([INSERT, [T, {"id": "late"}]])
    server.kill()
    # Nobody needs to start a server first: it is recovered.
    checked(scratch / "data")
    server.start()
    server.kill()
    must("backup", "-d", scratch / "data", scratch / "killed")
    server.stop()
    for name, late in (("clean", False), ("killed", True)):
        must("restore", "-d", scratch / ("r-" + name), scratch / name)
        with Server(directory=scratch / ("r-" + name)) as restored:
            rows = everything(restored)
        expect(("late" in rows) == late)
        rows.pop("late", None)
        expect(rows == before)


@test
def the_stored_form_is_as_documented(scratch):
    """A reader written after docs/storage_format.md sees in a backup, and in a backup and the log, what the server sees."""
    time_value = {"$reql_type$": "TIME", "epoch_time": 1700000000.25, "timezone": "+05:30"}
    point = {"$reql_type$": "GEOMETRY", "type": "Point", "coordinates": [2, [1.5, -2]]}
    values = [None, True, False, 0, -1, 127, 128, -32768, 40000, 2**31, -2**53, 0.1, 1e300, "", "grüße", "z" * 300,
              [2, []], [2, [1, "a", [2, [None]]]], {}, {"b": {"c": 1}, "a": 2, "": 3}, binary(0, b""), binary(100, b"b"),
              binary(200_000, b"blob"), time_value, point, [2, [{"x%d" % i: "y" * i for i in range(300)}]]]
    keys = ["k", "", 5, -5.5, True, False, [2, [1, [2, ["a", False]]]], binary(3, b"\x00\x01\x02"), time_value, 0]
    def wire(v):
        return [2, [wire(x) for x in v[1]]] if isinstance(v, list) else v
    with Server("--commit-log-hours", "1", directory=scratch / "data") as server:
        with Connection(server.port) as connection:
            connection.run([TABLE_CREATE, [[14, ["test"]], "t"]])
            connection.run([INDEX_CREATE, [T, "v"]])
            connection.run([INSERT, [T, [2, [{"id": i, "v": wire(v)} for i, v in enumerate(values, 100)]]]])
            connection.run([INSERT, [T, [2, [{"id": wire(k), "n": i} for i, k in enumerate(keys)]]]])
            backup = must("backup", "-d", scratch / "data", "-")[0]

            def rows():
                return sorted(connection.run(T, binary_format="raw"), key=repr)

            def read(entries):
                database = storage_reader.Database(entries)
                table = database.tables()["test", "t"]
                expect([i["name"] for i in table["indexes"]] == ["v"])
                return sorted(database.rows(table).values(), key=repr)

            def same(left, right):
                # Field order is the reader's business.
                return sorted(map(str, map(ordered, left))) == sorted(map(str, map(ordered, right)))

            def ordered(v):
                if isinstance(v, dict):
                    return {k: ordered(v[k]) for k in sorted(v)}
                if isinstance(v, list):
                    return [ordered(x) for x in v]
                return float(v) if isinstance(v, int) and not isinstance(v, bool) else v

            header, entries = storage_reader.read_backup(backup)
            expect(same(read(entries), rows()), "a backup reads differently")
            connection.run([INSERT, [T, {"id": "late", "v": binary(100_000, b"q")}]])
            connection.run([DELETE, [[GET, [T, "k"]]]])
            now = rows()
    sequence, segments = header["sequence"], sorted((scratch / "data").glob("log.*"))
    for segment in segments:
        found = storage_reader.read_log_segment(segment.read_bytes())
        if found is None:
            continue
        expect(found[0] == header["history"])
        for number, _, changes in found[1]:
            if number <= sequence:
                continue
            expect(number == sequence + 1, number, sequence)
            sequence = number
            for key, value in changes:
                if value is None:
                    entries.pop(key, None)
                else:
                    entries[key] = value
    expect(same(read(entries), now), "the log reads differently")


@test
def damaged_backups(scratch):
    with Server(directory=scratch / "data") as server:
        with Connection(server.port) as connection:
            fill(connection, 300)
    whole = must("backup", "-d", scratch / "data", "-")[0]
    for name, data in (("short", whole[:-1]), ("half", whole[:len(whole) // 2]),
                       ("flipped", whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:])):
        (scratch / name).write_bytes(data)
        for command in (["check", scratch / name], ["restore", "-d", scratch / ("r-" + name), scratch / name]):
            status, out, err = run(*command)
            expect(status == 1 and "backup" in err, command, status, out, err)
        # What there is of it is not taken for a database, and does not stand in the way.
        status, out, err = run("-d", scratch / ("r-" + name), "--driver-port", "0", "--no-http-admin", timeout=30)
        expect(status == 1 and "did not end" in err, err)
        (scratch / name).write_bytes(whole)
        must("restore", "-d", scratch / ("r-" + name), scratch / name)
        checked(scratch / ("r-" + name))


@test
def restore_to_a_point_in_time(scratch):
    log_options = ("--commit-log-hours", "1")
    server = Server(*log_options, directory=scratch / "data")
    with Connection(server.port) as connection:
        fill(connection, 100)
        must("backup", "-d", scratch / "data", scratch / "backup")
        connection.run([INSERT, [T, {"id": "early"}]])
        # The times of the two commits must differ by what can be written down.
        time.sleep(0.05)
        between = time.time()
        time.sleep(0.05)
    # Starts and a clean end in between: checkpoints, new segments.
    server.stop()
    server = Server(*log_options, directory=scratch / "data")
    with Connection(server.port) as connection:
        connection.run([INSERT, [T, [2, [{"id": "late%d" % i, "pad": "x" * 5000} for i in range(100)]]]])
    server.kill()
    moment = time.strftime("%Y-%m-%dT%H:%M:", time.gmtime(between)) + "%09.6fZ" % (between % 60)
    must("restore", "-d", scratch / "now", "--log", scratch / "data", scratch / "backup")
    must("restore", "-d", scratch / "then", "--log", scratch / "data", "--until", moment, scratch / "backup")
    for name, late in (("now", True), ("then", False)):
        checked(scratch / name)
        with Server(directory=scratch / name) as restored:
            rows = everything(restored)
        expect("early" in rows and ("late0" in rows) == late and ("late99" in rows) == late, name, len(rows))
    for arguments, message in [
            (["--log", scratch / "data", "--until", "2001-01-01T00:00:00Z"], "newer than the time"),
            (["--log", scratch / "data", "--until-commit", "1000000"], "before commit 1000000"),
            (["--log", scratch / "now"], "holds no log of the database")]:
        status, _, err = run("restore", "-d", scratch / "no", *arguments, scratch / "backup")
        expect(status == 1 and message in err, arguments, status, err)
    server.stop()


@test
def without_retention_the_log_has_gaps(scratch):
    with Server(directory=scratch / "data") as server:
        with Connection(server.port) as connection:
            fill(connection, 100)
            must("backup", "-d", scratch / "data", scratch / "backup")
            # More than a checkpoint's worth, so that segments are dropped or used again.
            for i in range(120):
                connection.run([INSERT, [T, {"id": "big%d" % i, "file": binary(1_000_000, b"%d" % (i % 10))}]],
                               durability="soft")
    status, _, err = run("restore", "-d", scratch / "r", "--log", scratch / "data", scratch / "backup")
    expect(status == 1 and "lack commit" in err, status, err)


@test
def check_says_what_is_wrong(scratch):
    with Server(directory=scratch / "data") as server:
        with Connection(server.port) as connection:
            fill(connection, 300)
    # The fields of the documents are no more in order.
    path = scratch / "data" / "data.mdb"
    path.write_bytes(path.read_bytes().replace(b"\x04text", b"\x04aext"))
    status, out, err = run("check", scratch / "data")
    text = out.decode() + err
    expect(status == 1 and "test.t" in text and "damaged" in text and "PROBLEMS" in text, status, text)


@test
def compact_gives_space_back(scratch):
    with Server(directory=scratch / "data") as server:
        with Connection(server.port) as connection:
            fill(connection, 200)
            for i in range(60):
                connection.run([INSERT, [T, {"id": "big%d" % i, "file": binary(1_000_000, b"z")}]], durability="soft")
            connection.run([DELETE, [[HAS_FIELDS, [T, "file"]]]])
            kept = everything(server)
        status, _, err = run("compact", scratch / "data")
        expect(status == 1 and "in use" in err, err)
    before = sum(f.stat().st_size for f in (scratch / "data").iterdir())
    out, err = must("compact", scratch / "data")
    after = sum(f.stat().st_size for f in (scratch / "data").iterdir())
    expect("Compacted" in err and before > 60_000_000 and after < before / 2, before, after, err)
    checked(scratch / "data")
    with Server(directory=scratch / "data") as server:
        expect(everything(server) == kept)


@test
def a_bar_on_a_terminal_only(scratch):
    with Server(directory=scratch / "data") as server:
        with Connection(server.port) as connection:
            connection.run([TABLE_CREATE, [[14, ["test"]], "t"]])
            for i in range(40):
                connection.run([INSERT, [T, {"id": i, "file": binary(1_000_000, b"z")}]], durability="soft")
        _, plain = must("backup", "-d", scratch / "data", scratch / "one")
        expect("\r" not in plain and "\x1b" not in plain and plain.count("\n") == 1, repr(plain))
        ours, theirs = pty.openpty()
        process = subprocess.Popen([default_binary(), "backup", "-d", str(scratch / "data"), str(scratch / "two")],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=theirs)
        os.close(theirs)
        shown = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:
                break
            if not piece:
                break
            shown += piece
        os.close(ours)
        expect(process.wait(60) == 0)
        expect(re.search(rb"backing up \[#*\.*\] +\d+ %", shown), shown)
        expect(b"Backed up" in shown.split(b"\x1b[K")[-1], shown)


@test
def a_client_that_goes_away(scratch):
    """Its backup ends, and nothing of it stays."""
    with Server(directory=scratch / "data") as server:
        with Connection(server.port) as connection:
            connection.run([TABLE_CREATE, [[14, ["test"]], "t"]])
            for i in range(20):
                connection.run([INSERT, [T, {"id": i, "file": binary(1_000_000, b"z")}]], durability="soft")
            client = subprocess.Popen([default_binary(), "backup", "-d", str(scratch / "data"), "-"], stdout=subprocess.PIPE,
                                      stderr=subprocess.DEVNULL)
            expect(len(client.stdout.read(100_000)) == 100_000)
            # One that reads nothing holds nobody up, and the end of the server neither.
            connection.run([INSERT, [T, {"id": "meanwhile"}]])
            client.kill()
            client.wait()
            client.stdout.close()
            expect(eventually(lambda: "a backup failed" in server.log()), server.log())
            stuck = subprocess.Popen([default_binary(), "backup", "-d", str(scratch / "data"), "-"], stdout=subprocess.PIPE,
                                     stderr=subprocess.DEVNULL)
            expect(len(stuck.stdout.read(100_000)) == 100_000)
        try:
            server.process.terminate()
            expect(server.process.wait(10) == 0, server.log())
        finally:
            stuck.kill()
            stuck.wait()
            stuck.stdout.close()


def preload(scratch):
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise Skipped("no C compiler for the library that makes calls fail")
    library = scratch / "faults.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(HERE / "faults.c"), "-ldl"], check=True)
    return library


class FailingServer(Server):
    """A server whose writes or syncs can be made to fail."""

    def __init__(self, scratch, *options):
        self.control = scratch / "fault"
        os.environ.update(LD_PRELOAD=str(preload(scratch)), FAULTS_DIR=str(scratch / "data"), FAULTS_FILE=str(self.control))
        try:
            super().__init__(*options, directory=scratch / "data")
        finally:
            for name in ("LD_PRELOAD", "FAULTS_DIR", "FAULTS_FILE"):
                del os.environ[name]

    def fail(self, call, error):
        self.control.with_suffix(".new").write_text("%s %d\n" % (call, error))
        self.control.with_suffix(".new").rename(self.control)

    def mend(self):
        self.control.unlink()


def insert(connection, key, size, **optargs):
    """None, or the error that the client got."""
    try:
        result = connection.run([INSERT, [T, {"id": key, "pad": "x" * size}], optargs])
        return None if result["errors"] == 0 else result["first_error"]
    except ReplyError as error:
        return str(error)


@test
def a_full_disk(scratch):
    with FailingServer(scratch) as server:
        with Connection(server.port) as connection:
            fill(connection, 100)
            expect(connection.run(ISSUES) == [])
            server.fail("write", errno.ENOSPC)
            acknowledged, refused, number = [], [], 0
            # The files have some room in them.
            while len(refused) < 20 and number < 20000:
                error = insert(connection, "k%d" % number, 20_000, durability=("hard", "soft")[number % 2])
                (acknowledged if error is None else refused).append("k%d" % number)
                number += 1
            error = insert(connection, "again", 20_000)
            expect(error and "No space left on device" in error, number, error)
            issues = connection.run(ISSUES)
            expect(len(issues) == 1 and issues[0]["critical"] and "No space left" in issues[0]["description"], issues)
            expect("writes are refused as long as the disk is full" in server.log(), server.log())
            rows = everything(server)
            expect(all(key in rows for key in acknowledged) and not any(key in rows for key in refused))
            server.mend()
            expect(insert(connection, "after", 20_000) is None)
            expect(connection.run(ISSUES) == [])
            expect("writes are possible again" in server.log(), server.log())
        server.kill()
        server.start()
        rows = everything(server)
        expect(all(key in rows for key in [*acknowledged, "after"]) and not any(key in rows for key in refused))
    checked(scratch / "data")


@test
def a_failing_sync(scratch):
    with FailingServer(scratch) as server:
        with Connection(server.port) as connection:
            fill(connection, 100)
            expect(insert(connection, "before", 100) is None)
            server.fail("sync", errno.EIO)
            first = insert(connection, "victim", 100)
            expect(first and "Input/output error" in first, first)
            # The disk works again, or seems to: no further write may be acknowledged, of either durability.
            server.mend()
            for durability in ("hard", "soft"):
                error = insert(connection, "later", 100, durability=durability)
                expect(error and "writes have stopped after a failure" in error, error)
            issues = connection.run(ISSUES)
            expect(len(issues) == 1 and "Input/output error" in issues[0]["description"], issues)
            expect("writes have stopped, until the server is started again" in server.log(), server.log())
            expect(server.log().count("writes have stopped, until") == 1, server.log())
            rows = everything(server)
            expect("before" in rows and "later" not in rows)
            must("backup", "-d", scratch / "data", scratch / "backup")
        server.process.terminate()
        expect(server.process.wait(30) == 0)
        server.start()
        rows = everything(server)
        expect("before" in rows and "later" not in rows)
        with Connection(server.port) as connection:
            expect(insert(connection, "new", 100) is None and connection.run(ISSUES) == [])
    checked(scratch / "data")


if __name__ == "__main__":
    sys.exit(main(__doc__))

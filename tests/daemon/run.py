#!/usr/bin/env python3
"""The process as an operator meets it: options, errors at the start, signals, files, the HTTP port.

Ends with 'N passed, N failed, N skipped'.
"""

import base64
import concurrent.futures
import contextlib
import http.server
import json
import os
import pathlib
import pwd
import random
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import test_keys  # noqa: E402
from reql_wire import Connection, ReplyError  # noqa: E402
from reqld_server import ROOT, Server, default_binary  # noqa: E402
from runner import Skipped, eventually, expect, main, test  # noqa: E402


def run(*arguments, timeout=60, **options):
    """Runs the binary to its end: (exit status, output)."""
    done = subprocess.run([default_binary(), *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=timeout, **options)
    return done.returncode, done.stdout.decode()


def running(pid):
    try:
        with open("/proc/%d/stat" % pid, encoding="utf-8") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@contextlib.contextmanager
def started(scratch, *arguments):
    """A server that chooses its addresses by the arguments alone: yields the process and its ports by name."""
    ports = scratch / "ports"
    process = subprocess.Popen([default_binary(), "-d", str(scratch / "data"), "--ports-file", str(ports), *arguments],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        expect(eventually(lambda: ports.exists() or process.poll() is not None) and ports.exists(), "it ended")
        yield process, {name: int(port) for name, port in
                        (line.split("=") for line in ports.read_text().split())}
    finally:
        process.terminate()
        process.wait(30)


def listening_addresses(port):
    """The addresses that somebody listens on at this port."""
    found = set()
    for family, path in ((socket.AF_INET, "/proc/net/tcp"), (socket.AF_INET6, "/proc/net/tcp6")):
        try:
            with open(path, encoding="ascii") as f:
                lines = f.readlines()[1:]
        except OSError:
            continue
        for line in lines:
            address, number = line.split()[1].split(":")
            if line.split()[3] == "0A" and int(number, 16) == port:
                words = [bytes.fromhex(address[i:i + 8])[::-1] for i in range(0, len(address), 8)]
                found.add(socket.inet_ntop(family, b"".join(words)))
    return found


RESOURCE_LIMIT = 2000000  # as an error reply names it


@test
def help_and_version(_):
    status, text = run("--help")
    expect(status == 0 and "--driver-port" in text, text)
    expect(run("help") == (0, text))
    status, text = run("--version")
    expect(status == 0 and re.match(r"reqld \d+\.\d+\.\d+", text), text)


@test
def the_image_has_all_that_its_build_reads(scratch):
    """Configures what .dockerignore lets into the image's build."""
    if shutil.which("cmake") is None:
        raise Skipped("no cmake")
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if line.startswith("!"):
            (scratch / line[1:]).parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(["cp", "-r", str(ROOT / line[1:]), str(scratch / line[1:])], check=True)
    done = subprocess.run(["cmake", "-S", ".", "--preset", "release"], cwd=scratch, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=300, check=False)
    expect(done.returncode == 0, done.stderr)


@test
def bad_options(_):
    for arguments, message in [
            (["--nosuch"], "Unrecognised option '--nosuch'"),
            (["nosuch"], "Unknown command 'nosuch'"),
            (["--driver-port", "x"], "--driver-port must be a number"),
            (["--r-http-deny", "10.0.0.0/99", "--driver-port", "0", "--no-http-admin"], "10.0.0.0/99"),
            (["--driver-tls-key", "k"], "must be given together"),
            (["--join", "other:29015"], "cluster"),
            (["--cache-size", "big"], "--cache-size must be"),
            (["--log-level", "loud"], "--log-level must be"),
            (["--driver-port", "65536"], "--driver-port must be"),
            (["--driver-port", "65535", "-o", "1"], "beyond the last port"),
            (["--directory", ""], "--directory must not be empty"),
            (["--directory"], "directory"),
            (["--rungroup", "nosuch", "--driver-port", "0", "--no-http-admin"], "There is no group 'nosuch'"),
            (["--bind", "nosuch", "--driver-port", "0"], "not an IP address"),
            (["--runuser", "nosuch", "--driver-port", "0", "--no-http-admin"], "There is no user 'nosuch'"),
            (["--config-file", "/nosuch"], "Cannot read the configuration file")]:
        status, text = run(*arguments)
        expect(status == 1 and message in text, arguments, status, text)


@test
def create_then_serve(scratch):
    data = scratch / "data"
    status, text = run("serve", "-d", str(data), "--driver-port", "0", "--no-http-admin")
    expect(status == 1 and "reqld create" in text, text)
    status, text = run("create", "-d", str(data))
    expect(status == 0 and data.is_dir(), text)
    status, text = run("create", "-d", str(data))
    expect(status == 1 and "exists already" in text, text)
    with Server(directory=data) as server:
        expect(server.port > 0)


@test
def what_is_set_of_the_server_stays(scratch):
    data = scratch / "data"
    status, text = run("create", "-d", str(data), "-n", "made", "-t", "one", "-t", "two")
    expect(status == 0, text)
    config = [15, [[14, ["rethinkdb"]], "server_config"]]
    heartbeat = [16, [[15, [[14, ["rethinkdb"]], "cluster_config"]], "heartbeat"]]

    def shown(connection):
        (row,) = connection.run(config)
        return row["name"], row["tags"], row["cache_size_mb"]

    with Server("--cache-size", "256", http=True, directory=data) as server, Connection(server.port) as connection:
        expect(shown(connection) == ("made", ["default", "one", "two"], 256), shown(connection))
        expect(connection.run([53, [config, {"name": "renamed", "tags": [2, ["three"]]}]])["replaced"] == 1)
        expect(connection.run([53, [heartbeat, {"heartbeat_timeout_secs": 2.5}]])["replaced"] == 1)
        connection.send([5])
        expect(connection.receive()[1]["r"][0]["name"] == "renamed")
        with urllib.request.urlopen("http://127.0.0.1:%d/metrics" % server.http_port, timeout=10) as metrics:
            expect('name="renamed"' in metrics.read().decode())
    # The directory has a name and tags: as with RethinkDB, those of the command line come too late.
    with Server("-n", "other", "-t", "four", "--cache-size", "auto", directory=data) as server:
        with Connection(server.port) as connection:
            expect(shown(connection) == ("renamed", ["three"], "auto"), shown(connection))
            expect(connection.run(heartbeat)["heartbeat_timeout_secs"] == 2.5)
        expect("ignoring --server-name because this server already has a name" in server.log(), server.log())
        expect("ignoring --server-tag because this server already has tags" in server.log(), server.log())
    with Server("-n", "renamed", "-t", "four", directory=data) as server:
        expect("ignoring --server-name" not in server.log(), server.log())


@test
def a_server_without_a_name_takes_the_one_given(scratch):
    status, text = run("create", "-d", str(scratch / "data"))
    expect(status == 0, text)
    for options in (["-n", "given"], []):
        with Server(*options, directory=scratch / "data") as server, Connection(server.port) as connection:
            (row,) = connection.run([15, [[14, ["rethinkdb"]], "server_config"]])
            expect((row["name"], row["tags"], row["cache_size_mb"]) == ("given", ["default"], "auto"), row)


@test
def a_second_server_on_the_same_directory(scratch):
    with Server(directory=scratch / "data"):
        status, text = run("-d", str(scratch / "data"), "--driver-port", "0", "--no-http-admin")
        expect(status == 1 and "use" in text, text)


@test
def a_port_in_use(scratch):
    with Server() as server:
        status, text = run("-d", str(scratch / "data"), "--driver-port", str(server.port), "--no-http-admin")
        expect(status == 1 and "in use" in text, text)
        expect(not (scratch / "data").exists(), "a server that cannot listen makes no directory")


@test
def one_port_for_both(scratch):
    free = socket.socket()
    free.bind(("127.0.0.1", 0))
    port = str(free.getsockname()[1])
    free.close()
    status, text = run("-d", str(scratch / "data"), "--driver-port", port, "--http-port", port)
    expect(status == 1 and "in use" in text, text)


@test
def only_this_machine_by_default(scratch):
    with started(scratch, "--driver-port", "0", "--http-port", "0") as (_, ports):
        for port in ports.values():
            expect(listening_addresses(port) in ({"127.0.0.1"}, {"127.0.0.1", "::1"}), listening_addresses(port))


@test
def bind_options(scratch):
    with started(scratch, "--driver-port", "0", "--http-port", "0", "--bind", "all") as (_, ports):
        for port in ports.values():
            expect("0.0.0.0" in listening_addresses(port), listening_addresses(port))
    (scratch / "ports").unlink(missing_ok=True)
    with started(scratch, "--driver-port", "0", "--http-port", "0", "--bind-driver", "all",
                 "--bind-http", "127.0.0.2", "--no-default-bind") as (_, ports):
        expect("0.0.0.0" in listening_addresses(ports["driver"]), ports)
        expect(listening_addresses(ports["http"]) == {"127.0.0.2"}, ports)


@test
def a_full_disk(scratch):
    disk = scratch / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(disk)], stdin=subprocess.DEVNULL,
                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode != 0:
        raise Skipped("no permission to mount a small disk")
    table = [15, [[14, ["test"]], "t"]]
    try:
        with Server(directory=disk / "data") as server, Connection(server.port) as connection:
            connection.run([60, [[14, ["test"]], "t"]])
            stored = []
            refusal = None
            for i in range(200):
                try:
                    reply = connection.run([56, [table, {"id": i, "text": "x" * 1000000}]])
                except ReplyError as error:
                    refusal = str(error)
                    break
                if reply["errors"]:
                    refusal = reply["first_error"]
                    break
                stored.append(i)
            expect(refusal and "No space left" in refusal, refusal, len(stored))
            expect(stored, "nothing fitted")
            # It goes on reading, and serving others.
            expect(connection.run([43, [table]]) == len(stored))
            expect(connection.run([31, [[16, [table, stored[-1]]], "id"]]) == stored[-1])
            with Connection(server.port) as other:
                expect(other.run([24, [1, 2]]) == 3)
            # Not for good: what fits again is taken.
            connection.run([54, [[16, [table, stored.pop()]]]])
            expect(connection.run([56, [table, {"id": "small"}]])["inserted"] == 1)
            ends_within(server, 5)
        # And says at the start when it cannot even begin.
        (disk / "filler").write_bytes(b"")
        with open(disk / "filler", "wb") as filler, contextlib.suppress(OSError):
            while True:
                filler.write(b"x" * 65536)
                filler.flush()
        status, text = run("-d", str(disk / "new"), "--driver-port", "0", "--no-http-admin")
        expect(status == 1 and "No space left" in text, status, text)
        # With room again, everything acknowledged is there, and writes go on.
        (disk / "filler").unlink()
        subprocess.run(["mount", "-o", "remount,size=256m", str(disk)], check=True)
        with Server(directory=disk / "data") as server, Connection(server.port) as connection:
            expect(connection.run([43, [table]]) >= len(stored))
            for i in stored:
                expect(connection.run([31, [[16, [table, i]], "id"]]) == i)
            expect(connection.run([56, [table, {"id": "more"}]])["inserted"] == 1)
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=False)


@test
def a_directory_of_rethinkdb(scratch):
    """A server that started on it would seem to have lost its data."""
    (scratch / "metadata").write_bytes(bytes(4096))
    for command in ((), ("serve",)):
        status, text = run(*command, "-d", str(scratch), "--driver-port", "0", "--no-http-admin")
        expect(status == 1 and "holds the data of a RethinkDB server" in text, text)
    status, text = run("create", "-d", str(scratch))
    expect(status == 1 and "exists already" in text, text)
    expect([entry.name for entry in scratch.iterdir()] == ["metadata"])


@test
def a_directory_that_cannot_be_written(scratch):
    blocker = scratch / "file"
    blocker.write_text("")
    status, text = run("-d", str(blocker / "data"), "--driver-port", "0", "--no-http-admin")
    expect(status == 1 and str(blocker) in text, text)
    if os.getuid() == 0:
        status, text = run("-d", str(scratch / "data"), "--driver-port", "0", "--no-http-admin", "--runuser", "nobody")
        expect(status == 1 and "ermission" in text, text)


@test
def the_log_file_cannot_be_written(scratch):
    (scratch / "file").write_text("")
    status, text = run("-d", str(scratch / "data"), "--driver-port", "0", "--no-http-admin",
                       "--log-file", str(scratch / "file" / "log"))
    expect(status == 1 and "log file" in text, text)


@test
def the_pid_file_cannot_be_written(scratch):
    status, text = run("-d", str(scratch / "data"), "--driver-port", "0", "--no-http-admin",
                       "--pid-file", str(scratch / "nosuch" / "pid"))
    expect(status == 1 and "nosuch/pid" in text, text)


@test
def log_levels(scratch):
    line = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+\S* \d+ (debug|info|notice|warn|error): \S")
    seen = {}
    for level in ("debug", "info", "notice", "error"):
        log = scratch / level
        with started(scratch, "--log-file", str(log), "--log-level", level, "--cache-size", "100",
                     "--driver-port", "0", "--no-http-admin"):
            pass
        lines = log.read_text().splitlines()
        for text in lines:
            expect(line.match(text), text)
        seen[level] = {line.match(text).group(1) for text in lines}
    expect(seen["debug"] >= {"debug", "info", "notice"}, seen)
    expect("debug" not in seen["info"] and "info" in seen["info"], seen)
    # Started, listening, stopped: at any level.
    expect(seen["notice"] == seen["error"] == {"notice"}, seen)
    status, text = run("--log-level", "loud")
    expect(status == 1 and "debug, info, notice, warn or error" in text, text)


@test
def files_of_a_running_server(scratch):
    with Server("--pid-file", str(scratch / "pid"), "--ports-file", str(scratch / "ports"), http=True,
                directory=scratch / "data") as server:
        expect(eventually((scratch / "ports").exists))
        ports = dict(line.split("=") for line in (scratch / "ports").read_text().split())
        expect(ports == {"driver": str(server.port), "http": str(server.http_port)}, ports)
        expect(int((scratch / "pid").read_text()) == server.process.pid)
        expect("Listening" in (scratch / "data" / "log_file").read_text())
    expect(not (scratch / "pid").exists() and not (scratch / "ports").exists(), "left behind")


@test
def the_log_is_reopened(scratch):
    log = scratch / "log"
    with Server("--log-file", str(log)) as server:
        log.rename(scratch / "log.1")
        server.process.send_signal(signal.SIGHUP)
        expect(eventually(log.exists))
        expect(eventually(lambda: "opened the log file again" in log.read_text()))
    expect("stopped" in log.read_text())
    expect("stopped" not in (scratch / "log.1").read_text())


@test
def a_configuration_file(scratch):
    config = scratch / "reqld.conf"
    config.write_text("# mine\nserver-name = kismet\ncache-size=512\nlog-level=info\nno-update-check\n")
    with Server("--config-file", str(config)) as server:
        with Connection(server.port) as connection:
            connection.send([5])
            expect(connection.receive()[1]["r"][0]["name"] == "kismet")
        expect("cache-size has no effect" in server.log())


@test
def names_of_rethinkdb(scratch):
    config = scratch / "instance.conf"
    config.write_text("\n".join([
        "directory=%s" % (scratch / "elsewhere"), "bind=127.0.0.3", "driver-port=0", "http-port=0",
        "log-file=%s" % (scratch / "log"), "pid-file=%s" % (scratch / "pid"), "initial-password=secret",
        "server-name=from_file", "server-tag=one", "server-tag=two", "cores=1", "cluster-port=29015",
        "io-threads=64", "direct-io", "no-update-check", "reql-http-proxy=http://127.0.0.1:1"]) + "\n")
    # The command line wins over the file.
    with started(scratch, "--config-file", str(config), "--server-name", "from_line") as (process, ports):
        expect(int((scratch / "pid").read_text()) == process.pid)
        expect("127.0.0.3" in listening_addresses(ports["driver"]) | listening_addresses(ports["http"]))
        with Connection(ports["driver"], host="127.0.0.3", password="secret") as connection:
            connection.send([5])
            expect(connection.receive()[1]["r"][0]["name"] == "from_line")
            (shown,) = connection.run([15, [[14, ["rethinkdb"]], "server_config"]])
            expect(shown["tags"] == ["default", "one", "two"], shown)
            (shown,) = connection.run([15, [[14, ["rethinkdb"]], "server_status"]])
            network = shown["network"]
            expect((network["reql_port"], network["http_admin_port"]) == (ports["driver"], ports["http"]), network)
        expect("io-threads has no effect" in (scratch / "log").read_text())
        expect((scratch / "data").is_dir() and not (scratch / "elsewhere").exists())
    config.write_text("driver-port=0\nno-such-thing=1\n")
    status, text = run("--config-file", str(config))
    expect(status == 1 and "instance.conf:2:" in text and "no-such-thing" in text, text)


@test
def the_http_port(_):
    with Server(http=True) as server:
        def get(path):
            with urllib.request.urlopen("http://127.0.0.1:%d%s" % (server.http_port, path), timeout=20) as answer:
                return answer.read().decode()
        with Connection(server.port) as connection:
            connection.run([24, [1, 2]])
            expect(get("/health") == "ok\n")
            metrics = get("/metrics")
            expect("\nreqld_connections_open 1\n" in metrics and "\nreqld_queries_total 1\n" in metrics, metrics)
            expect("<title>reqld" in get("/"))


@test
def tls_on_both_ports(scratch):
    keys = test_keys.make(scratch / "keys")
    trusted = ssl.create_default_context(cafile=str(keys / "ca.pem"))
    with Server("--driver-tls-key", str(keys / "server.key"), "--driver-tls-cert", str(keys / "server.pem"),
                "--http-tls-key", str(keys / "server.key"), "--http-tls-cert", str(keys / "server.pem"),
                http=True) as server:
        big = "x" * 3000000
        with Connection(server.port, tls=trusted) as one, Connection(server.port, tls=trusted) as two:
            expect(one.run([24, [1, 2]]) == 3)
            expect(two.run([24, [big, "y"]]) == big + "y")
            tokens = [one.send([1, [24, ["n%d" % n, "x" * 50000]]]) for n in range(100)]
            expect(sorted(one.receive()[0] for _ in tokens) == tokens)
            # A client that goes without a word ends its queries as without TLS.
            table = [15, [[14, ["test"]], "t"]]
            one.run([60, [[14, ["test"]], "t"]])
            two.send([1, [152, [table]]])
            two.receive()
            two.close()
            jobs = [15, [[14, ["rethinkdb"]], "jobs"]]
            expect(eventually(lambda: not [job for job in one.run(jobs) if "changes" in str(job.get("info"))]))
        url = "https://localhost:%d/health" % server.http_port
        with urllib.request.urlopen(url, timeout=20, context=trusted) as answer:
            expect(answer.read() == b"ok\n")
        # Who speaks in clear, or trusts another authority, gets nowhere.
        for attempt in (lambda: Connection(server.port), lambda: Connection(server.port, tls=ssl.create_default_context())):
            try:
                attempt()
                raise AssertionError("connected")
            except (OSError, ValueError):
                pass
        described = subprocess.run(
            ["openssl", "s_client", "-connect", "127.0.0.1:%d" % server.port, "-CAfile", str(keys / "ca.pem"), "-brief"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=True)
        expect("Verification: OK" in described.stderr and "TLSv1.3" in described.stderr, described.stderr)
        old = ssl.create_default_context(cafile=str(keys / "ca.pem"))
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with Connection(server.port, tls=old) as connection:
            idle = Connection(server.port, tls=trusted)
            stranger = socket.create_connection(("127.0.0.1", server.port))
            expect(connection.run([24, [1, 2]]) == 3)
            ends_within(server, 5)
            expect(idle.sock.recv(1) == b"")
            stranger.close()


@test
def tls_with_certificates_of_clients(scratch):
    keys = test_keys.make(scratch / "keys")
    with Server("--driver-tls-key", str(keys / "server.key"), "--driver-tls-cert", str(keys / "server.pem"),
                "--driver-tls-ca", str(keys / "ca.pem"), "--tls-min-protocol", "TLSv1.3") as server:
        nobody = ssl.create_default_context(cafile=str(keys / "ca.pem"))
        somebody = ssl.create_default_context(cafile=str(keys / "ca.pem"))
        somebody.load_cert_chain(str(keys / "client.pem"), str(keys / "client.key"))
        with Connection(server.port, tls=somebody) as connection:
            expect(connection.run([24, [1, 2]]) == 3)
        old = ssl.create_default_context(cafile=str(keys / "ca.pem"))
        old.load_cert_chain(str(keys / "client.pem"), str(keys / "client.key"))
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        for refused in (nobody, old):
            try:
                Connection(server.port, tls=refused)
                raise AssertionError("connected")
            except OSError:
                pass


@test
def tls_files_that_cannot_be_used(scratch):
    keys = test_keys.make(scratch / "keys")
    subprocess.run(["openssl", "ec", "-in", str(keys / "server.key"), "-aes256", "-passout", "pass:x", "-out",
                    str(keys / "secret.key")], check=True, stderr=subprocess.DEVNULL)
    for key, cert, message in [
            ("nosuch", "server.pem", "cannot read the key '{}/nosuch': No such file"),
            ("server.key", "nosuch", "cannot read the certificate '{}/nosuch': No such file"),
            ("server.key", ".", "cannot read the certificate '{}': Is a directory"),
            ("client.key", "server.pem", "the key '{0}/client.key' does not belong to the certificate '{0}/server.pem'"),
            ("secret.key", "server.pem", "cannot use the key '{}/secret.key': it is protected by a passphrase"),
            ("names", "server.pem", "cannot use the key '{}/names': it holds nothing of the kind in PEM form"),
            ("server.key", "names", "cannot use the certificate '{}/names': it holds nothing of the kind in PEM form")]:
        for port in ("driver", "http"):
            status, text = run("-d", str(scratch / "data"), "--driver-port", "0", "--http-port", "0",
                               "--%s-tls-key" % port, str(keys / key), "--%s-tls-cert" % port, str(keys / cert))
            expect(status == 1 and "TLS: " + message.format(keys) in text, status, text)
    for option, value in (("--tls-ciphers", "NOSUCH"), ("--tls-ecdh-curve", "nosuch"), ("--tls-dhparams", "/nosuch"),
                          ("--driver-tls-ca", "/nosuch"), ("--driver-tls-ca", str(keys / "names"))):
        status, text = run("-d", str(scratch / "data"), "--driver-port", "0", "--no-http-admin", option, value,
                           "--driver-tls-key", str(keys / "server.key"), "--driver-tls-cert", str(keys / "server.pem"))
        expect(status == 1 and "TLS: " in text and value in text, status, text)
    expect(not (scratch / "data").exists())


@contextlib.contextmanager
def encrypted(scratch, *options):
    """A server with TLS by a configuration file, and a context that trusts it."""
    keys = test_keys.make(scratch / "keys")
    config = scratch / "reqld.conf"
    config.write_text("driver-tls-key=%s\ndriver-tls-cert=%s\n" % (keys / "server.key", keys / "server.pem"))
    with Server("--config-file", str(config), *options) as server:
        yield server, ssl.create_default_context(cafile=str(keys / "ca.pem"))


@test
def a_thousand_tls_connections(scratch):
    with encrypted(scratch) as (server, trusted):
        threads_before = len(os.listdir("/proc/%d/task" % server.process.pid))
        connections = [Connection(server.port, tls=trusted) for _ in range(1000)]
        for token in [(connection, connection.send([1, [24, [1, n]]])) for n, connection in enumerate(connections)]:
            expect(token[0].receive()[0] == token[1])
        expect(len(os.listdir("/proc/%d/task" % server.process.pid)) == threads_before)
        ends_within(server, 5)
        for connection in connections:
            expect(connection.sock.recv(1) == b"")
            connection.close()


@test
def half_tls_handshakes(scratch):
    """Clients that say nothing, or only half of it, hold up nobody, and are closed after a while."""
    with encrypted(scratch) as (server, trusted):
        began = time.monotonic()
        strangers = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(200)]
        for n, stranger in enumerate(strangers):
            stranger.settimeout(30)
            if n % 2:
                stranger.sendall(b"\x16\x03\x01\x02\x00\x01")  # the first bytes of a greeting
        plain = socket.create_connection(("127.0.0.1", server.port))
        plain.sendall(struct.pack("<I", 0x34C2BDC3))
        with contextlib.suppress(ConnectionResetError):
            while plain.recv(100):  # an alert maybe, then the end
                pass
        expect(time.monotonic() - began < 5, "a client in clear was kept")
        with Connection(server.port, tls=trusted) as connection:
            expect(connection.run([24, [1, 2]]) == 3)
            expect(time.monotonic() - began < 5, "others had to wait")
            for stranger in strangers:
                with contextlib.suppress(ConnectionResetError):
                    expect(stranger.recv(1) == b"")
                stranger.close()
            expect(5 < time.monotonic() - began < 20, time.monotonic() - began)
            expect(connection.run([24, [1, 2]]) == 3)


@test
def files_feeds_and_stop_over_tls(scratch):
    with encrypted(scratch) as (server, trusted), Connection(server.port, tls=trusted) as one, \
            Connection(server.port, tls=trusted) as two:
        table = [15, [[14, ["test"]], "t"]]
        one.run([60, [[14, ["test"]], "t"]])
        feed = two.send([1, [152, [table]]])

        def change():
            while True:
                token, reply = two.receive()
                expect(token == feed)
                two.ask_for_more(feed)
                if reply["r"]:
                    return reply["r"][0]

        two.receive()  # the feed is open
        two.ask_for_more(feed)
        # Forty megabytes, in, back, and to a feed.
        file = base64.b64encode(os.urandom(40_000_000)).decode()
        expect(one.run([56, [table, {"id": 1, "file": {"$reql_type$": "BINARY", "data": file}}]])["inserted"] == 1)
        expect(change()["new_val"]["file"]["data"] == file)
        expect(one.run([16, [table, 1]])["file"]["data"] == file)
        one.run([54, [table]])
        expect(change()["new_val"] is None)
        two.sock.sendall(struct.pack("<qI", feed, 3) + b"[3]")
        for _ in range(2):  # the end answers both what was asked for and the STOP
            token, reply = two.receive()
            expect(token == feed and reply["t"] == 2, reply)
        expect(two.run([24, [1, 2]]) == 3)


@test
def sigterm_with_tls_connections_of_every_kind(scratch):
    with encrypted(scratch) as (server, trusted):
        idle, deaf, fed = (Connection(server.port, tls=trusted) for _ in range(3))
        stranger = socket.create_connection(("127.0.0.1", server.port))
        table = [15, [[14, ["test"]], "t"]]
        fed.run([60, [[14, ["test"]], "t"]])
        fed.send([1, [152, [table]]])
        for _ in range(64):
            deaf.send([1, [51, [[173, [100000]], "array"]]])
        time.sleep(0.5)
        ends_within(server, 5)
        for connection in (idle, fed):
            with contextlib.suppress(ConnectionResetError):
                while connection.sock.recv(65536):
                    pass
        for connection in (idle, deaf, fed, stranger):
            connection.close()


@test
def query_memory(_):
    """Values that take more, one or all together, are refused before their memory is taken."""
    with Server("--query-memory", "100") as server, Connection(server.port) as connection:
        def repeated(times):  # an array of so many arrays of 9 MB, each the same one
            inner = [51, [[38, [[173, [90_000]], [69, [[2, [1]], "x" * 100]]]], "array"]]
            outer = [51, [[38, [[173, [times]], [69, [[2, [3]], [10, [2]]]]]], "array"]]
            return [43, [[64, [[69, [[2, [2]], outer]], inner]]]]
        expect(connection.run(repeated(3)) == 3)
        # So many strings of 100 KB, each another one, to be sorted.
        strings = [38, [[173, [40_000]], [69, [[2, [1]], [24, ["x" * 100_000, [51, [[10, [1]], "string"]]]]]]]]
        for large in (repeated(400), [43, [[41, [strings, [69, [[2, [2]], [10, [2]]]]]]]]):
            try:
                expect(False, connection.run(large))
            except ReplyError as error:
                expect("too large" in str(error) and error.reply["e"] == RESOURCE_LIMIT, error.reply)
        with open("/proc/%d/status" % server.process.pid, encoding="ascii") as status:
            peak_kb = int(re.search(r"VmHWM:\s+(\d+)", status.read()).group(1))
        # Unbounded it would be 3.6 GB; an AddressSanitizer build takes half a gigabyte for what is allowed.
        expect(peak_kb < 1_500_000, peak_kb)
        expect(connection.run([24, [1, 2]]) == 3)


@test
def reads_of_many_at_once(_):
    """Queries that read rows wait for each other: each is to be answered as if it were alone."""
    def row(key):
        return [16, [[15, [[14, ["test"]], "t"]], key]]

    def field(of, name):
        return [170, [of, name]]

    with Server() as server, Connection(server.port) as connection:
        connection.run([60, [[14, ["test"]], "t"]])
        rows = [{"id": i, "next": (i * 7 + 1) % 1000, "text": "x" * (i % 500)} for i in range(1000)]
        connection.run([56, [[15, [[14, ["test"]], "t"]], [2, rows]]])
        terms = []
        for i in range(0, 1000, 5):
            terms += [row(i), row("missing %d" % i), row([2, [i, "a"]]), field(row(i), "text"), field(row(i + 1000), "text"),
                      row(field(row(field(row(i), "next")), "next")), [92, [field(row(-i - 1), "next"), row(i)]],
                      [16, [[15, [[14, ["test"]], "none"]], i]], row([10, [1]]), [16, [[15, [[14, ["rethinkdb"]], "users"]], "admin"]],
                      [38, [[2, [i, i + 1, i + 2000]], [69, [[2, [1]], row([10, [1]])]]]],
                      [65, [row(i), [12, ["stop"]], field(row(i), "text")]], [69, [[2, []], row(i)]]]
        alone = []
        for term in terms:
            connection.send([1, term, {}])
            alone.append(connection.receive()[1])
        answers = {json.dumps(reply) for reply in alone}
        expect(len(answers) > 500, len(answers))

        def ask_all(seed):
            order = random.Random(seed).sample(range(len(terms)), len(terms))
            with Connection(server.port) as other:
                frames = b"".join(struct.pack("<qI", number, len(body)) + body
                                  for number in order for body in [json.dumps([1, terms[number], {}]).encode()])
                sending = threading.Thread(target=other.sock.sendall, args=(frames,))
                sending.start()
                for _ in order:
                    number, reply = other.receive()
                    expect(reply == alone[number], (terms[number], reply, alone[number]))
                sending.join()

        with concurrent.futures.ThreadPoolExecutor(6) as threads:
            list(threads.map(ask_all, range(12)))


@test
def passwords(scratch):
    status, text = run("create", "-d", str(scratch / "data"), "--initial-password", "auto")
    password = re.search(r"password of `admin` is (\S+)", text)
    expect(status == 0 and password, text)
    with Server("--initial-password", "other", directory=scratch / "data") as server:
        Connection(server.port, password=password.group(1)).close()
        for wrong in ("", "other"):
            try:
                Connection(server.port, password=wrong)
                raise AssertionError("a wrong password was accepted")
            except PermissionError as error:
                expect("Wrong password" in str(error), error)


def ends_within(server, seconds, sign=signal.SIGTERM):
    began = time.monotonic()
    server.process.send_signal(sign)
    server.process.wait(30)
    took = time.monotonic() - began
    expect(took < seconds, "took", took)
    expect(server.process.returncode == 0, server.process.returncode, server.log())


@test
def sigterm_with_nothing_to_do(_):
    for sign in (signal.SIGTERM, signal.SIGINT):
        with Server(http=True) as server:
            idle = Connection(server.port)
            ends_within(server, 5, sign)
            expect(idle.sock.recv(1) == b"")
            idle.close()


@test
def sigterm_in_the_middle_of_everything(_):
    with Server() as server:
        with Connection(server.port) as admin:
            admin.run([60, [[14, ["test"]], "t"]])
        table = [15, [[14, ["test"]], "t"]]
        acknowledged = []

        def write(number):
            try:
                with Connection(server.port) as connection:
                    for i in range(1_000_000):
                        key = "%d-%d" % (number, i)
                        connection.run([56, [table, {"id": key}]])
                        acknowledged.append(key)
            except (OSError, ValueError):
                pass

        def watch():
            try:
                with Connection(server.port) as connection:
                    connection.run([152, [table]])  # changes: goes on until the server ends
            except (OSError, ValueError):
                pass

        def compute():
            try:
                with Connection(server.port) as connection:
                    connection.run([43, [[38, [[173, [100_000_000]], [69, [[2, [1]], [24, [[10, [1]], 1]]]]]]]])
            except (OSError, ValueError):
                pass

        threads = [threading.Thread(target=write, args=(n,), daemon=True) for n in range(4)]
        threads += [threading.Thread(target=f, daemon=True) for f in (watch, compute)]
        for thread in threads:
            thread.start()
        expect(eventually(lambda: len(acknowledged) > 200), "writes do not get on")
        ends_within(server, 5)
        for thread in threads:
            thread.join(30)
            expect(not thread.is_alive())
        server.start()
        with Connection(server.port) as connection:
            there = set(connection.run([38, [table, [69, [[2, [1]], [170, [[10, [1]], "id"]]]]]]))
        expect(not set(acknowledged) - there, "acknowledged writes are gone")


@test
def sigterm_while_everything_waits(_):
    """Queries that wait for somebody else: a web server, a script, a client that does not read."""
    class Silent(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.set()
            over.wait(60)

        def log_message(self, *_):
            pass

    asked, over = threading.Event(), threading.Event()
    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Silent)
    web.daemon_threads = True
    threading.Thread(target=web.serve_forever, daemon=True).start()
    try:
        with Server() as server:
            connections = [Connection(server.port) for _ in range(3)]
            fetching, scripted, deaf = connections
            fetching.send([1, [153, ["http://127.0.0.1:%d/" % web.server_port], {"timeout": 60}]])
            scripted.send([1, [11, ["while (true) {}"], {"timeout": 60}]])
            for _ in range(64):
                deaf.send([1, [51, [[173, [100000]], "array"]]])
            stranger = socket.create_connection(("127.0.0.1", server.port))
            expect(asked.wait(20), "nothing was fetched")
            ends_within(server, 5)
            for connection in connections:
                connection.close()
            stranger.close()
    finally:
        over.set()
        web.shutdown()
        web.server_close()


@test
def sigterm_during_heavy_work(_):
    """An index being built, a huge insert, a sort and a delete of everything: none of it holds up the end."""
    table, other = [15, [[14, ["test"]], "t"]], [15, [[14, ["test"]], "u"]]
    body = [69, [[2, [1]], {"id": [10, [1]], "text": "x" * 100}]]
    with Server() as server:
        with Connection(server.port) as admin:
            for name in ("t", "u"):
                admin.run([60, [[14, ["test"]], name]])
            admin.run([56, [table, [38, [[173, [150_000]], body]]]], durability="soft", array_limit=1_000_000)
        for work in ([75, [table, "n", [69, [[2, [1]], [170, [[10, [1]], "text"]]]]]],
                     [56, [other, [38, [[173, [3_000_000]], body]]]],
                     [43, [[41, [table, "text"]]]],
                     [54, [table]]):
            with Connection(server.port) as busy:
                busy.send([1, work, {"array_limit": 1_000_000}])
                time.sleep(0.3)
                ends_within(server, 5)
            expect("stopping" in server.log() and server.log().rstrip().endswith("stopped"), server.log()[-1000:])
            server.start()
        with Connection(server.port) as admin:
            expect(admin.run([43, [table]]) == len(admin.run([38, [table, [69, [[2, [1]], [170, [[10, [1]], "id"]]]]]])))


@test
def the_time_of_its_start(_):
    """Not that of the first question for it."""
    began = time.time()
    with Server() as server:
        started = time.time()
        time.sleep(1.5)
        with Connection(server.port) as connection:
            status = connection.run([15, [[14, ["rethinkdb"]], "server_status"]])
    at = status[0]["process"]["time_started"]["epoch_time"]
    expect(began - 0.01 <= at <= started, began, at, started)


@test
def stop_ends_a_script(_):
    with Server("--cores", "1") as server, Connection(server.port) as connection:
        # More than there are workers, so that some are stopped before they have begun.
        tokens = [connection.send([1, [11, ["while (true) {}"], {"timeout": 600}]]) for _ in range(6)]
        began = time.monotonic()
        for token in tokens:
            connection.sock.sendall(struct.pack("<qI", token, 3) + b"[3]")
        ended = [connection.receive() for _ in range(2 * len(tokens))]
        expect({token for token, _ in ended} == set(tokens) and all(reply["t"] == 2 for _, reply in ended), ended)
        expect(time.monotonic() - began < 20)
        expect(connection.run([11, ["6 * 7"]]) == 42)


@test
def to_the_background(scratch):
    status, text = run("--daemon", "-d", str(scratch / "data"), "--driver-port", "0", "--no-http-admin",
                       "--pid-file", str(scratch / "pid"), "--ports-file", str(scratch / "ports"))
    expect(status == 0, text)
    # The parent ends when the server listens, not before.
    pid = int((scratch / "pid").read_text())
    try:
        port = int((scratch / "ports").read_text().split("=")[1])
        with Connection(port) as connection:
            expect(connection.run([24, [1, 2]]) == 3)
    finally:
        os.kill(pid, signal.SIGTERM)
    expect(eventually(lambda: not running(pid)))
    expect("stopped" in (scratch / "data" / "log_file").read_text())

    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    (scratch / "blocked").write_text("")
    status, text = run("--daemon", "-d", str(scratch / "blocked"), "--driver-port", "0", "--no-http-admin")
    expect(status == 1 and "blocked" in text, text)
    taken.close()


@test
def as_another_user(scratch):
    if os.getuid() != 0:
        raise Skipped("only root can become somebody else")
    nobody = pwd.getpwnam("nobody")
    os.chmod(scratch, 0o755)
    (scratch / "data").mkdir()
    os.chown(scratch / "data", nobody.pw_uid, nobody.pw_gid)
    with Server("--runuser", "nobody", directory=scratch / "data") as server:
        expect(os.stat("/proc/%d" % server.process.pid).st_uid == nobody.pw_uid)
        expect((scratch / "data" / "log_file").stat().st_uid == nobody.pw_uid)


if __name__ == "__main__":
    sys.exit(main(__doc__))

"""What the tests of this folder share: one server for a class of tests, one connection, tables by the dozen."""

import contextlib
import hashlib
import http.server
import itertools
import threading
import unittest

from rethinkdb import r
from reqld_server import Server


def sha256(contents):
    return hashlib.sha256(contents).hexdigest()


class ServerCase(unittest.TestCase):
    options = ()

    @classmethod
    def setUpClass(cls):
        cls.server = Server(*cls.options)
        cls.addClassCleanup(cls.stop_server)
        cls.conn = cls.connect()
        cls.numbers = itertools.count(1)
        if "test" not in r.db_list().run(cls.conn):
            r.db_create("test").run(cls.conn)

    @classmethod
    def stop_server(cls):
        status = cls.server.stop()
        if status != 0:
            raise AssertionError("the server ended with status %d" % status)

    @classmethod
    def connect(cls, **options):
        return r.connect(host=cls.server.host, port=cls.server.port, **options)

    def table(self, **options):
        """A new, empty table."""
        name = "t%d" % next(self.numbers)
        r.table_create(name, **options).run(self.conn)
        return r.table(name)


class WebServer:
    """A small HTTP server for r.http: `answers` maps a path to (status, headers, body), or to a function that makes
    these of the request: its handler, and the bytes of its body."""

    def __init__(self, answers):
        requests = self.requests = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                requests.append(self.path)
                sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                answer = answers.get(self.path.partition("?")[0], (404, {}, b""))
                status, headers, body = answer(self, sent) if callable(answer) else answer
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with contextlib.suppress(OSError):  # a client that has given up
                    self.wfile.write(b"" if self.command == "HEAD" else body)

            do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_GET

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = "http://127.0.0.1:%d" % self.server.server_port
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

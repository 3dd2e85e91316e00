"""r.http through the official Python driver: its options, paging, and failures."""

import base64
import gzip
import json
import threading
import time
import urllib.parse

from case import ServerCase, WebServer
from rethinkdb import r
from rethinkdb.errors import ReqlNonExistenceError, ReqlQueryLogicError

JSON = {"Content-Type": "application/json"}
PAGES = 4


def echo(request, body):
    url = urllib.parse.urlsplit(request.path)
    return 200, JSON, json.dumps({
        "method": request.command, "query": urllib.parse.parse_qs(url.query), "body": body.decode(),
        "headers": {name.lower(): value for name, value in request.headers.items()}}).encode()


def page(request, _):
    number = int(urllib.parse.parse_qs(urllib.parse.urlsplit(request.path).query).get("n", ["1"])[0])
    headers = dict(JSON)
    next_url = "http://%s/page?n=%d" % (request.headers["Host"], number + 1) if number < PAGES else None
    if next_url:
        headers["Link"] = '<%s>; rel="next"' % next_url
    return 200, headers, json.dumps({"items": [number * 10, number * 10 + 1], "next": next_url}).encode()


def protected(request, _):
    if request.headers.get("Authorization") != "Basic " + base64.b64encode(b"ann:secret").decode():
        return 401, {"WWW-Authenticate": 'Basic realm="files"'}, b""
    return 200, JSON, b'"in"'


class Http(ServerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.over = threading.Event()
        cls.tries = []

        def hang(_, __):
            cls.over.wait(60)
            return 200, {}, b""

        def flaky(_, __):
            cls.tries.append(time.monotonic())
            return (503, {}, b"") if len(cls.tries) < 3 else (200, JSON, b"3")

        cls.web = WebServer({
            "/echo": echo, "/page": page, "/protected": protected, "/hang": hang, "/flaky": flaky,
            "/json": (200, JSON, b'{"a": 1}'),
            "/gzip": (200, {**JSON, "Content-Encoding": "gzip"}, gzip.compress(b'{"packed": true}')),
            "/jsonp": (200, {"Content-Type": "application/javascript"}, b'callback({"a": 1});'),
            "/moved": lambda request, _: (302, {"Location": "http://%s/json" % request.headers["Host"]}, b""),
            "/loop": lambda request, _: (302, {"Location": "http://%s/loop" % request.headers["Host"]}, b""),
            "/to_file": (302, {"Location": "file:///etc/passwd"}, b""),
        })
        cls.addClassCleanup(cls.web.close)
        cls.addClassCleanup(cls.over.set)

    def http(self, path, **options):
        return r.http(self.web.url + path, **options)

    def test_requests(self):
        got = self.http("/echo", params={"a": "1 2", "b": 3}, header={"X-Mine": "yes"}).run(self.conn)
        self.assertEqual((got["method"], got["query"]), ("GET", {"a": ["1 2"], "b": ["3"]}))
        self.assertEqual(got["headers"]["x-mine"], "yes")
        got = self.http("/echo", method="POST", data={"field": "v a"}).run(self.conn)
        self.assertEqual((got["method"], urllib.parse.parse_qs(got["body"])), ("POST", {"field": ["v a"]}))
        for method in ("PUT", "PATCH", "DELETE"):
            got = self.http("/echo", method=method, data="text").run(self.conn)
            self.assertEqual((got["method"], got["body"]), (method, "text"))
        self.assertIsNone(self.http("/echo", method="HEAD").run(self.conn))

    def test_authentication(self):
        self.assertEqual(self.http("/protected", auth={"type": "basic", "user": "ann", "pass": "secret"}).run(self.conn),
                         "in")
        with self.assertRaisesRegex(ReqlNonExistenceError, "status code 401"):
            self.http("/protected", auth={"user": "ann", "pass": "wrong"}).run(self.conn)

    def test_bodies(self):
        self.assertEqual(self.http("/gzip").run(self.conn), {"packed": True})
        self.assertEqual(self.http("/jsonp", result_format="jsonp").run(self.conn), {"a": 1})
        self.assertEqual(self.http("/json", result_format="text").run(self.conn), '{"a": 1}')
        self.assertEqual(self.http("/json", result_format="binary").run(self.conn), b'{"a": 1}')

    def test_redirects(self):
        self.assertEqual(self.http("/moved").run(self.conn), {"a": 1})
        with self.assertRaises(ReqlNonExistenceError):
            self.http("/moved", redirects=0).run(self.conn)
        with self.assertRaises(ReqlNonExistenceError):
            self.http("/loop", redirects=5).run(self.conn)
        for refused in (self.http("/to_file"), r.http("file:///etc/passwd"), r.http("gopher://127.0.0.1/")):
            with self.assertRaises(ReqlNonExistenceError):
                refused.run(self.conn)

    def test_paging(self):
        cursor = self.http("/page", page="link-next", page_limit=10).run(self.conn)
        self.assertEqual([body["items"][0] for body in cursor], [10, 20, 30, 40])
        pages = self.http("/page", page=lambda info: info["body"]["next"].default(None), page_limit=10)
        self.assertEqual(list(pages["items"].concat_map(lambda items: items).limit(5).run(self.conn)), [10, 11, 20, 21, 30])
        with self.assertRaisesRegex(ReqlQueryLogicError, "page_limit"):
            self.http("/page", page="link-next").run(self.conn)

    def test_timeouts_and_attempts(self):
        began = time.monotonic()
        with self.assertRaisesRegex(ReqlNonExistenceError, "timed out after 0.300 seconds"):
            self.http("/hang", timeout=0.3, attempts=1).run(self.conn)
        self.assertLess(time.monotonic() - began, 20)
        self.assertEqual(self.http("/flaky", attempts=3).run(self.conn), 3)
        self.assertEqual(len(self.tries), 3)

    def test_a_slow_server_holds_up_nobody(self):
        others = [self.connect() for _ in range(8)]
        waiting = [threading.Thread(target=lambda conn=conn: self.http("/hang", timeout=3, attempts=1).default(None).run(conn))
                   for conn in others]
        for thread in waiting:
            thread.start()
        for _ in range(50):
            self.assertEqual(r.expr(1).add(1).run(self.conn), 2)
        self.assertTrue(any(thread.is_alive() for thread in waiting))
        for thread in waiting:
            thread.join(30)
        for conn in others:
            conn.close()


class Policy(ServerCase):
    options = ("--r-http-deny", "127.0.0.0/8", "--r-http-deny", "::1/128", "--r-http-deny", "10.0.0.0/8")

    def test_what_may_not_be_fetched(self):
        web = WebServer({"/": (200, JSON, b"1")})
        self.addCleanup(web.close)
        port = web.url.rsplit(":", 1)[1]
        for host in ("127.0.0.1", "localhost", "127.1", "0.0.0.0", "[::ffff:127.0.0.1]", "2130706433", "0x7f000001"):
            with self.assertRaises(ReqlNonExistenceError, msg=host):
                r.http("http://%s:%s/" % (host, port), attempts=1).run(self.conn)
        self.assertEqual(web.requests, [])

"""The reason reqld exists: files and fetched pictures, through the official Python driver."""

import os
import struct
import zlib

from case import ServerCase, WebServer, sha256
from rethinkdb import r
from rethinkdb.errors import ReqlNonExistenceError, ReqlQueryLogicError

MB = 1024 * 1024
SIZES = (0, 1, 2, 3, 100, 16383, 16384, 16385, 65536, MB, 7 * MB + 3, 40 * MB)


def png():
    """A 2x2 picture."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(b"\0" + b"\xff\0\0" * 2 + b"\0" + b"\0\0\xff" * 2)) + chunk(b"IEND", b""))


class Files(ServerCase):
    def test_round_trip(self):
        for size in SIZES:
            for wrap in (r.binary, bytes):
                with self.subTest(size=size, wrap=wrap.__name__):
                    table = self.table()
                    contents = os.urandom(size)
                    written = table.insert({"user_id": 7, "filename": "x.bin", "file": wrap(contents)}).run(self.conn)
                    self.assertEqual(written["inserted"], 1, written)
                    key = written["generated_keys"][0]
                    rows = list(table.filter({"user_id": 7}).pluck("id", "filename").run(self.conn))
                    self.assertEqual(rows, [{"id": key, "filename": "x.bin"}])
                    row = table.get(key).pluck("file", "filename").run(self.conn)
                    self.assertIsInstance(row["file"], bytes)
                    self.assertEqual(len(row["file"]), size)
                    self.assertEqual(sha256(row["file"]), sha256(contents))
                    self.assertEqual(table.get(key)["file"].count().run(self.conn), size)

    def test_other_fields_change_and_the_file_stays(self):
        table = self.table()
        contents = os.urandom(3 * MB)
        table.insert({"id": 1, "name": "a", "file": contents}).run(self.conn)
        for n in range(10):
            table.get(1).update({"name": "b%d" % n}).run(self.conn)
        self.assertEqual(sha256(table.get(1)["file"].run(self.conn)), sha256(contents))
        changes = table.get(1).update({"name": "c"}, return_changes=True).run(self.conn)["changes"][0]
        self.assertEqual(sha256(changes["new_val"]["file"]), sha256(contents))

    def test_operations(self):
        contents = bytes(range(256)) * 400
        value = r.binary(contents)
        self.assertEqual(value.type_of().run(self.conn), "PTYPE<BINARY>")
        self.assertEqual(value.slice(100, 70000).run(self.conn), contents[100:70000])
        self.assertEqual(value[5:-5].run(self.conn), contents[5:-5])
        self.assertTrue(value.eq(r.binary(contents)).run(self.conn))
        self.assertTrue((r.binary(b"a") < r.binary(b"b")).run(self.conn))
        self.assertEqual(r.binary("grüße".encode()).coerce_to("string").run(self.conn), "grüße")
        self.assertEqual(r.expr("grüße").coerce_to("binary").run(self.conn), "grüße".encode())
        self.assertEqual(r.expr({"a": [b"x", {"b": b"y"}]}).run(self.conn), {"a": [b"x", {"b": b"y"}]})
        raw = r.binary(b"hello").run(self.conn, binary_format="raw")
        self.assertEqual(raw["data"].strip(), "aGVsbG8=")
        with self.assertRaises(ReqlQueryLogicError):
            r.expr({"$reql_type$": "BINARY", "data": "*"}).run(self.conn)

    def test_binary_primary_key(self):
        table = self.table()
        table.insert([{"id": b"\0\xff", "n": 1}, {"id": b"", "n": 2}]).run(self.conn)
        self.assertEqual(table.get(b"\0\xff")["n"].run(self.conn), 1)
        self.assertEqual(table.order_by("id")["n"].run(self.conn), [2, 1])

    def test_survives_a_kill(self):
        table = self.table()
        contents = os.urandom(2 * MB)
        table.insert({"id": 1, "file": contents}).run(self.conn)
        self.server.kill()
        self.server.start()
        type(self).conn = self.connect()
        self.assertEqual(sha256(table.get(1)["file"].run(self.conn)), sha256(contents))


class Avatars(ServerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.picture = png()
        cls.web = WebServer({
            "/avatar.png": (200, {"Content-Type": "image/png"}, cls.picture),
            "/typed.mp3": (200, {"Content-Type": "audio/mpeg"}, cls.picture),
            "/film": (200, {"Content-Type": "video/mp4"}, cls.picture),
            "/octets": (200, {"Content-Type": "application/octet-stream"}, cls.picture),
            "/text": (200, {"Content-Type": "text/plain"}, b"plain"),
            "/json": (200, {"Content-Type": "application/json"}, b'{"a": [1, null]}'),
        })
        cls.addClassCleanup(cls.web.close)

    def test_with_result_format(self):
        users = self.table()
        users.insert({"id": "ann", "name": "Ann"}).run(self.conn)
        result = users.get("ann").update(
            {"gravatar": r.http(self.web.url + "/avatar.png", result_format="binary")}).run(self.conn)
        self.assertEqual(result["replaced"], 1, result)
        row = users.get("ann").run(self.conn)
        self.assertEqual(row, {"id": "ann", "name": "Ann", "gravatar": self.picture})

    def test_by_content_type(self):
        users = self.table()
        for path in ("/avatar.png", "/typed.mp3", "/film", "/octets"):
            users.insert({"id": path}).run(self.conn)
            users.get(path).update({"gravatar": r.http(self.web.url + path)}).run(self.conn)
            self.assertEqual(users.get(path)["gravatar"].run(self.conn), self.picture)
        self.assertEqual(r.http(self.web.url + "/text").run(self.conn), "plain")
        self.assertEqual(r.http(self.web.url + "/json").run(self.conn), {"a": [1, None]})

    def test_failure_changes_nothing(self):
        users = self.table()
        users.insert({"id": 1, "name": "Ann"}).run(self.conn)
        try:
            result = users.get(1).update({"gravatar": r.http(self.web.url + "/nosuch")}).run(self.conn)
            self.assertEqual(result["errors"], 1)
        except ReqlNonExistenceError as error:
            self.assertIn("status code 404", error.message)
        self.assertEqual(users.get(1).run(self.conn), {"id": 1, "name": "Ann"})
        self.assertIsNone(r.http(self.web.url + "/nosuch").default(None).run(self.conn))

    def test_explicit_refusals_stay(self):
        users = self.table()
        users.insert({"id": 1}).run(self.conn)
        fetch = {"gravatar": r.http(self.web.url + "/avatar.png")}
        for query in (users.update(fetch), users.get(1).update(fetch, non_atomic=False)):
            with self.assertRaisesRegex(ReqlQueryLogicError, "Could not prove argument deterministic"):
                query.run(self.conn)
        users.update(fetch, non_atomic=True).run(self.conn)
        self.assertEqual(users.get(1)["gravatar"].run(self.conn), self.picture)

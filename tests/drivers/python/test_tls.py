"""An encrypted connection with the official Python driver."""

import os
import pathlib
import shutil
import tempfile

import test_keys
from case import ServerCase, sha256
from rethinkdb import r
from rethinkdb.errors import ReqlDriverError


class Tls(ServerCase):
    @classmethod
    def setUpClass(cls):
        scratch = pathlib.Path(tempfile.mkdtemp(prefix="reqld-tls-"))
        cls.addClassCleanup(shutil.rmtree, scratch)
        cls.keys = test_keys.make(scratch / "keys")
        cls.options = ("--driver-tls-key", str(cls.keys / "server.key"), "--driver-tls-cert", str(cls.keys / "server.pem"))
        super().setUpClass()

    @classmethod
    def connect(cls, **options):
        options.setdefault("ssl", {"ca_certs": str(cls.keys / "ca.pem")})
        return r.connect(host="localhost", port=cls.server.port, **options)

    def test_files_and_cursors(self):
        table = self.table()
        contents = os.urandom(5 * 1024 * 1024)
        table.insert({"id": 1, "file": contents}).run(self.conn)
        self.assertEqual(sha256(table.get(1)["file"].run(self.conn)), sha256(contents))
        self.assertEqual(len(list(r.range(5000).run(self.conn, max_batch_rows=100))), 5000)

    def test_without(self):
        with self.assertRaises(ReqlDriverError):
            self.connect(ssl=None, timeout=5)

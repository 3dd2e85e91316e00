#!/usr/bin/env python3
"""Avatars: the database itself fetches a picture from the web and stores it with the user.

    examples/avatars.py [HOST [PORT]]

Needs the official Python driver (pip install rethinkdb).  The web here is a small server of this program's own, on
127.0.0.1, with a picture it draws; the database must run on the same machine to reach it.
"""

import http.server
import struct
import sys
import threading
import zlib

from rethinkdb import r

DATABASE, TABLE = "example", "users"


def picture(size, color):
    """A PNG: a filled square of `size` pixels."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = (b"\0" + bytes(color) * size) * size
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


class PictureServer(http.server.BaseHTTPRequestHandler):
    pictures = {}

    def do_GET(self):
        contents = self.pictures.get(self.path)
        self.send_response(200 if contents else 404)
        self.send_header("Content-Type", "image/png")
        self.send_header("Content-Length", str(len(contents or b"")))
        self.end_headers()
        self.wfile.write(contents or b"")

    def log_message(self, *_):
        pass


def main():
    host = sys.argv[1] if len(sys.argv) > 1 else "localhost"
    port = int(sys.argv[2]) if len(sys.argv) > 2 else 28015
    PictureServer.pictures = {"/ann.png": picture(64, (200, 30, 30)), "/bob.png": picture(64, (30, 30, 200))}
    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), PictureServer)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    address = "http://127.0.0.1:%d" % web.server_port

    with r.connect(host=host, port=port, db=DATABASE) as conn:
        if DATABASE not in r.db_list().run(conn):
            r.db_create(DATABASE).run(conn)
        if TABLE not in r.table_list().run(conn):
            r.table_create(TABLE).run(conn)
        users = r.table(TABLE)
        users.insert([{"id": "ann", "name": "Ann"}, {"id": "bob", "name": "Bob"}, {"id": "eve", "name": "Eve"}],
                     conflict="replace").run(conn)

        users.get("ann").update({"gravatar": r.http(address + "/ann.png", result_format="binary")}).run(conn)
        # image/*, audio/*, video/* and application/octet-stream become binary values by themselves.
        users.get("bob").update({"gravatar": r.http(address + "/bob.png")}).run(conn)
        # A picture that is not there is an error like a missing field, so default() gives another value.
        users.get("eve").update({"gravatar": r.http(address + "/eve.png").default(None)}).run(conn)

        for user in users.order_by("name").run(conn):
            expected = PictureServer.pictures.get("/%s.png" % user["id"])
            assert user["gravatar"] == expected, "%s has a wrong picture" % user["name"]
            print("%s: %s" % (user["name"], "%d bytes of PNG" % len(expected) if expected else "no picture"))
    web.shutdown()
    print("all pictures are those the web server sent")


if __name__ == "__main__":
    main()

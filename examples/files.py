#!/usr/bin/env python3
"""Uploaded files: store them, list them without touching their bytes, read one back.

    examples/files.py [HOST [PORT [FILE...]]]

Needs the official Python driver (pip install rethinkdb).  Without FILEs it uploads a few of its own making.
"""

import hashlib
import os
import sys
import time

from rethinkdb import r

DATABASE, TABLE = "example", "files"


def sha256(contents):
    return hashlib.sha256(contents).hexdigest()


def uploads(paths):
    """Yields (file name, contents)."""
    for path in paths:
        with open(path, "rb") as f:
            yield os.path.basename(path), f.read()
    if not paths:
        yield "empty.txt", b""
        yield "hello.txt", "Grüß Gott\n".encode()
        yield "photo.raw", os.urandom(3 * 1024 * 1024)


def main():
    host = sys.argv[1] if len(sys.argv) > 1 else "localhost"
    port = int(sys.argv[2]) if len(sys.argv) > 2 else 28015
    with r.connect(host=host, port=port, db=DATABASE) as conn:
        if DATABASE not in r.db_list().run(conn):
            r.db_create(DATABASE).run(conn)
        if TABLE not in r.table_list().run(conn):
            r.table_create(TABLE).run(conn)
        files = r.table(TABLE)
        user_id = "user-%d" % time.time_ns()

        digests = {}
        for filename, contents in uploads(sys.argv[3:]):
            result = files.insert({
                "user_id": user_id, "filename": filename, "uploaded": r.now(), "file": r.binary(contents),
            }).run(conn)
            key = result["generated_keys"][0]
            digests[key] = sha256(contents)
            print("stored    %-20s %9d bytes as %s" % (filename, len(contents), key))

        # The listing costs the same whether the files are small or large: pluck leaves their bytes where they are.
        listing = list(files.filter({"user_id": user_id}).pluck("id", "filename").run(conn))
        assert {row["id"] for row in listing} == set(digests), listing
        assert all(set(row) == {"id", "filename"} for row in listing), listing

        for row in listing:
            # Rename it: the file's bytes are not rewritten.
            files.get(row["id"]).update({"filename": "copy of " + row["filename"]}).run(conn)
            stored = files.get(row["id"]).pluck("file", "filename").run(conn)
            assert sha256(stored["file"]) == digests[row["id"]], "%s came back changed" % row["filename"]
            print("read back %-20s %9d bytes, SHA-256 %s" % (
                stored["filename"], len(stored["file"]), digests[row["id"]][:16]))
    print("all %d files came back as they were stored" % len(digests))


if __name__ == "__main__":
    main()

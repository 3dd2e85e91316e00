"""What prove.sh asks of the server in a container: round 1 writes, round 2 finds it again."""

import base64
import pathlib
import sys
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from reql_wire import Connection  # noqa: E402

CONTENTS = bytes(range(256)) * 4000
TABLE = [15, [[14, ["proof"]], "files"]]


def main():
    with Connection(28015) as conn:
        if sys.argv[1] == "1":
            conn.run([57, ["proof"]])
            conn.run([60, [[14, ["proof"]], "files"]])
            file = {"$reql_type$": "BINARY", "data": base64.b64encode(CONTENTS).decode()}
            print("insert:", conn.run([56, [TABLE, {"id": 1, "file": file}]]))
        row = conn.run([16, [TABLE, 1]])
        assert base64.b64decode(row["file"]["data"]) == CONTENTS
        print("read back %d bytes" % len(CONTENTS))
    with urllib.request.urlopen("http://127.0.0.1:8080/health", timeout=10) as reply:
        print("GET /health: %d %r" % (reply.status, reply.read(200)))


if __name__ == "__main__":
    main()

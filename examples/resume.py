#!/usr/bin/env python3
"""A copy of a table that is kept up to date by a changefeed, across lost connections and restarts of either side.

Usage: resume.py [HOST [PORT]]
"""

import sys

from rethinkdb import r
from rethinkdb.errors import ReqlOpFailedError

HOST = sys.argv[1] if len(sys.argv) > 1 else "localhost"
PORT = int(sys.argv[2]) if len(sys.argv) > 2 else 28015


class Copy:
    """Stands for your own storage. A real one keeps the token in the same transaction as the rows."""

    def __init__(self):
        self.rows = {}
        self.token = None

    def apply(self, change):
        if change.get("old_val"):
            del self.rows[change["old_val"]["id"]]
        if change.get("new_val"):
            self.rows[change["new_val"]["id"]] = change["new_val"]
        self.token = change.get("token", self.token)

    def follow(self, changes):
        """Takes so many changes from where it stands, and loses the connection."""
        conn = r.connect(HOST, PORT)
        table = r.table("tasks")
        try:
            if self.token:
                feed = table.changes(resume_token=self.token, include_states=True).run(conn)
            else:
                feed = table.changes(resumable=True, include_initial=True, include_states=True).run(conn)
            for change in feed:
                self.apply(change)
                changes -= "state" not in change
                if changes <= 0 and self.token:
                    break
        except ReqlOpFailedError:
            # The history is gone: start anew. Here it never is.
            self.rows, self.token = {}, None
            raise
        finally:
            conn.close(noreply_wait=False)


def main():
    conn = r.connect(HOST, PORT)
    if "tasks" in r.table_list().run(conn):
        r.table_drop("tasks").run(conn)
    r.table_create("tasks").run(conn)
    tasks = r.table("tasks")
    tasks.config().update({"change_log": {"retention_seconds": 86400}}).run(conn)
    tasks.insert([{"id": n, "done": False} for n in range(5)]).run(conn)

    copy = Copy()
    copy.follow(5)
    tasks.get(1).update({"done": True}).run(conn)
    tasks.get(2).delete().run(conn)
    copy.follow(1)
    tasks.insert({"id": 9, "done": False}).run(conn)
    tasks.get(1).update({"done": False}).run(conn)
    copy.follow(3)

    stored = {row["id"]: row for row in tasks.run(conn)}
    assert copy.rows == stored, (copy.rows, stored)
    print("The copy has what the table has: %d rows." % len(stored))
    conn.close()


if __name__ == "__main__":
    main()

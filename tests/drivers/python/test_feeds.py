"""Changefeeds through the official Python driver: those that resume, above all."""

import random
import threading

from case import ServerCase
from rethinkdb import r
from rethinkdb.errors import ReqlDriverError, ReqlOpFailedError, ReqlQueryLogicError

KEEP = {"change_log": {"retention_seconds": 3600}}


class Feeds(ServerCase):
    def logged_table(self):
        table = self.table(durability="soft")
        table.config().update(KEEP).run(self.conn)
        return table

    def test_a_token_goes_on_after_its_change(self):
        table = self.logged_table()
        feed = table.changes(resumable=True, include_states=True).run(self.conn)
        self.assertEqual(feed.next()["state"], "ready")
        table.insert([{"id": n} for n in range(10)]).run(self.conn)
        seen = [feed.next() for _ in range(4)]
        feed.close()
        for start in range(4):
            again = table.changes(resume_token=seen[start]["token"]).run(self.conn)
            ids = [again.next()["new_val"]["id"] for _ in range(9 - start)]
            self.assertEqual(ids, list(range(start + 1, 10)))
            again.close()

    def test_errors(self):
        table = self.table()
        with self.assertRaisesRegex(ReqlQueryLogicError, "keeps no change log"):
            table.changes(resumable=True).run(self.conn)
        table.config().update(KEEP).run(self.conn)
        with self.assertRaisesRegex(ReqlQueryLogicError, "malformed"):
            table.changes(resume_token="x").run(self.conn).next()
        with self.assertRaisesRegex(ReqlQueryLogicError, "cannot be resumed"):
            table.order_by(index="id").limit(2).changes(resumable=True).run(self.conn)
        feed = table.changes(resumable=True, include_states=True).run(self.conn)
        token = feed.next()["token"]
        table.config().update({"change_log": False}).run(self.conn)
        table.insert({"id": 1}).run(self.conn)
        table.config().update(KEEP).run(self.conn)
        with self.assertRaisesRegex(ReqlOpFailedError, "too old"):
            table.changes(resume_token=token).run(self.conn).next()

    def test_replays_exactly_across_kills(self):
        """Writers run, the server is killed again and again, and a client that only has tokens misses nothing."""
        table = self.logged_table()
        rows, token, kills = {}, None, 0
        stop = threading.Event()
        numbers = iter(range(10**9))

        def write():
            conn = None
            while not stop.is_set():
                try:
                    conn = conn or self.connect()
                    key = random.randrange(20)
                    if random.random() < 0.3:
                        table.get(key).delete().run(conn)
                    else:
                        table.insert({"id": key, "n": next(numbers)}, conflict="replace").run(conn)
                except (ReqlDriverError, OSError):
                    conn = None

        writers = [threading.Thread(target=write) for _ in range(2)]
        for writer in writers:
            writer.start()

        def follow(enough):
            nonlocal token
            options = {"resume_token": token} if token else {"resumable": True, "include_initial": True}
            feed = table.changes(include_states=True, **options).run(self.connect())
            seen = 0
            for change in feed:
                if "state" not in change:
                    seen += 1
                    old, new = change.get("old_val"), change.get("new_val")
                    if old:
                        self.assertEqual(rows.pop(old["id"], None), old, "an old value that is not there")
                    if new:
                        self.assertNotIn(new["id"], rows, "a value that is there already")
                        rows[new["id"]] = new
                token = change.get("token", token)
                if token and enough(seen):
                    return

        try:
            for _ in range(6):
                follow(lambda seen, most=random.randrange(20, 400): seen >= most)
                self.server.kill()
                self.server.start()
                kills += 1
        finally:
            stop.set()
            for writer in writers:
                writer.join()
        type(self).conn = self.connect()
        expected = {row["id"]: row for row in table.run(self.conn)}
        # The feed says `ready` when it has caught up; a change after that ends the wait.
        table.insert({"id": "end"}).run(self.conn)
        expected["end"] = {"id": "end"}
        follow(lambda _: rows == expected)
        self.assertEqual(kills, 6)

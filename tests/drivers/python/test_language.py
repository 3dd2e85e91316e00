"""Everyday ReQL through the official Python driver."""

import asyncio
import datetime
import threading

from case import ServerCase
from rethinkdb import RethinkDB, r
from rethinkdb.errors import (ReqlAuthError, ReqlCursorEmpty, ReqlDriverError, ReqlNonExistenceError, ReqlOpFailedError,
                              ReqlQueryLogicError, ReqlResourceLimitError, ReqlUserError)


class Connections(ServerCase):
    def test_server_and_reconnect(self):
        conn = self.connect()
        self.assertIn("id", conn.server())
        conn.reconnect()
        self.assertEqual(r.expr(1).run(conn), 1)
        conn.close()
        with self.assertRaises(ReqlDriverError):
            r.expr(1).run(conn)

    def test_wrong_password(self):
        with self.assertRaises(ReqlAuthError):
            self.connect(password="wrong")

    def test_noreply(self):
        table = self.table()
        for n in range(100):
            table.insert({"id": n}).run(self.conn, noreply=True)
        self.conn.noreply_wait()
        self.assertEqual(table.count().run(self.conn), 100)

    def test_threads(self):
        table = self.table()
        table.insert({"id": 1, "n": 0}).run(self.conn)

        def work():
            with self.connect() as conn:
                for _ in range(50):
                    table.get(1).update({"n": r.row["n"] + 1}, durability="soft").run(conn)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(table.get(1)["n"].run(self.conn), 400)

    def test_asyncio(self):
        async def work():
            q = RethinkDB()
            q.set_loop_type("asyncio")
            async with await q.connect(host=self.server.host, port=self.server.port) as conn:
                answers = await asyncio.gather(*(q.expr(n).mul(2).run(conn) for n in range(100)))
                self.assertEqual(answers, [n * 2 for n in range(100)])
                cursor = await q.range(1000).run(conn, max_batch_rows=100)
                seen = []
                while await cursor.fetch_next():
                    seen.append(await cursor.next())
                self.assertEqual(seen, list(range(1000)))

        asyncio.run(work())


class Documents(ServerCase):
    def test_databases_and_tables(self):
        r.db_create("shop").run(self.conn)
        r.db("shop").table_create("orders", primary_key="number").run(self.conn)
        self.assertEqual(r.db("shop").table_list().run(self.conn), ["orders"])
        r.db("shop").table("orders").insert({"number": 1}).run(self.conn)
        self.assertEqual(r.db("shop").table("orders").get(1).run(self.conn), {"number": 1})
        self.assertEqual(r.db("shop").table("orders").info().run(self.conn)["primary_key"], "number")
        r.db("shop").table_drop("orders").run(self.conn)
        r.db_drop("shop").run(self.conn)
        self.assertNotIn("shop", r.db_list().run(self.conn))

    def test_crud(self):
        table = self.table()
        document = {"id": 1, "text": "naïve ☃ 𝄞", "list": [1, 2.5, None, True], "deep": {"a": {"b": []}}}
        table.insert(document).run(self.conn)
        self.assertEqual(table.get(1).run(self.conn), document)
        self.assertIsNone(table.get(2).run(self.conn))
        table.get(1).update({"n": 1, "deep": {"c": 2}}).run(self.conn)
        self.assertEqual(table.get(1)["deep"].run(self.conn), {"a": {"b": []}, "c": 2})
        table.get(1).replace(lambda row: row.without("deep")).run(self.conn)
        self.assertNotIn("deep", table.get(1).run(self.conn))
        self.assertEqual(table.insert({"id": 1}).run(self.conn)["errors"], 1)
        table.insert({"id": 1, "n": 5}, conflict=lambda key, old, new: old.merge({"n": old["n"] + new["n"]})).run(self.conn)
        self.assertEqual(table.get(1)["n"].run(self.conn), 6)
        changes = table.get(1).delete(return_changes=True).run(self.conn)["changes"]
        self.assertIsNone(changes[0]["new_val"])

    def test_writes(self):
        table = self.table(durability="soft")
        self.assertEqual(table.insert({"id": 1, "n": 1}, durability="hard").run(self.conn)["inserted"], 1)
        for conflict, field, row in [("replace", "replaced", {"id": 1, "m": 2}), ("update", "replaced", {"id": 1, "m": 2, "n": 3}),
                                     ("error", "errors", {"id": 1, "m": 2, "n": 3})]:
            document = {"id": 1, "m": 2} if conflict == "replace" else {"id": 1, "n": 3}
            self.assertEqual(table.insert(document, conflict=conflict).run(self.conn)[field], 1)
            self.assertEqual(table.get(1).run(self.conn), row)
        changes = table.insert({"id": 1, "n": 3}, conflict="update", return_changes="always").run(self.conn)
        self.assertEqual((changes["unchanged"], len(changes["changes"])), (1, 1))
        self.assertEqual(table.get(1).update({"deep": {"a": 1, "b": 2}}).run(self.conn)["replaced"], 1)
        table.get(1).update({"deep": r.literal({"c": 3})}).run(self.conn)
        self.assertEqual(table.get(1)["deep"].run(self.conn), {"c": 3})
        keys = table.insert([{}, {}]).run(self.conn)["generated_keys"]
        self.assertEqual(table.get_all(*keys).count().run(self.conn), 2)
        self.assertEqual(table.sync().run(self.conn), {"synced": 1})
        self.assertEqual(table.info()["type"].run(self.conn), "TABLE")
        self.assertEqual(table.filter(r.row["n"].default(0) > 2).update({"n": r.row["n"] + 1}).run(self.conn)["replaced"], 1)
        self.assertEqual(table.delete().run(self.conn)["deleted"], 3)

    def test_values(self):
        cases = [
            (r.expr([1, 2, 3, 3]).distinct().count(), 3), (r.expr({"a": 1}).merge({"b": 2}).without("a"), {"b": 2}),
            (r.expr([{"a": 1}, {"b": 2}]).has_fields("a"), [{"a": 1}]), (r.expr({"a": 1, "b": 2}).values(), [1, 2]),
            (r.expr([1, 2]).append(3).prepend(0), [0, 1, 2, 3]), (r.expr({"a": None})["b"].default(5), 5),
            (r.branch(r.expr(1) > 2, "a", "b"), "b"), (r.do(1, 2, lambda a, b: a + b), 3),
            (r.add(r.args([1, 2, 3])), 6),
            (r.json('{"a": [1, 2.5]}'), {"a": [1, 2.5]}), (r.expr(7).mod(4), 3), (r.expr("x").type_of(), "STRING"),
            (r.uuid("name").eq(r.uuid("name")), True), (r.expr("5").coerce_to("number"), 5),
        ]
        for query, answer in cases:
            with self.subTest(query=str(query)):
                self.assertEqual(query.run(self.conn), answer)
        self.assertRegex(r.uuid().run(self.conn), "^[0-9a-f-]{36}$")

    def test_queries(self):
        table = self.table()
        table.insert([{"id": n, "tag": n % 3} for n in range(300)]).run(self.conn)
        self.assertEqual(table.filter(lambda row: (row["tag"] == 1) & (row["id"] < 30)).count().run(self.conn), 10)
        self.assertEqual(table.order_by(r.desc("id")).limit(2)["id"].run(self.conn), [299, 298])
        self.assertEqual(sorted(row["id"] for row in table.between(10, 13).run(self.conn)), [10, 11, 12])
        self.assertEqual(table.group("tag").count().run(self.conn), {0: 100, 1: 100, 2: 100})
        self.assertEqual(table.sum("id").run(self.conn), 299 * 150)
        self.assertEqual(sorted(table["tag"].distinct().run(self.conn)), [0, 1, 2])
        self.assertEqual(r.expr([1, 2, 3]).map(lambda x: x * 2).run(self.conn), [2, 4, 6])

    def test_cursor(self):
        table = self.table()
        table.insert([{"id": n} for n in range(2500)]).run(self.conn)
        cursor = table.run(self.conn, max_batch_rows=100)
        self.assertEqual(sorted(row["id"] for row in cursor), list(range(2500)))
        cursor = r.range(3).run(self.conn)
        self.assertEqual([next(cursor), next(cursor), next(cursor)], [0, 1, 2])
        with self.assertRaises(ReqlCursorEmpty):
            next(cursor)
        endless = r.range().run(self.conn)
        next(endless)
        endless.close()
        self.assertEqual(r.expr(1).run(self.conn), 1)

    def test_times(self):
        table = self.table()
        when = datetime.datetime(2021, 3, 4, 5, 6, 7, 89000, tzinfo=r.make_timezone("+02:30"))
        table.insert({"id": 1, "when": when}).run(self.conn)
        back = table.get(1)["when"].run(self.conn)
        self.assertEqual(back, when)
        self.assertEqual(back.utcoffset(), when.utcoffset())
        self.assertEqual(table.get(1)["when"].to_iso8601().run(self.conn), "2021-03-04T05:06:07.089+02:30")
        self.assertEqual(table.get(1)["when"].run(self.conn, time_format="raw")["timezone"], "+02:30")


class Errors(ServerCase):
    def test_classes_messages_and_printed_backtraces(self):
        cases = [
            (r.expr(1) + "a", ReqlQueryLogicError, "Expected type NUMBER but found STRING."),
            (r.expr({"a": 1})["b"], ReqlNonExistenceError, "No attribute `b` in object:\n{\n\t\"a\":\t1\n}"),
            (r.error("mine"), ReqlUserError, "mine"),
            (r.table("nosuch"), ReqlOpFailedError, "Table `test.nosuch` does not exist."),
            (r.expr([1, r.expr(1) / 0]), ReqlQueryLogicError, "Cannot divide by zero."),
        ]
        for query, kind, message in cases:
            with self.subTest(message=message):
                with self.assertRaises(kind) as caught:
                    query.run(self.conn)
                self.assertEqual(type(caught.exception), kind)
                self.assertEqual(caught.exception.message, message)
                self.assertIn("^", str(caught.exception))

    def test_array_limit(self):
        with self.assertRaises(ReqlResourceLimitError):
            r.range(10).coerce_to("array").run(self.conn, array_limit=4)

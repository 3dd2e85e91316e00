"""The examples of docs/reql_reference.md, as they stand there, through the official Python driver."""

import json
import pathlib
import re

from case import ServerCase
from rethinkdb import ast, r
from rethinkdb.errors import ReqlError

PAGE = pathlib.Path(__file__).resolve().parents[3] / "docs" / "reql_reference.md"
BLOCK = re.compile(r"```python\n(.*?)```", re.S)
# After these the data is made anew.
WRITES = re.compile(r"\b\w*(create|drop|rename|hook|insert|update|replace|delete|for_each|grant|reconfigure)\(")


class Format(ast.RqlTopLevelQuery):
    """r.format, which the driver does not have."""
    term_type = 197
    statement = "format"


class Query:
    """r, and what the driver lacks."""

    def __getattr__(self, name):
        return Format if name == "format" else getattr(r, name)


def examples(block):
    """(expression, what stands below it) of a block of code."""
    for line in block.splitlines():
        if not line.startswith("# "):
            expression, answer = line, []
            yield expression, answer
        else:
            answer.append(line[2:])


class Reference(ServerCase):
    def setUp(self):
        self.blocks = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
        self.assertGreater(len(self.blocks), 150)

    def run_query(self, expression):
        # pylint: disable=eval-used
        query = eval(expression, {"r": Query()})
        result = query.run(self.conn, time_format="raw", binary_format="raw", group_format="raw")
        return result if isinstance(result, (dict, list, str, int, float, bool, type(None))) else list(result)

    def reset(self):
        for name in r.db_list().run(self.conn):
            if name != "rethinkdb":
                r.db_drop(name).run(self.conn)
        r.db_create("test").run(self.conn)
        r.db("rethinkdb").table("users").filter(r.row["id"] != "admin").delete().run(self.conn)
        for expression in self.blocks[0].splitlines():
            self.run_query(expression)

    def test_examples(self):
        count, fresh = 0, False
        for block in self.blocks[1:]:
            for expression, answer in list(examples(block)):
                with self.subTest(expression=expression):
                    if not fresh:
                        self.reset()
                    fresh = not WRITES.search(expression)
                    wanted = "\n".join(answer)
                    try:
                        got = self.run_query(expression)
                    except ReqlError as error:
                        self.assertEqual("error: " + error.message, wanted)
                    else:
                        self.assertEqual(got, json.loads(wanted))
                    count += 1
        self.assertGreater(count, 250)

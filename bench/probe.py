"""How long a query takes beside whatever else the server does."""

import pathlib
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "support"))

from reql_wire import Connection  # noqa: E402


class Prober(threading.Thread):
    """How long one query takes, again and again."""

    def __init__(self, port, term):
        super().__init__(daemon=True)
        self.port, self.term = port, term
        self.stop = threading.Event()
        self.times = []

    def run(self):
        with Connection(self.port) as connection:
            while not self.stop.is_set():
                began = time.monotonic()
                connection.run(self.term)
                self.times.append(time.monotonic() - began)
                time.sleep(0.002)

    def finish(self):
        """p50, p99, p99.9 and the longest, in ms."""
        self.stop.set()
        self.join()
        times = sorted(self.times)
        return tuple(1e3 * times[min(len(times) - 1, int(len(times) * p))] for p in (0.5, 0.99, 0.999, 1))

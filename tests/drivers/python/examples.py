#!/usr/bin/env python3
"""Runs every program of examples/ against a server of its own; each checks itself and ends with status 0."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from reqld_server import Server  # noqa: E402


def main():
    passed = failed = 0
    for program in sorted((ROOT / "examples").glob("*.py")):
        with Server() as server:
            # Twice: an example must also run on the data it left.
            for _ in range(2):
                status = subprocess.call([sys.executable, str(program), server.host, str(server.port)], timeout=300)
                print("%s: exit status %d" % (program.name, status), flush=True)
                passed, failed = passed + (status == 0), failed + (status != 0)
    print("%d passed, %d failed, 0 skipped" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

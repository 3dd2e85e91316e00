"""Runs the functions of a file as tests, each with a scratch directory of its own.

A test takes that directory and raises when something is not as expected. The file ends with sys.exit(main(__doc__)).
"""

import argparse
import os
import pathlib
import shutil
import tempfile
import time
import traceback

TESTS = []


class Skipped(Exception):
    """A test that cannot run here; its text is the reason."""


def test(function):
    TESTS.append(function)
    return function


def expect(condition, *what):
    if not condition:
        raise AssertionError(" ".join(str(w) for w in what) or "not as expected")


def eventually(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def main(description):
    """Runs what the command line asks for; prints 'N passed, N failed, N skipped' last.  The exit status."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--server", required=True, help="the reqld binary")
    parser.add_argument("--filter", default="", help="only tests with this in their name")
    arguments = parser.parse_args()
    # What reqld_server starts.
    os.environ["REQLD_BIN"] = os.path.abspath(arguments.server)
    passed = failed = skipped = 0
    for function in TESTS:
        if arguments.filter not in function.__name__:
            continue
        scratch = pathlib.Path(tempfile.mkdtemp(prefix="reqld-test-"))
        began = time.monotonic()
        try:
            function(scratch)
            passed += 1
            verdict = "ok"
        except Skipped as reason:
            skipped += 1
            verdict = "skipped: %s" % reason
        except Exception:  # noqa: BLE001: one test's failure must not end the others
            failed += 1
            verdict = "FAILED\n" + traceback.format_exc()
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        print("%-40s %5.1f s  %s" % (function.__name__, time.monotonic() - began, verdict), flush=True)
    print("%d passed, %d failed, %d skipped" % (passed, failed, skipped))
    return 1 if failed else 0

"""A server of our own for a test: a fresh directory, ports the system chose, ended when the test ends."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
DRIVER_PORT = re.compile(r"driver connections on port (\d+)")
HTTP_PORT = re.compile(r"HTTP connections on port (\d+)")


def default_binary():
    build = pathlib.Path(os.environ.get("REQLD_BUILD_DIR", ROOT / "build"))
    return os.environ.get("REQLD_BIN", str(build / "release" / "reqld"))


class Server:
    """Starts on construction.  `port` and `http_port` are read from the server's own log lines.

    `directory`: the data directory; without one a temporary directory is made, and removed by stop().
    Use it as a context manager, or call stop().
    """

    def __init__(self, *options, directory=None, binary=None, http=False, start_timeout_s=60):
        self.binary = binary or default_binary()
        self.options = list(options)
        self.http = http
        self.start_timeout_s = start_timeout_s
        self._scratch = tempfile.mkdtemp(prefix="reqld-test-")
        self.directory = str(directory) if directory else os.path.join(self._scratch, "data")
        self.log_path = os.path.join(self._scratch, "server.log")
        self.process = None
        self.port = self.http_port = None
        self.host = "127.0.0.1"
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Starts the process and waits until it listens; also used to start again after kill()."""
        command = [self.binary, "--directory", self.directory, "--bind", self.host, "--driver-port", "0"]
        command += ["--http-port", "0"] if self.http else ["--no-http-admin"]
        log = open(self.log_path, "ab")
        log_start = log.tell()
        self.process = subprocess.Popen(command + self.options, stdin=subprocess.DEVNULL, stdout=log,
                                        stderr=subprocess.STDOUT, cwd=self._scratch)
        log.close()
        deadline = time.monotonic() + self.start_timeout_s
        while True:
            text = self.log()[log_start:]
            driver, http = DRIVER_PORT.search(text), HTTP_PORT.search(text)
            if driver and (http or not self.http):
                self.port = int(driver.group(1))
                self.http_port = int(http.group(1)) if http else None
                return
            if self.process.poll() is not None:
                raise RuntimeError("the server ended with status %d:\n%s" % (self.process.returncode, text))
            if time.monotonic() > deadline:
                self.process.kill()
                self.process.wait()
                raise RuntimeError("the server named no port in time:\n%s" % text)
            time.sleep(0.002)

    def log(self):
        with open(self.log_path, "rb") as f:
            return f.read().decode("utf-8", "replace")

    def kill(self):
        """As a crash does: SIGKILL, nothing flushed."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, timeout_s=30):
        """Asks the server to end, and returns its exit status; a server that does not is killed and reported."""
        try:
            if self.process.poll() is None:
                self.process.terminate()
                try:
                    self.process.wait(timeout_s)
                except subprocess.TimeoutExpired:
                    self.kill()
                    raise RuntimeError("the server did not end within %d s:\n%s" % (timeout_s, self.log()[-4000:]))
            return self.process.returncode
        finally:
            shutil.rmtree(self._scratch, ignore_errors=True)

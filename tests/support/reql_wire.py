"""The wire protocol without a driver: a V1_0 handshake and JSON terms, for tests that need just that.

Terms are written as on the wire: [15, [[14, ["test"]], "t"]] is r.db('test').table('t').
"""

import base64
import hashlib
import hmac
import json
import os
import socket
import struct

MAGIC_V1_0 = 0x34C2BDC3
START, CONTINUE, STOP, NOREPLY_WAIT, SERVER_INFO = 1, 2, 3, 4, 5
ATOM, SEQUENCE, PARTIAL = 1, 2, 3


class ReplyError(Exception):
    """An error reply: `kind` is the response type (16, 17 or 18)."""

    def __init__(self, reply):
        super().__init__(reply["r"][0] if reply.get("r") else repr(reply))
        self.kind = reply["t"]
        self.reply = reply


class Connection:
    """One connection, one query at a time.  Raises OSError when the connection is lost.

    `tls`: an ssl.SSLContext for an encrypted one, to a server that is called localhost.
    """

    def __init__(self, port, host="127.0.0.1", user="admin", password="", timeout_s=60, tls=None):
        self.sock = socket.create_connection((host, port), timeout=timeout_s)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.sock = tls.wrap_socket(self.sock, server_hostname="localhost")
        self._input = self.sock.makefile("rb")
        self._token = 0
        self._handshake(user, password)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._input.close()
        self.sock.close()

    def _read_json(self):
        text = bytearray()
        while True:
            byte = self._input.read(1)
            if not byte:
                raise ConnectionError("closed during the handshake, after %r" % bytes(text))
            if byte == b"\0":
                break
            text += byte
        reply = json.loads(text)
        if not reply.get("success"):
            raise PermissionError(reply.get("error", "handshake refused"))
        return reply

    def _handshake(self, user, password):
        nonce = base64.b64encode(os.urandom(18)).decode()
        first = "n=%s,r=%s" % (user.replace("=", "=3D").replace(",", "=2C"), nonce)
        self.sock.sendall(struct.pack("<I", MAGIC_V1_0) + json.dumps({
            "protocol_version": 0, "authentication_method": "SCRAM-SHA-256",
            "authentication": "n,," + first}).encode() + b"\0")
        self._read_json()
        challenge = self._read_json()["authentication"]
        fields = dict(part.split("=", 1) for part in challenge.split(","))
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(fields["s"]), int(fields["i"]))
        key = hmac.digest(salted, b"Client Key", "sha256")
        without_proof = "c=biws,r=" + fields["r"]
        signature = hmac.digest(hashlib.sha256(key).digest(),
                                ",".join((first, challenge, without_proof)).encode(), "sha256")
        proof = base64.b64encode(bytes(a ^ b for a, b in zip(key, signature))).decode()
        self.sock.sendall(json.dumps({"authentication": without_proof + ",p=" + proof}).encode() + b"\0")
        self._read_json()

    def send(self, query):
        """Sends a query and returns its token."""
        return self.send_text(json.dumps(query))

    def send_text(self, text):
        """Sends the text of a query and returns its token."""
        self._token += 1
        self._send(self._token, text.encode())
        return self._token

    def ask_for_more(self, token):
        """Sends CONTINUE."""
        self._send(token, b"[2]")

    def stop(self, token):
        """Sends STOP."""
        self._send(token, b"[3]")

    def _send(self, token, body):
        self.sock.sendall(struct.pack("<qI", token, len(body)) + body)

    def receive(self):
        """The next reply: (token, reply)."""
        header = self._input.read(12)
        if len(header) < 12:
            raise ConnectionError("closed by the server")
        token, size = struct.unpack("<qI", header)
        body = self._input.read(size)
        if len(body) < size:
            raise ConnectionError("closed by the server in the middle of a reply")
        return token, json.loads(body)

    def run(self, term, **optargs):
        """The result of a term: a value, or the list of all rows of a stream."""
        token = self.send([START, term, optargs])
        rows = []
        while True:
            _, reply = self.receive()
            if reply["t"] == ATOM:
                return reply["r"][0]
            if reply["t"] not in (SEQUENCE, PARTIAL):
                raise ReplyError(reply)
            rows += reply["r"]
            if reply["t"] == SEQUENCE:
                return rows
            self.ask_for_more(token)

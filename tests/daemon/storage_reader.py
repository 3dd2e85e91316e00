"""Reads backups and log segments by docs/storage_format.md alone: the proof that the page is enough.

Documents come out as the driver shows them in raw form, so that they can be compared with a server's answers.
"""

import base64
import datetime
import struct

TABLE = [0] * 256
for _i in range(256):
    _c = _i
    for _ in range(8):
        _c = (_c >> 1) ^ (0x82F63B78 if _c & 1 else 0)
    TABLE[_i] = _c


def crc32c(data, crc=0):
    crc ^= 0xFFFFFFFF
    table = TABLE
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def sized(data, at):
    size, at = varint(data, at)
    return data[at:at + size], at + size


def read_backup(data, check_blocks=True):
    """(header, {key: value}) of the bytes of a backup."""
    assert data[:8] == b"REQLDBK\x01", "no backup"
    at, header, entries, chain, ended = 8, None, {}, b"", False
    total = 0
    while at < len(data):
        assert not ended
        kind, size, crc = struct.unpack_from("<cII", data, at)
        payload = data[at + 9:at + 9 + size]
        if check_blocks:
            assert crc32c(data[at:at + 5] + payload) == crc, "a damaged block"
        at += 9 + size
        if kind == b"H":
            header = dict(zip(("sequence", "history", "time_us", "size_hint"), struct.unpack("<4Q", payload)))
        elif kind == b"D":
            p = 0
            while p < size:
                key_size, value_size = struct.unpack_from("<HI", payload, p)
                p += 6
                key = payload[p:p + key_size]
                entries[key] = payload[p + key_size:p + key_size + value_size]
                total += key_size + value_size
                p += key_size + value_size
        else:
            assert kind == b"E"
            assert struct.unpack("<QQI", payload) == (len(entries), total, crc32c(chain))
            ended = True
            continue
        chain += struct.pack("<I", crc)
    assert ended, "not whole"
    assert list(entries) == sorted(entries), "keys out of order"
    return header, entries


class Database:
    """The keyspace as databases, tables and documents."""

    def __init__(self, entries):
        self.entries = entries
        assert self.get(0, b"format") == struct.pack(">I", 1)

    def get(self, space, rest):
        return self.entries.get(struct.pack(">I", space) + rest)

    def space(self, number):
        prefix = struct.pack(">I", number)
        return {key[4:]: value for key, value in self.entries.items() if key.startswith(prefix)}

    def tables(self):
        """{(database, table): record}"""
        catalog = self.space(1)
        dbs = {key[1:].decode(): self.document(value)["name"] for key, value in catalog.items() if key[:1] == b"d"}
        found = {}
        for key, value in catalog.items():
            if key[:1] != b"t":
                continue
            table = self.document(value)
            table["id"] = key[1:].decode()
            table["indexes"] = [self.document(v) for k, v in catalog.items() if k.startswith(b"i" + key[1:])]
            found[dbs[table["db"]], table["name"]] = table
            assert catalog[b"T" + table["db"].encode() + table["name"].encode()] == key[1:]
        return found

    def rows(self, table):
        rows = {}
        for key, value in self.space(int(table["space"])).items():
            row = self.document(value)
            assert encode_key(row[table["primary_key"]]) == key, (key, row)
            rows[key] = row
        count, _ = struct.unpack(">QQ", self.get(3, struct.pack(">I", int(table["space"]))))
        assert count == len(rows)
        return rows

    def document(self, data):
        value, end = self.value(data, 0)
        assert end == len(data)
        return value

    def blob(self, number, length):
        total, _, _, chunk = struct.unpack(">QQQI", self.get(4, struct.pack(">Q", number)))
        assert total == length
        chunks = [self.get(5, struct.pack(">QI", number, i)) for i in range((length + chunk - 1) // chunk)]
        data = b"".join(chunks)
        assert len(data) == length
        return data

    def value(self, data, at):
        """(value, where it ends)"""
        tag = data[at]
        at += 1
        if tag in (1, 2, 3):
            return {1: None, 2: False, 3: True}[tag], at
        if tag in (4, 5, 6, 7, 8):
            form = {4: "<d", 5: "<b", 6: "<h", 7: "<i", 8: "<q"}[tag]
            return struct.unpack_from(form, data, at)[0], at + struct.calcsize(form)
        if tag == 9:
            text, at = sized(data, at)
            return text.decode(), at
        if tag == 10:
            text, at = sized(data, at)
            return {"$reql_type$": "BINARY", "data": base64.b64encode(text).decode()}, at
        if tag == 11:
            number, length = struct.unpack_from("<QQ", data, at)
            text = self.blob(number, length)
            return {"$reql_type$": "BINARY", "data": base64.b64encode(text).decode()}, at + 16
        if tag == 12:
            seconds, minutes = struct.unpack_from("<dh", data, at)
            zone = "%s%02d:%02d" % ("-" if minutes < 0 else "+", abs(minutes) // 60, abs(minutes) % 60)
            return {"$reql_type$": "TIME", "epoch_time": seconds, "timezone": zone}, at + 10
        if tag == 13:
            value, at = self.value(data, at)
            return {**value, "$reql_type$": "GEOMETRY"}, at
        assert tag in (14, 15), tag
        width = 1 << (data[at] & 3)
        assert data[at] & ~7 == 0
        number = lambda place: int.from_bytes(data[place:place + width], "little")  # noqa: E731
        size, count = number(at + 1), number(at + 1 + width)
        end = at + 1 + width + size
        first = at + 1 + (2 + count) * width
        out = [] if tag == 14 else {}
        last = None
        for i in range(count):
            place = first + number(at + 1 + (2 + i) * width)
            if tag == 15:
                name, place = sized(data, place)
                assert last is None or last < name
                last = name
            value, after = self.value(data, place)
            assert after <= end
            if tag == 14:
                out.append(value)
            else:
                out[name.decode()] = value
        return out, end


def encode_key(value):
    def text(data):
        return b"".join(b"\x01" + bytes([b + 1]) if b < 2 else bytes([b]) for b in data) + b"\0"

    def ordered(number):
        bits = struct.unpack(">Q", struct.pack(">d", number + 0.0))[0]
        return struct.pack(">Q", bits ^ 0xFFFFFFFFFFFFFFFF if bits >> 63 else bits | 1 << 63)

    if isinstance(value, list):
        return b"\x10" + b"".join(map(encode_key, value)) + b"\0"
    if isinstance(value, bool):
        return b"\x21" if value else b"\x20"
    if isinstance(value, (int, float)):
        return b"\x40" + ordered(value)
    if isinstance(value, str):
        return b"\x90" + text(value.encode())
    if value.get("$reql_type$") == "BINARY":
        return b"\x60" + text(base64.b64decode(value["data"]))
    assert value.get("$reql_type$") == "TIME", value
    return b"\x80" + ordered(value["epoch_time"])


def read_log_segment(data):
    """(history, [(sequence, time, [(key, value or None)])]) of one log segment; None when it is none."""
    if data[:8] != b"reqldlog" or crc32c(data[:60]) != struct.unpack_from("<I", data, 60)[0]:
        return None
    version, _, history, _, nonce = struct.unpack_from("<IIQQQ", data, 8)
    assert version == 1
    at, records = 64, []
    while at + 48 <= len(data):
        magic, crc, payload_crc, _, size, sequence, _, time_us = struct.unpack_from("<4sIIIQQQQ", data, at)
        header = data[at + 8:at + 48]
        payload = data[at + 48:at + 48 + size]
        if magic != b"\x52\x71\x6c\x67" or crc != crc32c(struct.pack("<Q", nonce) + header) or \
                payload_crc != crc32c(payload):
            break
        entries, p = [], 0
        while p < size:
            key_size, p = varint(payload, p)
            value_size, p = varint(payload, p)
            key = payload[p:p + key_size]
            p += key_size
            if value_size == 0:
                entries.append((key, None))
            else:
                entries.append((key, payload[p:p + value_size - 1]))
                p += value_size - 1
        records.append((sequence, datetime.datetime.fromtimestamp(time_us / 1e6, datetime.timezone.utc), entries))
        at += (48 + size + 7) // 8 * 8
    return history, records

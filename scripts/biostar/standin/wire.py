"""The frames of the frontend/backend protocol, version 3: read, build, and a small client for the embedded server.

A frame is one byte of kind, four bytes of length (which count themselves) and a body.
"""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from biostar.standin.errors import SqlError

SSL_REQUEST = 80877103
GSS_REQUEST = 80877104
CANCEL_REQUEST = 80877102
PROTOCOL_3 = 196608
DATA_ROW = ord("D")
MAX_FRAME = 1 << 30
"""Longest frame that is believed; Postgres has the same limit."""


class ConnectionLost(Exception):
    """The other side closed the connection."""


class BackendLost(ConnectionLost):
    """The embedded server closed the connection: it crashed, was ended, or its disk is full."""


class Stream:
    """A buffered socket that reads whole frames and writes when told to; a closed one raises `lost`."""

    def __init__(self, sock: socket.socket, lost: type[ConnectionLost] = ConnectionLost) -> None:
        self.sock = sock
        self.lost = lost
        self._in = bytearray()
        self._start = 0
        self._out = bytearray()

    def exactly(self, count: int) -> bytes:
        """The next `count` bytes; raises ConnectionLost at the end of the stream."""
        while len(self._in) - self._start < count:
            self._fill()
        piece = bytes(self._in[self._start : self._start + count])
        self._start += count
        return piece

    def _fill(self) -> None:
        if self._start:
            del self._in[: self._start]
            self._start = 0
        try:
            more = self.sock.recv(1 << 16)
        except OSError as failed:
            raise self.lost from failed
        if not more:
            raise self.lost
        self._in += more

    def frame(self) -> tuple[bytes, bytes]:
        """The next frame: kind and body."""
        head = self.exactly(5)
        (length,) = struct.unpack_from("!i", head, 1)
        if not 4 <= length <= MAX_FRAME:
            raise self.lost
        return head[:1], self.exactly(length - 4)

    def rows(self) -> bytes:
        """All whole DataRow frames at the head of the buffer as they are; nothing when another frame comes first."""
        at, end = self._start, len(self._in)
        while end - at >= 5 and self._in[at] == DATA_ROW:
            following = at + 1 + int.from_bytes(self._in[at + 1 : at + 5], "big")
            if following > end:
                break
            at = following
        found = bytes(self._in[self._start : at])
        self._start = at
        return found

    def has_more(self) -> bool:
        """Whether a byte is waiting in the buffer already."""
        return len(self._in) > self._start

    def put(self, kind: bytes, body: bytes = b"") -> None:
        """Queue one frame; it leaves with `flush`, or at once when much is queued."""
        self._out += kind + struct.pack("!i", len(body) + 4) + body
        if len(self._out) > 1 << 18:
            self.flush()

    def put_raw(self, data: bytes) -> None:
        """Queue bytes as they are: start-up packets, frames passed on."""
        self._out += data
        if len(self._out) > 1 << 18:
            self.flush()

    def flush(self) -> None:
        """Send what is queued."""
        if not self._out:
            return
        data, self._out = self._out, bytearray()
        try:
            self.sock.sendall(data)
        except OSError as failed:
            raise self.lost from failed

    def close(self) -> None:
        """Close the socket; what is queued is dropped."""
        self.sock.close()


def text(value: str) -> bytes:
    """A zero-terminated string."""
    return value.encode() + b"\0"


def strings(body: bytes, count: int) -> tuple[list[str], int]:
    """The first `count` zero-terminated strings of a body, and where the rest begins."""
    found, at = [], 0
    for _ in range(count):
        end = body.index(b"\0", at)
        found.append(body[at:end].decode())
        at = end + 1
    return found, at


def error_fields(body: bytes) -> dict[str, str]:
    """The fields of an ErrorResponse or NoticeResponse by their one-letter code."""
    return {piece[:1].decode(): piece[1:].decode(errors="replace") for piece in body.split(b"\0") if piece}


def error_body(fields: dict[str, str]) -> bytes:
    """The body of an ErrorResponse."""
    return b"".join(key.encode() + text(value) for key, value in fields.items() if value) + b"\0"


def sql_error_body(error: SqlError, severity: str = "ERROR") -> bytes:
    """The ErrorResponse of an error that this package raised."""
    return error_body({"S": severity, "C": error.sqlstate, "M": error.message, "D": error.detail, "H": error.hint})


@dataclass(frozen=True)
class Column:
    """One field of a RowDescription."""

    name: str
    table_oid: int
    attnum: int
    type_oid: int
    size: int
    typmod: int
    format: int = 0


def parse_row_description(body: bytes) -> list[Column]:
    """The columns of a RowDescription."""
    (count,) = struct.unpack_from("!h", body)
    at, columns = 2, []
    for _ in range(count):
        end = body.index(b"\0", at)
        name = body[at:end].decode()
        columns.append(Column(name, *struct.unpack_from("!ihihih", body, end + 1)))
        at = end + 19
    return columns


def build_row_description(columns: Sequence[Column]) -> bytes:
    """The RowDescription of columns."""
    return struct.pack("!h", len(columns)) + b"".join(
        text(c.name) + struct.pack("!ihihih", c.table_oid, c.attnum, c.type_oid, c.size, c.typmod, c.format)
        for c in columns
    )


def parse_row(body: bytes) -> list[bytes | None]:
    """The values of a DataRow."""
    (count,) = struct.unpack_from("!h", body)
    at, values = 2, list[bytes | None]()
    for _ in range(count):
        (length,) = struct.unpack_from("!i", body, at)
        at += 4
        if length < 0:
            values.append(None)
        else:
            values.append(body[at : at + length])
            at += length
    return values


def build_row(values: Sequence[bytes | None]) -> bytes:
    """The DataRow of values."""
    return struct.pack("!h", len(values)) + b"".join(
        struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value for value in values
    )


def bind_body(statement: str, values: Sequence[str | None], portal: str = "") -> bytes:
    """A Bind with text parameters and text results."""
    return (
        text(portal)
        + text(statement)
        + struct.pack("!hh", 0, len(values))
        + b"".join(
            struct.pack("!i", -1) if v is None else struct.pack("!i", len(v.encode())) + v.encode() for v in values
        )
        + struct.pack("!h", 0)
    )


class BackendError(Exception):
    """The embedded server answered with an error; `fields` are its parts."""

    def __init__(self, fields: dict[str, str]) -> None:
        super().__init__(fields.get("M", ""))
        self.fields = fields


@dataclass
class Result:
    """What a query of our own returned, as text."""

    columns: list[Column] = field(default_factory=list)
    rows: list[list[str | None]] = field(default_factory=list)
    tag: str = ""


class Backend:
    """One connection to the embedded server over its socket file.

    `run` works inside whatever transaction is open and leaves it open (no Sync), so that what the stand-in does
    besides a client's statement stands or falls with that statement; `query` is a message of its own.
    """

    def __init__(self, socket_path: Path, user: str, database: str, options: dict[str, str] | None = None) -> None:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.connect(str(socket_path))
        except OSError as refused:
            sock.close()
            raise BackendLost from refused
        self.stream = Stream(sock, BackendLost)
        self.key = b""
        self.status = b"I"
        self.parameters: dict[str, str] = {}
        self.on_notice: Callable[[bytes], None] | None = None
        body = struct.pack("!i", PROTOCOL_3)
        for name, value in {"user": user, "database": database, **(options or {})}.items():
            body += text(name) + text(value)
        body += b"\0"
        self.stream.put_raw(struct.pack("!i", len(body) + 4) + body)
        self.stream.flush()
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        while True:
            kind, body = self.next_frame()
            if kind == b"K":
                self.key = body
            elif kind == b"Z":
                self.status = body
                return

    def next_frame(self) -> tuple[bytes, bytes]:
        """The next frame that answers us: notices go to `on_notice`, an error is raised as BackendError."""
        while True:
            kind, body = self.stream.frame()
            if kind == b"E":
                raise BackendError(error_fields(body))
            if kind == b"S":
                (name, value), _ = strings(body, 2)
                self.parameters[name] = value
            elif kind == b"N":
                if self.on_notice is not None:
                    self.on_notice(body)
            elif kind != b"A":
                return kind, body

    def sync(self) -> bytes:
        """End the running batch and return the transaction's status."""
        self.stream.put(b"S")
        self.stream.flush()
        failed: BackendError | None = None
        while True:
            try:
                kind, body = self.next_frame()
            except BackendError as error:  # a deferred failure at the end of an implicit transaction
                failed = error
                continue
            if kind == b"Z":
                self.status = body
                if failed is not None:
                    raise failed
                return body

    def expect(self, *kinds: bytes) -> tuple[bytes, bytes]:
        """The next frame, which must be one of `kinds`."""
        kind, body = self.next_frame()
        if kind not in kinds:
            raise BackendLost
        return kind, body

    def send(self, kind: bytes, body: bytes = b"") -> None:
        """Send one frame and ask for its answer."""
        self.stream.put(kind, body)
        self.stream.put(b"H")
        self.stream.flush()

    def run(self, sql: str, values: Sequence[str | None] = ()) -> Result:
        """Execute one statement in the open batch; values are bound as text.

        Statement and portal have names of ours, so that a client's unnamed ones stay as they are.
        """
        self.stream.put(b"C", b"P_own\0")
        self.stream.put(b"C", b"S_own\0")
        self.stream.put(b"P", text("_own") + text(sql) + struct.pack("!h", 0))
        self.stream.put(b"B", bind_body("_own", values, "_own"))
        self.stream.put(b"D", b"P_own\0")
        self.send(b"E", text("_own") + struct.pack("!i", 0))
        result = Result()
        while True:
            kind, body = self.next_frame()
            if kind == b"T":
                result.columns = parse_row_description(body)
            elif kind == b"D":
                result.rows.append([None if v is None else v.decode() for v in parse_row(body)])
            elif kind == b"C":
                result.tag = body[:-1].decode()
                return result
            elif kind == b"I":
                return result

    def copy_out(self, sql: str) -> Iterator[bytes]:
        """The data of a `COPY … TO STDOUT` in pieces, inside the open batch."""
        self.stream.put(b"C", b"P_out\0")
        self.stream.put(b"C", b"S_out\0")
        self.stream.put(b"P", text("_out") + text(sql) + struct.pack("!h", 0))
        self.stream.put(b"B", bind_body("_out", (), "_out"))
        self.send(b"E", text("_out") + struct.pack("!i", 0))
        while True:
            kind, body = self.next_frame()
            if kind == b"d":
                yield body
            elif kind == b"C":
                return

    def describe(self, sql: str) -> list[Column]:
        """The columns that a query would return; nothing runs."""
        self.stream.put(b"P", text("_describe") + text(sql) + struct.pack("!h", 0))
        self.stream.put(b"D", b"S_describe\0")
        self.send(b"C", b"S_describe\0")
        columns: list[Column] = []
        while True:
            kind, body = self.next_frame()
            if kind == b"T":
                columns = parse_row_description(body)
            elif kind == b"3":
                return columns

    def query(self, sql: str, values: Sequence[str | None] = ()) -> Result:
        """Execute one statement as a batch of its own."""
        try:
            result = self.run(sql, values)
        except BackendError:
            self.sync()
            raise
        self.sync()
        return result

    def script(self, sql: str) -> None:
        """Execute a script of many statements in one transaction."""
        self.stream.put(b"Q", text(sql))
        self.stream.flush()
        failed: BackendError | None = None
        while True:
            try:
                kind, body = self.next_frame()
            except BackendError as error:
                failed = error
                continue
            if kind == b"Z":
                self.status = body
                break
        if failed is not None:
            raise failed

    def close(self) -> None:
        """End the session."""
        try:
            self.stream.put(b"X")
            self.stream.flush()
        except ConnectionLost:
            pass
        finally:
            self.stream.close()


def cancel(socket_path: Path, key: bytes) -> None:
    """Ask the embedded server to cancel what the session with `key` is running."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.connect(str(socket_path))
        sock.sendall(struct.pack("!ii", 8 + len(key), CANCEL_REQUEST) + key)
        sock.recv(1)


def identifier(name: str) -> str:
    """A name as a quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str | None) -> str:
    """A string as a literal that reads the same with and without standard_conforming_strings."""
    if value is None:
        return "null"
    if re.search(r"[\\]", value):
        return "E'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
    return "'" + value.replace("'", "''") + "'"

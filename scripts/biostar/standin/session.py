"""One client: start-up, authentication, and its statements, each planned by `rewrite` and run on the embedded server.

Client and server talk in lock-step: each message of the client is passed on, answered and forgotten before the next
is looked at, so that the stand-in can run statements of its own in between, in the same transaction.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import re
import secrets
import socket
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from biostar.standin import messages
from biostar.standin.errors import Refused, SqlError
from biostar.standin.inference import typed_query
from biostar.standin.postgres import last_line
from biostar.standin.rewrite.expressions import COLUMNS, ColumnsNeeded
from biostar.standin.rewrite.plan import Plan, split_statements
from biostar.standin.rewrite.statements import plan_statement
from biostar.standin.rewrite.tokens import LONG_NAMES, without_parameters
from biostar.standin.wire import (
    CANCEL_REQUEST,
    GSS_REQUEST,
    PROTOCOL_3,
    SSL_REQUEST,
    Backend,
    BackendError,
    BackendLost,
    Column,
    ConnectionLost,
    Stream,
    build_row,
    build_row_description,
    cancel,
    error_body,
    parse_row,
    parse_row_description,
    sql_error_body,
    strings,
    text,
)

if TYPE_CHECKING:
    from biostar.standin.server import Server

PASSED_PARAMETERS = ("application_name", "client_encoding", "DateStyle", "TimeZone")
"""Start-up parameters that Postgres understands too; the driver's others (client_protocol_version …) are dropped."""

TYPE_OIDS = {
    25: 1043,  # text → varchar
    705: 1043,
    114: 4000,  # json → SUPER
    3802: 4000,  # jsonb → SUPER
    2950: 1043,  # uuid → varchar
    17: 6551,  # bytea → VARBYTE
    650: 1043,  # cidr
    869: 1043,  # inet
    142: 1043,  # xml
    2205: 26,  # regclass → oid
    2206: 1043,  # regtype
    4089: 1043,  # regnamespace
    4096: 1043,  # regrole
    194: 1043,  # pg_node_tree
    12: 1043,
}
"""Types of the embedded server that Redshift's driver does not know, and what Redshift sends in their place."""

VARBYTE = 6551
SUPER = 4000
_BLANKS_OF_JSON = re.compile(rb'("(?:[^"\\]|\\.)*")|\s+')
"""A text within a JSON value, which stays as it is, or the blanks between its parts."""

NO_PARAMETERS = struct.pack("!h", 0)


@dataclass
class _Statement:
    plan: Plan
    parameters: bytes
    columns: list[Column] | None = None


@dataclass
class _Portal:
    statement: _Statement
    columns: list[Column] = field(default_factory=list)
    started: bool = False


class Session:
    """One connection of a client and its connection to the embedded server."""

    def __init__(self, server: Server, sock: socket.socket) -> None:
        self.server = server
        self.client = Stream(sock)
        self.backend: Backend
        self.user = ""
        self.database = ""
        self.last_copy: tuple[int, int] = (0, 0)
        self._statements: dict[str, _Statement] = {}
        self._portals: dict[str, _Portal] = {}
        self._parsed: _Statement | None = None
        self._skipping = False

    # start-up -------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Serve the client until it leaves."""
        parameters = self._start_up()
        if parameters is None:
            return
        try:
            self._authenticate(parameters)
        except SqlError as refused:
            self.client.put(b"E", sql_error_body(refused, "FATAL"))
            self.client.flush()
            return
        except BackendError as refused:
            self.client.put(b"E", error_body({"S": "FATAL", **refused.fields}))
            self.client.flush()
            return
        except BackendLost:
            self._tell_lost()
            return
        with contextlib.closing(self.backend):
            try:
                self._loop()
            except BackendLost:
                self._tell_lost()

    def _tell_lost(self) -> None:
        """Say why the session ends: the client must not take it for a fault of the network.

        The driver looks at an error only when it is told that the server is ready again, so it is told.
        """
        why = last_line(self.server.postgres.log.read_text(errors="replace"))
        lost = SqlError(f"the embedded Postgres ended the session: {why}", "08006")
        self.client.put(b"E", sql_error_body(lost, "FATAL"))
        self.client.put(b"Z", b"I")
        self.client.flush()

    def _start_up(self) -> dict[str, str] | None:
        while True:
            (length,) = struct.unpack("!i", self.client.exactly(4))
            if not 8 <= length <= 10000:
                raise ConnectionLost
            body = self.client.exactly(length - 4)
            (code,) = struct.unpack_from("!i", body)
            if code == SSL_REQUEST:
                self._answer_tls()
            elif code == GSS_REQUEST:
                self.client.put_raw(b"N")
                self.client.flush()
            elif code == CANCEL_REQUEST:
                cancel(self.server.postgres.socket_path, body[4:])
                return None
            elif code == PROTOCOL_3:
                words = body[4:].split(b"\0")
                pairs = zip(words[0::2], words[1::2], strict=False)
                return {name.decode(): value.decode() for name, value in pairs if name}
            else:
                refused = SqlError(f"unsupported frontend protocol {code >> 16}.{code & 0xFFFF}", "0A000")
                self.client.put(b"E", sql_error_body(refused, "FATAL"))
                self.client.flush()
                return None

    def _answer_tls(self) -> None:
        if self.server.tls is None or self.client.has_more():
            self.client.put_raw(b"N")
            self.client.flush()
            return
        self.client.put_raw(b"S")
        self.client.flush()
        try:
            self.client = Stream(self.server.tls.wrap_socket(self.client.sock, server_side=True))
        except OSError as failed:
            raise ConnectionLost from failed

    def _authenticate(self, parameters: dict[str, str]) -> None:
        self.user = parameters.get("user", "")
        self.database = parameters.get("database") or self.user
        salt = secrets.token_bytes(4)
        self.client.put(b"R", struct.pack("!i", 5) + salt)
        self.client.flush()
        kind, body = self.client.frame()
        if kind != b"p":
            raise ConnectionLost
        with contextlib.closing(self.server.postgres.connect("postgres")) as service:
            found = service.query(
                "select rolpassword from pg_authid where rolname = $1 and rolcanlogin"
                " and (rolvaliduntil is null or rolvaliduntil > now())",
                [self.user],
            ).rows
        stored = (found[0][0] if found else None) or "md5" + "-" * 32
        expected = "md5" + hashlib.md5(stored[3:].encode() + salt).hexdigest()
        if not hmac.compare_digest(body.rstrip(b"\0"), expected.encode()):
            raise SqlError(f'password authentication failed for user "{self.user}"', "28000")
        passed = {name: value for name, value in parameters.items() if name in PASSED_PARAMETERS}
        if passed.get("client_encoding", "").upper().replace("-", "") in ("UTF8", "UNICODE"):
            passed["client_encoding"] = "UTF8"
        self.backend = self.server.postgres.connect(self.database, self.user, **passed)
        self.backend.on_notice = lambda notice: self.client.put(b"N", notice)
        self.client.put(b"R", struct.pack("!i", 0))
        for name, value in {**self.backend.parameters, "server_version": messages.SERVER_VERSION}.items():
            self.client.put(b"S", text(name) + text(value))
        self.client.put(b"K", self.backend.key)
        self.client.put(b"Z", b"I")
        self.client.flush()

    # messages -------------------------------------------------------------------------------------------------

    def _loop(self) -> None:
        handlers = {
            b"P": self._parse,
            b"B": self._bind,
            b"D": self._describe,
            b"E": self._execute,
            b"C": self._close,
        }
        while True:
            kind, body = self.client.frame()
            if kind == b"X":
                return
            if kind == b"S":
                self._sync()
            elif kind == b"Q":
                self._simple_query(body[:-1].decode())
            elif kind == b"H":
                self.client.flush()
            elif self._skipping:
                continue
            elif kind in handlers:
                with self._errors_told():
                    handlers[kind](body)
            elif kind not in (b"d", b"c", b"f"):
                self._tell(SqlError(f"message {kind!r} is not supported", "08P01"))

    @contextlib.contextmanager
    def _errors_told(self) -> Iterator[None]:
        try:
            yield
        except (BackendError, SqlError) as error:
            self._tell(error)

    def _tell(self, error: BackendError | SqlError) -> None:
        """Send an error, fail the open transaction as the server would, and skip to the next Sync."""
        if isinstance(error, BackendError):
            self.client.put(b"E", error_body(messages.translate(error.fields)))
        else:
            with contextlib.suppress(BackendError):
                self.backend.run("do $$begin raise exception 'refused'; end$$")
            self.client.put(b"E", sql_error_body(error))
        self._skipping = True

    def _sync(self) -> None:
        self._parsed = None
        self._skipping = False
        try:
            status = self.backend.sync()
        except BackendError as error:
            self.client.put(b"E", error_body(messages.translate(error.fields)))
            status = self.backend.status
        self.client.put(b"Z", status)
        self.client.flush()

    def plan(self, sql: str) -> Plan:
        """Plan a statement, after the gate (when there is one) has let it through."""
        try:
            plan = plan_statement(sql)
        except ColumnsNeeded:
            asking = COLUMNS.set(lambda query: [column.name for column in self.backend.describe(query)])
            try:
                plan = plan_statement.__wrapped__(sql)
            finally:
                COLUMNS.reset(asking)
        if self.server.gate is not None and not plan.catalog_only:
            refusal = self.server.gate(without_parameters(sql))
            if refusal is not None:
                raise Refused(refusal, "0A000")
        return plan

    def _parse(self, body: bytes) -> None:
        (name, sql), rest = strings(body, 2)
        statement = _Statement(self._typed(self.plan(sql), body[rest:]), body[rest:])
        self._send_parse(statement)
        self._statements[name] = statement
        self.client.put(b"1")

    def _typed(self, plan: Plan, parameters: bytes) -> Plan:
        """The plan with Redshift's types on computed numbers, where Postgres has none."""
        if not plan.query or parameters != NO_PARAMETERS or self.backend.status == b"E":
            return plan
        query = typed_query(self.backend, plan.query, self.backend.describe(plan.query))
        return plan if query is plan.query else replace(plan, sql=plan.head + query)

    def _send_parse(self, statement: _Statement) -> None:
        """Parse on the embedded server; its unnamed statement is always the newest that a client named.

        Named statements live here only: a statement that outlives a replaced table is parsed anew, as on Redshift.
        """
        if self._parsed is statement or statement.plan.action is not None:
            return
        self.backend.send(b"P", text("") + text(statement.plan.sql) + statement.parameters)
        self.backend.expect(b"1")
        self._parsed = statement

    def _statement(self, name: str) -> _Statement:
        if name not in self._statements:
            raise SqlError(f'prepared statement "{name}" does not exist', "26000")
        return self._statements[name]

    def _portal(self, name: str) -> _Portal:
        if name not in self._portals:
            raise SqlError(f'portal "{name}" does not exist', "34000")
        return self._portals[name]

    def _bind(self, body: bytes) -> None:
        (portal, name), rest = strings(body, 2)
        statement = self._statement(name)
        if statement.plan.action is None:
            self._send_parse(statement)
            self.backend.send(b"B", text(portal) + text("") + body[rest:])
            self.backend.expect(b"2")
        self._portals[portal] = _Portal(statement, statement.columns or [])
        self.client.put(b"2")

    def _describe(self, body: bytes) -> None:
        kind, name = body[:1], body[1:-1].decode()
        statement = self._statement(name) if kind == b"S" else self._portal(name).statement
        if statement.plan.action is not None:
            if kind == b"S":
                self.client.put(b"t", struct.pack("!h", 0))
            self.client.put(b"n")
            return
        self._send_parse(statement)
        self.backend.send(b"D", b"S\0" if kind == b"S" else body)
        answer, told = self.backend.expect(b"t", b"T", b"n")
        if answer == b"t":
            self.client.put(answer, told)
            answer, told = self.backend.expect(b"T", b"n")
        if answer == b"T":
            columns = remap(parse_row_description(told))
            told = build_row_description(columns)
            if kind == b"S":
                statement.columns = columns
            else:
                self._portal(name).columns = columns
        self.client.put(answer, told)

    def _execute(self, body: bytes) -> None:
        (name,), rest = strings(body, 1)
        self._run_portal(name, body[rest:])

    def _run_portal(self, name: str, limit: bytes) -> None:
        portal = self._portal(name)
        plan = portal.statement.plan
        self.check_transaction(plan)
        if plan.action is not None:
            if self.backend.status == b"E":
                raise SqlError(messages.ABORTED, "25P02")
            self.client.put(b"C", text(plan.action.run(self)))
            return
        if not portal.started:
            for sql in plan.before:
                self.backend.run(sql)
            portal.started = True
        self.backend.send(b"E", text(name) + limit)
        as_they_are = all(column.type_oid not in (VARBYTE, SUPER) for column in portal.columns)
        while True:
            if as_they_are:
                self.client.put_raw(self.backend.stream.rows())
            kind, told = self.backend.next_frame()
            if kind == b"D":
                self.client.put(kind, _as_redshift_writes(told, portal.columns))
                continue
            if kind in (b"G", b"H", b"W"):
                raise SqlError("COPY from or to the client is not supported", "0A000")
            break
        if kind == b"C":
            for sql in plan.after:
                self.backend.run(sql)
            if plan.commits and self.backend.status == b"T":
                self.backend.run("commit")
            if plan.tag:
                told = text(plan.tag)
        self.client.put(kind, told)

    def check_transaction(self, plan: Plan) -> None:
        """Refuse what Redshift does not run inside a transaction block."""
        if plan.outside_transaction and self.backend.status == b"T":
            raise Refused(f"{plan.outside_transaction} cannot run inside a transaction block", "25001")

    def _close(self, body: bytes) -> None:
        kind, name = body[:1], body[1:-1].decode()
        if kind == b"S":
            self._statements.pop(name, None)
        elif self._portals.pop(name, None):
            self.backend.send(b"C", body)
            self.backend.expect(b"3")
        self.client.put(b"3")

    def _simple_query(self, sql: str) -> None:
        self._skipping = False
        statements = split_statements(sql)
        if not statements:
            self.client.put(b"I")
        with self._errors_told():
            for piece in statements:
                statement = _Statement(self._typed(self.plan(piece), NO_PARAMETERS), NO_PARAMETERS)
                self._send_parse(statement)
                portal = _Portal(statement)
                self._portals[""] = portal
                if statement.plan.action is None:
                    self.backend.send(b"B", b"\0\0" + struct.pack("!hhh", 0, 0, 0))
                    self.backend.expect(b"2")
                    self.backend.send(b"D", b"P\0")
                    answer, told = self.backend.expect(b"T", b"n")
                    if answer == b"T":
                        portal.columns = remap(parse_row_description(told))
                        self.client.put(b"T", build_row_description(portal.columns))
                self._run_portal("", struct.pack("!i", 0))
                self._parsed = None
        self._sync()

    # for actions ----------------------------------------------------------------------------------------------

    def typed(self, plan: Plan) -> Plan:
        """The plan of a query without parameters, with Redshift's types on computed numbers."""
        return self._typed(plan, NO_PARAMETERS)

    def service(self) -> Backend:
        """A second session, as the cluster's owner, for records that must survive this one's rollback."""
        return self.server.postgres.connect(self.database)

    def notice(self, message: str) -> None:
        """Send an INFO to the client, as Redshift does after COPY."""
        self.client.put(b"N", error_body({"S": "INFO", "C": "00000", "M": message}))

    def begin_block(self) -> bool:
        """Open a transaction block unless one is open; returns whether it is this action's own."""
        if self.backend.status == b"T":
            return False
        self.backend.run("begin")
        self.backend.sync()
        return True

    def end_block(self, own: bool, *, failed: bool) -> None:
        """Commit or roll back an action's own block; an open block of the client is left to the client."""
        self._parsed = None
        if not own:
            if failed:
                self.backend.sync()
            return
        if failed:
            self.backend.sync()
        self.backend.run("rollback" if failed else "commit")
        self.backend.sync()

    def resume(self, savepoint: str) -> None:
        """Go back to a savepoint after an error, and go on."""
        self.backend.sync()
        self.backend.run(f"rollback to savepoint {savepoint}")
        self.backend.run(f"release savepoint {savepoint}")

    def copy_in(self, sql: str, blocks: Iterable[bytes]) -> int:
        """Feed `COPY … FROM STDIN` with blocks of bytes; returns the number of rows.

        When making the blocks fails, the copy is broken off before that error goes on.
        """
        stream = self.backend.stream
        stream.put(b"C", b"P_copy\0")
        stream.put(b"C", b"S_copy\0")
        stream.put(b"P", text("_copy") + text(sql) + NO_PARAMETERS)
        stream.put(b"B", text("_copy") + text("_copy") + struct.pack("!hhh", 0, 0, 0))
        self.backend.send(b"E", text("_copy") + struct.pack("!i", 0))
        for kind in (b"3", b"3", b"1", b"2", b"G"):
            self.backend.expect(kind)
        try:
            for block in blocks:
                stream.put(b"d", block)
        except Exception:
            stream.put(b"f", text("broken off"))
            stream.flush()
            with contextlib.suppress(BackendError):
                self.backend.expect(b"C")
            raise
        stream.put(b"c")
        stream.put(b"H")
        stream.flush()
        _, told = self.backend.expect(b"C")
        return int(told[:-1].split()[-1])


def remap(columns: list[Column]) -> list[Column]:
    """The columns with the types and names that Redshift would tell."""
    return [
        replace(c, type_oid=TYPE_OIDS.get(c.type_oid, c.type_oid), name=LONG_NAMES.get(c.name, c.name)) for c in columns
    ]


def _as_redshift_writes(row: bytes, columns: list[Column]) -> bytes:
    """A row whose VARBYTE values are hexadecimal digits without a prefix, and whose SUPER values have no blanks between
    their parts."""
    values = parse_row(row)
    for at, column in enumerate(columns):
        value = values[at]
        if value is None:
            continue
        if column.type_oid == VARBYTE and value.startswith(b"\\x"):
            values[at] = value[2:]
        elif column.type_oid == SUPER:
            values[at] = _BLANKS_OF_JSON.sub(lambda found: found[1] or b"", value)
    return build_row(values)

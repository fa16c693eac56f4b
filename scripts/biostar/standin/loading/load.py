"""Runs a COPY: quickly where every value is good, field by field where one is not.

The quick way hands the bytes to Postgres's own reader, into a temporary table shaped like the target, and checks what
that reader does not (the length in bytes). Whatever it stumbles over is read again by the slow way, which knows the
line, the column and the code of each error.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from biostar.standin.errors import SqlError
from biostar.standin.loading.command import CopyCommand, CopyOptions
from biostar.standin.loading.objects import (
    S3Object,
    chunks,
    client,
    find_objects,
    read_object,
    split_url,
)
from biostar.standin.loading.parquet import parquet_as_csv
from biostar.standin.loading.records import Record, records
from biostar.standin.loading.values import (
    EXTRA_COLUMNS,
    NO_DELIMITER,
    NOT_NULL,
    BadValue,
    TargetColumn,
    checker,
)
from biostar.standin.wire import Backend, BackendError, identifier, literal

if TYPE_CHECKING:
    from biostar.standin.session import Session

STAGE = "standin_copy_stage"
_SLOW_FLAGS = frozenset(
    (
        "removequotes",
        "escape",
        "acceptanydate",
        "blanksasnull",
        "fillrecord",
        "trimblanks",
        "truncatecolumns",
        "roundec",
        "ignoreallerrors",
    )
)
_CHARACTER = ("character varying", "character")


class TooSlow(Exception):
    """The quick way can't be sure; the slow way reads the object again."""


@dataclass
class LoadError:
    """One row of the load-error views."""

    url: str
    line: int
    column: TargetColumn | None
    position: int
    error: BadValue
    value: str
    raw: str


class Load:
    """One COPY on one session."""

    def __init__(self, session: Session, command: CopyCommand) -> None:
        self.session = session
        self.command = command
        self.options = command.options
        self.backend: Backend = session.backend
        self.errors: list[LoadError] = []
        self.started = _now()
        self.query_id = 0
        self.table_oid = "0"
        self.user: str | None = None
        self.session_id: str | None = None
        self.names: list[str | None] = [None, None, None]
        self.columns: list[TargetColumn] = []
        self.file_rows: dict[str, int] = {}
        self.file_bytes: dict[str, int] = {}

    def run(self) -> str:
        """Load everything or, where there are too many errors, nothing; returns the command tag."""
        own_transaction = self.session.begin_block()
        try:
            loaded = self._load()
        except (SqlError, BackendError):
            self.session.end_block(own_transaction, failed=True)
            raise
        self.session.end_block(own_transaction, failed=False)
        short = self.command.table.rpartition(".")[2].strip('"')
        self.session.notice(f"Load into table '{short}' completed, {loaded} record(s) loaded successfully.")
        if self.errors:
            self.session.notice(
                f"Load into table '{short}' completed, {len(self.errors)} record(s) could not be loaded.  "
                "Check 'stl_load_errors' system table for details."
            )
        return "COPY"

    def _load(self) -> int:
        self.query_id = int(self.backend.run("select nextval('standin.query_id')").rows[0][0] or 0)
        self.columns = self._target()
        s3 = client(self.session.server.settings)
        self.s3 = s3
        objects = find_objects(
            s3, self.command.source, self.options.manifest, columnar=self.options.format == "parquet"
        )
        paths = self._json_paths()
        try:
            loaded = sum(self._load_object(item, paths) for item in objects)
        except (SqlError, BackendError):
            self._record("aborted", 0, objects)
            raise
        short = self.command.table.rpartition(".")[2].strip('"')
        if (
            self.errors
            and len(self.errors) >= max(1, self.options.max_error)
            and not self.options.has("ignoreallerrors")
        ):
            self._record("aborted", 0, objects)
            raise SqlError(
                f"Load into table '{short}' failed.  Check 'sys_load_error_detail' system table for details.", "XX000"
            )
        if self.options.has("noload"):
            self.backend.run(f"delete from {self.command.table} where false")
        self._record("completed", loaded, objects)
        self.backend.run(f"select set_config('standin.last_copy_id', '{self.query_id}', false)")
        self.backend.run(f"select set_config('standin.last_copy_count', '{loaded}', false)")
        if self.options.statupdate:
            self.backend.run(f"analyze {self.command.table}")
        return loaded

    def _target(self) -> list[TargetColumn]:
        rows = self.backend.run(
            "select a.attname, standin.base_type(a.atttypid, a.atttypmod), a.atttypmod::text, a.attnotnull::text,"
            " a.attidentity::text, a.attrelid::text from pg_attribute a join pg_class c on c.oid = a.attrelid"
            f" where a.attrelid = {literal(self.command.table)}::regclass and a.attnum > 0 and not a.attisdropped"
            " and c.relkind = 'r' order by a.attnum"
        ).rows
        if not rows:
            raise SqlError(f'"{self.command.table}" is not a table', "42809")
        found = {row[0] or "": row for row in rows}
        names = list(self.command.columns) or [
            name for name, row in found.items() if not row[4] or self.options.has("explicit_ids")
        ]
        columns = []
        for name in names:
            if name not in found:
                raise SqlError(f'column "{name}" of relation "{self.command.table}" does not exist', "42703")
            _, kind, typmod, not_null, _, _ = found[name]
            columns.append(_column(name, kind or "", int(typmod or -1), not_null == "true"))
        self.table_oid = rows[0][5] or "0"
        self.user, self.session_id, *self.names = self.backend.run(
            "select current_user_id()::text, pg_backend_pid()::text, current_database()::text, n.nspname::text,"
            " c.relname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            f" where c.oid = {self.table_oid}"
        ).rows[0]
        return columns

    def _json_paths(self) -> list[str] | None:
        source = self.options.json_paths
        if self.options.format != "json" or not source.startswith("s3://"):
            return None
        try:
            paths = json.loads(read_object(self.s3, *split_url(source)))["jsonpaths"]
        except (ValueError, KeyError, TypeError) as bad:
            raise SqlError(f"Invalid JSONPaths file {source}", "XX000", detail="code: 8001") from bad
        if len(paths) != len(self.columns):
            raise SqlError(
                f"Number of jsonpaths and the number of columns should match. JSONPath size: {len(paths)}, "
                f"Number of columns in table or column list: {len(self.columns)}",
                "XX000",
                detail="code: 8001",
            )
        return [str(path) for path in paths]

    # one object -----------------------------------------------------------------------------------------------

    def _load_object(self, item: S3Object, paths: list[str] | None) -> int:
        self.file_bytes[item.url] = item.size
        if self.options.format == "parquet":
            with parquet_as_csv(self.s3, item, self.columns) as pieces:
                count = self._insert_stage(pieces, "\\N", count_header=False)
            self.file_rows[item.url] = count
            return count
        if self._quick_is_possible():
            self.backend.run("savepoint standin_copy")
            try:
                pieces = _without_header(chunks(self.s3, item, self.options.compression), self.options.ignore_header)
                count = self._insert_stage(_checked(pieces, self.options), self.options.null_as, count_header=True)
            except TooSlow:
                self.session.resume("standin_copy")
            except BackendError:
                self.session.resume("standin_copy")
            else:
                self.backend.run("release savepoint standin_copy")
                self.file_rows[item.url] = count
                return count
        return self._load_slowly(item, paths)

    def _quick_is_possible(self) -> bool:
        options = self.options
        return (
            options.format == "csv"
            and not options.flags & _SLOW_FLAGS
            and options.encoding == "utf-8"
            and not options.replacement
            and len(options.delimiter.encode()) == 1
            and len(options.quote.encode()) == 1
            and not (options.has("emptyasnull") and options.null_as not in ("", "\\N"))
            and not options.has("noload")
            # Among rows of several fields the quick reader stumbles over a blank line; among single ones it is a null.
            and not (options.has("ignoreblanklines") and len(self.columns) == 1)
        )

    def _insert_stage(self, pieces: Iterator[bytes], null_as: str, *, count_header: bool) -> int:
        """Feed CSV to a temporary table, check it there, and insert it into the target."""
        self.backend.run(f"drop table if exists pg_temp.{STAGE}")
        kinds = [_stage_type(column) for column in self.columns]
        listed = ", ".join(f"c{n} {kind}" for n, kind in enumerate(kinds))
        self.backend.run(f"create temporary table {STAGE} ({listed})")
        sql = (
            f"copy pg_temp.{STAGE} from stdin with (format csv, delimiter {literal(self.options.delimiter)},"
            f" quote {literal(self.options.quote)}, null {literal(null_as)})"
            if self.options.format == "csv"
            else f"copy pg_temp.{STAGE} from stdin with (format csv, null {literal(null_as)})"
        )
        count = self.session.copy_in(sql, pieces)
        self._check_stage()
        names = ", ".join(identifier(column.name) for column in self.columns)
        values = ", ".join(self._stage_value(n, column) for n, column in enumerate(self.columns))
        self.backend.run(f"insert into {self.command.table} ({names}) select {values} from pg_temp.{STAGE}")
        self.backend.run(f"drop table pg_temp.{STAGE}")
        return count

    def _check_stage(self) -> None:
        tests = [
            f"coalesce(max(octet_length(c{n})), 0) > {column.size}"
            for n, column in enumerate(self.columns)
            if column.kind in _CHARACTER and column.size
        ]
        tests += [
            f"coalesce(max(octet_length(c{n}) - length(c{n})), 0) > 0"
            for n, column in enumerate(self.columns)
            if column.kind == "character"
        ]
        if tests and self.backend.run(f"select {' or '.join(tests)} from pg_temp.{STAGE}").rows[0][0] == "t":
            raise TooSlow

    def _stage_value(self, n: int, column: TargetColumn) -> str:
        name = f"c{n}"
        if column.kind in _CHARACTER:
            # not `nullif`: blanks are not empty, though they compare as equal
            return f"case when octet_length({name}) > 0 then {name} end" if self.options.has("emptyasnull") else name
        if self.options.format == "parquet":
            return f"cast({name} as {_sql_type(column)})"
        bare = f"nullif(trim({name}), '')"
        if column.kind == "numeric" and column.size:
            return f"trunc(cast({bare} as numeric), {column.scale})"
        if column.kind == "super":
            return f"cast({bare} as standin.super)"
        return f"cast({bare} as {column.kind})"

    def _load_slowly(self, item: S3Object, paths: list[str] | None) -> int:
        pieces = chunks(self.s3, item, self.options.compression)
        found = records(pieces, self.options, [column.name for column in self.columns], paths)
        names = ", ".join(identifier(column.name) for column in self.columns)
        sql = f"copy {self.command.table} ({names}) from stdin"
        if self.options.has("noload"):
            return sum(1 for _ in self._good_rows(found, item))
        return self.session.copy_in(sql, _as_copy_text(self._good_rows(found, item)))

    def _good_rows(self, found: Iterator[Record], item: S3Object) -> Iterator[list[str | None]]:
        checks = [checker(column, self.options) for column in self.columns]
        by_name = self.options.format == "json"
        limit = None if self.options.has("ignoreallerrors") else max(1, self.options.max_error)
        scanned = 0
        for record in found:
            scanned += 1
            row = self._row(record, checks, item, by_name)
            if row is not None:
                yield row
            elif limit is not None and len(self.errors) >= limit:
                break
        self.file_rows[item.url] = scanned

    def _row(self, record: Record, checks: Sequence[object], item: S3Object, by_name: bool) -> list[str | None] | None:
        if record.error is not None:
            self._error(item, record, None, 0, record.error, "")
            return None
        fields = record.fields
        width = len(self.columns)
        if len(fields) < width and self.options.has("fillrecord"):
            fields = [*fields, *([self.options.null_as] * (width - len(fields)))]
        if len(fields) != width:
            wrong = EXTRA_COLUMNS if len(fields) > width else NO_DELIMITER
            column = self.columns[min(len(fields), width) - 1]
            self._error(item, record, column, 0, BadValue(*wrong), "")
            return None
        row: list[str | None] = []
        for column, check, value in zip(self.columns, checks, fields, strict=True):
            try:
                if value is None:
                    if column.not_null:
                        raise BadValue(*NOT_NULL)
                    row.append(None)
                else:
                    row.append(check(value))  # type: ignore[operator]
            except BadValue as bad:
                position = 0 if by_name else sum(len(str(field)) + 1 for field in fields[: len(row)])
                self._error(item, record, column, position, bad, value or "")
                return None
        return row

    def _error(
        self, item: S3Object, record: Record, column: TargetColumn | None, position: int, bad: BadValue, value: str
    ) -> None:
        raw = record.raw.rstrip("\r\n")
        self.errors.append(LoadError(item.url, record.line, column, position, bad, value, raw))

    # records --------------------------------------------------------------------------------------------------

    def _record(self, status: str, loaded: int, objects: Sequence[S3Object]) -> None:
        """Write history, files and errors by a session of their own: they must survive a rollback of this one."""
        size, at = sum(self.file_bytes.values()), _now()
        history: list[str | None] = [
            str(self.query_id),
            self.user,
            self.session_id,
            *self.names,
            self.table_oid,
            status,
        ]
        history += [_cut(self.command.source, 1024), self.options.format, str(loaded), str(size if loaded else 0)]
        history += [str(len(objects)), str(size), str(len(self.errors)), self.started, at]
        service = self.session.service()
        try:
            service.query("insert into standin.load_history values (" + _places(17) + ", null)", history)
            for item in objects:
                if item.url in self.file_rows and status == "completed":
                    rows = str(self.file_rows[item.url])
                    file = [str(self.query_id), _cut(item.url, 1024), str(item.size), rows, at]
                    service.query("insert into standin.load_file values (" + _places(5) + ")", file)
            for error in self.errors:
                service.query("insert into standin.load_error values (" + _places(15) + ")", self._error_row(error))
        finally:
            service.close()

    def _error_row(self, error: LoadError) -> list[str | None]:
        column = error.column
        row: list[str | None] = [str(self.query_id), self.user, self.session_id, self.table_oid, self.started]
        row += [_cut(error.url, 1024), str(error.line)]
        row += [column.name, column.type_name, column.length] if column is not None else [None, None, None]
        row += [str(error.position), str(error.error.code), _cut(error.error.message, 512)]
        return [*row, _cut(_printable(error.value), 1024), _cut(_printable(error.raw), 1024)]


def _places(count: int) -> str:
    return ", ".join(f"${place}" for place in range(1, count + 1))


def _column(name: str, kind: str, typmod: int, not_null: bool) -> TargetColumn:
    size = scale = 0
    if kind in _CHARACTER:
        size = typmod - 4 if typmod > 0 else 65535
    elif kind == "numeric" and typmod > 0:
        size, scale = (typmod - 4) >> 16 & 0xFFFF, (typmod - 4) & 0x7FF
    return TargetColumn(name, kind, size, scale, not_null)


def _stage_type(column: TargetColumn) -> str:
    return _sql_type(column) if column.kind == "character varying" else "text"


def _sql_type(column: TargetColumn) -> str:
    if column.kind in _CHARACTER:
        return f"{column.kind}({column.size})"
    if column.kind == "numeric" and column.size:
        return f"numeric({column.size}, {column.scale})"
    return "standin.super" if column.kind == "super" else column.kind


def _without_header(pieces: Iterator[bytes], count: int) -> Iterator[bytes]:
    for piece in pieces:
        while count and piece:
            at = piece.find(b"\n")
            if at < 0:
                piece = b""
            else:
                piece, count = piece[at + 1 :], count - 1
        if piece:
            yield piece


def _checked(pieces: Iterator[bytes], options: CopyOptions) -> Iterator[bytes]:
    r"""The pieces, unless one holds what Postgres's reader takes for something else.

    These are a line ``\.``, which would end the data, and quotes inside a field, which it would swallow.
    """
    quote, delimiter = (re.escape(text.encode()) for text in (options.quote, options.delimiter))
    rest = b"[^" + quote + delimiter + rb"\r\n]*"
    quoted = quote + b"[^" + quote + b"]*(?:" + quote * 2 + b"[^" + quote + b"]*)*"
    whole = re.compile(b"(?:(?:" + quoted + quote + b"|" + rest + b")(?:" + delimiter + rb"|\r?\n|\r))*")
    begun = re.compile(b"(?:" + quoted + quote + b"?|" + rest + rb")\r?\Z")
    mark, carried, tail = options.quote.encode(), b"", b"\n"
    for piece in pieces:
        if b"\n\\." in tail + piece:
            raise TooSlow
        if mark in carried or mark in piece:
            text = carried + piece
            found = whole.match(text)
            carried = text[found.end() :] if found is not None else text
            if not begun.match(carried):
                raise TooSlow
        else:
            # no quote in it: only its last field may go on in the next piece
            ends = (options.delimiter.encode(), b"\n", b"\r")
            carried = piece[max(piece.rfind(end) for end in ends) + 1 :]
        yield piece
        tail = piece[-2:]


_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_ESCAPED = str.maketrans(_ESCAPES)


def _as_copy_text(rows: Iterator[list[str | None]]) -> Iterator[bytes]:
    block: list[str] = []
    size = 0
    for row in rows:
        line = "\t".join("\\N" if value is None else value.translate(_ESCAPED) for value in row) + "\n"
        block.append(line)
        size += len(line)
        if size > 1 << 18:
            yield "".join(block).encode()
            block, size = [], 0
    if block:
        yield "".join(block).encode()


def _printable(value: str) -> str:
    return value.encode("utf-8", "replace").decode().replace("\0", " ")


def _cut(value: str, size: int) -> str:
    """The text within so many bytes, at a whole character."""
    return value.encode()[:size].decode(errors="ignore")


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None).isoformat(" ")

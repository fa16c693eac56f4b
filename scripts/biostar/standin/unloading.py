"""UNLOAD to S3, as Parquet or text, in partitions, with a manifest.

https://docs.aws.amazon.com/redshift/latest/dg/r_UNLOAD.html. The rows are written by DuckDB; the number of files is
the stand-in's own (one slice), which on a cluster follows the number of slices.
"""

from __future__ import annotations

import datetime
import gzip
import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from biostar.standin.errors import Refused, SqlError
from biostar.standin.loading.command import read_authorization
from biostar.standin.loading.objects import client, list_objects, s3_error, s3_errors, split_url
from biostar.standin.rewrite.definitions import literal_value, read_columns
from biostar.standin.rewrite.statements import plan_statement
from biostar.standin.rewrite.tokens import Tokens
from biostar.standin.wire import Backend, BackendError, Column, identifier, literal

if TYPE_CHECKING:
    from biostar.standin.session import Session

MEGABYTE = 1 << 20
MAX_FILE = int(6.2 * 1024) * MEGABYTE
NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"
BLOCK = 5000


@dataclass(frozen=True)
class UnloadOptions:
    """What an UNLOAD says beyond query and target."""

    format: str = "text"
    delimiter: str = "|"
    null_as: str = ""
    header: bool = False
    add_quotes: bool = False
    escape: bool = False
    compression: str = ""
    manifest: str = ""
    partition_by: tuple[str, ...] = ()
    include: bool = False
    allow_overwrite: bool = False
    clean_path: bool = False
    parallel: bool = True
    max_file_size: int = MAX_FILE
    extension: str = ""


@dataclass(frozen=True)
class UnloadCommand:
    """An UNLOAD, ready to run."""

    query: str
    target: str
    options: UnloadOptions = field(default_factory=UnloadOptions)

    def run(self, session: Session) -> str:
        """Write the rows; returns the command tag."""
        return Unload(session, self).run()


_FLAGS: dict[str, dict[str, Any]] = {
    "header": {"header": True},
    "addquotes": {"add_quotes": True},
    "escape": {"escape": True},
    "gzip": {"compression": "gzip"},
    "zstd": {"compression": "zstd"},
    "allowoverwrite": {"allow_overwrite": True},
    "cleanpath": {"clean_path": True},
    "parquet": {"format": "parquet"},
    "json": {"format": "json"},
}
_IGNORED_TEXT = ("region", "kms_key_id")


def parse_unload(tokens: Tokens) -> UnloadCommand:
    """The UNLOAD that the tokens say."""
    if tokens.low(1) != "(" or tokens.low(3) != ")" or tokens.low(4) != "to":
        raise Refused('syntax error at or near "unload"', "42601")
    query, target = literal_value(tokens, 2), literal_value(tokens, 5)
    if not target.startswith("s3://"):
        raise Refused("UNLOAD needs an s3:// target", "XX000")
    values: dict[str, Any] = {}
    authorized, at = False, 6
    while at < len(tokens.items):
        after = read_authorization(tokens, at)
        if after is not None:
            authorized, at = True, after
            continue
        word = tokens.low(at)
        at += 1
        if word in ("format", "with", "as"):
            continue
        if word in _FLAGS:
            values |= _FLAGS[word]
        elif word == "csv":
            values |= {"format": "csv", "delimiter": values.get("delimiter", ",")}
        elif word == "manifest":
            values["manifest"] = "verbose" if tokens.low(at) == "verbose" else "plain"
            at += tokens.low(at) == "verbose"
        elif word == "partition" and tokens.low(at) == "by":
            columns, at = read_columns(tokens, at + 1)
            values["partition_by"] = tuple(columns)
            if tokens.low(at) == "include":
                values["include"], at = True, at + 1
        elif word in ("delimiter", "null", "extension"):
            at += tokens.low(at) == "as"
            values[{"null": "null_as"}.get(word, word)] = literal_value(tokens, at).replace("\\t", "\t")
            at += 1
        elif word == "parallel":
            values["parallel"], at = tokens.low(at) in ("on", "true"), at + 1
        elif word in ("maxfilesize", "rowgroupsize"):
            at += tokens.low(at) == "as"
            number, unit = float(tokens.items[at].text), tokens.low(at + 1)
            known = unit in ("mb", "gb")
            if word == "maxfilesize":
                values["max_file_size"] = int(number * MEGABYTE * (1024 if unit == "gb" else 1))
            at += 2 if known else 1
        elif word in _IGNORED_TEXT:
            at += (tokens.low(at) == "as") + 1
        elif word in ("encrypted", "fixedwidth", "bzip2"):
            raise Refused(f"UNLOAD {word.upper()} is not known to the stand-in", "0A000")
        else:
            raise Refused(f'syntax error at or near "{tokens.items[at - 1].text}"', "42601")
    options = UnloadOptions(**values)
    _check(options, authorized)
    return UnloadCommand(query, target, options)


def _check(options: UnloadOptions, authorized: bool) -> None:
    if not authorized:
        raise Refused("Must specify credentials with COPY/UNLOAD of data from or to S3", "XX000", hint="IAM_ROLE …")
    if options.allow_overwrite and options.clean_path:
        raise Refused("ALLOWOVERWRITE and CLEANPATH can't be specified together", "42601")
    if not 5 * MEGABYTE <= options.max_file_size <= MAX_FILE:
        raise Refused("MAXFILESIZE must be between 5 MB and 6.2 GB", "22023")
    if options.format == "parquet" and (options.header or options.compression or options.add_quotes):
        raise Refused("HEADER, ADDQUOTES and compression can't be used with PARQUET", "42601")


class Unload:
    """One UNLOAD on one session."""

    def __init__(self, session: Session, command: UnloadCommand) -> None:
        self.session = session
        self.command = command
        self.options = command.options
        self.backend: Backend = session.backend
        self.files: list[tuple[str, int, int]] = []
        self.source_bytes = 0

    def run(self) -> str:
        """Write everything, the manifest last; returns the command tag."""
        own = self.session.begin_block()
        try:
            rows = self._unload()
        except (SqlError, BackendError):
            self.session.end_block(own, failed=True)
            raise
        self.session.end_block(own, failed=False)
        self.session.notice(f"UNLOAD completed, {rows} record(s) unloaded successfully.")
        return "UNLOAD"

    def _unload(self) -> int:
        plan = plan_statement(self.command.query)
        if plan.kind not in ("select",):
            raise Refused("UNLOAD takes a SELECT", "42601")
        sql = self.session.typed(plan).sql
        columns = self.backend.describe(sql)
        self._check_partitions(columns)
        self.s3 = client(self.session.server.settings)
        bucket, prefix = split_url(self.command.target)
        self._make_room(bucket, prefix)
        started = _now()
        with tempfile.TemporaryDirectory(prefix="standin-unload-") as folder:
            rows = self._write(Path(folder), sql, columns, bucket, prefix)
        if self.options.manifest:
            self._write_manifest(bucket, prefix, columns, rows)
        self._record(started, rows)
        return rows

    def _check_partitions(self, columns: Sequence[Column]) -> None:
        names = [column.name for column in columns]
        for name in self.options.partition_by:
            if name not in names:
                raise SqlError(f'column "{name}" in PARTITION BY does not exist in the query', "42703")
        if self.options.partition_by and len(self.options.partition_by) == len(names) and not self.options.include:
            raise SqlError("all columns are partition columns; use INCLUDE", "42601")

    def _make_room(self, bucket: str, prefix: str) -> None:
        present = [item.key for item in list_objects(self.s3, bucket, prefix)]
        if not present or self.options.allow_overwrite:
            return
        if not self.options.clean_path:
            raise SqlError(
                "Specified unload destination on S3 is not empty. Consider using a different bucket / prefix, manually "
                "removing the target files in S3, or using the ALLOWOVERWRITE option.",
                "XX000",
            )
        for key in present:
            with s3_errors(f"s3://{bucket}/{key}"):
                self.s3.delete_object(Bucket=bucket, Key=key)

    # writing --------------------------------------------------------------------------------------------------

    def _write(self, folder: Path, sql: str, columns: Sequence[Column], bucket: str, prefix: str) -> int:
        import duckdb

        source = folder / "rows.csv"
        with source.open("wb") as file:
            for piece in self.backend.copy_out(
                f"copy ({sql}) to stdout with (format csv, null '\\\\N', force_quote *)"
            ):
                file.write(piece)
        with duckdb.connect(str(folder / "work.duckdb")) as work:
            work.execute("set timezone = 'UTC'")
            work.execute("set preserve_insertion_order = true")
            self._stage(work, source, columns)
            self.source_bytes = source.stat().st_size
            for values in self._partitions(work):
                self._write_partition(work, folder, columns, bucket, prefix, values)
            return int(work.execute("select count(*) from unloaded").fetchall()[0][0])

    def _stage(self, work: Any, source: Path, columns: Sequence[Column]) -> None:
        names = ", ".join(f"'c{n}': 'VARCHAR'" for n in range(len(columns)))
        values = ", ".join(
            f"{_duck_value(f'c{n}', column)} as {identifier(column.name)}" for n, column in enumerate(columns)
        )
        work.execute(
            f"create table unloaded as select {values}, row_number() over () as standin_row from read_csv("
            f"{literal(str(source))}, header = false, columns = {{{names}}}, nullstr = '\\N', quote = '\"',"
            " escape = '\"', delim = ',', allow_quoted_nulls = false, auto_detect = false)"
        )

    def _partitions(self, work: Any) -> Iterator[tuple[Any, ...]]:
        if not self.options.partition_by:
            yield ()
            return
        names = ", ".join(identifier(name) for name in self.options.partition_by)
        yield from work.execute(f"select distinct {names} from unloaded order by all").fetchall()

    def _write_partition(
        self,
        work: Any,
        folder: Path,
        columns: Sequence[Column],
        bucket: str,
        prefix: str,
        values: tuple[Any, ...],
    ) -> None:
        names = list(self.options.partition_by)
        place = "".join(f"{name}={_partition_value(value)}/" for name, value in zip(names, values, strict=True))
        where = " and ".join(f"{identifier(name)} is not distinct from ?" for name in names) or "true"
        kept = [c for c in columns if c.name not in names or self.options.include]
        total = work.execute(f"select count(*) from unloaded where {where}", list(values)).fetchone()[0]
        listed = ", ".join(identifier(column.name) for column in kept)
        written, part, step = 0, 0, self._rows_per_file(work)
        while written < total or (part == 0 and not names):
            query = f"select {listed} from unloaded where {where} order by standin_row limit {step} offset {written}"
            file = folder / "part"
            self._export(work, query, list(values), file)
            rows = min(step, total - written)
            key = f"{prefix}{place}{0:04d}_part_{part:02d}{self._extension()}"
            with s3_errors(f"s3://{bucket}/{key}"):
                self.s3.upload_file(str(file), bucket, key)
            self.files.append((f"s3://{bucket}/{key}", file.stat().st_size, rows))
            file.unlink()
            written, part = written + rows, part + 1
            if not total:
                break

    def _rows_per_file(self, work: Any) -> int:
        """So many rows that a file stays under MAXFILESIZE, judged by their text."""
        found = work.execute("select count(*) from unloaded").fetchone()[0]
        if self.source_bytes <= self.options.max_file_size:
            return max(1, int(found))
        sizes = work.execute("select avg(length(unloaded::varchar)) from unloaded").fetchone()[0]
        return max(1, int(self.options.max_file_size / max(float(sizes), 1.0)))

    def _extension(self) -> str:
        if self.options.extension:
            return "." + self.options.extension.lstrip(".")
        if self.options.format == "parquet":
            return ".parquet"
        return {"gzip": ".gz", "zstd": ".zst"}.get(self.options.compression, "")

    def _export(self, work: Any, query: str, values: list[Any], file: Path) -> None:
        options, format_ = self.options, self.options.format
        if format_ == "parquet":
            work.execute(f"copy ({query}) to {literal(str(file))} (format parquet, compression snappy)", values)
            return
        plain = file.with_suffix(".plain")
        if format_ == "json":
            work.execute(f"copy ({query}) to {literal(str(plain))} (format json)", values)
        elif format_ == "csv" or options.add_quotes:
            force = ", force_quote *" if options.add_quotes else ""
            work.execute(
                f"copy ({query}) to {literal(str(plain))} (format csv, header {str(options.header).lower()}, "
                f"delim {literal(options.delimiter)}, nullstr {literal(options.null_as)}{force})",
                values,
            )
        else:
            self._export_text(work, query, values, plain)
        _compress(plain, file, options.compression)

    def _export_text(self, work: Any, query: str, values: list[Any], plain: Path) -> None:
        cursor = work.execute(f"select columns(*)::varchar from ({query})", values)
        special = re.compile("[\\\\\n\r" + re.escape(self.options.delimiter) + "]")
        with plain.open("w", encoding="utf-8", newline="") as file:
            if self.options.header:
                file.write(self.options.delimiter.join(column[0] for column in cursor.description) + "\n")
            while rows := cursor.fetchmany(BLOCK):
                for row in rows:
                    fields = [self.options.null_as if value is None else str(value) for value in row]
                    if self.options.escape:
                        fields = [special.sub(lambda found: "\\" + found[0], value) for value in fields]
                    file.write(self.options.delimiter.join(fields) + "\n")

    def _write_manifest(self, bucket: str, prefix: str, columns: Sequence[Column], rows: int) -> None:
        verbose = self.options.manifest == "verbose"
        entries: list[dict[str, Any]] = []
        for url, size, count in self.files:
            entry: dict[str, Any] = {"url": url}
            if verbose or self.options.format == "parquet":
                entry["meta"] = {"content_length": size, **({"record_count": count} if verbose else {})}
            entries.append(entry)
        document: dict[str, Any] = {"entries": entries}
        if verbose:
            document["schema"] = {"elements": [_schema_element(column) for column in columns]}
            document["meta"] = {"content_length": sum(size for _, size, _ in self.files), "record_count": rows}
            document["author"] = {"name": "Amazon Redshift", "version": "stand-in"}
        body = json.dumps(document, indent=2).encode()
        with s3_errors(f"s3://{bucket}/{prefix}manifest"):
            self.s3.put_object(Bucket=bucket, Key=f"{prefix}manifest", Body=body)

    def _record(self, started: str, rows: int) -> None:
        query_id = self.backend.run("select nextval('standin.query_id')").rows[0][0]
        user, session_id, database = self.backend.run(
            "select current_user_id()::text, pg_backend_pid()::text, current_database()::text"
        ).rows[0]
        size = sum(size for _, size, _ in self.files)
        kinds = [self.options.format, self.options.compression or "none"]
        numbers = [str(len(self.files)), str(rows), str(size), started, _now()]
        places = ", ".join(f"${place}" for place in range(5, 13))
        service = self.session.service()
        try:
            service.query(
                "insert into standin.unload_history values ($1, $2, $3, $4, 'completed', " + places + ")",
                [query_id, user, session_id, database, self.command.target[:1024], *kinds, *numbers],
            )
            for url, bytes_, count in self.files:
                service.query(
                    "insert into standin.unload_file values ($1, $2, $3, $4, $5)",
                    [query_id, url[:1024], str(count), str(bytes_), _now()],
                )
        finally:
            service.close()
        self.backend.run(f"select set_config('standin.last_unload_id', '{query_id}', false)")
        self.backend.run(f"select set_config('standin.last_unload_count', '{rows}', false)")


_DUCK_TYPES = {
    16: "BOOLEAN",
    20: "BIGINT",
    21: "SMALLINT",
    23: "INTEGER",
    700: "REAL",
    701: "DOUBLE",
    1082: "DATE",
    1083: "TIME",
    1114: "TIMESTAMP",
    1184: "TIMESTAMPTZ",
}
_SCHEMA_NAMES = {
    16: "boolean",
    20: "bigint",
    21: "smallint",
    23: "integer",
    700: "real",
    701: "double precision",
    1082: "date",
    1114: "timestamp without time zone",
    1184: "timestamp with time zone",
    1700: "numeric",
    1042: "character",
}


def _duck_value(name: str, column: Column) -> str:
    if column.type_oid == 1700:
        if column.typmod < 4:
            raise SqlError(f'numeric column "{column.name}" needs a precision; cast it in the query', "42804")
        precision, scale = _numeric(column)
        return f"cast({name} as decimal({precision}, {scale}))"
    return f"cast({name} as {_DUCK_TYPES.get(column.type_oid, 'VARCHAR')})"


def _numeric(column: Column) -> tuple[int, int]:
    return (column.typmod - 4) >> 16 & 0xFFFF, (column.typmod - 4) & 0x7FF


def _schema_element(column: Column) -> dict[str, Any]:
    base = _SCHEMA_NAMES.get(column.type_oid, "character varying")
    kind: dict[str, Any] = {"base": base}
    if base == "numeric" and column.typmod >= 4:
        kind["precision"], kind["scale"] = _numeric(column)
    elif base.startswith("character"):
        kind["max_length"] = column.typmod - 4 if column.typmod >= 4 else 65535
    return {"name": column.name, "type": kind}


def _partition_value(value: Any) -> str:
    if value is None:
        return NULL_PARTITION
    if isinstance(value, bool):
        return str(value).lower()
    return quote(str(value), safe="-_.~ ")


def _compress(plain: Path, file: Path, compression: str) -> None:
    if not compression:
        plain.replace(file)
        return
    if compression == "gzip":
        with plain.open("rb") as source, gzip.open(file, "wb") as target:
            shutil.copyfileobj(source, target)
    else:
        try:
            import zstandard
        except ImportError as missing:
            raise s3_error("ZSTD needs the package zstandard", "pip install zstandard") from missing
        with plain.open("rb") as source, file.open("wb") as target:
            zstandard.ZstdCompressor().copy_stream(source, target)
    plain.unlink()


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None).isoformat(" ")

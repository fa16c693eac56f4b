"""Amazon Redshift, or its stand-in, as a target of loads.

The rows of a group go from S3 by COPY into temporary tables, outside of any transaction and with nobody waiting; there
they are verified. Publishing them is one short transaction under the lock of the ledger.
"""

from __future__ import annotations

import itertools
import re
import tempfile
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from biostar.contracts import FileFormat, RawTable
from biostar.errors import BiostarError, ConfigurationError, ObjectError, TransientError, WarehouseError
from biostar.landing.inspect import blank_lines
from biostar.warehouse import profile
from biostar.warehouse.base import (
    REJECT_COLUMNS,
    CommitUnknownError,
    FileToLoad,
    LoadGroup,
    ObjectCounts,
    Staged,
    UnreadableAsIs,
    column_types,
    insert_statement,
    next_load_id,
    quote_identifier,
)
from biostar.warehouse.redshift_copy import (
    CopySettings,
    alike,
    copy_statement,
    create_stage,
    insert_from,
    load_statements,
    look_over,
    manifest_of,
    role_of,
)
from biostar.warehouse.redshift_dialect import RedshiftDialect
from biostar.warehouse.redshift_formats import StageColumn, copied_as, json_paths, stage_columns
from biostar.warehouse.redshift_refine import Reject, SecondReader
from biostar.warehouse.redshift_scratch import Scratch
from biostar.warehouse.redshift_verify import LONGEST_WAIT, UNDONE, CopyAccount, account_of, named, names_differ

QUERY_GROUP = "biostar_load"
ROWS_PER_INSERT, BYTES_PER_INSERT = 500, 1 << 20
"""A statement of Redshift has 16 MB at most, and a message of the driver 32,767 bound values."""
INVALID_TEXT = 1220
"""COPY's code for bytes or characters that it does not take,
https://docs.aws.amazon.com/redshift/latest/dg/multi-byte-character-load-errors.html."""


@dataclass(frozen=True)
class _Stage:
    """A filled temporary table."""

    name: str
    columns: tuple[StageColumn, ...]
    rows: int
    counts: tuple[ObjectCounts, ...]
    rejects: tuple[Reject, ...]


@dataclass(frozen=True)
class RedshiftStaged(Staged):
    """A staged group with what it takes to publish it."""

    stages: tuple[_Stage, ...] = ()
    rejects: tuple[Reject, ...] = ()


@dataclass
class _Work:
    """What has become of a group so far; objects that have to be rewritten are gathered, since all is done again."""

    group: LoadGroup
    reader: SecondReader
    stages: list[_Stage] = field(default_factory=list)
    counts: list[ObjectCounts] = field(default_factory=list)
    line_ends: list[str] = field(default_factory=list)
    quotes: list[str] = field(default_factory=list)


class _SuspectsError(Exception):
    """Some objects of a COPY have to be looked at one by one."""

    def __init__(self, keys: Sequence[str]) -> None:
        super().__init__("objects have to be copied one by one")
        self.keys = frozenset(keys)


class _TooManyErrors(Exception):
    """COPY gave up."""


@dataclass
class _Shared:
    """What the connections of one run have in common."""

    target: str
    environment: Mapping[str, str]
    run: str
    settings: CopySettings | None = None
    scratch: Scratch | None = None
    numbers: Iterator[int] = field(default_factory=itertools.count)
    lock: threading.Lock = field(default_factory=threading.Lock)


class RedshiftWarehouse:
    """One session of a cluster, a workgroup or the stand-in."""

    def __init__(self, connection: Any, shared: _Shared) -> None:
        self._connection = connection
        self._shared = shared
        self.dialect = RedshiftDialect(shared.target)
        self.view_lag = LONGEST_WAIT

    @classmethod
    def connect(cls, target: str, environment: Mapping[str, str]) -> RedshiftWarehouse:
        """Connect by dbt's profile.

        Raises:
            ConfigurationError: a setting is missing or wrong.
            WarehouseError: it does not answer.
        """
        shared = _Shared(target, environment, uuid.uuid4().hex[:12])
        return cls(cls._session(shared), shared)

    @staticmethod
    def _session(shared: _Shared) -> Any:
        connection = profile.connect(shared.target, shared.environment)
        connection.autocommit = True  # transactions begin and end where it is written, see `transaction`
        for statement in (
            f"set query_group to '{QUERY_GROUP}'",
            "set timezone to 'UTC'",
        ):
            profile.run(connection, shared.target, statement)
        return connection

    def execute(self, sql: str, values: Sequence[Any] = ()) -> None:
        """Run a statement with bound values."""
        profile.run(self._connection, self._shared.target, sql, values)

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Rows of a query with bound values."""
        return profile.run(self._connection, self._shared.target, sql, values)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit when the block ends, undo everything in it when it raises.

        Raises:
            CommitUnknownError: the connection broke before COMMIT was answered.
        """
        self.execute("begin")
        try:
            yield
        except BaseException:
            with suppress(BiostarError):  # a broken connection has rolled back by itself
                self.execute("rollback")
            raise
        try:
            self.execute("commit")
        except profile.ConnectionLostError as fault:
            raise CommitUnknownError(f"COMMIT was not answered: {fault.message}", next_step=fault.next_step) from None

    def columns_of(self, schema: str) -> dict[str, frozenset[str]]:
        """Names of the columns of each table of a schema; empty where there is no such schema."""
        found: dict[str, set[str]] = {}
        for table, column in self.query(
            "select table_name, column_name from svv_columns where table_schema = ?", (schema,)
        ):
            found.setdefault(str(table), set()).add(str(column))
        return {table: frozenset(columns) for table, columns in found.items()}

    def widths_of(self, schema: str) -> dict[tuple[str, str], int]:
        """Bytes that each column of text takes, by table and column."""
        rows = self.query(
            "select table_name, column_name, character_maximum_length from svv_columns where table_schema = ?"
            " and character_maximum_length is not null",
            (schema,),
        )
        return {(str(table), str(column)): int(width) for table, column, width in rows}

    def insert_rows(self, table: RawTable, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Append rows of bound values to a declared table, many to a statement."""
        self._insert(quote_identifier(table.schema, table.name), column_types(table, columns), rows)

    def read_from(self, uri: str, settings: dict[str, str]) -> None:
        """Take the landing `uri`; Redshift reads it with a role, and `settings` is of no use to it.

        Raises:
            ConfigurationError: it does not lie in S3, or there is no role to read it with.
        """
        self._shared.settings = self._copy_settings(uri)
        with self._shared.lock:  # the sessions of a run share one, which knows all that has to be removed
            if self._shared.scratch is None:
                self._shared.scratch = Scratch.connect(uri, self._shared.run, self._shared.environment)

    def can_read(self, address: str) -> bool:
        """Whether the engine takes an address for what it is: in a manifest, any."""
        return True

    def adopt(self, copy: Path) -> str:
        """The path of the file: `stage` reads it and hands it on clean."""
        return str(copy)

    def statements(self, group: LoadGroup) -> list[str]:
        """The statements that loading a group would send, where COPY refuses nothing and nobody interferes."""
        return load_statements(group, self._settings, self._scratch.address(""))

    def begin_load(self, books: str) -> int:
        """Lock the ledger, then ask it for the next load id.

        LOCK comes first, since the snapshot of a transaction is taken by its first SELECT or DML
        (https://docs.aws.amazon.com/redshift/latest/dg/c_serial_isolation.html): it then shows what the loader before
        has committed, and the transaction cannot violate serializability with another loader's.
        """
        self.execute(f"lock {quote_identifier(books, 'load_ledger')}")
        (row,) = self.query(next_load_id(books))
        return int(row[0])

    def stage(self, group: LoadGroup) -> RedshiftStaged:
        """COPY the objects of a group into temporary tables, and verify them."""
        with tempfile.TemporaryDirectory(prefix="biostar-load-", ignore_cleanup_errors=True) as folder:
            work = _Work(group, SecondReader(group, Path(folder)))
            try:
                plain: list[FileToLoad] = []
                for file in group.files:
                    if not group.fields or (
                        group.table.file_format == "csv" and file.lines <= group.header_lines and not file.left_out
                    ):
                        work.counts.append(ObjectCounts(file.key, 0, 0))
                    elif copied_as(group, file, self._settings.region):
                        plain.append(file)
                    else:
                        self._refined(work, file)
                for files in alike(plain):
                    self._stage_files(work, files)
                if work.line_ends or work.quotes:
                    raise UnreadableAsIs(line_ends=work.line_ends, quotes=work.quotes)
            except BaseException:
                self._drop(work.stages)
                raise
            finally:
                work.reader.close()
        stages = work.stages
        of = {count.key: count for count in (*work.counts, *(count for stage in stages for count in stage.counts))}
        return RedshiftStaged(
            group,
            tuple(of[file.key] for file in group.files),
            tuple(stage.name for stage in stages if stage.name),
            tuple(stage for stage in stages if stage.rows),
            tuple(reject for stage in stages for reject in stage.rejects),
        )

    def publish(self, staged: Staged, load_id: int) -> list[ObjectCounts]:
        """Append the rows of a staged group to its raw table and its bad records to load_rejects."""
        if not isinstance(staged, RedshiftStaged) or staged.counts is None:
            raise BiostarError("the group was staged by another target")
        group = staged.group
        bound = (*(value for _, value in group.constants), load_id, group.ingest_date, group.loaded_at)
        for stage in staged.stages:
            self.execute(insert_from(group, stage.name, stage.columns), bound)
        self._insert(
            quote_identifier(group.books, "load_rejects"),
            REJECT_COLUMNS,
            [
                (
                    load_id,
                    group.table.source,
                    group.table.name,
                    reject.key,
                    reject.line,
                    reject.column,
                    reject.code,
                    reject.reason,
                    reject.value_length,
                    group.loaded_at,
                )
                for reject in staged.rejects
            ],
        )
        return list(staged.counts)

    def discard(self, staged: Staged) -> None:
        """Drop the temporary tables; of a broken connection they are gone already."""
        with suppress(profile.ConnectionLostError):
            for name in staged.tables:
                self.execute(f"drop table if exists {quote_identifier(name)}")

    def another(self) -> RedshiftWarehouse:
        """A further session with the same settings."""
        warehouse = RedshiftWarehouse(self._session(self._shared), self._shared)
        warehouse.view_lag = self.view_lag
        return warehouse

    def reopen(self) -> None:
        """Connect anew; what was staged is gone with the session."""
        self._close_connection()
        self._connection = self._session(self._shared)

    def clean_up(self) -> list[str]:
        """Remove from S3 what was written for COPY and is still there."""
        return [] if self._shared.scratch is None else self._shared.scratch.remove_all()

    def close(self) -> None:
        """Release the session, and remove from S3 what was written for COPY."""
        try:
            self.clean_up()
        finally:
            self._close_connection()

    def _close_connection(self) -> None:
        with suppress(BiostarError), profile.guarded(self._shared.target):
            self._connection.close()

    def _copy_settings(self, uri: str) -> CopySettings:
        if not uri.startswith("s3://"):
            raise ConfigurationError(
                f"'{self._shared.target}' loads from S3 only, and the landing is the folder '{uri}'",
                undone="nothing was loaded",
                next_step="lay the files under s3://bucket/prefix and name it with --landing or BIOSTAR_LANDING",
            )
        environment = self._shared.environment
        return CopySettings(
            role_of(self._shared.target, environment), environment.get("BIOSTAR_LANDING_REGION", "").strip()
        )

    def _insert(self, table: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> None:
        chunk: list[Sequence[Any]] = []
        size = 0
        for row in rows:
            length = sum(len(value) for value in row if isinstance(value, (str, bytes)))
            if chunk and (len(chunk) == ROWS_PER_INSERT or size + length > BYTES_PER_INSERT):
                self.execute(insert_statement(table, columns, len(chunk)), [value for one in chunk for value in one])
                chunk, size = [], 0
            chunk.append(row)
            size += length
        if chunk:
            self.execute(insert_statement(table, columns, len(chunk)), [value for one in chunk for value in one])

    # Staging ----------------------------------------------------------------------------------------------------

    def _stage_files(self, work: _Work, files: Sequence[FileToLoad]) -> None:
        """COPY some files together; those that do not come out even are taken one by one."""
        waiting = list(files)
        alone: list[FileToLoad] = []
        if not names_differ(waiting):
            alone, waiting = waiting, []
        while len(waiting) > 1:
            try:
                work.stages.append(self._together(work, waiting))
                waiting = []
            except _SuspectsError as some:
                alone += [file for file in waiting if file.key in some.keys]
                waiting = [file for file in waiting if file.key not in some.keys]
        for file in (*waiting, *alone):
            stage = self._alone(work, file)
            if stage is None:
                self._refined(work, file)
            else:
                work.stages.append(stage)

    def _together(self, work: _Work, files: Sequence[FileToLoad]) -> _Stage:
        group = work.group
        columns = stage_columns(group, files[0].types)
        everyone = [file.key for file in files]
        with self._filled(group, files, columns, group.table.file_format) as (name, account):
            if account is None:
                raise _SuspectsError(everyone)
            rows, misfits, returns, _ = self._look_over(name, columns, group.table.file_format, account, files)
            if misfits or returns:
                raise _SuspectsError(everyone)
            data = {file.key: file.lines - group.header_lines for file in files}
            odd = _oddly_scanned(group, data, account)
            if odd:
                raise _SuspectsError(odd)
            if rows + sum(len(each) for each in account.refused.values()) != sum(data.values()):
                raise _SuspectsError(list(account.refused) or everyone)
            rejects: list[Reject] = []
            suspects = []
            for file in files:
                found = self._judged(work, file, account)
                if found is None or found[1]:
                    suspects.append(file.key)
                else:
                    rejects += found[0]
            if suspects:
                raise _SuspectsError(suspects)
            bad = {file.key: len(account.refused.get(file.key, ())) for file in files}
            counts = tuple(ObjectCounts(file.key, data[file.key] - bad[file.key], bad[file.key]) for file in files)
            return _Stage(name, columns, rows, counts, tuple(rejects))

    def _alone(self, work: _Work, file: FileToLoad) -> _Stage | None:
        """COPY one file; None where it has to be read as a whole to know what its records are."""
        group = work.group
        columns = stage_columns(group, file.types)
        with self._filled(group, [file], columns, group.table.file_format) as (name, account):
            if account is None:
                return None
            rows, misfits, returns, line_ends = self._look_over(
                name,
                columns,
                group.table.file_format,
                account,
                [file],
                may_span_lines=file.quotes and not file.records_are_lines,
            )
            found = self._judged(work, file, account)
            if misfits or returns or found is None or (line_ends and account.refused):
                return None
            rejects, blank = found
            rest = file.lines - group.header_lines - rows - len(rejects) - blank - line_ends
            if rest and group.table.file_format != "csv":
                raise _lost_records(file.key, file.lines, rows)
            if rest:
                with file.open() as stream:
                    blanks = len(blank_lines(stream, file.key))
                # A blank line within a value is a line end of it, and looks blank too.
                if not 0 <= rest <= blanks:
                    if file.quotes:
                        return None
                    raise WarehouseError(
                        f"COPY lost records of '{file.key}': {file.lines - group.header_lines:,} lines of data hold"
                        f" {rows:,} rows, {len(rejects):,} bad records and {blanks:,} blank lines",
                        undone=UNDONE,
                        next_step="run the load again",
                    )
            counts = (ObjectCounts(file.key, rows, len(rejects)),)
            return _Stage(name, columns, rows, counts, rejects)

    def _refined(self, work: _Work, file: FileToLoad) -> None:
        """Read an object as a whole, and COPY what is good of it."""
        group = work.group
        try:
            refined = work.reader.refine(file)
        except UnreadableAsIs as need:
            work.line_ends += need.line_ends
            work.quotes += need.quotes
            return
        columns = tuple(column for column in stage_columns(group) if column.target is not None)
        if refined.clean is None:
            work.stages.append(_Stage("", columns, 0, (refined.counts,), refined.rejects))
            return
        scratch = self._scratch
        address = scratch.put_file(f"clean-{next(self._shared.numbers)}.csv.gz", refined.clean)
        size = refined.clean.stat().st_size
        refined.clean.unlink()
        clean = FileToLoad(file.key, address, "gzip", refined.counts.loaded, True, file.open, size=size)
        try:
            with self._filled(replace(group, header_lines=0), [clean], columns, "csv") as (name, account):
                refused = () if account is None else account.refused.get(file.key, ())
                rows = 0 if account is None else self._look_over(name, columns, "csv", account, [file])[0]
                if account is None or refused:
                    raise ObjectError(
                        f"'{file.key}' has records that COPY does not take"
                        + (f" (load error {refused[0].code})" if refused else ""),
                        file.key,
                        undone="nothing of it is loaded",
                        next_step="deliver the object again without characters that Redshift cannot store",
                    )
                if rows != refined.counts.loaded:
                    raise _lost_records(file.key, refined.counts.loaded, rows)
                work.stages.append(_Stage(name, columns, rows, (refined.counts,), refined.rejects))
        finally:
            scratch.remove(address)

    @contextmanager
    def _filled(
        self,
        group: LoadGroup,
        files: Sequence[FileToLoad],
        columns: Sequence[StageColumn],
        file_format: FileFormat,
    ) -> Iterator[tuple[str, CopyAccount | None]]:
        """A temporary table with the rows of some files, and what the views say; None where COPY gave up.

        The table is dropped unless the block ends well with an account.
        """
        number = next(self._shared.numbers)
        name = f"biostar_stage_{self._shared.run}_{number}"
        written = [self._scratch.put(f"{number}.manifest", manifest_of(files))]
        keep = False
        try:
            if file_format == "json":
                written.append(self._scratch.put(f"{number}.jsonpaths", json_paths(group)))
            self.execute(create_stage(name, columns))
            statement = copy_statement(
                group,
                name,
                columns,
                self._scratch.address(str(number)),
                self._settings,
                file_format=file_format,
                compression=files[0].compression,
                header_lines=group.header_lines,
            )
            try:
                self._copy(statement, file_format, files)
            except _TooManyErrors:
                yield name, None
                return
            account = account_of(
                self.query, files, written[0], name, wait=self.view_lag, is_columnar=file_format == "parquet"
            )
            yield name, account
            keep = True
        finally:
            if not keep:
                with suppress(profile.ConnectionLostError):
                    self.execute(f"drop table if exists {quote_identifier(name)}")
            for address in written:
                self._scratch.remove(address)

    def _copy(self, statement: str, file_format: FileFormat, files: Sequence[FileToLoad]) -> None:
        try:
            self.execute(statement)
        except WarehouseError as fault:
            fault.message = f"COPY of {named(files)}: {fault.message}"
            if isinstance(fault, TransientError):
                raise
            # With Parquet COPY gives up at the first value that it does not take, in words of its own. If it is another
            # fault, such as a role without rights, then the COPY of the clean copy will say so.
            if file_format == "parquet" or _GAVE_UP.search(fault.message):
                raise _TooManyErrors from None
            if _FORBIDDEN.search(fault.message):
                fault.next_step = (
                    "allow the role of COPY to read the landing and BIOSTAR_SCRATCH, then run the load again"
                )
            raise

    def _look_over(
        self,
        name: str,
        columns: Sequence[StageColumn],
        file_format: FileFormat,
        account: CopyAccount,
        files: Sequence[FileToLoad],
        *,
        may_span_lines: bool = False,
    ) -> tuple[int, int, int, int]:
        (row,) = self.query(look_over(name, columns, file_format, may_span_lines=may_span_lines))
        (last,) = self.query("select pg_last_copy_count()")
        rows, misfits, returns, line_ends = (int(value) for value in row)
        if not rows == account.loaded == int(last[0]):
            raise WarehouseError(
                f"a COPY of {named(files)} says {account.loaded:,} rows"
                f" (pg_last_copy_count {last[0]:,}), its table has {rows:,}",
                undone=UNDONE,
                next_step="run the load again",
            )
        return rows, misfits, returns, line_ends

    def _judged(self, work: _Work, file: FileToLoad, account: CopyAccount) -> tuple[tuple[Reject, ...], int] | None:
        """The rejects among the records that COPY refused, and how many of them are blank lines; None: cannot tell."""
        refused = account.refused.get(file.key, ())
        if not refused:
            return (), 0
        if work.group.table.file_format != "csv":
            return None  # the line of a record of JSON is said otherwise, see redshift_formats
        codes = {one.line: one.code for one in refused}
        if len(codes) < len(refused) or min(codes) <= work.group.header_lines or max(codes) > file.lines:
            return None
        verdict = work.reader.judge_lines(file, sorted(codes))
        if verdict is None or any(codes[line] != INVALID_TEXT for line in verdict.good):
            return None
        # What our rules take and Redshift cannot store: characters that are none, and the NUL on the stand-in.
        foreign = tuple(
            Reject(file.key, line, None, "invalid_encoding", "a character that Redshift does not take", None)
            for line in verdict.good
        )
        return (*verdict.rejects, *foreign), len(verdict.blank)

    def _drop(self, stages: Sequence[_Stage]) -> None:
        with suppress(profile.ConnectionLostError):
            for stage in stages:
                if stage.name:
                    self.execute(f"drop table if exists {quote_identifier(stage.name)}")

    @property
    def _scratch(self) -> Scratch:
        if self._shared.scratch is None:
            raise BiostarError("the landing is not known yet")
        return self._shared.scratch

    @property
    def _settings(self) -> CopySettings:
        if self._shared.settings is None:
            raise BiostarError("the landing is not known yet")
        return self._shared.settings


_GAVE_UP = re.compile(r"load into table .* failed", re.IGNORECASE)
_FORBIDDEN = re.compile(r"access ?denied|not authorized|\bstatus:? 403\b", re.IGNORECASE)


def _oddly_scanned(group: LoadGroup, data: Mapping[str, int], account: CopyAccount) -> list[str]:
    """Files of which the views say another number of lines than the inspection counted.

    Whether the header counts as scanned the manual does not say; it must be the same for every file. Nor does it say
    what lines a Parquet object has: where none are told, the sum of the rows has to do.
    """
    if group.table.file_format == "parquet":
        return [
            key for key, rows in data.items() if (account.scanned.get(key) or 0) > 0 and account.scanned[key] != rows
        ]
    offsets = {key: (account.scanned[key] or 0) - lines for key, lines in data.items()}
    usual = max(offsets.values(), key=list(offsets.values()).count)
    odd = [key for key, offset in offsets.items() if offset != usual]
    return odd or ([] if usual in (0, group.header_lines) else list(data))


def _lost_records(key: str, read: int, copied: int) -> WarehouseError:
    return WarehouseError(
        f"COPY lost records of '{key}': it has {read:,}, {copied:,} were copied",
        undone=UNDONE,
        next_step="run the load again",
    )

"""One batch with one connection: staged, published, counted, and in the ledger, or nothing of it."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from biostar.contracts import DEFAULT_LIMIT, ErrorLimit
from biostar.errors import BiostarError, DataError, ObjectError, WarehouseError
from biostar.landing import Landing
from biostar.landing.inspect import text_of
from biostar.load import books as book
from biostar.load.books import Books
from biostar.load.evolve import add_columns, remarks
from biostar.load.groups import Files, groups_of
from biostar.load.lines import records_at
from biostar.load.objects import InspectedObject
from biostar.load.plan import Batch
from biostar.load.scratch import scratch_folder
from biostar.load.steps import At, nowhere
from biostar.warehouse import CommitUnknownError, ObjectCounts, Staged, UnreadableAsIs, Warehouse

LINES_KEPT = 10_000
"""Refused records of one object whose text is kept; a file that is bad throughout would be copied otherwise."""
LINE_WIDTH = 65_535
"""Bytes of a refused record that are kept; what a varchar of Redshift takes."""
_LINES_AT_ONCE = 200
_HEADS = 8
"""Objects asked at the same time whether they are as they were."""


@dataclass
class Outcome:
    """What became of a batch.

    Attributes:
        load_id: its number, 0 while nothing is committed.
        members: the objects that are in.
        counts: the records of each.
        faults: objects that are left out, and why; or the one fault of the whole batch.
        remarks: what somebody should know.
        rows_removed: raw rows that a reload took away.
    """

    load_id: int = 0
    members: tuple[InspectedObject, ...] = ()
    counts: tuple[ObjectCounts, ...] = ()
    faults: list[BiostarError] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    rows_removed: int = 0

    @property
    def is_loaded(self) -> bool:
        """Whether anything was committed."""
        return self.load_id > 0


class _TakenError(Exception):
    """Another loader has committed some of the objects meanwhile."""

    def __init__(self, keys: frozenset[str]) -> None:
        super().__init__("taken")
        self.keys = keys


class _NothingError(Exception):
    """None of the records that were tried again went in."""


@dataclass(frozen=True)
class _Committing:
    """What is known of a load when its COMMIT is sent."""

    load_id: int
    members: tuple[InspectedObject, ...]
    counts: tuple[ObjectCounts, ...]
    rows_removed: int


class Loader:
    """Loads batches through one connection, one after the other."""

    def __init__(
        self,
        warehouse: Warehouse,
        landing: Landing,
        books: Books,
        *,
        run: str,
        now: Callable[[], datetime.datetime],
        limit: ErrorLimit | None = None,
        at: At = nowhere,
    ) -> None:
        self._warehouse = warehouse
        self._landing = landing
        self._books = books
        self._run = run
        self._now = now
        self._limit = limit
        self._at = at

    def load(self, batch: Batch, inspected: Sequence[InspectedObject], outcome: Outcome) -> None:
        """Load what can be loaded of a batch; what cannot is named in `outcome`, and so is what is committed.

        A reload is all or nothing: an object of it that cannot be loaded must not cost the rows that it had.

        Raises:
            WarehouseError: nothing is committed; a TransientError may pass with another try.
        """
        members = list(inspected)
        loaded_at = self._now()
        with scratch_folder() as scratch:
            files = Files(self._landing, self._warehouse, scratch)
            faults: list[ObjectError] = []
            for one in list(members):
                try:
                    self._add(files, batch, one)
                except ObjectError as fault:
                    faults.append(fault)
            while True:
                bad = {fault.key for fault in faults}
                members = [one for one in members if one.key not in bad]
                outcome.faults += faults
                if faults and batch.replaces:
                    return
                if not members and not batch.replaces:
                    return
                faults = []
                try:
                    done = self._attempt(batch, tuple(members), files, loaded_at)
                except UnreadableAsIs as need:
                    try:
                        faults = files.rewrite(need)
                    except ObjectError as fault:
                        faults = [fault]
                except ObjectError as fault:
                    faults = [fault]
                except DataError as fault:
                    outcome.faults.append(fault)
                    return
                except _TakenError as taken:
                    outcome.remarks += [f"'{key}' was loaded by another loader meanwhile" for key in sorted(taken.keys)]
                    members = [one for one in members if one.key not in taken.keys]
                    if batch.kind != "new":
                        return
                except _NothingError:
                    return
                else:
                    break
        outcome.load_id = done.load_id
        outcome.members = done.members
        outcome.counts = done.counts
        outcome.rows_removed = done.rows_removed
        for one in done.members:
            outcome.remarks += remarks(batch.table, one)

    def _add(self, files: Files, batch: Batch, one: InspectedObject) -> None:
        if batch.retried:
            files.add_records(one, _begin(batch, [(r.line, r.code) for r in batch.retried[one.key] if r.line]))
        else:
            files.add(one)

    def _attempt(
        self, batch: Batch, members: tuple[InspectedObject, ...], files: Files, loaded_at: datetime.datetime
    ) -> _Committing:
        warehouse = self._warehouse
        groups = groups_of(
            batch.table,
            batch.ingest_date,
            members,
            files,
            books=self._books.schema,
            loaded_at=loaded_at,
            run=self._run,
        )
        staged: list[Staged] = []
        committing: _Committing | None = None
        try:
            staged += (warehouse.stage(group) for group in groups)
            self._at("copied")
            # Where the rows are copied by now, the objects are read; else they are read when they are published.
            are_read = all(one.counts is not None for one in staged)
            if are_read:
                self._check_settled(members)
            with warehouse.transaction():
                load_id = warehouse.begin_load(self._books.schema)
                self._check_ours(batch, members)
                self._at("locked")
                add_columns(batch.table, members, warehouse)
                removed = 0
                if batch.replaces:
                    removed = book.supersede(warehouse, self._books, batch.table, batch.replaces, load_id)
                    self._at("superseded")
                counts = [count for one in staged for count in warehouse.publish(one, load_id)]
                self._at("inserted")
                if not are_read:
                    self._check_settled(members)
                if batch.retried:
                    counts = self._resolve(batch, counts, load_id)
                else:
                    _check_promised(members, counts)
                    self._judge(batch, counts, load_id)
                    self._keep_lines(batch, members, load_id)
                self._at("lines_written")
                self._write_ledger(batch, members, counts, load_id, loaded_at)
                self._at("ledger_written")
                self._verify(batch, counts, load_id)
                self._at("verified")
                committing = _Committing(load_id, members, tuple(counts), removed)
                self._at("before_commit")
        except CommitUnknownError:
            if committing is None or not self._is_committed(batch, committing, loaded_at):
                raise
        finally:
            for one in staged:
                warehouse.discard(one)
        assert committing is not None
        self._at("committed")
        return committing

    def _is_committed(self, batch: Batch, committing: _Committing, loaded_at: datetime.datetime) -> bool:
        """Whether a COMMIT whose answer was lost did take place; asked through a new connection."""
        self._warehouse.reopen()
        if committing.members:
            key = committing.members[0].key
            return book.is_in_ledger(self._warehouse, self._books, committing.load_id, loaded_at, key)
        standing = book.loaded_keys(self._warehouse, self._books, batch.table, batch.ingest_date)
        return not any(standing.get(key, set()) & set(batch.replaces) for key in batch.erased)

    def _check_ours(self, batch: Batch, members: Sequence[InspectedObject]) -> None:
        """Other loaders may have committed since the plan was made; from here on none can."""
        standing = book.loaded_keys(self._warehouse, self._books, batch.table, batch.ingest_date)
        if batch.retried:
            wanted = [reject for one in members for reject in batch.retried[one.key]]
            if book.count_open(self._warehouse, self._books, wanted) != len(wanted):
                raise _TakenError(frozenset(one.key for one in members))
            return
        if batch.replaces:
            keys = {one.key for one in members} | set(batch.erased)
            there = {load_id for key in keys for load_id in standing.get(key, set())}
            if there != set(batch.replaces):
                raise _TakenError(frozenset(keys))
            return
        taken = frozenset(one.key for one in members if one.key in standing)
        if taken:
            raise _TakenError(taken)

    def _check_settled(self, members: Sequence[InspectedObject]) -> None:
        def look(one: InspectedObject) -> bool:
            return self._landing.is_settled(one.landed)

        if len(members) > _HEADS:
            with ThreadPoolExecutor(_HEADS, thread_name_prefix="settled") as pool:
                settled = list(pool.map(look, members))
        else:
            settled = [look(one) for one in members]
        for one, is_settled in zip(members, settled, strict=True):
            if not is_settled:
                raise ObjectError(
                    f"'{one.key}' changed while it was being read",
                    one.key,
                    undone="nothing of it is loaded",
                    next_step="run the load again when its delivery is complete",
                )

    def _judge(self, batch: Batch, counts: Sequence[ObjectCounts], load_id: int) -> None:
        limit = self._limit or batch.table.max_errors or DEFAULT_LIMIT
        read, rejected = sum(count.read for count in counts), sum(count.rejected for count in counts)
        if not limit.is_over(read, rejected):
            return
        by_code = book.count_rejects(self._warehouse, self._books, load_id)
        worst = [count for count in counts if count.rejected]
        raise DataError(
            f"{batch.name} has {rejected:,} bad records of {read:,}, more than the {limit} that it may have: "
            + ", ".join(f"{count:,} {code}" for code, count in by_code.items())
            + f"; in {_some([count.key for count in worst])}",
            undone="all of this load",
            next_step="mend the delivery, or the declaration in "
            f"{batch.table.declared_in}; or accept it with a higher --max-errors, or max_errors of the table",
        )

    def _keep_lines(self, batch: Batch, members: Sequence[InspectedObject], load_id: int) -> None:
        """Keep the text of refused records where only those may look who may see patients' data."""
        if batch.table.file_format == "parquet":
            return
        of = {one.key: one for one in members}
        for key, places in book.rejects_of_load(self._warehouse, self._books, load_id).items():
            rows: list[tuple[object, ...]] = []
            line_end = b"\r" if of[key].inspection.header.line_end == "\r" else b"\n"
            begin = _begin(batch, places[:LINES_KEPT])
            with self._landing.open(key) as stream:
                for record in records_at(text_of(stream, key), begin, line_end=line_end, longest=LINE_WIDTH):
                    text = _as_text(record.text)
                    rows.append((load_id, batch.table.source, batch.table.name, key, record.line, text, record.size))
                    if len(rows) == _LINES_AT_ONCE:
                        book.write_rows(self._warehouse, self._books.lines, book.LINE_COLUMNS, rows)
                        rows = []
            book.write_rows(self._warehouse, self._books.lines, book.LINE_COLUMNS, rows)

    def _resolve(self, batch: Batch, counts: Sequence[ObjectCounts], load_id: int) -> list[ObjectCounts]:
        """Mark those of the retried records that went in; the others stay open as they were."""
        again = book.rejects_of_load(self._warehouse, self._books, load_id)
        book.forget_rejects(self._warehouse, self._books, load_id)
        good = []
        for count in counts:
            bad = {line for line, _ in again.get(count.key, [])}
            resolved = [reject for reject in batch.retried[count.key] if reject.line not in bad]
            if len(resolved) != count.loaded:
                raise WarehouseError(
                    f"{len(batch.retried[count.key]):,} records of '{count.key}' were tried again,"
                    f" {count.loaded:,} went in and {len(bad):,} did not",
                    undone="all of this retry",
                    next_step="please report it",
                )
            book.resolve(self._warehouse, self._books, resolved, load_id)
            good.append(ObjectCounts(count.key, count.loaded, 0))
        if not any(count.loaded for count in good):
            raise _NothingError
        return good

    def _write_ledger(
        self,
        batch: Batch,
        members: Sequence[InspectedObject],
        counts: Sequence[ObjectCounts],
        load_id: int,
        loaded_at: datetime.datetime,
    ) -> None:
        of = {count.key: count for count in counts}
        rows = [
            (
                load_id,
                batch.table.source,
                batch.table.name,
                one.key,
                one.etag,
                one.landed.size,
                batch.ingest_date,
                one.inspection.header.fingerprint,
                of[one.key].read,
                of[one.key].loaded,
                of[one.key].rejected,
                loaded_at,
                batch.table.file_format,
            )
            for one in members
            if not (batch.retried and not of[one.key].loaded)
        ]
        book.write_rows(self._warehouse, self._books.ledger, book.LEDGER_COLUMNS, rows)

    def _verify(self, batch: Batch, counts: Sequence[ObjectCounts], load_id: int) -> None:
        """Hold what is in the tables against what is about to stand in the ledger."""
        rows = book.count_rows(self._warehouse, batch.table, (load_id,))
        rejects = sum(book.count_rejects(self._warehouse, self._books, load_id).values())
        loaded, rejected = sum(count.loaded for count in counts), sum(count.rejected for count in counts)
        if (rows, rejects) != (loaded, rejected):
            raise WarehouseError(
                f"{batch.name}: the ledger would say {loaded:,} rows and {rejected:,} rejects, the tables hold"
                f" {rows:,} and {rejects:,}, of {_some([count.key for count in counts])}",
                undone="all of this load",
                next_step="run the load again; if it stays so, please report it",
            )


def _check_promised(members: Sequence[InspectedObject], counts: Sequence[ObjectCounts]) -> None:
    """Hold what was read of each object against the manifest that lists it, where one does."""
    of = {count.key: count.read for count in counts}
    for one in members:
        if one.landed.records not in (None, of[one.key]):
            raise ObjectError(
                f"'{one.key}' has {of[one.key]:,} records, its manifest says {one.landed.records:,}",
                one.key,
                undone="nothing of it is loaded",
                next_step="copy it, or the whole of what the manifest lists, again",
            )


def _begin(batch: Batch, places: Sequence[tuple[int, str]]) -> dict[int, bool]:
    """For each line on which a refused record begins, whether the record may go on over line ends.

    Of a record with broken quotes only the line is known; of JSON each line is a record.
    """
    return {line: batch.table.file_format == "csv" and code != "broken_quotes" for line, code in places}


def _as_text(raw: bytes) -> str:
    r"""Bytes as a column of text takes them: what is not UTF-8, and NUL, becomes U+FFFD."""
    text = raw.decode("utf-8", errors="replace").replace("\0", "�")
    return text.encode()[:LINE_WIDTH].decode("utf-8", errors="ignore")


def _some(keys: Sequence[str]) -> str:
    shown = ", ".join(f"'{key}'" for key in keys[:3])
    return shown + (f" and {len(keys) - 3:,} more" if len(keys) > 3 else "")

"""Carry a plan out: inspect the objects ahead, load batch by batch, write the books."""

from __future__ import annotations

import datetime
import json
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

from biostar.contracts import Column, Source
from biostar.errors import BiostarError, DataError, WarehouseError
from biostar.landing import Inspection, LandedObject, Landing, inspect_object, rewrite_object
from biostar.load.match import Match, match_header
from biostar.load.plan import Batch, LedgerEntry, Plan, books_schema
from biostar.load.report import BatchResult, LoadReport
from biostar.raw.create import create_tables
from biostar.warehouse import (
    FileToLoad,
    LoadGroup,
    ObjectCounts,
    Staged,
    UnreadableAsIs,
    Warehouse,
    quote_identifier,
)

AHEAD = 4
"""Objects inspected ahead of the one being loaded; each costs a few MiB."""

Progress = Callable[[Batch, "BatchResult | None"], None]
"""Called with a batch before it is loaded, and again with its result."""


@dataclass(frozen=True)
class _Inspected:
    landed: LandedObject
    inspection: Inspection
    match: Match


def read_ledger(warehouse: Warehouse, books: str) -> list[LedgerEntry]:
    """Every object that was ever loaded; none where there is no ledger yet."""
    if "load_ledger" not in warehouse.columns_of(books):
        return []
    rows = warehouse.query(
        "select source_name, table_name, object_key, object_etag, object_bytes"
        f" from {quote_identifier(books, 'load_ledger')}"
    )
    return [LedgerEntry(*row) for row in rows]


def run_plan(
    plan: Plan,
    landing: Landing,
    sources: Sequence[Source],
    warehouse: Warehouse,
    ledger: Iterable[LedgerEntry],
    *,
    now: Callable[[], datetime.datetime],
    progress: Progress = lambda batch, result: None,
) -> LoadReport:
    """Load every batch of a plan.

    A batch at fault is left out and named in the report; the others go on. A fault of the warehouse or the store ends
    the run, since the next batch would meet it too; it stands in the report as well, after what is loaded.
    """
    began = time.monotonic()
    books = books_schema(sources)
    report = LoadReport(
        landing.uri,
        warehouse.dialect.name,
        failures=list(plan.failures),
        warnings=list(plan.warnings),
        missing_tables=plan.missing_tables,
        skipped=plan.skipped,
    )
    if plan.missing_tables:
        report.warnings.append(
            f"the landing has nothing for {', '.join(plan.missing_tables)}; their raw tables are empty"
        )
    create_tables(warehouse, sources)
    if plan.batches:
        warehouse.read_from(landing.uri, landing.warehouse_settings())
    contents = {(entry.table, _content(entry.etag)): entry.key for entry in ledger}
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="inspect")
    try:
        for batch, inspections in _inspected_ahead(plan.batches, landing, pool):
            progress(batch, None)
            started = time.monotonic()
            try:
                inspected = [inspection.result() for inspection in inspections]
                load_id, counts, etags = _load_batch(batch, inspected, landing, warehouse, books, now(), report)
            except WarehouseError as failure:
                report.failures.append(failure)
                break
            except BiostarError as failure:
                if failure.exit_code != DataError.exit_code:
                    raise
                report.failures.append(failure)
                continue
            for key in etags:
                twin = contents.setdefault((batch.table.name, _content(etags[key])), key)
                if twin != key:
                    report.warnings.append(
                        f"'{key}' has the same content as '{twin}'; its rows are loaded, and staging sets them aside"
                        " as exact copies"
                    )
            result = BatchResult(
                batch.table.name,
                batch.ingest_date,
                load_id,
                len(counts),
                batch.size,
                sum(count.read for count in counts),
                sum(count.loaded for count in counts),
                sum(count.rejected for count in counts),
                time.monotonic() - started,
            )
            report.batches.append(result)
            progress(batch, result)
    finally:
        pool.shutdown(cancel_futures=True)
    report.seconds = time.monotonic() - began
    return report


def _inspected_ahead(
    batches: Sequence[Batch], landing: Landing, pool: ThreadPoolExecutor
) -> Iterator[tuple[Batch, list[Future[_Inspected]]]]:
    """Each batch with the inspections of its objects, which run a few objects ahead of the caller."""
    queue = iter([(number, landed) for number, batch in enumerate(batches) for landed in batch.objects])
    futures: list[list[Future[_Inspected]]] = [[] for _ in batches]
    ahead = 0
    for number, batch in enumerate(batches):
        while len(futures[number]) < len(batch.objects) or ahead < AHEAD:
            following = next(queue, None)
            if following is None:
                break
            owner, landed = following
            futures[owner].append(pool.submit(_inspect, landing, landed, batches[owner]))
            ahead += 1
        yield batch, futures[number]
        ahead -= len(batch.objects)


def _inspect(landing: Landing, landed: LandedObject, batch: Batch) -> _Inspected:
    with landing.open(landed.key) as stream:
        inspection = inspect_object(stream, landed.key)
    return _Inspected(landed, inspection, match_header(inspection.header, batch.table, landed.key))


def _load_batch(
    batch: Batch,
    inspected: Sequence[_Inspected],
    landing: Landing,
    warehouse: Warehouse,
    books: str,
    loaded_at: datetime.datetime,
    report: LoadReport,
) -> tuple[int, list[ObjectCounts], dict[str, str]]:
    etags = {one.landed.key: landing.etag(one.landed, one.inspection.content_hash) for one in inspected}
    files = {
        one.landed.key: FileToLoad(
            one.landed.key,
            landing.address(one.landed.key),
            one.inspection.compression,
            one.inspection.lines,
            one.inspection.quotes,
            partial(landing.open, one.landed.key),
        )
        for one in inspected
    }
    rewritten: dict[str, bool] = {}
    with tempfile.TemporaryDirectory(prefix="biostar-") as scratch:
        while True:
            groups = _groups(batch, inspected, files, books, loaded_at)
            staged: list[Staged] = []
            try:
                for group in groups:
                    staged.append(warehouse.stage(group))
                with warehouse.transaction():
                    load_id = warehouse.begin_load(books)
                    _evolve(batch, inspected, warehouse)
                    counts = [count for one in staged for count in warehouse.publish(one, load_id)]
                    _write_ledger(warehouse, books, batch, inspected, etags, counts, load_id, loaded_at)
                    for one in inspected:
                        if not landing.is_settled(one.landed):
                            raise DataError(
                                f"'{one.landed.key}' changed while it was being read",
                                undone="nothing of its batch is loaded",
                                next_step="run the load again when its delivery is complete",
                            )
                break
            except UnreadableAsIs as need:
                for key in (*need.line_ends, *need.quotes):
                    drop = key in need.quotes
                    if rewritten.get(key) == drop or rewritten.get(key):
                        raise DataError(
                            f"'{key}' cannot be read to its end: its quotes or line ends are broken throughout",
                            undone="nothing of its batch is loaded",
                            next_step="deliver the object again",
                        ) from None
                    rewritten[key] = drop
                    copy = Path(scratch, f"{len(rewritten)}-{int(drop)}.csv")
                    files[key] = _rewrite(landing, warehouse, files[key], copy, drop)
            finally:
                for ready in staged:
                    warehouse.discard(ready)
    for one in inspected:
        if one.match.missing:
            report.warnings.append(f"'{one.landed.key}' lacks {', '.join(one.match.missing)}; loaded as null")
        if one.match.new_columns:
            report.warnings.append(
                f"'{one.landed.key}' has columns that {batch.table.name} does not declare; they are loaded. Judge them"
                f" and paste into {batch.table.declared_in}, under the columns of {batch.table.name}:\n"
                + "\n".join(_declaration(column) for column in one.match.new_columns)
            )
        if one.match.ignored:
            report.warnings.append(
                f"'{one.landed.key}' has unknown columns, left out: {', '.join(map(repr, one.match.ignored))}"
            )
    return load_id, counts, etags


def _declaration(column: Column) -> str:
    # Until a person has judged it, a new column counts as one that identifies somebody.
    aliases = f", aliases: [{', '.join(map(json.dumps, column.aliases))}]" if column.aliases else ""
    return (
        f"          - name: {column.name}\n"
        f"            data_type: {column.data_type}\n"
        f"            config: {{meta: {{phi: direct{aliases}}}}}"
    )


def _groups(
    batch: Batch,
    inspected: Sequence[_Inspected],
    files: dict[str, FileToLoad],
    books: str,
    loaded_at: datetime.datetime,
) -> list[LoadGroup]:
    widths = {column.name: column.width for column in batch.table.columns}
    by_header: dict[tuple[tuple[str, ...], int], list[_Inspected]] = {}
    for one in inspected:
        header = one.inspection.header
        by_header.setdefault((tuple(name.lower() for name in header.names), header.lines), []).append(one)
    groups = []
    for (_, lines), members in by_header.items():
        match = members[0].match
        widths.update({column.name: column.width for column in match.new_columns})
        groups.append(
            LoadGroup(
                table=batch.table,
                books=books,
                ingest_date=batch.ingest_date,
                loaded_at=loaded_at,
                fields=match.fields,
                names=tuple(
                    (column or name)[:128].encode()[:128].decode(errors="ignore")
                    for column, name in zip(match.fields, members[0].inspection.header.names, strict=True)
                ),
                header_lines=lines,
                files=tuple(files[one.landed.key] for one in members),
                widths=tuple(widths[field] if field else None for field in match.fields),
            )
        )
    return groups


def _rewrite(
    landing: Landing, warehouse: Warehouse, file: FileToLoad, copy: Path, drop_open_quotes: bool
) -> FileToLoad:
    try:
        with landing.open(file.key) as stream, copy.open("wb") as target:
            outcome = rewrite_object(stream, target, file.key, drop_open_quotes=drop_open_quotes)
    except OSError as fault:
        raise WarehouseError(
            f"no room to rewrite '{file.key}' in '{copy.parent}': {(fault.strerror or '').lower()}",
            undone="nothing of the current batch is loaded",
            next_step="set TMPDIR to a folder with room for the object uncompressed, then run the load again",
        ) from fault
    return replace(
        file,
        address=warehouse.adopt(copy),
        compression="none",
        open=partial(_reopen, copy),
        quotes=file.quotes and not drop_open_quotes,
        left_out=outcome.open_quotes,
    )


def _reopen(copy: Path) -> BinaryIO:
    return copy.open("rb")


def _evolve(batch: Batch, inspected: Sequence[_Inspected], warehouse: Warehouse) -> None:
    wanted = {column.name: column for one in inspected for column in one.match.new_columns}
    if not wanted:
        return
    there = warehouse.columns_of(batch.table.schema)[batch.table.name]
    for name, column in wanted.items():
        if name not in there:
            warehouse.execute(warehouse.dialect.add_column(batch.table, column))


def _write_ledger(
    warehouse: Warehouse,
    books: str,
    batch: Batch,
    inspected: Sequence[_Inspected],
    etags: dict[str, str],
    counts: Sequence[ObjectCounts],
    load_id: int,
    loaded_at: datetime.datetime,
) -> None:
    of = {count.key: count for count in counts}
    for one in inspected:
        key = one.landed.key
        warehouse.execute(
            f"insert into {quote_identifier(books, 'load_ledger')} ("
            "load_id, source_name, table_name, object_key, object_etag, object_bytes, ingest_date,"
            " header_fingerprint, rows_read, rows_loaded, rows_rejected, loaded_at, file_format"
            ") values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                load_id,
                batch.table.source,
                batch.table.name,
                key,
                etags[key],
                one.landed.size,
                batch.ingest_date,
                one.inspection.header.fingerprint,
                of[key].read,
                of[key].loaded,
                of[key].rejected,
                loaded_at,
                batch.table.file_format,
            ),
        )


def _content(etag: str) -> str:
    return etag.partition(";")[0]

"""Carry a plan out: batches to connections, each connection one batch at a time, and a report of it all."""

from __future__ import annotations

import datetime
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

from biostar.contracts import ErrorLimit, RawTable, Source
from biostar.errors import ObjectError, TransientError, WarehouseError
from biostar.landing import LandedObject, Landing
from biostar.load.attempts import Patience
from biostar.load.books import Books, LedgerEntry, books_of
from biostar.load.loader import Loader, Outcome
from biostar.load.objects import InspectedObject, InspectionAhead, inspect
from biostar.load.plan import Batch, Plan
from biostar.load.report import BatchResult, LoadReport
from biostar.load.scratch import remove_left_behind
from biostar.load.steps import At, nowhere
from biostar.load.watch import Watcher
from biostar.raw.create import create_tables
from biostar.warehouse import Warehouse

ONE_WRITER = frozenset({"duckdb"})
"""Targets that are a file of one process: it reads each object with all its threads, and writes one load at a time."""

INSPECTORS = 2
"""Threads that read objects ahead, at least: a batch begins when all of its objects are inspected."""


def run_plan(
    plan: Plan,
    landing: Landing,
    sources: Sequence[Source],
    warehouse: Warehouse,
    ledger: Iterable[LedgerEntry],
    *,
    now: Callable[[], datetime.datetime],
    jobs: int = 1,
    limit: ErrorLimit | None = None,
    watcher: Watcher | None = None,
    at: At = nowhere,
    patience: Patience | None = None,
) -> LoadReport:
    """Load every batch of a plan.

    What is at fault is left out and named in the report: an object, or a batch that has too many bad records; the
    others go on. A fault of the warehouse or the store that does not pass with a few tries ends the run, since the next
    batch would meet it too; it stands in the report as well, after what is loaded.

    Args:
        plan: what to do.
        landing: where the files are.
        sources: all that the project declares.
        warehouse: a connection; further ones are taken from it.
        ledger: what stood when the plan was made.
        now: the time, UTC without zone.
        jobs: connections at most, of which DuckDB has one. Batches of one table are loaded one after the other.
        limit: bad records that each load may have, in place of what its table says.
        watcher: who is told of each event.
        at: called with each of `steps.STEPS`.
        patience: how often a fault that may pass is met with another try.
    """
    began = time.monotonic()
    run = secrets.token_hex(6)
    books = books_of(sources)
    watcher = watcher or Watcher()
    report = LoadReport(
        run,
        landing.uri,
        warehouse.dialect.name,
        failures=list(plan.failures),
        unplanned=list(plan.failures),
        warnings=list(plan.warnings),
        missing_tables=plan.missing_tables,
        skipped=plan.skipped,
        vanished=plan.vanished,
    )
    if plan.missing_tables:
        report.warnings.append(
            f"the landing has nothing for {', '.join(plan.missing_tables)}; their raw tables are empty"
        )
    remove_left_behind()
    jobs = 1 if warehouse.dialect.name in ONE_WRITER else max(1, min(jobs, len({b.table.name for b in plan.batches})))
    watcher.run_started(run, plan, landing.uri, warehouse.dialect.name, jobs)
    patience = patience or Patience()
    patience.over(lambda: create_tables(warehouse, sources), between=lambda *_: warehouse.reopen())
    state = _Run(plan, landing, books, ledger, report, watcher, patience, at, run, now, limit)
    try:
        state.go(warehouse, jobs)
    except BaseException:
        report.is_broken_off = True
        raise
    else:
        report.warnings += [
            f"'{address}' could not be removed from S3; the first load after a day does so"
            for address in warehouse.clean_up()
        ]
    finally:
        report.batches.sort(key=lambda result: result.load_id)
        report.seconds = time.monotonic() - began
        watcher.run_finished(report)
    return report


class _Run:
    """What the connections of a run share."""

    def __init__(
        self,
        plan: Plan,
        landing: Landing,
        books: Books,
        ledger: Iterable[LedgerEntry],
        report: LoadReport,
        watcher: Watcher,
        patience: Patience,
        at: At,
        run: str,
        now: Callable[[], datetime.datetime],
        limit: ErrorLimit | None,
    ) -> None:
        self._plan = plan
        self._landing = landing
        self._books = books
        self._report = report
        self._watcher = watcher
        self._patience = patience
        self._at = at
        self._run = run
        self._now = now
        self._limit = limit
        self._contents = {(entry.table, _content(entry.etag)): entry.key for entry in ledger}
        self._lock = threading.Condition()
        self._pending = list(plan.batches)
        self._busy: set[str] = set()
        self._stopped = False

    def go(self, warehouse: Warehouse, jobs: int) -> None:
        if not self._plan.batches:
            return
        ahead = InspectionAhead(self._plan.batches, self._look, max(jobs, INSPECTORS))
        try:
            if jobs == 1:
                self._work(warehouse, ahead)
            else:
                self._work_together(warehouse, ahead, jobs)
        finally:
            self._stop()
            ahead.close()

    def _work_together(self, warehouse: Warehouse, ahead: InspectionAhead, jobs: int) -> None:
        connections = [warehouse]
        try:
            connections += (warehouse.another() for _ in range(jobs - 1))
            with ThreadPoolExecutor(jobs, thread_name_prefix="load") as pool:
                work = [pool.submit(self._work, connection, ahead) for connection in connections]
                try:
                    wait(work, return_when=FIRST_EXCEPTION)
                    for one in work:
                        if one.done():
                            one.result()
                except BaseException:
                    # Interrupted, or a bug in one thread: the others end with their connection, which rolls back.
                    self._stop()
                    for connection in connections:
                        connection.close()
                    raise
        finally:
            for connection in connections[1:]:
                connection.close()

    def _work(self, warehouse: Warehouse, ahead: InspectionAhead) -> None:
        loader = Loader(
            warehouse,
            self._landing,
            self._books,
            run=self._run,
            now=self._now,
            limit=self._limit,
            at=self._at,
        )
        while (batch := self._take()) is not None:
            try:
                self._load(batch, ahead, loader, warehouse)
            finally:
                self._done(batch)

    def _load(self, batch: Batch, ahead: InspectionAhead, loader: Loader, warehouse: Warehouse) -> None:
        self._watcher.batch_started(batch)
        started = time.monotonic()
        outcome = Outcome()
        try:
            inspected: list[InspectedObject] = []
            for inspection in ahead.of(batch):
                try:
                    inspected.append(inspection.result())
                except ObjectError as fault:
                    outcome.faults.append(fault)
            self._at("inspected")
            if not (outcome.faults and batch.replaces):
                self._load_patiently(batch, inspected, outcome, loader, warehouse)
        except WarehouseError as fault:
            outcome.faults.append(fault)
            self._stop()
        if batch.replaces and not outcome.is_loaded:
            for found in outcome.faults:
                found.undone = "the reload; the rows loaded before stand"
        result = self._result(batch, outcome, time.monotonic() - started) if outcome.is_loaded else None
        with self._lock:
            self._report.failures += outcome.faults
            self._report.warnings += outcome.remarks
            if result is not None:
                self._report.batches.append(result)
                self._find_twins(outcome.members)
        self._watcher.batch_finished(batch, result, outcome.faults)

    def _load_patiently(
        self,
        batch: Batch,
        inspected: Sequence[InspectedObject],
        outcome: Outcome,
        loader: Loader,
        warehouse: Warehouse,
    ) -> None:
        broken = False
        before = list(outcome.faults)

        def attempt() -> None:
            nonlocal broken
            if broken:
                outcome.faults[:] = before
                outcome.remarks.clear()
                warehouse.reopen()
            broken = True
            # For each batch: the credentials of a role may have ended since the one before.
            warehouse.read_from(self._landing.uri, self._landing.warehouse_settings())
            loader.load(batch, inspected, outcome)

        def tell(fault: TransientError, number: int, pause: float) -> None:
            self._watcher.retried(batch, fault, number, pause)

        self._patience.over(attempt, between=tell)

    def _result(self, batch: Batch, outcome: Outcome, seconds: float) -> BatchResult:
        return BatchResult(
            batch.table.name,
            batch.ingest_date,
            outcome.load_id,
            len(outcome.counts),
            sum(one.landed.size for one in outcome.members),
            sum(count.read for count in outcome.counts),
            sum(count.loaded for count in outcome.counts),
            sum(count.rejected for count in outcome.counts),
            seconds,
            batch.kind,
            batch.replaces,
            outcome.rows_removed,
            len(batch.erased),
        )

    def _find_twins(self, members: Sequence[InspectedObject]) -> None:
        for one in members:
            twin = self._contents.setdefault((one.landed.table, _content(one.etag)), one.key)
            if twin != one.key:
                self._report.warnings.append(
                    f"'{one.key}' has the same content as '{twin}'; its rows are loaded, and staging sets them aside"
                    " as exact copies"
                )

    def _look(self, landed: LandedObject, table: RawTable) -> InspectedObject:
        return self._patience.over(lambda: inspect(self._landing, landed, table))

    def _take(self) -> Batch | None:
        """The next batch whose table nobody is loading; waits for one, None when there is none to come."""
        with self._lock:
            while self._pending and not self._stopped:
                for batch in self._pending:
                    if batch.table.name not in self._busy:
                        self._pending.remove(batch)
                        self._busy.add(batch.table.name)
                        return batch
                self._lock.wait()
            return None

    def _done(self, batch: Batch) -> None:
        with self._lock:
            self._busy.discard(batch.table.name)
            self._lock.notify_all()

    def _stop(self) -> None:
        with self._lock:
            self._stopped = True
            self._lock.notify_all()


def _content(etag: str) -> str:
    return etag.partition(";")[0]

"""The log of a run: one line of JSON for each event, with counts and keys of objects, never with a value of a row."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from biostar.errors import BiostarError, ConfigurationError
from biostar.load.watch import Watcher

if TYPE_CHECKING:
    from biostar.load.plan import Batch, Plan
    from biostar.load.report import BatchResult, LoadReport

LOGGER = "biostar.load"


class RunLog(Watcher):
    """Writes each event to a logger; where its lines go is up to the logger's handlers."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._run = ""

    def run_started(self, run: str, plan: Plan, landing: str, target: str, jobs: int) -> None:
        """`run started`."""
        self._run = run
        self._say(
            logging.INFO,
            "run started",
            landing=landing,
            target=target,
            jobs=jobs,
            batches=len(plan.batches),
            objects=sum(len(batch.objects) for batch in plan.batches),
            bytes=sum(batch.size for batch in plan.batches),
            objects_skipped=plan.skipped,
        )

    def batch_started(self, batch: Batch) -> None:
        """`batch started`."""
        self._say(logging.INFO, "batch started", **_of(batch), objects=len(batch.objects), bytes=batch.size)

    def batch_finished(self, batch: Batch, result: BatchResult | None, faults: Sequence[BiostarError]) -> None:
        """`object refused` or `batch failed` for each fault, and `batch finished`."""
        for fault in faults:
            key = getattr(fault, "key", None)
            event = "batch failed" if key is None else "object refused"
            about = {} if key is None else {"object_key": key}
            self._say(logging.ERROR, event, **_of(batch), **about, **_told(fault))
        if result is not None:
            self._say(logging.INFO, "batch finished", **result.as_dict())

    def retried(self, batch: Batch, fault: BiostarError, attempt: int, pause: float) -> None:
        """`attempt failed`."""
        said = {"attempt": attempt, "pause_seconds": round(pause, 3), "cause": fault.message}
        self._say(logging.WARNING, "attempt failed", **_of(batch), **said)

    def run_finished(self, report: LoadReport) -> None:
        """`warning` and `failure` for each that belongs to no batch, and `run finished` or `run broken off`."""
        for warning in report.warnings:
            self._say(logging.WARNING, "warning", text=warning)
        for failure in report.unplanned:
            self._say(logging.ERROR, "failure", **_told(failure))
        summary = report.as_dict()
        self._say(
            logging.INFO,
            "run broken off" if report.is_broken_off else "run finished",
            **{name: value for name, value in summary.items() if isinstance(value, (int, float)) and name != "run"},
            batches=len(report.batches),
            failures=len(report.failures),
        )

    def _say(self, level: int, event: str, **about: object) -> None:
        self._logger.log(level, event, extra={"run": self._run, **about})


def _told(fault: BiostarError) -> dict[str, object]:
    # `message` is a name of the logging module's own.
    return {"cause" if name == "message" else name: value for name, value in fault.as_dict().items()}


def _of(batch: Batch) -> dict[str, object]:
    return {"table": batch.table.name, "ingest_date": batch.ingest_date.isoformat()}


@contextmanager
def log_to(path: str) -> Iterator[RunLog]:
    """A log that is appended to a file, `-` being stderr; times are UTC.

    Raises:
        ConfigurationError: the file cannot be written.
    """
    from pythonjsonlogger.json import JsonFormatter

    handler: logging.Handler
    try:
        handler = logging.StreamHandler() if path == "-" else logging.FileHandler(path, encoding="utf-8")
    except OSError as fault:
        raise ConfigurationError(
            f"the log '{path}' cannot be written: {(fault.strerror or '').lower()}",
            undone="nothing was loaded",
            next_step="name a file with --log or BIOSTAR_LOG that you can write to, or - for stderr",
        ) from fault
    formatter = JsonFormatter(
        "%(asctime)s %(levelname)s %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%SZ",
        rename_fields={"asctime": "time", "levelname": "level", "message": "event"},
        json_ensure_ascii=False,
    )
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logger = logging.getLogger(LOGGER)
    before = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield RunLog(logger)
    finally:
        logger.removeHandler(handler)
        handler.close()
        logger.setLevel(before[0])
        logger.propagate = before[1]

"""Who is told of what a run does: the bar on a terminal, and the log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from biostar.errors import BiostarError

if TYPE_CHECKING:
    from biostar.load.plan import Batch, Plan
    from biostar.load.report import BatchResult, LoadReport


class Watcher:
    """Hears of each event and does nothing; called from several threads where a run has several connections."""

    def run_started(self, run: str, plan: Plan, landing: str, target: str, jobs: int) -> None:
        """The plan is made, nothing is loaded yet."""

    def batch_started(self, batch: Batch) -> None:
        """A connection takes the batch."""

    def batch_finished(self, batch: Batch, result: BatchResult | None, faults: Sequence[BiostarError]) -> None:
        """The batch is in, or (no result) nothing of it is; `faults` are those of its objects, or of the whole."""

    def retried(self, batch: Batch, fault: BiostarError, attempt: int, pause: float) -> None:
        """An attempt failed by chance; the next one begins after a pause in seconds."""

    def run_finished(self, report: LoadReport) -> None:
        """The run is over."""


class Watchers(Watcher):
    """Several at once."""

    def __init__(self, *watchers: Watcher) -> None:
        self._watchers = watchers

    def run_started(self, run: str, plan: Plan, landing: str, target: str, jobs: int) -> None:
        """Tell all."""
        for watcher in self._watchers:
            watcher.run_started(run, plan, landing, target, jobs)

    def batch_started(self, batch: Batch) -> None:
        """Tell all."""
        for watcher in self._watchers:
            watcher.batch_started(batch)

    def batch_finished(self, batch: Batch, result: BatchResult | None, faults: Sequence[BiostarError]) -> None:
        """Tell all."""
        for watcher in self._watchers:
            watcher.batch_finished(batch, result, faults)

    def retried(self, batch: Batch, fault: BiostarError, attempt: int, pause: float) -> None:
        """Tell all."""
        for watcher in self._watchers:
            watcher.retried(batch, fault, attempt, pause)

    def run_finished(self, report: LoadReport) -> None:
        """Tell all."""
        for watcher in self._watchers:
            watcher.run_finished(report)

"""Run dbt in this process.

dbt takes three seconds to start and about nine where it must parse, so a verb that needs it several times calls it
here, where the second call finds it imported and parsed.
"""

from __future__ import annotations

import gc
import os
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from biostar.errors import ConfigurationError, UsageError, WarehouseError
from biostar.project import project_root, target_name

if TYPE_CHECKING:
    from dbt.cli.main import dbtRunnerResult

Progress = Callable[[int, int, str], None]
"""Called with (nodes finished, nodes in all, name of the node) after each node."""

GOOD = {"success", "pass", "no-op"}
BAD = {"error", "fail", "runtime error", "partial success"}
"""dbt's statuses of a node that are fine, and of one that is not; `warn` and `skipped` are neither."""


@dataclass(frozen=True)
class NodeResult:
    """What became of one model, test, seed or snapshot.

    `failures` is the number of rows that a test found, `seconds` wall time.
    """

    name: str
    kind: str
    status: str
    seconds: float
    failures: int
    message: str
    path: str


@dataclass(frozen=True)
class BuildResult:
    """All nodes of one `dbt build`, and the wall time of the whole in seconds."""

    nodes: tuple[NodeResult, ...]
    seconds: float
    target: str

    @property
    def failed(self) -> tuple[NodeResult, ...]:
        """Nodes that ended in an error or a failed test."""
        return tuple(node for node in self.nodes if node.status in BAD)

    @property
    def warned(self) -> tuple[NodeResult, ...]:
        """Tests that found something and are configured to warn."""
        return tuple(node for node in self.nodes if node.status == "warn")

    def count(self) -> dict[str, dict[str, int]]:
        """Number of nodes by kind and status."""
        counts: dict[str, Counter[str]] = {}
        for node in self.nodes:
            counts.setdefault(node.kind, Counter())[node.status] += 1
        return {kind: dict(counter) for kind, counter in sorted(counts.items())}

    def as_dict(self) -> dict[str, object]:
        """The result as the JSON document carries it."""
        return {
            "target": self.target,
            "seconds": round(self.seconds, 2),
            "nodes": self.count(),
            "failed": [vars(node) for node in self.failed],
            "warned": [vars(node) for node in self.warned],
            "slowest": [vars(node) for node in sorted(self.nodes, key=lambda n: -n.seconds)[:5]],
        }


def invoke_dbt(args: list[str], callback: Callable[[Any], None] | None = None) -> dbtRunnerResult:
    """Call dbt with `args` from the project's root, with the project's profiles; it prints nothing itself.

    Raises:
        ConfigurationError: dbt could not parse the project, the profile or its own arguments.
        WarehouseError: another process holds the database, or it cannot be reached.
    """
    root = project_root()
    os.environ.setdefault("DBT_PROFILES_DIR", str(root / "profiles"))
    (root / "data").mkdir(exist_ok=True)
    # Imported late: it takes seconds.
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    before = Path.cwd()
    os.chdir(root)  # paths in the profile are relative to the project
    try:
        result = dbtRunner(callbacks=[callback] if callback else []).invoke(["--log-level", "none", *args])
    finally:
        os.chdir(before)
        # The adapter keeps the database file open, with its own settings, until the process ends; its last cursor does
        # until it is collected.
        DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]
        gc.collect()
    if result.exception is not None and result.result is None:
        raise stopped(redact(str(result.exception))) from result.exception
    return result


def stopped(reason: str) -> ConfigurationError | WarehouseError:
    """Why dbt ran nothing, as the error that says who must act; dbt itself has one kind for all of them."""
    if "could not set lock" in reason.lower():
        return WarehouseError(
            f"the database is open in another process; DuckDB lets one process write at a time: {reason}",
            undone="nothing was built",
            next_step="wait for the other load, build or client to end, then run the same command again",
        )
    if re.search(r"(?i)communication error|timed? ?out|connection (refused|reset)|could not connect", reason):
        return WarehouseError(
            f"the warehouse does not answer: {reason}",
            undone="nothing was built",
            next_step="run the same command again; if it goes on, look at host, port and network",
        )
    return ConfigurationError(
        f"dbt stopped before it ran anything: {reason}",
        undone="nothing was built",
        next_step="mend what it names; biostar doctor looks at the rest",
    )


def run_build(
    target: str | None = None,
    select: tuple[str, ...] = (),
    exclude: tuple[str, ...] = (),
    full_refresh: bool = False,
    with_tests: bool = True,
    progress: Progress | None = None,
) -> BuildResult:
    """Build the selected nodes, all by default, each followed by its tests.

    Raises:
        ConfigurationError: dbt could not start.
        UsageError: the selectors match nothing.
        WarehouseError: the database cannot be reached, or another process holds it.
    """
    args = ["build", "--target", target_name(target)]
    if not with_tests:
        args += ["--exclude-resource-type", "test", "--exclude-resource-type", "unit_test"]
    if select:
        # Without this, a test of a selected model runs although it also needs one that is neither selected nor built.
        args += ["--select", *select, "--indirect-selection", "buildable"]
    if exclude:
        args += ["--exclude", *exclude]
    if full_refresh:
        args.append("--full-refresh")
    finished = 0
    total = 0

    def on_event(event: Any) -> None:
        nonlocal finished, total
        if event.info.name == "LogStartLine":
            total = max(total, int(event.data.total))
        elif event.info.name == "NodeFinished":
            finished += 1
            if progress:
                progress(finished, total, event.data.node_info.node_name)

    began = time.perf_counter()
    outcome = invoke_dbt(args, on_event)
    seconds = time.perf_counter() - began
    results = getattr(outcome.result, "results", None)
    if results is None:
        raise WarehouseError(
            f"dbt could not run on target '{target_name(target)}': {redact(str(outcome.exception))}",
            undone="nothing was built",
            next_step="biostar doctor",
        )
    if not results:
        raise UsageError(
            f"nothing matches {' '.join(args[3:])}" if select or exclude else "the project has no model",
            undone="nothing was built",
            next_step="dbt ls lists the names; a + before or after one adds what it needs or what needs it",
        )
    return BuildResult(tuple(_node(result) for result in results), seconds, target_name(target))


def _node(result: Any) -> NodeResult:
    node = result.node
    return NodeResult(
        name=node.name,
        kind=str(node.resource_type.value).replace("_", " "),
        status=str(result.status.value),
        seconds=round(float(result.execution_time), 3),
        failures=int(result.failures or 0),
        message=redact(str(result.message or "")),
        path=str(node.original_file_path),
    )


def redact(message: str) -> str:
    """The message without what stands in quotes after a conversion or a constraint error: it may be a patient's."""
    if re.search(r"(?i)conversion error|constraint error|could not convert|duplicate key|violates", message):
        return re.sub(r"(['\"])[^'\"\n]*\1", r"\1…\1", message)
    return message

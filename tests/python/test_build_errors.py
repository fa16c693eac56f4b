"""What `biostar build` says when dbt ran nothing: the exit code must tell a scheduler whether to try again."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from biostar.build import runner
from biostar.errors import ConfigurationError, UsageError, WarehouseError


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ('IO Error: Could not set lock on file "x.duckdb": Conflicting lock is held in python (PID 1)', WarehouseError),
        (
            "Database Error\n  ('communication error', ConnectionRefusedError(111, 'Connection refused'))",
            WarehouseError,
        ),
        ("Database Error\n  ('communication error', gaierror(-2, 'Name or service not known'))", WarehouseError),
        ("Database Error\n  ('connection time out', TimeoutError('timed out'))", WarehouseError),
        ("Database Error\n  'user', 'password' field(s) are required", ConfigurationError),
        (
            "Compilation Error\n  Model 'model.biostar.x' depends on a node named 'y' which was not found",
            ConfigurationError,
        ),
    ],
)
def test_the_error_says_who_must_act(reason: str, kind: type[Exception]) -> None:
    error = runner.stopped(reason)
    assert type(error) is kind
    assert reason in error.message
    assert error.undone
    assert error.next_step


def test_a_selector_that_matches_nothing_is_not_a_success(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(args: list[str], callback: Any = None) -> Any:
        return SimpleNamespace(result=SimpleNamespace(results=[]), exception=None)

    monkeypatch.setattr(runner, "invoke_dbt", nothing)
    with pytest.raises(UsageError, match="nothing matches --select fct_claym"):
        runner.run_build(select=("fct_claym",))

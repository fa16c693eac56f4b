"""What dbt's selectors choose of the project, for every verb that takes them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from biostar.build.runner import invoke_dbt
from biostar.errors import ConfigurationError
from biostar.project import dbt_target_dir


def select_nodes(kinds: Sequence[str], select: Sequence[str] = ()) -> tuple[dict[str, Any], frozenset[str]]:
    """dbt's manifest, parsed anew where a file changed, and the unique ids that the selectors choose of some kinds.

    Raises:
        ConfigurationError: dbt cannot parse the project.
        UsageError: dbt does not understand a selector.
    """
    arguments = ["list", "--target", "duckdb", *(word for kind in kinds for word in ("--resource-type", kind))]
    if select:
        arguments += ["--select", *select]
    outcome = invoke_dbt([*arguments, "--output", "json", "--output-keys", "unique_id"])
    if not outcome.success:
        raise ConfigurationError(
            f"dbt cannot list the models: {str(outcome.exception).partition(chr(10))[0]}", next_step="dbt parse"
        )
    path = dbt_target_dir() / "manifest.json"
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as fault:
        raise ConfigurationError(f"dbt left no manifest in '{path}'", next_step="dbt parse") from fault
    listed = outcome.result if isinstance(outcome.result, list) else []
    return manifest, frozenset(json.loads(line)["unique_id"] for line in listed)

"""Which columns say something of a person, and the refusal to let them out.

The words are those of the source declarations: `direct` names a person or stands for one, `quasi` is on HIPAA's list of
18 identifiers too (45 CFR 164.514(b)(2)(i)) or identifies together with other data. Both are refused alike, since data
are de-identified by Safe Harbor only without any of them; a column of which nobody has said what it holds is as good as
one of them.

A model says it at its columns, and what it leaves unsaid is settled by these rules:

1. What is declared stands: `phi: none` as well as `direct`.
2. In a relation whose rows are about persons (it has one of PERSON_KEYS), a column is what any other model calls a
   column of that name; a surrogate key of a patient is `quasi`, since it is computed from the patient's id
   (164.514(c)(1) forbids a code that is derived from information about the person); dates are `quasi`, all elements
   of dates but the year being on the list: columns that end in _date, _at or _date_key. The loader's own columns,
   whose names begin with an underscore, are `none`.
3. Any other column of the contract is `none`; a column of the warehouse that no YAML names is `unknown`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from biostar.contracts import RawTable
from biostar.errors import UsageError
from biostar.unload.request import OutColumn, Phi

PERSON_KEYS = frozenset(("patient_key", "patient_version_key", "patient_id"))
_SURROGATES = frozenset(("patient_key", "patient_version_key"))
_DATES = ("_date", "_at", "_date_key")
_RANK: dict[Phi, int] = {"none": 0, "quasi": 1, "direct": 2, "unknown": 3}


def worst(classes: Sequence[Phi]) -> Phi:
    """The class of what is made of several columns."""
    return max(classes, key=_RANK.__getitem__, default="none")


def phi_of_table(table: RawTable) -> dict[str, Phi]:
    """Classes of a declared raw table's columns; the loader's own say nothing of a person."""
    found: dict[str, Phi] = {column.name: "none" for column in table.all_columns}
    for column in table.columns:
        found[column.name] = column.phi if column.phi in ("direct", "quasi") else "none"  # type: ignore[assignment]
    return found


def names_in_models(manifest: Mapping[str, Any]) -> dict[str, Phi]:
    """The worst class that any model declares for a column of a name."""
    found: dict[str, Phi] = {}
    for node in manifest["nodes"].values():
        if node["resource_type"] in ("model", "snapshot", "seed"):
            for name, column in node.get("columns", {}).items():
                said = declared(column)
                if said is not None:
                    found[name] = worst([found.get(name, "none"), said])
    return found


def phi_of_node(node: Mapping[str, Any], elsewhere: Mapping[str, Phi]) -> dict[str, Phi]:
    """Classes of the columns that a model's YAML names."""
    columns = node.get("columns", {})
    personal = not PERSON_KEYS.isdisjoint(columns)
    found: dict[str, Phi] = {}
    for name, column in columns.items():
        said = declared(column)
        found[name] = said if said is not None else _unsaid(name, personal, elsewhere)
    return found


def _unsaid(name: str, personal: bool, elsewhere: Mapping[str, Phi]) -> Phi:
    if not personal or name.startswith("_"):
        return "none"
    dated = name in _SURROGATES or name.endswith(_DATES)
    return worst([elsewhere.get(name, "none"), "quasi" if dated else "none"])


def declared(column: Mapping[str, Any]) -> Phi | None:
    """What a column's YAML says."""
    meta = {**column.get("meta", {}), **column.get("config", {}).get("meta", {})}
    said = meta.get("phi")
    return said if said in ("none", "quasi", "direct") else None


def personal_columns(columns: Sequence[OutColumn]) -> tuple[str, ...]:
    """Each column that is about persons, with its class, as `name (class)`."""
    return tuple(f"{column.name} ({column.phi})" for column in columns if column.phi != "none")


def refuse_personal(subject: str, columns: Sequence[OutColumn], reason: str) -> None:
    """Let columns about persons out only with a reason.

    Raises:
        UsageError: there are some, and no reason is given; all of them are named.
    """
    found = personal_columns(columns)
    if found and not reason:
        raise UsageError(
            f"'{subject}' has columns about persons: {', '.join(found)}",
            undone="nothing was unloaded",
            next_step="leave them out with --query, or give --allow-phi and --reason, which is recorded",
        )

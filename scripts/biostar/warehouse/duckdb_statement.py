"""What the statements that load a group with DuckDB have in common: bound values, and how a path is written."""

from __future__ import annotations

from biostar.warehouse.base import LoadGroup

SPECIAL = "*?["
"""Characters of a path that mean others to DuckDB; how it then calls the file is not how we do."""


def bound(group: LoadGroup) -> dict[str, object]:
    """The values of a group that its INSERT binds, besides the address."""
    return {
        "load_id": group.load_id,
        "ingest_date": group.ingest_date,
        "loaded_at": group.loaded_at,
        **{f"constant_{number}": value for number, (_, value) in enumerate(group.constants)},
    }


def bound_as_text(statement: str, group: LoadGroup) -> str:
    """A statement with what a group binds written out, for people to read."""
    written = {
        "$load_id": str(group.load_id) if group.load_id else "<next load id>",
        "$ingest_date": f"date '{group.ingest_date}'",
        "$loaded_at": f"timestamp '{group.loaded_at}'",
        **{f"$constant_{number}": literal(value) for number, (_, value) in enumerate(group.constants)},
    }
    for name, value in sorted(written.items(), reverse=True):  # $constant_10 before $constant_1
        statement = statement.replace(name, value)
    return statement


def literal(text: str | None) -> str:
    """Text as a literal of DuckDB, for statements that are shown and not sent."""
    return "null" if text is None else "'" + text.replace("'", "''") + "'"


def literal_path(address: str) -> str:
    """DuckDB takes a path for a pattern; in brackets each of its special characters stands for itself."""
    return "".join(f"[{character}]" if character in SPECIAL else character for character in address)

"""What may be unloaded by its name: raw tables of the source YAML; models, snapshots and seeds of dbt's manifest."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from biostar.contracts import Source
from biostar.errors import UsageError
from biostar.unload.lineage import phi_of_query
from biostar.unload.phi import names_in_models, phi_of_node, phi_of_table
from biostar.unload.request import Phi, Subject

_KINDS = ("model", "snapshot", "seed")


DAY = "ingest_date"
"""The folder that holds the day of delivery, in a landing."""


def raw_subject(name: str, sources: Sequence[Source], *, as_landing: bool = False) -> Subject | None:
    """A declared table by `source.table`; None where the name is not of that form.

    With `as_landing` it has the columns that a vendor delivers and the day as DAY, to be divided by it: the loader adds
    its own columns itself.

    Raises:
        UsageError: the source has no such table.
    """
    source_name, dot, table_name = name.partition(".")
    of = next((source for source in sources if dot and source.name == source_name), None)
    if of is None:
        return None
    for table in of.tables:
        if table.name == table_name:
            if as_landing and table.landing is None:
                raise UsageError(f"no file is ever landed for '{name}'", next_step="leave --as-landing out")
            phi = phi_of_table(table)
            landed = tuple(column.name for column in table.columns)
            return Subject(
                name,
                table.schema,
                table.name,
                declared=tuple((column.name, column.data_type) for column in table.all_columns),
                phi=tuple((phi | {DAY: "none"} if as_landing else phi).items()),
                columns=(*landed, "_ingest_date") if as_landing else None,
                renamed=(("_ingest_date", DAY),) if as_landing else (),
            )
    raise _unknown(name, [f"{of.name}.{table.name}" for table in of.tables])


def model_subject(name: str, manifest: Mapping[str, Any]) -> Subject:
    """A model, snapshot or seed by its name.

    Raises:
        UsageError: there is none.
    """
    nodes = {node["name"]: node for node in manifest["nodes"].values() if _stored(node)}
    if name not in nodes:
        raise _unknown(name, nodes)
    return _subject(nodes[name], names_in_models(manifest))


def selected_subjects(select: Sequence[str]) -> list[Subject]:
    """Everything that dbt's selectors choose."""
    manifest, chosen = read_manifest(select)
    nodes = [node for identity, node in manifest["nodes"].items() if identity in chosen and _stored(node)]
    if not nodes:
        raise UsageError(f"no model is selected by {', '.join(select)}", next_step="dbt list --resource-type model")
    elsewhere = names_in_models(manifest)
    return [_subject(node, elsewhere) for node in sorted(nodes, key=lambda node: str(node["name"]))]


def query_subject(sql: str, manifest: Mapping[str, Any], sources: Sequence[Source], target: str) -> Subject:
    """A query, its columns traced to the declared ones.

    Raises:
        UsageError: it is not one SELECT.
    """
    elsewhere = names_in_models(manifest)
    relations: dict[tuple[str, str], dict[str, Phi]] = {
        (node["schema"].lower(), node["alias"].lower()): phi_of_node(node, elsewhere)
        for node in manifest["nodes"].values()
        if _stored(node)
    }
    for source in sources:
        for table in source.tables:
            relations[table.schema, table.name] = phi_of_table(table)
    dialect = "duckdb" if target == "duckdb" else "redshift"
    return Subject("query", query=sql, phi=tuple(phi_of_query(sql, relations, dialect).items()))


def read_manifest(select: Sequence[str] = ()) -> tuple[dict[str, Any], frozenset[str]]:
    """dbt's manifest, parsed anew where a file changed, and what the selectors choose of it.

    Raises:
        ConfigurationError: dbt cannot parse the project.
        UsageError: dbt does not understand a selector.
    """
    from biostar.build.selection import select_nodes

    return select_nodes(tuple(_KINDS), select)


def _stored(node: Mapping[str, Any]) -> bool:
    return node["resource_type"] in _KINDS and node["config"].get("materialized") != "ephemeral"


def _subject(node: Mapping[str, Any], elsewhere: Mapping[str, Phi]) -> Subject:
    columns = node.get("columns", {})
    return Subject(
        node["name"],
        node["schema"],
        node["alias"],
        declared=tuple((name, column["data_type"]) for name, column in columns.items() if column.get("data_type")),
        phi=tuple(phi_of_node(node, elsewhere).items()),
    )


def _unknown(name: str, known: Sequence[str] | Mapping[str, Any]) -> UsageError:
    near = difflib.get_close_matches(name.lower(), list(known), n=1)
    hint = f"; the nearest is '{near[0]}'" if near else ""
    return UsageError(
        f"there is no model and no raw table '{name[:100]}'{hint}",
        next_step="give a model's name, a raw table as raw_ehr.patients, or --query",
    )

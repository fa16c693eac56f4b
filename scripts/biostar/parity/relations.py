"""Which tables are compared, read from dbt's manifest: names, contracts, grains and which columns are private."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from biostar.errors import UsageError
from biostar.parity.model import Relation, Treatment

_PRIVATE = ("direct", "quasi")
_MARTS = "models/marts/"


def select_relations(select: Sequence[str] = ()) -> list[Relation]:
    """The relations that dbt's selectors choose; without any, all marts and snapshots. dbt parses, nothing is built.

    Raises:
        ConfigurationError: dbt cannot parse the project.
        UsageError: the selectors choose nothing that can be compared.
    """
    from biostar.build.selection import select_nodes

    manifest, chosen = select_nodes(("model", "snapshot"), select)
    relations = relations_of(manifest, chosen if select else None)
    if not relations:
        raise UsageError(
            f"no model and no snapshot is called {', '.join(select)}" if select else "the project has no marts",
            next_step="dbt list --resource-type model",
        )
    return relations


def relations_of(manifest: Mapping[str, Any], chosen: Collection[str] | None = None) -> list[Relation]:
    """The relations of a manifest by address: the chosen nodes, else all marts and snapshots."""
    grains = {
        node["attached_node"]: tuple(node["test_metadata"]["kwargs"]["columns"])
        for node in manifest["nodes"].values()
        if (node.get("test_metadata") or {}).get("name") == "unique_grain"
    }
    private = _private_names(manifest)
    found = [
        _relation(node, grains.get(identity, ()), private)
        for identity, node in manifest["nodes"].items()
        if _comparable(node) and (identity in chosen if chosen is not None else _standard(node))
    ]
    return sorted(found, key=lambda relation: relation.address)


def _comparable(node: Mapping[str, Any]) -> bool:
    kinds = ("model", "snapshot")
    return node["resource_type"] in kinds and node["config"].get("materialized") != "ephemeral"


def _standard(node: Mapping[str, Any]) -> bool:
    return bool(node["resource_type"] == "snapshot" or node["original_file_path"].startswith(_MARTS))


def _private_names(manifest: Mapping[str, Any]) -> frozenset[str]:
    """Names of columns that any model calls private; a column of that name is private wherever it stands.

    A fact need not say again that encounter_id identifies somebody, and one that forgets it leaks nothing.
    """
    names = set()
    for node in manifest["nodes"].values():
        for name, column in node.get("columns", {}).items():
            meta = {**column.get("meta", {}), **column.get("config", {}).get("meta", {})}
            if meta.get("phi") in _PRIVATE:
                names.add(name)
    return frozenset(names)


def _relation(node: Mapping[str, Any], grain: tuple[str, ...], private: frozenset[str]) -> Relation:
    declared = {name: column["data_type"] for name, column in node["columns"].items() if column.get("data_type")}
    contract = node["config"].get("contract", {}).get("enforced", False)
    treatments: dict[str, Treatment] = {}
    if node["resource_type"] == "snapshot":
        grain, treatments = _snapshot_rules(node["config"], grain)
    return Relation(
        name=node["name"],
        schema=node["schema"],
        table=node["alias"],
        grain=grain,
        declared=declared if contract else {},
        private=private,
        treatments=treatments,
    )


def _snapshot_rules(config: Mapping[str, Any], grain: tuple[str, ...]) -> tuple[tuple[str, ...], dict[str, Treatment]]:
    """The key of a snapshot and its columns that the clock fills, which are never equal on two targets.

    dbt_scd_id is the MD5 of an engine's own text of a time. With the strategy `check`, the times of a version are
    those of the runs; with `timestamp` they come from the data, but the end of a deleted row comes from the clock.
    """
    renamed = config.get("snapshot_meta_column_names") or {}

    def column(name: str) -> str:
        return str(renamed.get(name) or name)

    unique = config.get("unique_key") or []
    key = grain or ((unique,) if isinstance(unique, str) else tuple(unique))
    rules: dict[str, Treatment] = {column("dbt_scd_id"): "ignore"}
    if config.get("strategy") == "timestamp":
        if column("dbt_valid_from") not in key:
            key = (*key, column("dbt_valid_from"))
        if config.get("hard_deletes") not in (None, "ignore") or config.get("invalidate_hard_deletes"):
            rules[column("dbt_valid_to")] = "presence"
    else:
        rules[column("dbt_valid_from")] = "ignore"
        rules[column("dbt_updated_at")] = "ignore"
        rules[column("dbt_valid_to")] = "presence"
    return key, rules

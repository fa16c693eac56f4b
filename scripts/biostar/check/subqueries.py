"""Correlated subqueries: the patterns that the manual lists as unsupported.

A column belongs to the nearest query around it that has a table of its qualifier's name. Columns without a qualifier
cannot be placed without the catalog, so a correlation that is written without one goes unnoticed here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlglot import exp

from biostar.check.inspection import Inspection

_SYSTEM = ("stl_", "stv_", "svl_", "svv_", "svcs_", "sys_", "pg_")


@dataclass
class _Level:
    select: exp.Select
    sources: set[str]
    correlated_groups: list[exp.Expr] = field(default_factory=list)


def check_subqueries(inspection: Inspection, tree: exp.Expr) -> None:
    """Refuse the unsupported patterns in a statement."""
    for query in _outermost(tree):
        _visit(inspection, query, _enclosing(tree))


def _enclosing(tree: exp.Expr) -> list[_Level]:
    """UPDATE and DELETE are the outer query of the subqueries in their conditions."""
    if not isinstance(tree, exp.Update | exp.Delete):
        return []
    names = {
        table.alias_or_name.lower() for table in tree.find_all(exp.Table) if table.find_ancestor(exp.Select) is None
    }
    return [_Level(exp.Select(), names)]


def _outermost(tree: exp.Expr) -> Iterator[exp.Expr]:
    if isinstance(tree, exp.Select | exp.SetOperation):
        yield tree
        return
    for node in own_nodes(tree):
        if isinstance(node, exp.Select | exp.SetOperation):
            yield node


def own_nodes(tree: exp.Expr) -> Iterator[exp.Expr]:
    """The nodes of a query without those of the queries in it; of these only the tops."""
    stack = [tree]
    while stack:
        node = stack.pop()
        if node is not tree:
            yield node
            if isinstance(node, exp.Select | exp.SetOperation):
                continue
        stack.extend(reversed(list(node.iter_expressions())))


def _visit(inspection: Inspection, query: exp.Expr, levels: list[_Level]) -> set[int]:
    """Check a query; the result says which of the levels around it its columns refer to."""
    reached: set[int] = set()
    if isinstance(query, exp.SetOperation):
        for node in own_nodes(query):
            if isinstance(node, exp.Select | exp.SetOperation):
                reached |= _visit(inspection, node, levels)
        return reached
    if not isinstance(query, exp.Select):
        return reached
    level = _Level(query, _sources(query))
    inner = [*levels, level]
    for node in own_nodes(query):
        if isinstance(node, exp.Column):
            found = _level_of(node, inner)
            if found is not None and found < len(levels):
                reached.add(found)
                if len(levels) - found >= 2:
                    inspection.report("correlated-skip-level", node, node.sql("redshift"))
        elif isinstance(node, exp.Select | exp.SetOperation):
            outside = _visit(inspection, node, inner)
            if len(levels) in outside:
                _check_correlated(inspection, node, level)
            reached |= {index for index in outside if index < len(levels)}
    _check_groups(inspection, level)
    return reached


def _sources(select: exp.Select) -> set[str]:
    names: set[str] = set()
    joined = [join.this for join in select.args.get("joins") or []]
    first = select.args.get("from_")
    for source in [first.this if first is not None else None, *joined]:
        if isinstance(source, exp.Expr):
            names.add(source.alias_or_name.lower())
            names |= {nested.this.alias_or_name.lower() for nested in source.args.get("joins") or []}
    return names - {""}


def _reads_system_tables(select: exp.Select) -> bool:
    return any(name.startswith(_SYSTEM) for name in (table.name.lower() for table in select.find_all(exp.Table)))


def _level_of(column: exp.Column, levels: list[_Level]) -> int | None:
    qualifier = column.table.lower()
    if not qualifier:
        return None
    for index in range(len(levels) - 1, -1, -1):
        if qualifier in levels[index].sources:
            return index
    return None


def _check_correlated(inspection: Inspection, query: exp.Expr, outer: _Level) -> None:
    """A query that refers to the query around it, in the place where it stands there."""
    selects = [query] if isinstance(query, exp.Select) else list(query.find_all(exp.Select))
    if any(own.find(exp.Window) for select in selects for own in select.expressions):
        inspection.report("correlated-window", query)
    parents = list(_ancestors(query, outer.select))
    join = next((node for node in parents if isinstance(node, exp.Join)), None)
    if join is not None and join.side and _within(query, join.args.get("on")):
        inspection.report("correlated-in-outer-join", query)
    if any(isinstance(node, exp.Group) for node in parents):
        inspection.report("correlated-group-by", query)
    membership = next(
        (node for node in parents if isinstance(node, exp.In) and _within(query, node.args.get("query"))), None
    )
    if membership is not None:
        if any(_grouped_aggregate(select) for select in selects):
            inspection.report("correlated-in-aggregate", query)
        if isinstance(membership.parent, exp.Not) and any(_reads_system_tables(select) for select in selects):
            inspection.report("correlated-system-table", query)
    elif _is_scalar(query, parents):
        inspection.report("correlated-scalar", query)
    outer.correlated_groups.append(query)


def _check_groups(inspection: Inspection, level: _Level) -> None:
    """GROUP BY by alias or position over a projection that holds a correlated subquery."""
    group = level.select.args.get("group")
    if group is None:
        return
    for position, projection in enumerate(level.select.expressions, start=1):
        held = [query for query in level.correlated_groups if _within(query, projection)]
        if not held:
            continue
        for key in group.expressions:
            by_position = isinstance(key, exp.Literal) and key.name == str(position)
            by_alias = isinstance(key, exp.Column) and not key.table and key.name == projection.alias
            if by_position or by_alias:
                inspection.report("correlated-group-by", key, key.sql("redshift"))


def _ancestors(node: exp.Expr, stop: exp.Expr) -> Iterator[exp.Expr]:
    current = node.parent
    while current is not None and current is not stop:
        yield current
        current = current.parent


def _within(node: exp.Expr, outer: exp.Expr | None) -> bool:
    current: exp.Expr | None = node
    while current is not None:
        if current is outer:
            return True
        current = current.parent
    return False


def _is_scalar(query: exp.Expr, parents: list[exp.Expr]) -> bool:
    """A value without an aggregate: not a test of existence or membership, not a relation."""
    if any(isinstance(node, exp.Exists | exp.Any | exp.All) for node in parents[:2]) or _in_from(parents):
        return False
    return isinstance(query, exp.Select) and not any(_is_aggregate(e) for e in query.expressions)


def _in_from(parents: list[exp.Expr]) -> bool:
    return any(isinstance(node, exp.From | exp.CTE) for node in parents)


def _is_aggregate(expression: exp.Expr) -> bool:
    found = expression.find(exp.AggFunc)
    return found is not None


def _grouped_aggregate(select: exp.Select) -> bool:
    if select.args.get("group") is None:
        return False
    return any(not isinstance(node, exp.Min | exp.Max) for e in select.expressions for node in e.find_all(exp.AggFunc))

"""From which declared columns the columns of a query come. What cannot be traced is `unknown`.

Every column that stands anywhere in the making of an output column counts, in an aggregate too: the smallest birth date
is somebody's birth date. What only filters or orders rows does not count.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp, parse
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope

from biostar.errors import UsageError
from biostar.unload.phi import worst
from biostar.unload.request import Phi

Relations = Mapping[tuple[str, str], Mapping[str, Phi]]
"""Class of each column of each relation, by schema and table, lower case."""


_OPAQUE = (exp.Select, exp.SetOperation, exp.Table, exp.TableColumn, exp.Star, exp.Anonymous, exp.Columns)


class _Untraceable(Exception):
    """Some part of the query comes from where nothing is declared."""


def phi_of_query(sql: str, relations: Relations, dialect: str) -> dict[str, Phi]:
    """Class of each output column that can be traced, by its lower-case name; a missing one is unknown.

    Raises:
        UsageError: the text is not one SELECT.
    """
    try:
        statements = [statement for statement in parse(sql, read=dialect) if statement is not None]
    except SqlglotError:
        return {}
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise UsageError("the query is not one SELECT", next_step="give --query a single select statement")
    schema: dict[str, dict[str, dict[str, str]]] = {}
    for (place, table), columns in relations.items():
        if not columns:
            continue  # its columns stay unknown
        schema.setdefault(place, {})[table] = dict.fromkeys(columns, "unknown")
    try:
        qualified = qualify(
            statements[0],
            schema=dict(schema),
            dialect=dialect,
            quote_identifiers=False,
            validate_qualify_columns=False,
        )
        scope = build_scope(qualified)
        return _outputs(scope, relations) if scope is not None else {}
    except (SqlglotError, _Untraceable, RecursionError):
        return {}


def _outputs(scope: Scope, relations: Relations) -> dict[str, Phi]:
    """Class of each column that a scope puts out."""
    expression = scope.expression
    if isinstance(expression, exp.SetOperation):
        sides = [_outputs(branch, relations) for branch in scope.set_operation_scopes]
        names = list(sides[0])
        if any(len(side) != len(names) for side in sides):
            raise _Untraceable
        return {name: worst([list(side.values())[at] for side in sides]) for at, name in enumerate(names)}
    if not isinstance(expression, exp.Select):
        raise _Untraceable
    found: dict[str, Phi] = {}
    for projection in expression.selects:
        if projection.is_star or not projection.output_name:
            raise _Untraceable
        name = projection.output_name.lower()
        # Two columns of one name are refused later; until then the worse of them counts.
        found[name] = worst([found.get(name, "none"), _class_of(projection, scope, relations)])
    return found


def _class_of(projection: exp.Expr, scope: Scope, relations: Relations) -> Phi:
    classes: list[Phi] = []
    inner = {id(child.expression): child for child in scope.subquery_scopes}
    for node in projection.walk(prune=lambda one: id(one) in inner):
        if id(node) in inner:
            child = inner[id(node)]
            classes += _outputs(child, relations).values()
            if not (isinstance(node.parent, exp.Subquery) and not isinstance(node.parent.parent, exp.Predicate)):
                # Whether there is such a row tells what the row is asked for.
                classes += [_column(one, within, relations) for within in child.traverse() for one in within.columns]
        elif isinstance(node, exp.Column):
            classes.append(_column(node, scope, relations))
        elif isinstance(node, _OPAQUE) and not (isinstance(node, exp.Star) and isinstance(node.parent, exp.Count)):
            # A function that nobody knows may read anything, as DuckDB's query() does.
            classes.append("unknown")
    return worst(classes)


def _column(column: exp.Column, scope: Scope, relations: Relations) -> Phi:
    source = _source(column.table, scope)
    name = column.name.lower()
    if isinstance(source, Scope):
        return _outputs(source, relations).get(name, "unknown")
    if isinstance(source, exp.Table) and isinstance(source.this, exp.Identifier) and not source.catalog:
        return relations.get((source.db.lower(), source.name.lower()), {}).get(name, "unknown")
    return "unknown"


def _source(name: str, scope: Scope | None) -> object:
    """What a qualifier stands for, in this scope or, for a correlated subquery, in one around it."""
    while scope is not None:
        if name in scope.sources:
            return scope.sources[name]
        scope = scope.parent
    return None

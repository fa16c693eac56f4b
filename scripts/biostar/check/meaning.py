"""What runs on Redshift but answers differently from what the same words mean elsewhere.

The gate has no catalog. It follows a column through subqueries and common table expressions to the cast or the
function that gives it its type, and to the columns of relations whose types it was told (a project's contracts).
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from biostar.check import manual
from biostar.check.inspection import Inspection, Options
from biostar.check.types import TypeName

_INTEGER_RESULTS = (
    exp.Count,
    exp.RowNumber,
    exp.Length,
    exp.DateDiff,
    exp.TsOrDsDiff,
    exp.StrPosition,
    exp.Extract,
    exp.Ascii,
    exp.ApproxDistinct,
)
_SAME_AS_ARGUMENT = (
    exp.Max,
    exp.Min,
    exp.Lag,
    exp.Lead,
    exp.FirstValue,
    exp.LastValue,
    exp.NthValue,
    exp.AnyValue,
    exp.Abs,
    exp.Paren,
    exp.Neg,
    exp.Nullif,
    exp.IgnoreNulls,
    exp.RespectNulls,
    exp.Window,
    exp.Distinct,
    exp.Alias,
)
_TEXT_RESULTS = (exp.DPipe, exp.Concat, exp.Upper, exp.Lower, exp.Trim, exp.Substring, exp.Left, exp.Right, exp.MD5)
_BOOLEAN_RESULTS = (exp.Predicate, exp.Connector, exp.Not, exp.Boolean)
_ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod)
_DEPTH = 40


def check_meaning(inspection: Inspection, tree: exp.Expr) -> None:
    """Averages and quotients of integers, and what a contracted model's columns come from."""
    options = inspection.options
    for average in tree.find_all(exp.Avg):
        family = family_of(average.this, options)
        if family == "integer":
            inspection.report("avg-of-integers", average)
        elif not family:
            inspection.report("avg-of-unknown", average, average.sql("redshift")[:60])
    if not options.strict:
        # The project's DuckDB profile divides as Redshift does; elsewhere it is worth a word.
        for quotient in tree.find_all(exp.Div):
            if family_of(quotient.this, options) == family_of(quotient.expression, options) == "integer":
                inspection.report("integer-division", quotient)
    if options.contract is not None and isinstance(tree, exp.Select | exp.SetOperation):
        _check_contract(inspection, tree, options.contract)


def _check_contract(inspection: Inspection, tree: exp.Expr, contract: dict[str, str] | object) -> None:
    declared = contract if isinstance(contract, dict) else dict(contract)  # type: ignore[call-overload]
    for name, projection, place in output_columns(tree):
        origin = origin_of(projection)
        if isinstance(origin, exp.Cast | exp.TryCast):
            wanted = declared.get(name, "")
            got = type_text(origin.to)
            if wanted and got and canonical(wanted) != canonical(got):
                inspection.report("contract-type", place, f"{name}: cast as {got}, declared {wanted}")
        elif isinstance(origin, exp.Null) or (isinstance(origin, exp.Literal) and origin.is_string):
            inspection.report("untyped-literal", place, name)
        elif origin is not None and _is_bare_aggregate(origin):
            inspection.report("uncast-aggregate", place, name)


def _is_bare_aggregate(origin: exp.Expr) -> bool:
    node = origin
    while isinstance(node, exp.Window | exp.Paren | exp.Neg | exp.Coalesce | exp.Round):
        node = node.this
    if isinstance(node, _ARITHMETIC):
        return _is_bare_aggregate(node.this) or _is_bare_aggregate(node.expression)
    return isinstance(node, exp.Sum | exp.Avg)


def canonical(text: str) -> str:
    """One spelling of a type given as text."""
    from biostar.check.lexer import tokenize
    from biostar.check.types import read_type

    name = read_type(tokenize(text), 0)
    return name.canonical if name is not None else text.lower()


def type_text(to: exp.Expr) -> str:
    """A cast's type as Redshift spells it."""
    return to.sql("redshift").lower()


# ---------------------------------------------------------------------------- where a column comes from


def output_columns(tree: exp.Expr) -> Iterator[tuple[str, exp.Expr, exp.Expr]]:
    """Name, expression and place of each column that a query gives, its stars written out where that is possible."""
    select = _first_select(tree)
    if select is None:
        return
    for projection in select.expressions:
        if isinstance(projection, exp.Star) or (
            isinstance(projection, exp.Column) and isinstance(projection.this, exp.Star)
        ):
            qualifier = projection.table if isinstance(projection, exp.Column) else ""
            for source in _sources(select):
                if qualifier and source.alias_or_name.lower() != qualifier.lower():
                    continue
                query = _query_of(source)
                if query is not None:
                    yield from output_columns(query)
            continue
        name = projection.alias_or_name.lower()
        yield name, projection.unalias(), projection


def origin_of(expression: exp.Expr, depth: int = 0) -> exp.Expr | None:
    """The expression that a column is, followed through subqueries; nothing where it comes from a table."""
    expression = expression.unalias()
    if isinstance(expression, exp.Paren):
        return origin_of(expression.this, depth)
    if not isinstance(expression, exp.Column):
        return expression
    if depth > _DEPTH:
        return None
    found = _projection_of(expression)
    return origin_of(found, depth + 1) if found is not None else None


def family_of(expression: exp.Expr, options: Options, depth: int = 0) -> str:
    """The family of an expression's type, or an empty text where the gate cannot see it."""
    if depth > _DEPTH:
        return ""
    if isinstance(expression, exp.Cast | exp.TryCast):
        return _family_of_type(type_text(expression.to))
    if isinstance(expression, exp.Column):
        return _family_of_column(expression, options, depth)
    if isinstance(expression, exp.Literal):
        if expression.is_string:
            return "varchar"
        return "integer" if expression.name.isdigit() else "numeric"
    if isinstance(expression, _INTEGER_RESULTS) or _name(expression) in manual.functions().integers:
        return "integer"
    if isinstance(expression, exp.Subquery):
        first = next(output_columns(expression.this), None)
        return family_of(first[1], options, depth + 1) if first is not None else ""
    if isinstance(expression, exp.Sum):
        return family_of(expression.this, options, depth + 1)
    if isinstance(expression, exp.Avg):
        return family_of(expression.this, options, depth + 1)
    if isinstance(expression, exp.Distinct) and expression.expressions:
        return family_of(expression.expressions[0], options, depth + 1)
    if isinstance(expression, _SAME_AS_ARGUMENT) and isinstance(expression.this, exp.Expr):
        return family_of(expression.this, options, depth + 1)
    if isinstance(expression, exp.Coalesce | exp.Greatest | exp.Least):
        return _common([expression.this, *expression.expressions], options, depth)
    if isinstance(expression, exp.Case):
        branches = [branch.args["true"] for branch in expression.args["ifs"]]
        default = expression.args.get("default")
        return _common([*branches, default] if default is not None else branches, options, depth)
    if isinstance(expression, _ARITHMETIC):
        return _common([expression.this, expression.expression], options, depth)
    if isinstance(expression, exp.Round | exp.Floor | exp.Ceil | exp.Trunc):
        return "numeric" if family_of(expression.this, options, depth + 1) in {"numeric", "integer"} else ""
    if isinstance(expression, _TEXT_RESULTS):
        return "varchar"
    if isinstance(expression, _BOOLEAN_RESULTS):
        return "boolean"
    return ""


def _name(expression: exp.Expr) -> str:
    if isinstance(expression, exp.Anonymous):
        return str(expression.this).lower()
    return expression.sql_name().lower() if isinstance(expression, exp.Func) else ""


def _common(parts: list[exp.Expr], options: Options, depth: int) -> str:
    families = {family_of(part, options, depth + 1) for part in parts if not isinstance(part, exp.Null)}
    if len(families) == 1:
        return families.pop()
    if "" in families:
        return ""
    if families <= {"integer", "numeric"}:
        return "numeric"
    return "float" if families <= {"integer", "numeric", "float"} else ""


def _family_of_type(text: str) -> str:
    known = manual.types().allowed
    bare = text.split("(")[0].strip()
    entry = known.get(bare)
    return str(entry["family"]) if entry else ""


def _family_of_column(column: exp.Column, options: Options, depth: int) -> str:
    found = _projection_of(column)
    if found is not None:
        return family_of(found, options, depth + 1)
    relation = _relation_of(column)
    declared = options.columns.get(relation, {}).get(column.name.lower()) if relation else None
    return _family_of_type(declared) if declared else ""


def _select_of(column: exp.Expr) -> exp.Select | None:
    return column.find_ancestor(exp.Select)


def _first_select(tree: exp.Expr | None) -> exp.Select | None:
    while tree is not None and not isinstance(tree, exp.Select):
        if isinstance(tree, exp.SetOperation | exp.Subquery | exp.Paren):
            tree = tree.this
        else:
            return None
    return tree


def _sources(select: exp.Select) -> list[exp.Expr]:
    first = select.args.get("from_")
    joined = [join.this for join in select.args.get("joins") or []]
    return [source for source in [first.this if first is not None else None, *joined] if source is not None]


def _query_of(source: exp.Expr) -> exp.Expr | None:
    """The query behind a source: a derived table's own, or the common table expression of that name."""
    if isinstance(source, exp.Subquery):
        inner: exp.Expr = source.this
        return inner
    if not isinstance(source, exp.Table) or source.args.get("db"):
        return None
    name = source.name.lower()
    current: exp.Expr | None = source
    while current is not None:
        with_ = current.args.get("with_")
        for cte in with_.expressions if with_ is not None else []:
            if cte.alias.lower() == name and not _contains(cte, source):
                found: exp.Expr = cte.this
                return found
        current = current.parent
    return None


def _contains(outer: exp.Expr, inner: exp.Expr) -> bool:
    current: exp.Expr | None = inner
    while current is not None:
        if current is outer:
            return True
        current = current.parent
    return False


def _candidates(column: exp.Column) -> list[exp.Expr]:
    select = _select_of(column)
    if select is None:
        return []
    sources = _sources(select)
    if column.table:
        return [source for source in sources if source.alias_or_name.lower() == column.table.lower()]
    return sources


def _projection_of(column: exp.Column) -> exp.Expr | None:
    for source in _candidates(column):
        query = _query_of(source)
        if query is None:
            continue
        for name, projection, _ in output_columns(query):
            if name == column.name.lower():
                return projection
    return None


def _relation_of(column: exp.Column) -> str:
    """The relation a column comes from directly, if there is just one it can come from."""
    candidates = _candidates(column)
    if len(candidates) != 1:
        return ""
    source = candidates[0]
    if isinstance(source, exp.Table):
        query = _query_of(source)
        if query is None:
            return ".".join(part.name.lower() for part in source.parts)
        return _only_relation(query)
    if isinstance(source, exp.Subquery):
        return _only_relation(source.this)
    return ""


def _only_relation(query: exp.Expr) -> str:
    """`select * from relation`: the relation behind an import CTE."""
    select = _first_select(query)
    if select is None or not any(isinstance(projection, exp.Star) for projection in select.expressions):
        return ""
    sources = _sources(select)
    if len(sources) != 1 or not isinstance(sources[0], exp.Table):
        return ""
    inner = _query_of(sources[0])
    if inner is None:
        return ".".join(part.name.lower() for part in sources[0].parts)
    return _only_relation(inner)


__all__ = ["TypeName", "canonical", "check_meaning", "family_of", "origin_of", "output_columns"]

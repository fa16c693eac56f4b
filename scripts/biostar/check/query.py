"""Queries and changes of rows: sqlglot's tree, of which only known nodes with known parts pass.

`_PARTS` is the allow-list. sqlglot reads far more than Redshift does; whatever isn't listed here is refused, under a
rule of its own where `_REFUSED_NODES` or `_REFUSED_PARTS` has one, else as an unknown construct.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from sqlglot import exp
from sqlglot.errors import ErrorLevel, ParseError
from sqlglot.tokenizer_core import Token, TokenType

from biostar.check import manual
from biostar.check.functions import check_functions, split_tables
from biostar.check.inspection import Inspection
from biostar.check.lexer import DIALECT, column_of, is_string, is_word, word_of
from biostar.check.meaning import check_meaning, family_of
from biostar.check.names import check_names
from biostar.check.subqueries import check_subqueries
from biostar.check.types import check_try_cast, check_type, types_in_query

logging.getLogger("sqlglot").setLevel(logging.ERROR)

_SIGNS = frozenset(
    ("(", ")", ",", ".", "*", "+", "-", "/", "%", "^", "=", "<", ">", "<=", ">=", "<>", "!=", "||", "::", "[", "]", "~")
) | frozenset(("~*", "!", "|/", "||/", "@", "&", "|", "#", "<<", ">>", "(+)", ":", "$"))
_PREFIX_SIGNS = {TokenType.PIPE_SLASH, TokenType.DPIPE_SLASH, TokenType.PARAMETER}

_SELECT = "with_ expressions distinct into from_ joins connect where group having qualify order limit offset"
_PARTS: dict[str, frozenset[str]] = {
    name: frozenset(parts.split())
    for name, parts in {
        "Select": _SELECT,
        "Union": "with_ this expression distinct order limit offset",
        "Except": "with_ this expression distinct order limit offset",
        "Intersect": "with_ this expression distinct order limit offset",
        "Subquery": "this alias with_ order limit offset joins pivots",
        "From": "this",
        "Join": "this on side kind using method",
        "Table": "this alias db catalog joins pivots",
        "TableAlias": "this columns",
        "CTE": "this alias",
        "With": "expressions recursive",
        "Where": "this",
        "Group": "expressions grouping_sets cube rollup all",
        "GroupingSets": "expressions",
        "Cube": "expressions",
        "Rollup": "expressions",
        "Having": "this",
        "Qualify": "this",
        "Order": "expressions",
        "Ordered": "this desc nulls_first",
        "Limit": "expression",
        "Offset": "expression",
        "Fetch": "",
        "Connect": "start connect nocycle",
        "Prior": "this",
        "Into": "this temporary",
        "Distinct": "expressions",
        "Star": "except_",
        "Column": "this table db catalog join_mark",
        "Dot": "this expression",
        "Bracket": "this expressions offset safe",
        "Identifier": "this quoted temporary",
        "Alias": "this alias",
        "Literal": "this is_string",
        "National": "this",
        "ByteString": "this is_bytes",
        "Null": "",
        "Boolean": "this",
        "Paren": "this",
        "Tuple": "expressions",
        "Var": "this",
        "Interval": "this unit fraction_in_string",
        "IntervalSpan": "this expression",
        "DataType": "this expressions nested kind",
        "DataTypeParam": "this expression",
        "Cast": "this to safe",
        "TryCast": "this to safe requires_string",
        "Window": "this partition_by order spec over",
        "WindowSpec": "kind start start_side end end_side",
        "IgnoreNulls": "this",
        "RespectNulls": "this",
        "WithinGroup": "this expression",
        "In": "this expressions query",
        "Between": "this low high",
        "Like": "this expression negate",
        "ILike": "this expression negate",
        "SimilarTo": "this expression",
        "Escape": "this expression",
        "AtTimeZone": "this zone",
        "Collate": "this expression",
        "Pivot": "this alias expressions fields unpivot include_nulls columns identify_pivot_strings "
        "prefixed_pivot_columns pivot_column_naming value_columns_first",
        "PivotAlias": "this alias",
        "Insert": "this expression with_ default",
        "Schema": "this expressions",
        "Values": "expressions alias",
        "Update": "with_ this expressions from_ where",
        "Delete": "with_ this using where tables",
        "Merge": "this using on whens",
        "Whens": "expressions",
        "When": "matched then source",
        "RawString": "this",
        "ObjectIdentifier": "this",
        "AtIndex": "this expression",
        "Any": "this",
        "All": "this",
        "ColumnDef": "this kind",
        "Parameter": "this",
    }.items()
}
_OPERATORS = (exp.Binary, exp.Unary, exp.Func)

_REFUSED_NODES: dict[str, tuple[str, str]] = {
    "Filter": ("filter-clause", "filter (where …)"),
    "Lateral": ("lateral", "lateral"),
    "TableSample": ("tablesample", "tablesample"),
    "Lambda": ("duckdb-syntax", "a lambda"),
    "Struct": ("struct-literal", "{…}"),
    "ToMap": ("struct-literal", "map {…}"),
    "PropertyEQ": ("duckdb-syntax", "name := value"),
    "Kwarg": ("duckdb-syntax", "name => value"),
    "NullSafeEQ": ("null-safe-comparison", "is not distinct from"),
    "NullSafeNEQ": ("null-safe-comparison", "is distinct from"),
    "OnConflict": ("on-conflict", "on conflict"),
    "Returning": ("returning", "returning"),
    "Lock": ("for-update", "for update"),
    "Slice": ("array-slice", "[a:b]"),
    "Placeholder": ("operator", "a placeholder"),
    "Glob": ("duckdb-syntax", "glob"),
    "IntDiv": ("duckdb-syntax", "//"),
    "Comprehension": ("duckdb-syntax", "a list comprehension"),
    "MatchRecognize": ("construct", "match_recognize"),
    "Fetch": ("construct", "fetch first; write limit"),
    "RowConstructor": ("row-constructor", "row(…)"),
}
_REFUSED_PARTS: dict[tuple[str, str], tuple[str, str]] = {
    ("Select", "sample"): ("tablesample", "sample"),
    ("Select", "locks"): ("for-update", "for update"),
    ("Select", "windows"): ("named-window", "window name as (…)"),
    ("Select", "laterals"): ("lateral", "lateral"),
    ("Select", "kind"): ("duckdb-syntax", "select as struct"),
    ("Table", "sample"): ("tablesample", "tablesample"),
    ("Subquery", "sample"): ("tablesample", "tablesample"),
    ("Table", "only"): ("inheritance", "only"),
    ("Table", "ordinality"): ("lateral", "with ordinality"),
    ("Table", "rows_from"): ("table-function", "rows from"),
    ("Distinct", "on"): ("distinct-on", "distinct on"),
    ("Star", "replace"): ("duckdb-syntax", "* replace"),
    ("Star", "rename"): ("duckdb-syntax", "* rename"),
    ("Star", "ilike"): ("duckdb-syntax", "* ilike"),
    ("Window", "alias"): ("named-window", "over name"),
    ("WindowSpec", "exclude"): ("window-frame-kind", "exclude"),
    ("CTE", "materialized"): ("with-materialized", "materialized"),
    ("Between", "symmetric"): ("construct", "between symmetric"),
    ("Group", "totals"): ("group-by-clause", "with totals"),
    ("Union", "by_name"): ("set-operation", "union by name"),
    ("Merge", "with_"): ("with-in-merge", "with"),
    ("Merge", "returning"): ("returning", "returning"),
    ("When", "condition"): ("merge-clauses", "when matched and …"),
    ("Insert", "conflict"): ("on-conflict", "on conflict"),
    ("Insert", "returning"): ("returning", "returning"),
    ("Insert", "by_name"): ("duckdb-syntax", "insert by name"),
    ("Insert", "alternative"): ("on-conflict", "insert or replace"),
    ("Update", "returning"): ("returning", "returning"),
    ("Delete", "returning"): ("returning", "returning"),
    ("Update", "order"): ("construct", "update … order by"),
    ("Update", "limit"): ("construct", "update … limit"),
    ("Delete", "order"): ("construct", "delete … order by"),
    ("Delete", "limit"): ("construct", "delete … limit"),
    ("Pivot", "using"): ("duckdb-syntax", "pivot … using"),
    ("Pivot", "group"): ("duckdb-syntax", "pivot … group by"),
    ("In", "unnest"): ("table-function", "in unnest(…)"),
    ("Join", "match_condition"): ("duckdb-syntax", "match_condition"),
}
_JOIN_KINDS = {"", "INNER", "OUTER", "CROSS"}
_JOIN_METHODS = {"", "NATURAL"}


def parse(tokens: list[Token], sql: str, inspection: Inspection | None) -> exp.Expr | None:
    """The tree of a query, or nothing and a finding."""
    readable = [
        _readable(tokens, index)
        for index, token in enumerate(tokens)
        if not (token.token_type in _PREFIX_SIGNS and _is_prefix(tokens, index)) and not _is_array_mark(tokens, index)
    ]
    try:
        trees = DIALECT.parser(error_level=ErrorLevel.RAISE).parse(readable, sql)
    except ParseError as error:
        if inspection is not None:
            details = error.errors[0] if error.errors else {}
            line, column = int(details.get("line") or tokens[0].line), int(details.get("col") or 1)
            context = str(details.get("highlight") or "").strip()
            inspection.report("unreadable", (line, column), f"near {context!r}" if context else "")
        return None
    return next((tree for tree in trees if tree is not None), None)


def _is_array_mark(tokens: list[Token], index: int) -> bool:
    """[] behind a type: the check of types has seen it; sqlglot stumbles over it behind PostgreSQL's own types."""
    kind = tokens[index].token_type
    if kind == TokenType.R_BRACKET:
        return index > 0 and tokens[index - 1].token_type == TokenType.L_BRACKET
    return (
        kind == TokenType.L_BRACKET
        and index > 0
        and is_word(tokens[index - 1])
        and index + 1 < len(tokens)
        and tokens[index + 1].token_type == TokenType.R_BRACKET
    )


def _readable(tokens: list[Token], index: int) -> Token:
    """A token as sqlglot can read it: # as another operator between the same operands, a catalog's type as text."""
    token = tokens[index]
    replacement: tuple[TokenType, str] | None = None
    if token.text == "#":
        replacement = TokenType.CARET, "^"
    elif (
        index > 0
        and tokens[index - 1].token_type == TokenType.DCOLON
        and token.text.lower() in manual.types().catalog_only
    ):
        replacement = TokenType.VARCHAR, "varchar"
    if replacement is None:
        return token
    kind, text = replacement
    return Token(token_type=kind, text=text, line=token.line, col=token.col, start=token.start, end=token.end)


def _is_prefix(tokens: list[Token], index: int) -> bool:
    """@, |/ and ||/ stand before their operand; sqlglot knows them not, and they change no rule."""
    if index + 1 == len(tokens):
        return False
    before = tokens[index - 1] if index else None
    if before is None:
        return False
    ends_operand = before.token_type in {TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.NUMBER} or is_string(before)
    return not ends_operand and not (
        is_word(before)
        and before.text.lower() not in {"select", "and", "or", "when", "then", "else", "where", "on", "by", "not"}
    )


def check_query(inspection: Inspection, tokens: list[Token], sql: str, *, parameters: bool = False) -> exp.Expr | None:
    """Every rule for queries, on the tokens of one query or change of rows.

    Args:
        parameters: `$1` is allowed, as in PREPARE and in SQL functions.
    """
    _check_tokens(inspection, tokens, sql, parameters=parameters)
    tree = parse(tokens, sql, inspection)
    if tree is None:
        check_functions(inspection, tokens, None, [])
        return None
    if isinstance(tree, exp.Command):
        inspection.report("unreadable", tokens[0])
        return None
    tables = user_relations(tree)
    check_functions(inspection, tokens, tree, tables)
    catalog, others = split_tables(tables)
    try_casts = iter(list(tree.find_all(exp.TryCast, bfs=False)))
    for index, name, how in types_in_query(tokens):
        check_type(inspection, tokens[index], name, in_table=False, catalog=bool(catalog) or not others)
        if how == "try_cast":
            # The casts stand in the tree in the order of the tokens.
            cast = next(try_casts, None)
            inner = cast.this if cast is not None else None
            check_try_cast(inspection, tokens[index], family_of(inner, inspection.options) if inner else "", name)
    _check_structure(inspection, tree)
    parameter = None if parameters else tree.find(exp.Parameter)
    if parameter is not None:
        inspection.report("operator", parameter, "@")
    _check_statement(inspection, tree)
    check_names(inspection, tree)
    check_subqueries(inspection, tree)
    check_meaning(inspection, tree)
    return tree


def user_relations(tree: exp.Expr) -> list[str]:
    """The relations a statement reads or writes, without its own common table expressions, lower case."""
    ctes = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    found: list[str] = []
    for table in tree.find_all(exp.Table):
        if isinstance(table.this, exp.Func):
            found.append("pg_catalog." + table.name.lower())
            continue
        parts = [part.name.lower() for part in table.parts]
        if len(parts) > 1 or parts[0] not in ctes:
            found.append(".".join(parts))
    return found


# ---------------------------------------------------------------------------- tokens


def _check_tokens(inspection: Inspection, tokens: list[Token], sql: str, *, parameters: bool) -> None:
    for index, token in enumerate(tokens):
        kind = token.token_type
        before = tokens[index - 1] if index else None
        following = tokens[index + 1] if index + 1 < len(tokens) else None
        if is_string(token):
            _check_literal(inspection, token, sql)
            if before is not None and before.token_type == TokenType.ALIAS:
                inspection.report("construct", token, "a label in single quotes")
            continue
        if kind in {TokenType.IDENTIFIER, TokenType.NUMBER} or is_word(token) or " " in token.text:
            if token.text.lower() == "positional" and following is not None and following.text.lower() == "join":
                inspection.report("duckdb-syntax", token, "positional join")
            _check_word(inspection, token, before, following)
            if token.text.lower() == "values" and before is not None and before.token_type == TokenType.L_PAREN:
                inspection.report("values-as-table", token)
            if token.text.lower() == "from" and before is not None and before.token_type == TokenType.L_PAREN:
                opener = tokens[index - 2].text.lower() if index > 1 else ""
                if opener != "trim":
                    inspection.report("duckdb-syntax", token, "from before select")
            continue
        if kind in {TokenType.L_BRACE, TokenType.R_BRACE}:
            inspection.report("struct-literal", token, "{…}")
        elif kind == TokenType.L_BRACKET:
            if before is None or not _can_be_indexed(before):
                inspection.report("array-literal", token, "[…]")
        elif kind == TokenType.SLASH and before is not None and before.token_type == TokenType.SLASH:
            inspection.report("duckdb-syntax", token, "//")
        elif token.text == "$" and not parameters:
            inspection.report("operator", token, "$")
        elif token.text == ":" and (following is None or not _in_subscript(tokens, index)):
            inspection.report("operator", token, ":")
        elif token.text == "!" and (following is None or following.text not in {"~", "~*"}):
            inspection.report("operator", token, "!")
        elif token.text not in _SIGNS:
            inspection.report("operator", token, token.text)


def _check_word(inspection: Inspection, token: Token, before: Token | None, following: Token | None) -> None:
    """Words that sqlglot takes for granted, or leaves out of its tree."""
    word, previous = token.text.lower(), before.text.lower() if before is not None else ""
    if word in {"rlike", "regexp", "glob"} and token.token_type == TokenType.RLIKE:
        inspection.report("operator", token, word)
    elif word in {"rollup", "cube", "totals"} and previous == "with":
        inspection.report("group-by-clause", token, f"with {word}")
    elif word == "distinct" and previous in {"union", "except", "intersect", "minus"}:
        inspection.report("set-operation", token, f"{previous} distinct")
    elif word in {"from", "where", "union"} and previous == ",":
        inspection.report("duckdb-syntax", token, "a comma before " + word)
    elif token.token_type == TokenType.NUMBER and previous == "interval":
        inspection.report("interval-literal", token)
    elif (
        token.token_type == TokenType.NUMBER and following is not None and following.text == "," and previous == "limit"
    ):
        inspection.report("construct", token, "limit with two numbers")


def _can_be_indexed(token: Token) -> bool:
    if token.text.lower() in {"array", "in", "select", "from", "and", "or", "then", "else", "when", "as"}:
        return False
    return token.token_type in {TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.IDENTIFIER} or is_word(token)


def _in_subscript(tokens: list[Token], index: int) -> bool:
    depth = 0
    for token in reversed(tokens[:index]):
        if token.token_type == TokenType.R_BRACKET:
            depth += 1
        elif token.token_type == TokenType.L_BRACKET:
            depth -= 1
            if depth < 0:
                return True
    return False


def _check_literal(inspection: Inspection, token: Token, sql: str) -> None:
    if token.token_type in {TokenType.UNICODE_STRING, TokenType.RAW_STRING}:
        inspection.report("operator", token, "a literal with a prefix")
    if "\\" in sql[token.start : token.end + 1] and token.token_type != TokenType.HEREDOC_STRING:
        inspection.report("backslash", token)


# ---------------------------------------------------------------------------- the tree's nodes


def _check_structure(inspection: Inspection, tree: exp.Expr) -> None:
    for node in tree.walk():
        name = type(node).__name__
        if name in _REFUSED_NODES:
            rule, detail = _REFUSED_NODES[name]
            inspection.report(rule, node, detail)
            continue
        known = _PARTS.get(name)
        for part, value in node.args.items():
            if value is None or value == [] or (value is False and (name, part) != ("CTE", "materialized")):
                continue
            if (name, part) in _REFUSED_PARTS:
                rule, detail = _REFUSED_PARTS[(name, part)]
                inspection.report(rule, node, detail)
            elif known is not None and part not in known:
                inspection.report("construct", node, f"{_plain(name)} with {part.rstrip('_')}")
        if known is None and not isinstance(node, _OPERATORS) and not name.startswith("JSONPath"):
            inspection.report("construct", node, _plain(name))
        check = _CHECKS.get(name)
        if check is not None:
            check(inspection, node)


def _plain(name: str) -> str:
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name)
    return words.strip()


def _check_join(inspection: Inspection, join: exp.Expr) -> None:
    kind, method = str(join.args.get("kind") or ""), str(join.args.get("method") or "")
    if kind not in _JOIN_KINDS or method not in _JOIN_METHODS:
        inspection.report("duckdb-syntax", join, f"{method} {kind} join".strip().lower())
    side = str(join.args.get("side") or "")
    condition = join.args.get("on")
    if side == "FULL" and isinstance(condition, exp.Expr):
        terms = list(condition.flatten()) if isinstance(condition, exp.And) else [condition]
        if not any(isinstance(term.unnest(), exp.EQ) for term in terms):
            inspection.report("full-join", join)


def _check_window(inspection: Inspection, window: exp.Expr) -> None:
    function = window.this
    while isinstance(function, exp.IgnoreNulls | exp.RespectNulls | exp.WithinGroup):
        function = function.this
    name = _called_name(inspection, function)
    lists = manual.functions()
    if name and name not in lists.windows and name in lists.allowed:
        inspection.report("window-function", window, name)
        return
    distinct = function.find(exp.Distinct)
    if distinct is not None and name != "listagg":
        inspection.report("window-distinct", window, f"{name}(distinct …) over")
    ordered, frame = window.args.get("order"), window.args.get("spec")
    if name in lists.windows_without_order and ordered is not None:
        inspection.report("window-order", window, f"{name} with order by in over")
    elif name in lists.windows_without_frame and frame is not None:
        inspection.report("window-order", window, f"{name} with a frame")
    elif name not in lists.windows_without_frame and ordered is not None and frame is None:
        inspection.report("window-frame-missing", window, name)
    if name in lists.windows_want_order and ordered is None:
        inspection.report("window-needs-order", window, name)
    if isinstance(frame, exp.WindowSpec) and str(frame.args.get("kind") or "").upper() != "ROWS":
        inspection.report("window-frame-kind", window, str(frame.args.get("kind") or "").lower())


def _called_name(inspection: Inspection, function: exp.Expr) -> str:
    """What a function was called in the text; sqlglot's name where the text has none."""
    start, end = function.meta.get("start"), function.meta.get("end")
    if start is not None and end is not None:
        return inspection.sql[start : end + 1].strip('"').lower()
    if isinstance(function, exp.GroupConcat):
        return "listagg"
    if isinstance(function, exp.Anonymous):
        return str(function.this).lower()
    return function.sql_name().lower() if isinstance(function, exp.Func) else ""


def _check_table(inspection: Inspection, table: exp.Expr) -> None:
    if isinstance(table.this, exp.Func):
        name = _called_name(inspection, table.this) or table.name.lower()
        if not name.startswith("pg_") and name not in manual.functions().refused:
            inspection.report("table-function", table, name)


def _check_values(inspection: Inspection, values: exp.Expr) -> None:
    if not isinstance(values.parent, exp.Insert):
        inspection.report("values-as-table", values)


def _check_tuple(inspection: Inspection, values: exp.Expr) -> None:
    parent = values.parent
    if isinstance(parent, exp.In | exp.Values | exp.GroupingSets | exp.Cube | exp.Rollup | exp.Insert | exp.Distinct):
        return
    if isinstance(parent, exp.Tuple | exp.Group | exp.When | exp.Pivot):
        return
    inspection.report("row-constructor", values)


def _check_in(inspection: Inspection, membership: exp.Expr) -> None:
    query = membership.args.get("query")
    if isinstance(query, exp.Expr) and isinstance(membership.this, exp.Tuple):
        inspection.report("in-many-columns", membership)


def _check_any(inspection: Inspection, quantified: exp.Expr) -> None:
    if not isinstance(quantified.this, exp.Select | exp.SetOperation | exp.Subquery | exp.Paren):
        inspection.report("construct", quantified, "any or all over a list")


def _check_identifier(inspection: Inspection, name: exp.Expr) -> None:
    start = name.meta.get("start")
    if start is not None and inspection.sql[start : start + 1] == "'":
        inspection.report("duckdb-syntax", name, "a file as a table")


def _check_insert(inspection: Inspection, insert: exp.Expr) -> None:
    target = insert.this.this if isinstance(insert.this, exp.Schema) else insert.this
    if isinstance(target, exp.Table) and target.alias:
        inspection.report("construct", target, "insert into a table with an alias")


def _check_delete(inspection: Inspection, delete: exp.Expr) -> None:
    target = delete.this
    if isinstance(target, exp.Table) and (target.alias or delete.args.get("tables")):
        inspection.report("construct", target, "delete from a table with an alias")


def _check_interval(inspection: Inspection, interval: exp.Expr) -> None:
    if not (isinstance(interval.this, exp.Literal) and interval.this.is_string):
        inspection.report("interval-literal", interval)


def _check_array(inspection: Inspection, array: exp.Expr) -> None:
    if array.args.get("bracket_notation"):
        inspection.report("array-literal", array, "[…]")


def _check_star(inspection: Inspection, star: exp.Expr) -> None:
    if star.args.get("except_") and inspection.options.portable:
        inspection.report("not-portable", star, "* exclude")


def _check_group(inspection: Inspection, group: exp.Expr) -> None:
    if group.args.get("all") and inspection.options.portable:
        inspection.report("not-portable", group, "group by all")
    for key in group.expressions:
        query = key.find(exp.Select)
        if query is not None:
            inspection.report("subquery-scalar-place", key, "group by")


def _check_having(inspection: Inspection, having: exp.Expr) -> None:
    if any(True for _ in having.find_all(exp.Subquery)):
        inspection.report("subquery-in-having", having)


def _check_set_operation(inspection: Inspection, operation: exp.Expr) -> None:
    if isinstance(operation, exp.Except | exp.Intersect) and not operation.args.get("distinct"):
        inspection.report("set-operation", operation, f"{type(operation).__name__.lower()} all")


def _check_with(inspection: Inspection, with_: exp.Expr) -> None:
    for cte in with_.expressions:
        if not isinstance(cte.this, exp.Select | exp.SetOperation | exp.Subquery | exp.Paren):
            inspection.report("with-changes-rows", cte, cte.alias)
        elif _is_recursive(cte):
            alias = cte.args["alias"]
            union = cte.this.unnest() if isinstance(cte.this, exp.Subquery | exp.Paren) else cte.this
            all_ = isinstance(union, exp.Union) and not union.args.get("distinct")
            if not alias.args.get("columns") or not all_ or not with_.args.get("recursive"):
                inspection.report("recursive-columns", cte, cte.alias)


def _is_recursive(cte: exp.Expr) -> bool:
    name = cte.alias.lower()
    return (
        any(
            isinstance(table.this, exp.Identifier) and not table.args.get("db") and table.name.lower() == name
            for table in cte.this.find_all(exp.Table)
        )
        and isinstance(cte.parent, exp.With)
        and bool(cte.parent.args.get("recursive"))
    )


def _check_portable(text: str) -> Callable[[Inspection, exp.Expr], None]:
    def check(inspection: Inspection, node: exp.Expr) -> None:
        if inspection.options.portable:
            inspection.report("not-portable", node, text)

    return check


def _check_pivot(inspection: Inspection, pivot: exp.Expr) -> None:
    if not pivot.args.get("fields") and not pivot.args.get("unpivot"):
        inspection.report("duckdb-syntax", pivot, "pivot without for … in")
    elif inspection.options.portable:
        inspection.report("not-portable", pivot, "pivot")


_CHECKS: dict[str, Callable[[Inspection, exp.Expr], None]] = {
    "Join": _check_join,
    "Window": _check_window,
    "Table": _check_table,
    "Values": _check_values,
    "Tuple": _check_tuple,
    "In": _check_in,
    "Any": _check_any,
    "All": _check_any,
    "Identifier": _check_identifier,
    "Insert": _check_insert,
    "Delete": _check_delete,
    "Interval": _check_interval,
    "Array": _check_array,
    "Star": _check_star,
    "Group": _check_group,
    "Having": _check_having,
    "Union": _check_set_operation,
    "Except": _check_set_operation,
    "Intersect": _check_set_operation,
    "With": _check_with,
    "Qualify": _check_portable("qualify"),
    "Connect": _check_portable("connect by"),
    "ILike": _check_portable("ilike"),
    "Pivot": _check_pivot,
}


# ---------------------------------------------------------------------------- whole statements


def _check_statement(inspection: Inspection, tree: exp.Expr) -> None:
    if isinstance(tree, exp.Merge):
        _check_merge(inspection, tree)
    elif isinstance(tree, exp.Update):
        _check_update(inspection, tree)
    elif isinstance(tree, exp.Select) and tree.args.get("into") is not None:
        inspection.report("select-into", tree.args["into"])


def _check_merge(inspection: Inspection, merge: exp.Merge) -> None:
    target, source = merge.this, merge.args["using"]
    if not isinstance(source, exp.Table):
        inspection.report("merge-source", source)
    elif isinstance(target, exp.Table) and _full_name(target) == _full_name(source):
        inspection.report("merge-same-table", source)
    whens = merge.args["whens"].expressions
    matched = [when for when in whens if when.args.get("matched")]
    unmatched = [when for when in whens if not when.args.get("matched")]
    if len(matched) > 1 or len(unmatched) > 1 or any(when.args.get("source") for when in unmatched):
        inspection.report("merge-clauses", whens[-1])
    for when in whens:
        action = when.args.get("then")
        if when.args.get("matched") and isinstance(action, exp.Insert):
            inspection.report("merge-clauses", when)
        if isinstance(action, exp.Var) and str(action.this).upper() not in {"DELETE"}:
            inspection.report("merge-clauses", when, str(action.this).lower())
        if isinstance(action, exp.Insert) and action.args.get("expression") is None:
            inspection.report("merge-clauses", when, "insert *")
        if isinstance(action, exp.Update):
            if any(isinstance(assignment, exp.Star) for assignment in action.expressions):
                inspection.report("merge-clauses", when, "update set *")
            for assignment in action.expressions:
                if isinstance(assignment, exp.EQ) and isinstance(assignment.this, exp.Column) and assignment.this.table:
                    inspection.report("merge-column", assignment, assignment.this.sql("redshift"))


def _full_name(table: exp.Table) -> str:
    return ".".join(part.name.lower() for part in table.parts)


def _check_update(inspection: Inspection, update: exp.Update) -> None:
    source = update.args.get("from_")
    if source is None:
        return
    for join in source.find_all(exp.Join):
        if join.side and join.find_ancestor(exp.Select) is None:
            inspection.report("update-outer-join", join)


def first_word(tokens: list[Token]) -> str:
    """The first word of a statement, past opening parentheses."""
    for token in tokens:
        if token.token_type != TokenType.L_PAREN:
            return word_of(token)
    return ""


__all__ = ["check_query", "column_of", "first_word", "parse", "user_relations"]

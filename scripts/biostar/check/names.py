"""Names: reserved words without quotes, too long, or PostgreSQL's own."""

from __future__ import annotations

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from biostar.check import manual
from biostar.check.inspection import Inspection

MAXIMUM_BYTES = 127


def check_name(inspection: Inspection, place: Token | exp.Expr, text: str, *, quoted: bool) -> None:
    """Refuse a name that needs quotes or is too long."""
    if len(text.encode()) > MAXIMUM_BYTES:
        inspection.report("name-too-long", place, f"{text[:40]}… has {len(text.encode())} bytes")
    if not quoted and text.lower() in manual.words().reserved:
        inspection.report("reserved-word", place, text)


def check_column_name(inspection: Inspection, place: Token | exp.Expr, text: str) -> None:
    """Refuse a column under a name of a system column."""
    if text.lower() in manual.words().system_columns:
        inspection.report("system-column", place, text)


def check_token_name(inspection: Inspection, token: Token) -> None:
    """`check_name` for a token of a statement that isn't a query."""
    check_name(inspection, token, token.text, quoted=token.token_type == TokenType.IDENTIFIER)


def check_names(inspection: Inspection, tree: exp.Expr) -> None:
    """Every name in a query's tree."""
    bare = manual.functions().bare
    on_catalog = any(table.name.lower().startswith("pg_") for table in tree.find_all(exp.Table))
    for node in tree.find_all(exp.Identifier):
        text, quoted = str(node.this), bool(node.args.get("quoted"))
        parent = node.parent
        if isinstance(parent, exp.Column) and not parent.args.get("table") and text.lower() in bare:
            continue
        if text.lower() == "default" and isinstance(parent, exp.Column) and _takes_default(parent):
            continue
        if "line" not in node.meta:
            # sqlglot made it up, for instance the alias of a table function's result.
            continue
        if not quoted and text.lower() in manual.words().reserved and _is_label(inspection.sql, node):
            if not (on_catalog and text.lower() == "oid"):
                inspection.report("reserved-label", node, text)
            continue
        if on_catalog and text.lower() == "oid":
            continue
        check_name(inspection, node, text, quoted=quoted)
        if isinstance(parent, exp.TableAlias) and parent.this is node and not quoted:
            _check_alias(inspection, node, text)


def _takes_default(column: exp.Column) -> bool:
    """DEFAULT as a value: in SET a = DEFAULT, and in VALUES."""
    if isinstance(column.parent, exp.EQ):
        return isinstance(column.parent.parent, exp.Update) and column is column.parent.expression
    return column.find_ancestor(exp.Values) is not None


def _is_label(sql: str, node: exp.Identifier) -> bool:
    """True behind a dot, and for a column's label after AS: there the server takes any word."""
    before = sql[: node.meta["start"]].rstrip()
    if before.endswith("."):
        return True
    return isinstance(node.parent, exp.Alias) and before[-3:].lower().strip() == "as"


def _check_alias(inspection: Inspection, node: exp.Identifier, text: str) -> None:
    if text.lower() not in manual.words().alias_needs_as:
        return
    before = inspection.sql[: node.meta["start"]].rstrip().lower()
    if not before.endswith(("as", "with", ",")):
        inspection.report("alias-needs-as", node, text)

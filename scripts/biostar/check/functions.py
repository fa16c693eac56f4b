"""Names of functions: allowed by the manual's list, and where they may run.

Names are read from the tokens, not from sqlglot's tree: the tree has already turned SUBSTR into SUBSTRING and
STRING_AGG into LISTAGG.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from biostar.check import manual
from biostar.check.inspection import Inspection
from biostar.check.lexer import is_string, is_word


def calls(tokens: list[Token], tree: exp.Expr | None) -> list[int]:
    """Where the tokens name a function which is called."""
    declared = _declared_names(tree)
    found: list[int] = []
    for index, token in enumerate(tokens[:-1]):
        if tokens[index + 1].token_type != TokenType.L_PAREN:
            continue
        quoted = token.token_type == TokenType.IDENTIFIER
        if not (quoted or is_word(token)) or token.start in declared:
            continue
        name = token.text.lower()
        before = tokens[index - 1] if index else None
        if not quoted and name in manual.functions().not_calls and not _is_left_or_right_call(name, tokens, index):
            continue
        if _is_type(name, before, tokens, index):
            continue
        found.append(index)
    return found


def check_functions(inspection: Inspection, tokens: list[Token], tree: exp.Expr | None, tables: Iterable[str]) -> None:
    """Refuse unknown functions, and known ones where they don't run."""
    lists = manual.functions()
    catalog_only, user_tables = split_tables(tables)
    for called_at in calls(tokens, tree):
        token = tokens[called_at]
        name = token.text.lower()
        qualified = _qualified(called_at, tokens)
        if qualified in inspection.options.allow_functions or name in inspection.options.allow_functions:
            continue
        if "." in qualified and not qualified.startswith("pg_catalog."):
            inspection.report("function-unknown", token, qualified)
        elif name in lists.retired:
            inspection.report("function-retired", token, name, instead=lists.retired[name])
        elif name in lists.bare:
            inspection.report("construct", token, f"{name} takes no parentheses", page=lists.bare[name])
        elif name in lists.allowed:
            _check_date_part(inspection, tokens, called_at, name)
            _check_node(inspection, token, name, user_tables, catalog_only)
        elif name in lists.catalog_only and not (user_tables and name in lists.refused):
            if user_tables:
                inspection.report("function-catalog-only", token, f"{name} beside {user_tables[0]}")
            elif name in lists.refused:
                inspection.report("function-undocumented", token, name, instead=lists.refused[name]["instead"])
        elif name in lists.undocumented:
            inspection.report("function-undocumented", token, name, instead=lists.undocumented[name])
        elif name in lists.refused:
            entry = lists.refused[name]
            rule = "function-unsupported" if entry.get("manual") else "function-unknown"
            inspection.report(rule, token, name, instead=entry["instead"])
        else:
            inspection.report("function-unknown", token, name)
    for index, token in enumerate(tokens):
        name = token.text.lower() if is_word(token) else ""
        called = index + 1 < len(tokens) and tokens[index + 1].token_type == TokenType.L_PAREN
        dotted = index and tokens[index - 1].token_type in {TokenType.DOT, TokenType.ALIAS}
        if name in {"current_time", "current_timestamp", "localtime", "localtimestamp", "current_catalog"}:
            if not called and not dotted:
                if name in lists.retired:
                    inspection.report("function-retired", token, name, instead=lists.retired[name])
                else:
                    inspection.report("function-unsupported", token, name, instead=lists.refused[name]["instead"])
        elif inspection.options.portable and name in {"getdate", "sysdate", "current_date", "timeofday"} and not dotted:
            inspection.report("clock", token, name)


def _check_date_part(inspection: Inspection, tokens: list[Token], index: int, name: str) -> None:
    """The part of a date as the first argument: known to the manual, and for date_trunc in quotes."""
    parts = manual.date_parts()
    argument = tokens[index + 2] if index + 2 < len(tokens) else None
    if argument is None or name not in parts.functions:
        return
    text = argument.text.lower()
    if name == "date_trunc" and not is_string(argument):
        inspection.report("date-part", argument, f"{text} without quotes")
    elif (is_string(argument) or is_word(argument)) and text not in parts.functions[name]:
        inspection.report("date-part", argument, text)


def _check_node(
    inspection: Inspection, token: Token, name: str, user_tables: list[str], catalog_tables: list[str]
) -> None:
    lists = manual.functions()
    if name in lists.leader_only and user_tables:
        inspection.report("function-leader-only", token, f"{name} beside {user_tables[0]}", page=lists.allowed[name])
    elif name in lists.leader_doubtful and user_tables:
        inspection.report("function-leader-doubtful", token, name, instead=lists.leader_doubtful[name])
    elif name in lists.compute_only and not user_tables:
        beside = f" over {catalog_tables[0]}" if catalog_tables else ""
        inspection.report("function-compute-only", token, name + beside)


def split_tables(tables: Iterable[str]) -> tuple[list[str], list[str]]:
    """Relations of the catalog, which the leader node reads, and all others."""
    catalog: list[str] = []
    others: list[str] = []
    for table in tables:
        name = table.rsplit(".", 1)[-1]
        schema = table.split(".")[-2] if "." in table else ""
        on_leader = schema in {"pg_catalog", "information_schema"} or (not schema and name.startswith("pg_"))
        system = name.startswith(("stl_", "stv_", "svl_", "svv_", "svcs_", "sys_"))
        (catalog if on_leader and not system else others).append(table)
    return catalog, others


def _is_left_or_right_call(name: str, tokens: list[Token], index: int) -> bool:
    """LEFT and RIGHT before a parenthesis: functions, unless a join's word follows the name instead."""
    if name not in {"left", "right"}:
        return False
    return tokens[index + 1].token_type == TokenType.L_PAREN


def _is_type(name: str, before: Token | None, tokens: list[Token], index: int) -> bool:
    if name not in manual.types().allowed and name not in manual.types().refused and name != "varying":
        return False
    if before is None:
        return False
    if before.token_type in {TokenType.DCOLON, TokenType.ALIAS}:
        return True
    # convert(varchar(10), x), character varying (10), a column list with types
    opens_convert = before.token_type == TokenType.L_PAREN and index > 1 and tokens[index - 2].text.lower() == "convert"
    return opens_convert or name in {"varying", "varchar", "char", "dec", "decimal", "numeric"}


def _qualified(index: int, tokens: list[Token]) -> str:
    parts = [tokens[index].text.lower()]
    while index >= 2 and tokens[index - 1].token_type == TokenType.DOT:
        parts.insert(0, tokens[index - 2].text.lower())
        index -= 2
    return ".".join(parts)


def _declared_names(tree: exp.Expr | None) -> set[int]:
    """Where a name before a parenthesis isn't a call: aliases and tables with a list of columns."""
    found: set[int] = set()
    if tree is None:
        return found
    for node in tree.find_all(exp.TableAlias, exp.Schema, exp.Table):
        if isinstance(node, exp.Table) and isinstance(node.this, exp.Func):
            continue
        name = node.this
        if isinstance(name, exp.Table):
            name = name.this
        if isinstance(name, exp.Identifier) and "start" in name.meta:
            found.add(name.meta["start"])
    return found

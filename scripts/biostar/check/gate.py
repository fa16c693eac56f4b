"""The gate over one text: each statement gets a verdict, and no statement passes unread."""

from __future__ import annotations

from dataclasses import replace

from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import Token, TokenType

from biostar.check import forms, manual
from biostar.check.inspection import Inspection, Options
from biostar.check.lexer import Statement, is_string, jinja, statements, tokenize, word_of
from biostar.check.model import StatementReport, page_url, rules
from biostar.check.names import check_column_name, check_token_name
from biostar.check.query import check_query, first_word
from biostar.check.types import check_type, read_type

MAXIMUM_STATEMENT_BYTES = 16 * 1024 * 1024
MAXIMUM_COLUMNS = 1600


def check_sql(sql: str, options: Options | None = None, *, in_transaction: bool = False) -> list[StatementReport]:
    """The verdict on each statement of a text.

    Args:
        sql: any number of statements, without Jinja.
        options: how to check; by default the manual's rules refuse and the project's warn.
        in_transaction: the text runs inside a transaction that was begun before it.
    """
    options = options or Options()
    try:
        tokens = tokenize(sql)
    except TokenError as error:
        report = StatementReport(1, "unreadable", page_url("c_SQL_commands"))
        inspection = Inspection(sql, options, report.findings)
        inspection.report("unreadable", (1, 1), str(error).split(".")[0].lower())
        return [report]
    template = jinja(sql, tokens)
    if template is not None:
        report = StatementReport(template.line, "jinja", page_url("c_SQL_commands"))
        Inspection(sql, options, report.findings).report("jinja", template)
        return [report]
    reports: list[StatementReport] = []
    for statement in statements(tokens, sql):
        report, in_transaction = _check_statement(statement, options, in_transaction)
        reports.append(report)
        made = _made_function(statement.tokens)
        if made:
            options = replace(options, allow_functions=options.allow_functions | made)
    return reports


def _made_function(tokens: list[Token]) -> set[str]:
    """The function that a statement makes, by both of its names: what follows in the text may call it."""
    words = [word_of(token) for token in tokens]
    if words[:1] != ["CREATE"] or "FUNCTION" not in words or not {"FUNCTION", "MODEL"} & set(words[:5]):
        return set()
    at = words.index("FUNCTION") + 1
    parts: list[str] = []
    while at < len(tokens) and (words[at] or tokens[at].token_type == TokenType.IDENTIFIER):
        parts.append(tokens[at].text.lower())
        at += 1
        if at < len(tokens) and tokens[at].token_type == TokenType.DOT:
            at += 1
        else:
            break
    return {".".join(parts), parts[-1]} if parts else set()


def _check_statement(statement: Statement, options: Options, in_transaction: bool) -> tuple[StatementReport, bool]:
    inspection = Inspection(statement.sql, options)
    size = len(statement.sql[statement.tokens[0].start : statement.tokens[-1].end + 1].encode())
    if size > MAXIMUM_STATEMENT_BYTES:
        inspection.report("statement-too-long", statement.tokens[0], f"{size:,} bytes")
        return StatementReport(
            statement.line, "too long", page_url("c_SQL_commands"), inspection.findings
        ), in_transaction
    kind, page, in_transaction = _check_tokens(inspection, statement.tokens, in_transaction)
    findings = sorted(inspection.findings, key=lambda finding: (finding.line, finding.column, finding.rule))
    return StatementReport(statement.line, kind, page, findings), in_transaction


def _check_tokens(
    inspection: Inspection, tokens: list[Token], in_transaction: bool, *, parameters: bool = False
) -> tuple[str, str, bool]:
    """Kind and page of a statement, and whether a transaction is open after it."""
    first = first_word(tokens)
    matcher = forms.Matcher(tokens)
    candidates = [form for form in forms.allowed_forms() if first in form.first]
    for form in candidates:
        captures = matcher.match(form)
        if captures is None:
            continue
        _check_captures(inspection, tokens, captures, form)
        if form.transaction == "forbidden" and in_transaction:
            inspection.report("transaction-forbidden", tokens[0], _beginning(tokens), page=form.page)
        elif form.transaction == "commits" and in_transaction:
            inspection.report("transaction-commits", tokens[0], page=form.page)
        elif form.transaction == "required" and not in_transaction:
            inspection.report("transaction-required", tokens[0], page=form.page)
        return _kind(tokens), form.page, (in_transaction or form.begins) and not form.ends
    queries = forms.query_pages()
    if first in queries:
        tree = check_query(inspection, tokens, inspection.sql, parameters=parameters)
        page = queries[first]
        if tree is not None and first == "WITH":
            page = queries.get(tree.key.upper(), page)
        return first.lower(), page, in_transaction
    for form in forms.refused_forms():
        if first in form.first and forms.Matcher(tokens).match(form) is not None:
            inspection.report(form.rule, tokens[0], _beginning(tokens))
            return _kind(tokens), rules()[form.rule].page, in_transaction
    if candidates:
        place = matcher.furthest_token()
        pages = {form.page for form in candidates}
        _explain_misfit(inspection, tokens, place, pages.pop() if len(pages) == 1 else "")
        return first.lower(), candidates[0].page, in_transaction
    if first == "FROM":
        inspection.report("duckdb-syntax", tokens[0], "from before select")
    else:
        inspection.report("statement-kind", tokens[0], _beginning(tokens))
    return "unknown", page_url("c_SQL_commands"), in_transaction


def _explain_misfit(inspection: Inspection, tokens: list[Token], place: Token, page: str) -> None:
    """Why no form fits: a clause that has a rule of its own, else the token that has no place."""
    words = [word_of(token) for token in tokens]
    if words[:1] == ["CREATE"] and "TABLE" in words[:4]:
        for index, word in enumerate(words):
            if word == "CHECK" or (word == "EXCLUDE" and words[index + 1 : index + 2] == ["USING"]):
                inspection.report("check-constraint", tokens[index], word.lower())
                return
            if word == "INHERITS" or (tokens[index].text.lower().startswith("partition") and index > 3):
                inspection.report("inheritance", tokens[index], tokens[index].text.lower())
                return
            if word == "TABLESPACE":
                inspection.report("tablespace", tokens[index])
                return
            if word in {"GENERATED", "STORED"} and "ALWAYS" in words:
                inspection.report("statement-form", tokens[index], "a generated column", page=page)
                return
    inspection.report("statement-form", place, f"at {place.text[:40]!r}", page=page)


def _check_captures(inspection: Inspection, tokens: list[Token], captures: forms.Captures, form: forms.Form) -> None:
    columns = 0
    for capture in captures:
        piece = tokens[capture.start : capture.end]
        if capture.kind in {"id", "column", "alias"}:
            check_token_name(inspection, piece[0])
            if capture.kind == "column":
                columns += 1
                check_column_name(inspection, piece[0], piece[0].text)
        elif capture.kind == "type":
            name = read_type(tokens, capture.start)
            if name is not None and not (name.name == "refcursor" and form.page == page_url("r_CREATE_PROCEDURE")):
                check_type(inspection, piece[0], name, in_table="TABLE" in {word_of(token) for token in tokens[:4]})
        elif capture.kind == "query":
            _check_inner_query(inspection, tokens, capture, form)
        elif capture.kind == "expr":
            _check_expression(inspection, piece)
        elif capture.kind == "statement":
            _check_tokens(inspection, piece, False, parameters=True)
        elif capture.kind == "unloaded":
            _check_quoted_query(inspection, piece[0])
        elif capture.kind == "body":
            _check_body(inspection, tokens, piece[0])
    if columns > MAXIMUM_COLUMNS:
        inspection.report("too-many-columns", tokens[0], f"{columns:,} columns")
    _check_keys(inspection, tokens, form)
    _check_copy_format(inspection, tokens, form)


def _check_inner_query(inspection: Inspection, tokens: list[Token], capture: forms.Capture, form: forms.Form) -> None:
    tree = check_query(inspection, tokens[capture.start : capture.end], inspection.sql)
    if tree is None:
        return
    if form.page == page_url("r_CREATE_TABLE_AS"):
        inspection.report("ctas", tokens[0])
    if "CREATE" in form.first:
        count = len(getattr(tree, "selects", None) or [])
        if count > MAXIMUM_COLUMNS:
            inspection.report("too-many-columns", tokens[0], f"{count:,} columns")
    if form.page == page_url("r_UNLOAD") and tree.args.get("limit") is not None:
        inspection.report("unload-limit", tokens[capture.start])


def _check_expression(inspection: Inspection, piece: list[Token]) -> None:
    """An expression outside a query is checked as what SELECT would give."""
    first = piece[0]
    select = Token(
        token_type=TokenType.SELECT, text="select", line=first.line, col=first.col, start=first.start, end=first.start
    )
    tree = check_query(inspection, [select, *piece], inspection.sql)
    if tree is not None and len(list(tree.find_all(type(tree)))) > 1:
        inspection.report("subquery-scalar-place", first)


def _check_quoted_query(inspection: Inspection, token: Token) -> None:
    """The query of UNLOAD stands in a literal; its places are counted from where the literal begins."""
    inner = Inspection(token.text, inspection.options)
    try:
        tokens = tokenize(token.text)
    except TokenError:
        inspection.report("unreadable", token, "the query in quotes")
        return
    tree = check_query(inner, tokens, token.text) if tokens else None
    if tree is not None and tree.args.get("limit") is not None:
        inner.report("unload-limit", tokens[0])
    first_line = token.line - inspection.sql[token.start : token.end + 1].count("\n")
    for finding in inner.findings:
        moved = replace(finding, line=first_line + finding.line - 1)
        if moved not in inspection.findings:
            inspection.findings.append(moved)


def _check_body(inspection: Inspection, tokens: list[Token], token: Token) -> None:
    words = [word_of(other) for other in tokens]
    if "SQL" in words:
        inner = Inspection(token.text, inspection.options)
        for statement in statements(tokenize(token.text), token.text):
            check_query(inner, statement.tokens, token.text, parameters=True)
        inspection.findings += inner.findings
    else:
        inspection.report("procedure-body", token)


def _check_keys(inspection: Inspection, tokens: list[Token], form: forms.Form) -> None:
    if form.page not in {page_url("r_COPY"), page_url("r_UNLOAD")}:
        return
    for index, token in enumerate(tokens):
        word = word_of(token)
        if word in {"ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN"}:
            inspection.report("copy-keys", token)
            return
        if word == "CREDENTIALS":
            literal = next((other for other in tokens[index:] if is_string(other)), None)
            if literal is not None and "aws_access_key_id" in literal.text:
                inspection.report("copy-keys", token)
                return


_NOT_WITH_JSON = frozenset(
    ("CSV", "DELIMITER", "ESCAPE", "FILLRECORD", "FIXEDWIDTH", "IGNOREBLANKLINES", "NULL", "READRATIO", "REMOVEQUOTES")
)
_NOT_COLUMNAR = (
    *(_NOT_WITH_JSON - {"FILLRECORD"}),
    *("ACCEPTANYDATE", "BLANKSASNULL", "BZIP2", "COMPROWS", "COMPUPDATE", "DATEFORMAT", "EMPTYASNULL", "ENCODING"),
    *(
        "ENCRYPTED",
        "GZIP",
        "IGNOREALLERRORS",
        "IGNOREHEADER",
        "LZOP",
        "MAXERROR",
        "NOLOAD",
        "QUOTE",
        "REGION",
        "ROUNDEC",
    ),
    *("TIMEFORMAT", "TRIMBLANKS", "TRUNCATECOLUMNS", "ZSTD"),
)


def _check_copy_format(inspection: Inspection, tokens: list[Token], form: forms.Form) -> None:
    """Parameters that the page of a format doesn't list, or excludes."""
    if form.page != page_url("r_COPY"):
        return
    words = [word_of(token) for token in tokens]
    options = list(zip(words, tokens, strict=True))[words.index("FROM") :]
    found = {word for word, _ in options}
    columnar = found & {"PARQUET", "ORC"}
    refused = _NOT_COLUMNAR if columnar else _NOT_WITH_JSON if "JSON" in found else ()
    page = "" if columnar else "copy-parameters-data-format"
    for word, token in options:
        if word in refused:
            inspection.report("copy-format", token, page=page)


def _kind(tokens: list[Token]) -> str:
    """The first words of a statement, as its name: `create table`, `copy`, `alter table`."""
    two_words = {"CREATE", "ALTER", "DROP", "SHOW", "COMMENT", "START", "REFRESH", "ATTACH", "DETACH", "DESC"}
    skipped = {"OR", "REPLACE", "LOCAL", "TEMP", "TEMPORARY"}
    words = [word for word in (word_of(token) for token in tokens[:8]) if word and word not in skipped]
    if words[:1] and words[0] in two_words:
        longer = {"MATERIALIZED", "EXTERNAL", "MASKING", "RLS", "IDENTITY", "DEFAULT"}
        return " ".join(words[: 3 if len(words) > 1 and words[1] in longer else 2]).lower()
    return words[0].lower() if words else ""


def _beginning(tokens: list[Token]) -> str:
    return " ".join(token.text for token in tokens[:3]).lower()[:60]


__all__ = ["Options", "check_sql", "manual"]

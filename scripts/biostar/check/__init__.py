"""The gate: refuses SQL that Amazon Redshift refuses or answers differently, before it gets there.

It fails closed. What a statement may be made of is on lists taken from the AWS Database Developer Guide, each entry
with its page (`manual/`); whatever is on no list is refused by name, file and line.

    lexer       text into statements of tokens, each with its place
    forms       the manual's syntax notation, matched against tokens: every statement that isn't a query
    query       queries: sqlglot's tree, of which only known nodes with known parts pass
    functions   names of functions, and where they may run
    types       data types and their limits
    names       reserved words, lengths, system columns
    subqueries  correlated subqueries that the planner refuses
    meaning     what runs, but answers differently: averages of integers, casts against the contract, …
    gate        all of the above over one text
    project     the texts of a dbt project: compiled models, tests, contracts, hooks, the loader's DDL
    report      findings as text and as JSON
"""

from __future__ import annotations

from biostar.check.gate import Options, check_sql
from biostar.check.model import Finding, Rule, StatementReport, rules

__all__ = ["Finding", "Options", "Rule", "StatementReport", "check_sql", "rules"]

"""The portable macros by their edge values: both engines compute them, and parity compares the answers.

dbt renders the macros for each engine; the texts of edge values are literals, so that what is sent can be read.
"""

from __future__ import annotations

from dataclasses import dataclass

from biostar.errors import ConfigurationError
from biostar.parity.model import Relation

_NEXT = "/* next table */"


@dataclass(frozen=True)
class EdgeTable:
    """Edge values, and the macros that are asked about them.

    Attributes:
        name: the table's name.
        columns: its columns after `id`, with types.
        rows: literals by row.
        macros: a column, the macro's call and the type that both engines cast it to.
    """

    name: str
    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str | None, ...], ...]
    macros: tuple[tuple[str, str, str], ...]

    def ddl(self, schema: str) -> str:
        """The statement that makes the table."""
        columns = ", ".join(f"{name} {kind}" for name, kind in (("id", "integer"), *self.columns))
        return f"create table {schema}.{self.name} ({columns})"

    def insert(self, schema: str) -> str:
        """The statement that fills it."""
        kinds = [kind for _, kind in self.columns]
        rows = ", ".join(f"({number}, {', '.join(map(_literal, row, kinds))})" for number, row in enumerate(self.rows))
        return f"insert into {schema}.{self.name} values {rows}"

    @property
    def template(self) -> str:
        """The select of all macros, before dbt renders it."""
        calls = ", ".join(f"cast({{{{ biostar.{call} }}}} as {kind}) as {column}" for column, call, kind in self.macros)
        return f"select id, {calls} from <schema>.{self.name}"

    def relation(self, schema: str) -> Relation:
        """What parity compares."""
        return Relation(f"macros_{self.name}", schema, f"macros_{self.name}", ("id",))


def _literal(value: str | None, kind: str) -> str:
    if value is None:
        return f"cast(null as {kind})"
    quoted = "'" + value.replace("'", "''") + "'"
    return quoted if kind.startswith("varchar") else f"cast({quoted} as {kind})"


TEXTS = (
    *(None, "", " ", "  ", " a ", "\ta", "a\u00a0", "a\n", "é", "東京", "x" * 199),
    *("0", "-0", "5", "-5", "+5", "05", "5.0", "5.00", "5.5", "5.", ".5", "1e3", "1_000", "1,000", "0x10", "٣", "5\n"),
    *("2147483647", "2147483648", "-2147483648", "-2147483649", "9999999999999999.99", "99999999999999999"),
    *("2.675", "-2.675", "2.665", "0.005", "-0.005", "1.0049999", "1.2345678E7", "1e300", "1e-7", "NaN", "Infinity"),
    *("179.9999995", "-179.9999995", "999.9999994", "1000"),
    *("2024-02-08", "2024-02-29", "2023-02-29", "2024-02-30", "1900-01-01", "2100-12-31", "1899-12-31", "2101-01-01"),
    *("2024-2-8", "20240208", "08/02/2024", "2024-02-08 00:00", "2024-02-08T12:30", "2024-02-08 12:30:59"),
    *("2024-02-08T12:30:59Z", "2024-02-08T12:30:59.123456", "2024-02-08T12:30:59.1234567", "2024-02-08 24:00:00"),
    *("2024-02-08T12:30:59+02:00", "2024-02-08T23:30:59-05:30", "2024-02-08T12:30:60", "2024-02-08T12:30:59z"),
    *("2024-01-01T00:30+01:00", "2024-02-08 12:30:59 +02:00", "infinity", "epoch", "J2451187", "Jan-08-95", "2024"),
)
EDGE_TABLES = (
    EdgeTable(
        "texts",
        (("value", "varchar(200)"),),
        tuple((text,) for text in TEXTS),
        (
            ("cleaned", "clean_text('value')", "varchar(200)"),
            ("bytes", "byte_length('value')", "integer"),
            ("as_timestamp", "safe_timestamp('value')", "timestamp"),
            ("as_timestamp_or_year", "safe_timestamp_or_year('value')", "timestamp"),
            ("as_date", "safe_date('value')", "date"),
            ("as_integer", "safe_integer('value')", "integer"),
            ("as_amount", "safe_numeric('value', 18, 2)", "numeric(18, 2)"),
            ("as_coordinate", "safe_numeric('value', 9, 6)", "numeric(9, 6)"),
        ),
    ),
    EdgeTable(
        "pairs",
        (("a", "varchar(1024)"), ("b", "varchar(1024)")),
        (
            *(("a", "b"), ("a", None), (None, "a"), (None, None), ("", "a"), ("a", ""), ("a|b", "c"), ("a", "b|c")),
            *(("ab", ""), ("a ", "b"), ("a", " b"), ("Größe", "東京"), ("x" * 1000, "y"), ("SNOMED", "44054006")),
        ),
        (
            ("surrogate", "surrogate_key(['a', 'b'])", "bigint"),
            ("reference", "reference_key(['a', 'b'])", "bigint"),
            ("reference_of_one", "reference_key('a')", "bigint"),
            ("record", "record_hash(['a', 'b'])", "varchar(32)"),
            ("version", "row_hash(['a', 'b'])", "varchar(32)"),
            ("code", "code_system('charge', 'b', description='a')", "varchar(64)"),
        ),
    ),
    EdgeTable(
        "periods",
        (("first_at", "timestamp"), ("second_at", "timestamp")),
        (
            ("2024-02-28 23:59:00", "2024-02-29 00:01:00"),
            ("2024-02-29 00:00:00", "2025-02-28 12:00:00"),
            ("2024-02-29 00:00:00", "2025-03-01 00:00:00"),
            ("1999-12-31 00:00:00", "2000-01-01 00:00:00"),
            ("2000-01-01 10:00:00", "1999-12-31 23:00:00"),
            ("1980-05-05 00:00:00", "1980-05-05 23:59:59.999999"),
            ("1899-12-31 00:00:00", "2101-01-01 00:00:00"),
            ("2024-02-11 23:59:59.999999", "2024-02-12 00:00:00"),
            ("2024-02-11 00:00:00", None),
        ),
        (
            ("days", "days_between('first_at', 'second_at')", "integer"),
            ("seconds", "seconds_between('first_at', 'second_at')", "bigint"),
            ("age", "age_in_years('first_at', 'second_at')", "integer"),
            ("day_before", "add_days('first_at', -1)", "date"),
            ("month", "month_start('first_at')", "date"),
            ("week", "week_start('first_at')", "date"),
            ("day_key", "date_key('first_at')", "integer"),
            ("is_later", "boolean_text('second_at > first_at')", "varchar(5)"),
        ),
    ),
    EdgeTable(
        "shares",
        (("amount", "numeric(18, 4)"), ("divisor", "integer")),
        tuple(
            (amount, divisor)
            for amount in ("77.49", "193.73", "0.01", "0.005", "-77.49", "0", "99999999999999.9999")
            for divisor in ("1", "2", "3", "7", "-4", "0", None, "2147483647")
        ),
        (("share", "quotient('amount', 'divisor', 18, 2)", "numeric(18, 2)"),),
    ),
)


def rendered(target: str) -> dict[str, str]:
    """The select of each edge table as `target` gets it; no connection is needed, and `<schema>` is left in.

    Raises:
        ConfigurationError: dbt cannot render it.
    """
    from biostar.build.runner import invoke_dbt

    text = f"\n{_NEXT}\n".join(table.template for table in EDGE_TABLES)
    options = ["--no-introspect", "--no-populate-cache"]
    outcome = invoke_dbt(["compile", "--inline", text, "--target", target, *options])
    results = getattr(outcome.result, "results", [])
    if not outcome.success or not results:
        raise ConfigurationError(
            f"dbt cannot render the macros for '{target}': {str(outcome.exception).partition(chr(10))[0]}",
            next_step="dbt compile --no-introspect --no-populate-cache",
        )
    parts = results[0].node.compiled_code.split(_NEXT)
    return {table.name: part.strip() for table, part in zip(EDGE_TABLES, parts, strict=True)}

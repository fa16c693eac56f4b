"""Each check: what it settles, its statements, and the answer that the project relies on.

`{schema}` is the schema made for the run, `{prefix}` that of BIOSTAR_SCHEMA_PREFIX, `{s3}` and `{role}` a place and a
role for COPY. A statement over a one-row table runs on the compute nodes, as a model does; without a table it would
run on the leader node, which is another engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from biostar.parity.cluster.copies import COPIES

MANUAL = "https://docs.aws.amazon.com/redshift/latest/dg/"


@dataclass(frozen=True)
class Step:
    """One statement.

    Attributes:
        sql: the statement.
        answer: the one value expected, as text; None where none is.
        holds: a text that the rows must contain.
        lacks: a text that the rows must not contain.
        fails: the statement must be refused, with this in its SQLSTATE or message; empty for any refusal.
        session: 1 or 2.
        shown: whether its rows belong in the report.
    """

    sql: str
    answer: str | None = None
    holds: str | None = None
    lacks: str | None = None
    fails: str | None = None
    session: int = 1
    shown: bool = False

    @property
    def judged(self) -> bool:
        """Whether its answer can be right or wrong."""
        return not (self.answer is None and self.holds is None and self.lacks is None and self.fails is None)


@dataclass(frozen=True)
class Check:
    """Statements that settle one question.

    Attributes:
        name: short, for --only.
        group: the heading that it stands under.
        settles: the question, as a sentence that is true if all goes as expected.
        page: the manual's page.
        steps: the statements, in order.
        files: objects that COPY needs, by name below `{s3}`.
        autocommit: whether each statement is a transaction of its own.
    """

    name: str
    group: str
    settles: str
    page: str
    steps: tuple[Step, ...]
    files: tuple[tuple[str, bytes], ...] = ()
    autocommit: bool = True

    @property
    def needs_s3(self) -> bool:
        """Whether a place in S3 and a role have to be given."""
        return bool(self.files)


def checks() -> tuple[Check, ...]:
    """All checks, in the order in which they run."""
    return (*_answers(), *_types(), *_keys(), *_design(), *_transactions(), *_copies())


def _answers() -> list[Check]:
    facts = yaml.safe_load(Path(__file__).with_name("facts.yml").read_text(encoding="utf-8"))
    return [
        Check(
            fact["name"],
            "answers of functions and operators",
            fact["settles"],
            fact["page"],
            (Step(f"select {fact['sql']} as answer from {{schema}}.one_row", answer=fact["answer"]),),
        )
        for fact in facts
    ]


def _types() -> list[Check]:
    sums = (
        "create table {schema}.sums as select sum(cast(1 as numeric(12, 2))) as of_numeric,"
        " sum(cast(1 as integer)) as of_integer, sum(cast(1 as bigint)) as of_bigint,"
        " avg(cast(1 as numeric(12, 2))) as average, cast(1 as numeric(18, 4)) / cast(3 as integer) as quotient,"
        " count(*) as rows_counted from {schema}.one_row"
    )
    listed = (
        "select column_name, data_type, numeric_precision, numeric_scale from svv_columns"
        " where table_schema = '{schema}' and table_name = 'sums' order by ordinal_position"
    )
    text = "create table {schema}.texts_without_length as select cast('x' as text) as a, cast('x' as varchar) as b from"
    return [
        Check(
            "types-of-aggregates",
            "types",
            "a sum of numeric(12,2) is numeric(38,2); what the other aggregates and a quotient are",
            "r_SUM.html",
            (Step(sums), Step(listed, holds="of_numeric, numeric, 38, 2", shown=True)),
        ),
        Check(
            "text-without-length",
            "types",
            "text and varchar without a length are varchar(256)",
            "r_Character_types.html",
            (
                Step(f"{text} {{schema}}.one_row"),
                Step(
                    "select max(character_maximum_length) as widest from svv_columns where table_schema = '{schema}'"
                    " and table_name = 'texts_without_length'",
                    answer="256",
                ),
            ),
        ),
        Check(
            "bytes-of-a-varchar",
            "types",
            "varchar(n) counts bytes: three letters of two bytes do not fit into varchar(5); an explicit cast cuts off",
            "r_Character_types.html",
            (
                Step("create table {schema}.narrow (value varchar(5))"),
                Step("insert into {schema}.narrow values ('ééé')", fails="22001"),
                Step("select cast('abcdefg' as varchar(5)) as answer from {schema}.one_row", answer="abcde"),
            ),
        ),
        Check(
            "sum-of-bigint-overflows",
            "types",
            "a sum of bigints that passes 63 bits is an error, not a wider number",
            "r_SUM.html",
            (
                Step("create table {schema}.large (value bigint)"),
                Step("insert into {schema}.large values (9223372036854775807), (9223372036854775807)"),
                Step("select sum(value) as answer from {schema}.large", fails=""),
                Step(
                    "select sum(cast(value as numeric(38, 0))) as answer from {schema}.large",
                    answer="18446744073709551614",
                ),
            ),
        ),
    ]


def _keys() -> list[Check]:
    return [
        Check(
            "declared-keys",
            "keys",
            "a declared primary key is not enforced, so a test must",
            "t_Defining_constraints.html",
            (
                Step("create table {schema}.keyed (id integer not null, primary key (id))"),
                Step("insert into {schema}.keyed values (1), (1)"),
                Step("select cast(count(*) as varchar(8)) as answer from {schema}.keyed", answer="2"),
                Step("insert into {schema}.keyed values (null)", fails=""),
            ),
        )
    ]


def _design() -> list[Check]:
    marts = "'{prefix}core', '{prefix}clinical', '{prefix}claims', '{prefix}measures'"
    in_place = (
        ("claims-of-an-encounter", "{prefix}clinical.fct_encounter", "{prefix}claims.fct_claim", "patient_key"),
        ("ledger-of-a-claim", "{prefix}claims.fct_claim", "{prefix}claims.fct_claim_transaction", "patient_key"),
        ("person-of-a-fact", "{prefix}clinical.fct_observation", "{prefix}core.dim_patient", "patient_key"),
        ("provider-of-a-fact", "{prefix}clinical.fct_encounter", "{prefix}core.dim_provider", "provider_key"),
        ("code-of-a-fact", "{prefix}clinical.fct_procedure", "{prefix}core.dim_clinical_code", None),
    )
    found = [
        Check(
            f"in-place-{name}",
            "physical design of the marts (build first)",
            f"{left.partition('}')[2]} and {right.partition('}')[2]} join without moving rows",
            "t_explain_plan_example.html",
            (
                Step(
                    f"explain select count(*) from {left} as one inner join {right} as other on one."
                    + (f"{key} = other.{key}" if key else "procedure_code_key = other.clinical_code_key"),
                    holds="_NONE",
                    lacks="DS_BCAST_INNER",
                    shown=True,
                ),
            ),
        )
        for name, left, right, key in in_place
    ]
    scanned = (
        "select count(*) from {prefix}clinical.fct_observation"
        " where observed_at >= timestamp '2020-01-01' and observed_at < timestamp '2020-02-01'"
    )
    return [
        *found,
        Check(
            "blocks-skipped-by-sort-key",
            "physical design of the marts (build first)",
            "a filter on the sort key skips blocks (is_rrscan); a small table has none to skip",
            "t_Sorting_data.html",
            (
                Step("set enable_result_cache_for_session to off"),
                Step(scanned),
                Step(
                    "select step_name, table_name, is_rrscan, input_rows, output_rows, blocks_read from"
                    " sys_query_detail where query_id = pg_last_query_id() and step_name = 'scan'",
                    shown=True,
                ),
            ),
        ),
        Check(
            "tables-as-they-lie",
            "physical design of the marts (build first)",
            "distribution, first sort key, skew, unsorted share and encoding are as the models say",
            "r_SVV_TABLE_INFO.html",
            (
                Step(
                    'select "schema", "table", diststyle, sortkey1, encoded, tbl_rows, size, skew_rows, unsorted,'
                    f' stats_off from svv_table_info where "schema" in ({marts}) order by tbl_rows desc',
                    shown=True,
                ),
                Step(
                    "select encoding, count(*) as column_count from svv_redshift_columns"
                    f" where schema_name in ({marts}) group by encoding order by encoding",
                    shown=True,
                ),
            ),
        ),
        Check(
            "keys-that-the-planner-trusts",
            "physical design of the marts (build first)",
            "the declared keys have arrived",
            "t_Defining_constraints.html",
            (
                Step(
                    "select constraint_type, count(*) as key_count from information_schema.table_constraints"
                    f" where table_schema in ({marts}) group by constraint_type order by constraint_type",
                    shown=True,
                ),
            ),
        ),
    ]


def _transactions() -> list[Check]:
    return [
        Check(
            "write-skew",
            "transactions",
            "under serializable isolation the second of two crossing transactions is refused (error 1023); under"
            " snapshot isolation both commit",
            "c_serial_isolation.html",
            (
                Step("create table {schema}.first_table (value integer)"),
                Step("create table {schema}.second_table (value integer)"),
                Step("select * from stv_db_isolation_level", shown=True),
                Step("begin", session=1),
                Step("begin", session=2),
                Step("select count(*) from {schema}.first_table", session=1),
                Step("select count(*) from {schema}.second_table", session=2),
                Step("insert into {schema}.second_table values (1)", session=1),
                Step("insert into {schema}.first_table values (1)", session=2),
                Step("commit", session=1),
                Step("commit", session=2, shown=True),
            ),
        ),
        Check(
            "truncate-commits",
            "transactions",
            "TRUNCATE commits what came before it and cannot be rolled back",
            "r_TRUNCATE.html",
            (
                Step("create table {schema}.emptied as select 1 as value from {schema}.one_row"),
                Step("begin"),
                Step("truncate {schema}.emptied"),
                Step("rollback"),
                Step("select cast(count(*) as varchar(8)) as answer from {schema}.emptied", answer="0"),
            ),
        ),
        Check(
            "ddl-rolls-back",
            "transactions",
            "CREATE, RENAME and DROP of a table roll back, as dbt's swap of a table needs",
            "r_BEGIN.html",
            (
                Step("create table {schema}.kept as select 1 as value from {schema}.one_row"),
                Step("begin"),
                Step("alter table {schema}.kept rename to kept_before"),
                Step("create table {schema}.kept as select 2 as value from {schema}.one_row"),
                Step("drop table {schema}.kept_before"),
                Step("rollback"),
                Step("select cast(max(value) as varchar(8)) as answer from {schema}.kept", answer="1"),
            ),
        ),
        Check(
            "append-in-a-transaction",
            "transactions",
            "ALTER TABLE APPEND is refused inside a transaction",
            "r_ALTER_TABLE_APPEND.html",
            (
                Step("create table {schema}.target (value integer)"),
                Step("create table {schema}.source (value integer)"),
                Step("begin"),
                Step("alter table {schema}.target append from {schema}.source", fails=""),
                Step("rollback"),
            ),
        ),
    ]


def _copies() -> list[Check]:
    found = []
    for name, settles, content, options, error in COPIES:
        table = "copied_" + name.replace("-", "_")
        copy = f"copy {{schema}}.{table} from '{{s3}}/{name}.csv' iam_role '{{role}}' {options}"
        rows = f"select id, value, moment, length(value) as letters from {{schema}}.{table} order by id"
        why = (
            "select line_number, trim(column_name) as column_name, error_code, trim(error_message) as error_message"
            " from sys_load_error_detail where query_id = (select max(query_id) from sys_load_error_detail)"
        )
        steps = [Step(f"create table {{schema}}.{table} (id integer, value varchar(5), moment timestamp)")]
        if error is None:
            steps += [Step(copy), Step(rows, shown=True)]
        else:
            steps += [Step(copy, fails=""), Step(why, holds=error, shown=True)]
        found.append(
            Check(
                f"copy-{name}",
                "COPY",
                settles,
                "r_Load_Error_Reference.html",
                tuple(steps),
                files=((f"{name}.csv", content),),
            )
        )
    return found

"""The generic tests pass on good data, fail on bad, and never show a value that may identify a patient."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from macros_lab import MacroLab, macro_lab

SCHEMA = """
version: 2
models:
  - name: fact
    data_tests:
      - unique_grain:
          name: grain
          arguments:
            columns: [line_id, line_number]
      - foreign_keys:
          name: keys
          arguments:
            keys:
              member_key: ref('dim')
              other_member_key: [ref('dim'), member_key]
"""


@pytest.fixture(scope="module")
def tests(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    lab: MacroLab = macro_lab(tmp_path_factory.mktemp("generic"))
    (lab.folder / "models" / "schema.yml").write_text(SCHEMA)
    lab.model("dim", "{{ config(materialized='table') }} select cast(-1 as bigint) as member_key union all select 5")
    lab.model(
        "fact",
        "{{ config(materialized='table') }} select 'a' as line_id, 1 as line_number, cast(5 as bigint) as member_key,"
        " cast(-1 as bigint) as other_member_key -- {{ ref('dim') }}",
    )
    lab.dbt("build")
    compiled = lab.compiled("*.sql")
    return lab.database, {name: compiled[name] for name in ("grain", "keys")}


@pytest.mark.parametrize(
    ("rows", "grain", "keys"),
    [
        ([("b", 1, 5, 5), ("a", 2, -1, -1)], [], []),
        ([("a", 1, 5, 5), ("a", 1, 5, 5)], [("line_id, line_number", 1, 3)], []),
        ([("b", 1, 7, 5), ("c", 1, 7, 5), ("d", 1, 8, 5)], [], [("member_key", 2, 3)]),
        ([("b", 1, 5, 7)], [], [("other_member_key", 1, 1)]),
        ([("b", 1, None, None)], [], [("member_key", 1, 1), ("other_member_key", 1, 1)]),
    ],
)
def test_bad_rows_are_counted_not_shown(
    tests: tuple[Path, dict[str, str]],
    rows: list[tuple[object, ...]],
    grain: list[tuple[object, ...]],
    keys: list[tuple[object, ...]],
) -> None:
    database, sql = tests
    with duckdb.connect(str(database)) as connection:
        connection.execute("begin")
        connection.executemany("insert into main.fact values (?, ?, ?, ?)", rows)
        assert connection.execute(sql["grain"]).fetchall() == grain
        assert sorted(connection.execute(sql["keys"]).fetchall()) == keys
        connection.execute("rollback")

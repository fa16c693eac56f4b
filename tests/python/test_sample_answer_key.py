"""The answer key against a count that knows nothing of how the sample was made.

The files are read as bytes. What the loader must refuse follows from the declared widths, what staging must reject
from the macro calls in the base models, and which version stands from the rules in macros/staging/row_versions.sql.
"""

from __future__ import annotations

import ast
import csv
import io
import json
import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import pytest
import yaml

from biostar.project import project_root
from biostar.sample import SampleOptions, add_day, write_sample
from biostar.sample.defects import DEFECTS, RESENT_FILE
from biostar.sample.tables import TABLES

OPTIONS = SampleOptions(70, days=3, seed=3, defects=0.02)


@dataclass(frozen=True)
class Declared:
    widths: dict[str, int]
    aliases: dict[str, str]
    natural_key: tuple[str, ...]
    rejects: dict[str, list[str]]
    periods: list[tuple[str, str]]

    @property
    def has_id(self) -> bool:
        return self.natural_key == ("id",)


def declarations() -> dict[str, Declared]:
    sources = yaml.safe_load((project_root() / "models/staging/ehr/_ehr__sources.yml").read_text())["sources"][0]
    found = {}
    for table in sources["tables"]:
        model = (project_root() / f"models/staging/ehr/base/base_ehr__{table['name']}.sql").read_text()
        call = re.search(r"reject_reason\((.*?)\) }}", model, re.DOTALL)
        assert call is not None
        arguments = ast.parse(f"f({call.group(1)})", mode="eval").body
        assert isinstance(arguments, ast.Call)
        calls = {a.arg or "": ast.literal_eval(a.value) for a in arguments.keywords}
        periods = calls.pop("periods", [])
        column_of = {typed: column for columns in calls.values() for column, typed in columns.items()}
        found[table["name"]] = Declared(
            widths={c["name"]: int(c["data_type"].split("(")[1].rstrip(")")) for c in table["columns"]},
            aliases={
                alias: c["name"]
                for c in table["columns"]
                for alias in (c["name"], *c.get("config", {}).get("meta", {}).get("aliases", []))
            },
            natural_key=tuple(table["config"]["meta"]["natural_key"]),
            rejects={kind: list(columns) for kind, columns in calls.items() if kind != "averages"},
            periods=[(column_of[start], column_of[stop]) for start, stop in periods],
        )
    return found


def parses(kind: str, text: str) -> bool:
    try:
        if kind == "dates":
            date.fromisoformat(text)
        elif kind.startswith("timestamps"):
            datetime.fromisoformat(text.replace("Z", "+00:00"))
        elif kind == "integers":
            int(text)
        else:
            Decimal(text)
    except (ValueError, InvalidOperation):
        return False
    return True


def is_rejected(row: dict[str, str], declared: Declared) -> bool:
    if any(row.get(stop) and row[stop] < row[start] for start, stop in declared.periods):
        return True
    return any(
        not row.get(column) if kind == "required" else bool(row.get(column)) and not parses(kind, row[column])
        for kind, columns in declared.rejects.items()
        for column in columns
    )


def recount(landing: Path, table: str, declared: Declared) -> dict[str, dict[str, int]]:
    """Rows of each drop by what must become of them."""
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    good: dict[tuple[str, ...], dict[str, dict[tuple[str, ...], int]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(int))
    )
    for path in sorted((landing / "ehr" / table).glob("*/*.csv")):
        drop = path.parent.name.removeprefix("ingest_date=")
        lines = path.read_bytes().split(b"\n")
        header = [declared.aliases[name.lower()] for name in lines[0].decode().split(",")]
        for line in lines[1:-1]:
            count = counts[drop]
            count["rows_written"] += 1
            try:
                values = next(csv.reader(io.StringIO(line.decode())))
            except UnicodeDecodeError:
                values = []
            row = dict(zip(header, values, strict=False))
            if len(values) != len(header) or any(len(v.encode()) > declared.widths[k] for k, v in row.items()):
                count["structural_rejects"] += 1
                continue
            count["raw"] += 1
            if is_rejected(row, declared):
                count["rejected"] += 1
            else:
                key = tuple(row[column] for column in declared.natural_key)
                good[key][drop][tuple(values)] += 1
    for deliveries in good.values():
        newest = max(deliveries)
        for drop, rows in deliveries.items():
            count = counts[drop]
            if drop != newest:
                count["superseded"] += sum(rows.values())
                continue
            standing = 1 if declared.has_id else len(rows)
            count["staged"] += standing
            count["rejected"] += len(rows) - standing
            count["superseded"] += sum(rows.values()) - len(rows)
            count["exact_copies"] += sum(rows.values()) - len(rows)
    return counts


def compare(landing: Path) -> dict[str, Any]:
    key: dict[str, Any] = json.loads((landing / "answer_key.json").read_text())
    for table, declared in declarations().items():
        counted = recount(landing, table, declared)
        told = {
            drop: {"rows_written": entry["rows_written"], **entry["expected"]}
            for drop, entry in key["tables"][table].items()
        }
        assert set(told) == set(counted), table
        for drop, expected in told.items():
            assert {name: counted[drop][name] for name in expected} == expected, (table, drop)
            assert expected["raw"] == expected["staged"] + expected["rejected"] + expected["superseded"]
    return key


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("defects")
    write_sample(OPTIONS, folder)
    return folder


def test_the_answer_key_is_right_and_no_kind_of_defect_is_missing(landing: Path) -> None:
    key = compare(landing)
    totals = key["totals"]
    missing = {defect.kind for defect in DEFECTS} | {RESENT_FILE}
    assert missing - set(totals["defects"]) == set()
    assert totals["expected"]["superseded"] > totals["expected"]["exact_copies"] > 0
    # Each kind hits about 2 % of the rows that it can hit.
    written = key["tables"]["claims_transactions"]["2024-02-06"]
    assert 0.015 < written["defects"]["unparsable_number"] / written["rows_written"] < 0.025


def test_a_resent_file_is_the_same_file(landing: Path) -> None:
    again = sorted((landing / "ehr").glob("*/ingest_date=2024-02-08/*-900.csv"))
    assert {path.parts[-3] for path in again} >= {"claims_transactions", "observations"}
    for path in again:
        first = path.parents[1] / "ingest_date=2024-02-07" / path.name.replace("-900", "-000")
        assert first.read_bytes() == path.read_bytes()


def test_patients_come_after_their_children_and_some_never(landing: Path) -> None:
    def column(table: str, name: str) -> dict[str, str]:
        first_seen: dict[str, str] = {}
        for path in sorted((landing / "ehr" / table).glob("*/*.csv")):
            rows = list(csv.reader(io.StringIO(path.read_bytes().decode(errors="replace"))))
            place = rows[0].index(name)
            for row in rows[1:]:
                if len(row) == len(rows[0]):
                    first_seen.setdefault(row[place], path.parent.name)
        return first_seen

    patients, children = column("patients", "Id"), column("observations", "PATIENT")
    key = json.loads((landing / "answer_key.json").read_text())
    assert any(patients[child] > seen for child, seen in children.items() if child in patients)
    orphans = set(children) - set(patients)
    assert 0 < len(orphans) <= key["totals"]["defects"]["missing_parent"]


def test_an_added_day_keeps_the_answer_key_right(landing: Path) -> None:
    before = {path: path.read_bytes() for path in (landing / "ehr").rglob("*.csv")}
    result = add_day(landing, new=0.05, changed=0.02)
    key = compare(landing)
    assert {path: path.read_bytes() for path in before} == before
    assert [day.isoformat() for day in result.drops] == ["2024-02-09"]
    day = {table: entries["2024-02-09"] for table, entries in key["tables"].items() if "2024-02-09" in entries}
    changed = sum(entry["changed_rows"] for entry in day.values())
    known = sum(
        entry["expected"]["staged"] + entry["expected"]["superseded"]
        for entries in key["tables"].values()
        for drop, entry in entries.items()
        if drop < "2024-02-09"
    )
    assert 0.015 < changed / known < 0.025
    assert day["patients"]["new_rows"] == 4  # 5 % of 70, rounded up
    assert sum(entry["rows_written"] for entry in day.values()) == sum(result.rows.values())
    add_day(landing)  # a second day finds the first one
    compare(landing)


def test_the_same_days_give_the_same_bytes(tmp_path: Path) -> None:
    for name, threads in (("one", 1), ("two", 3)):
        write_sample(SampleOptions(30, defects=0.01), tmp_path / name, threads=threads)
        add_day(tmp_path / name, threads=threads)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file())
    assert any("ingest_date=2024-02-09" in str(path) for path in files)
    for path in files:
        assert (tmp_path / "one" / path).read_bytes() == (tmp_path / "two" / path).read_bytes()


def test_a_sample_without_defects_is_staged_whole(tmp_path: Path) -> None:
    write_sample(SampleOptions(30, days=2), tmp_path)
    key = compare(tmp_path)
    totals = key["totals"]
    assert totals["defects"] == {}
    assert totals["expected"]["structural_rejects"] == totals["expected"]["rejected"] == 0
    assert totals["expected"]["staged"] == totals["new_rows"]
    assert len(key["tables"]) == len(TABLES)

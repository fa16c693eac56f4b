"""What becomes of the rows of a good object: columns by name, values to the byte, books that add up."""

from __future__ import annotations

import csv
import datetime
import gzip
import io
import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from biostar.contracts import read_sources
from biostar.project import project_root
from conftest import DAY, SAMPLE, Lab

OBSERVATIONS = "DATE,PATIENT,ENCOUNTER,CATEGORY,CODE,DESCRIPTION,VALUE,UNITS,TYPE\n"
CONDITIONS = "START,STOP,PATIENT,ENCOUNTER,CODE,DESCRIPTION\n"


def test_the_shipped_sample_loads_whole(lab: Lab) -> None:
    expected = {}
    for file in sorted(SAMPLE.glob("*.csv.gz")):
        table = file.name.removesuffix(".csv.gz")
        text = gzip.decompress(file.read_bytes()).decode()
        expected[table] = list(csv.DictReader(io.StringIO(text)))
        lab.put(table, file.read_bytes(), name=file.name)
    outcome = lab.load()
    assert outcome.code == 0
    assert outcome.document["warnings"] == []
    assert outcome.document["missing_tables"] == []
    assert outcome.document["rows_loaded"] == sum(map(len, expected.values())) == 10950
    [source] = [one for one in read_sources(project_root()) if one.name == "raw_ehr"]
    assert {table.name for table in source.tables} == set(expected)
    for table in source.tables:
        names = [column.name for column in table.columns]
        quoted = ", ".join(f'"{name}"' for name in names)
        found = sorted(map(repr, lab.query(f"select {quoted} from raw_ehr.{table.name}")))
        wanted = []
        for row in expected[table.name]:
            by_column = {table.by_name[key.lower()].name: value or None for key, value in row.items()}
            wanted.append(repr(tuple(by_column.get(name) for name in names)))
        assert found == sorted(wanted), table.name


def test_load_columns_and_ledger(lab: Lab) -> None:
    lab.put("observations", OBSERVATIONS + "2020-01-01,p,e,c,1,d,5,kg,numeric\n", day="2024-02-09", name="b.csv")
    lab.put("observations", OBSERVATIONS + "2020-01-02,p,e,c,1,d,5,kg,numeric\n" * 3, day="2024-02-08")
    before = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    assert lab.load().code == 0
    assert lab.query("select _load_id, _ingest_date, count(*) from raw_ehr.observations group by 1, 2 order by 1") == [
        (1, datetime.date(2024, 2, 8), 3),
        (2, datetime.date(2024, 2, 9), 1),
    ]
    [(low, high)] = lab.query("select min(_loaded_at), max(_loaded_at) from raw_ehr.observations")
    assert before <= low <= high <= datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    assert lab.query(
        "select load_id, source_name, table_name, object_key, ingest_date, rows_read, rows_loaded, rows_rejected"
        " from raw_meta.load_ledger order by load_id"
    ) == [
        (
            1,
            "raw_ehr",
            "observations",
            f"ehr/observations/ingest_date={DAY}/part.csv",
            datetime.date(2024, 2, 8),
            3,
            3,
            0,
        ),
        (
            2,
            "raw_ehr",
            "observations",
            "ehr/observations/ingest_date=2024-02-09/b.csv",
            datetime.date(2024, 2, 9),
            1,
            1,
            0,
        ),
    ]


def test_values_keep_every_byte_and_empty_fields_are_null(lab: Lab) -> None:
    lab.put(
        "conditions",
        CONDITIONS.encode() + ' 2020-01-01 ,"",p,,007,"a ""b"", é 漢\r\n\tc"\n'.encode(),
    )
    assert lab.load().code == 0
    assert lab.query("select start, stop, encounter, code, description from raw_ehr.conditions") == [
        (" 2020-01-01 ", None, None, "007", 'a "b", é 漢\r\n\tc')
    ]


def test_a_quote_within_a_plain_value_is_a_character(lab: Lab) -> None:
    lab.put("conditions", CONDITIONS + '2020-01-01,,p,e,1,tube 5" long\n2020-01-02,,p,e,1,6"\n2020-01-03,,p,e,1,d\n')
    outcome = lab.load()
    assert outcome.document["rows_rejected"] == 0
    assert lab.query("select description from raw_ehr.conditions order by start") == [
        ('tube 5" long',),
        ('6"',),
        ("d",),
    ]


def test_both_header_versions_in_one_batch(lab: Lab) -> None:
    lab.put(
        "payer_transitions",
        "PATIENT,MEMBERID,START_YEAR,END_YEAR,PAYER,SECONDARY_PAYER,OWNERSHIP,OWNERNAME\np1,m,2001,2002,x,,Self,N\n",
        name="old.csv",
    )
    lab.put(
        "payer_transitions",
        "PATIENT,MEMBERID,START_DATE,END_DATE,PAYER,SECONDARY_PAYER,PLAN_OWNERSHIP,OWNER_NAME\r\n"
        "p2,m,2003-01-01T00:00:00Z,2004-01-01T00:00:00Z,x,,Self,N\r\n",
        name="new.csv",
    )
    lab.put("conditions", "START,STOP,PATIENT,ENCOUNTER,SYSTEM,CODE,DESCRIPTION\n2020-01-01,,p,e,http://s,1,d\n")
    outcome = lab.load()
    assert (outcome.code, outcome.document["failures"]) == (0, [])
    assert [warning for warning in outcome.document["warnings"] if "lacks" in warning] == []
    assert lab.query(
        "select patient, start_date, end_date, plan_ownership, owner_name from raw_ehr.payer_transitions order by 1"
    ) == [
        ("p1", "2001", "2002", "Self", "N"),
        ("p2", "2003-01-01T00:00:00Z", "2004-01-01T00:00:00Z", "Self", "N"),
    ]
    assert lab.query('select "system", code from raw_ehr.conditions') == [("http://s", "1")]
    [(loads, headers)] = lab.query(
        "select count(distinct load_id), count(distinct header_fingerprint) from raw_meta.load_ledger"
        " where table_name = 'payer_transitions'"
    )
    assert (loads, headers) == (1, 2)


FORMS = {
    "bom.csv": lambda text: b"\xef\xbb\xbf" + text,
    "crlf.csv": lambda text: text.replace(b"\n", b"\r\n"),
    "cr.csv": lambda text: text.replace(b"\n", b"\r"),
    "mixed_ends.csv": lambda text: text.replace(b"\n", b"\r\n", 2),
    "no_last_line_end.csv": lambda text: text.removesuffix(b"\n"),
    "zipped.csv.gz": gzip.compress,
    "members.csv.gz": lambda text: gzip.compress(text[:50]) + gzip.compress(text[50:]),
    "zipped_with_a_plain_name.csv": gzip.compress,
    "plain_with_a_zipped_name.csv.gz": lambda text: text,
    "blank_lines.csv": lambda text: text.replace(b"\n", b"\n\n"),
    "UPPER.CSV": lambda text: text.replace(b"START", b"Start").replace(b"CODE", b"cODE"),
}


def test_the_form_of_the_file_does_not_matter(lab: Lab) -> None:
    rows = "".join(f"2020-01-{day:02},,P{day},E,{day},D\n" for day in range(1, 31))
    for number, (name, form) in enumerate(FORMS.items(), start=1):
        lab.put("conditions", form((CONDITIONS + rows).encode()), name=name, day=f"2024-02-{number:02}")
    outcome = lab.load()
    assert (outcome.code, outcome.document["rows_rejected"]) == (0, 0), outcome.document
    expected = [(f"2020-01-{day:02}", None, f"P{day}", "E", str(day), "D") for day in range(1, 31)]
    for number, name in enumerate(FORMS, start=1):
        found = lab.query(
            "select start, stop, patient, encounter, code, description from raw_ehr.conditions"
            " where _ingest_date = cast(? as date) order by 1",
            [f"2024-02-{number:02}"],
        )
        assert found == expected, name


def test_any_file_name_works(lab: Lab) -> None:
    names = ["it's.csv", 'a "quote".csv', "new\nline.csv", "ünï çödé 漢.csv", "gl*b[1]?.csv", "glob1x.csv"]
    names += ["$address; drop table x.csv", "a/b/c.csv", "*.csv"]
    for name in names:
        lab.put("conditions", CONDITIONS + f'2020-01-01,,"{name.replace(chr(34), "")}",e,1,d\n', name=name)
    outcome = lab.load()
    assert (outcome.code, outcome.document["rows_loaded"]) == (0, len(names)), outcome.document
    assert lab.query("select count(distinct patient) from raw_ehr.conditions") == [(len(names),)]
    assert lab.load().document["objects_skipped"] == len(names)


ROWS = [
    {
        "START": "2020-01-01",
        "STOP": "",
        "PATIENT": 'p"1',
        "ENCOUNTER": "e,1",
        "SYSTEM": "s",
        "CODE": "1",
        "DESCRIPTION": "x\ny",
    },
    {
        "START": "2020-01-02",
        "STOP": "2020-02-02",
        "PATIENT": "ø",
        "ENCOUNTER": "",
        "SYSTEM": "",
        "CODE": "2",
        "DESCRIPTION": " ",
    },
]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    order=st.permutations(list(ROWS[0])),
    spelling=st.randoms(use_true_random=False),
    line_end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    bom=st.booleans(),
    zipped=st.booleans(),
    last_line_end=st.booleans(),
)
def test_any_spelling_of_a_file_loads_equal_rows(
    lab: Lab, order, spelling: random.Random, line_end, quoting, bom, zipped, last_line_end
) -> None:
    lab.database.unlink(missing_ok=True)
    for old in lab.landing.rglob("*.csv"):
        old.unlink()
    text = io.StringIO()
    writer = csv.writer(text, lineterminator=line_end, quoting=quoting)
    writer.writerow(["".join(spelling.choice([c.lower(), c.upper()]) for c in name) for name in order])
    writer.writerows([[row[name] for name in order] for row in ROWS])
    content = text.getvalue() if last_line_end else text.getvalue().removesuffix(line_end)
    lab.put("conditions", (b"\xef\xbb\xbf" if bom else b"") + content.encode(), zipped=zipped)
    outcome = lab.load()
    assert (outcome.code, outcome.document["rows_loaded"]) == (0, 2), outcome.document
    found = lab.query(
        'select start, stop, patient, encounter, "system", code, description from raw_ehr.conditions order by 1'
    )
    assert found == [tuple(value or None for value in row.values()) for row in ROWS]


def test_a_value_of_one_megabyte(lab: Lab) -> None:
    lab.put("conditions", CONDITIONS + f"2020-01-01,,p,e,1,{'x' * 1_000_000}\n2020-01-02,,p,e,1,d\n")
    outcome = lab.load()
    assert (outcome.code, outcome.document["rows_loaded"], outcome.document["rows_rejected"]) == (0, 1, 1)
    assert lab.query("select line_number, column_name, error_code, value_length from raw_meta.load_rejects") == [
        (2, "description", "value_too_long", 1_000_000)
    ]


def test_a_landing_that_lacks_tables_makes_them_empty_and_says_so(lab: Lab) -> None:
    lab.put("conditions", CONDITIONS + "2020-01-01,,p,e,1,d\n")
    outcome = lab.load()
    assert outcome.code == 0
    assert len(outcome.document["missing_tables"]) == 17
    assert "patients" in outcome.document["missing_tables"]
    assert "patients" in outcome.words
    assert lab.query("select count(*) from raw_ehr.patients") == [(0,)]
    assert lab.query("select count(*) from duckdb_tables() where schema_name = 'raw_ehr'") == [(18,)]


def test_header_only_is_a_delivery_of_nothing(lab: Lab) -> None:
    lab.put("conditions", CONDITIONS)
    lab.put("conditions", CONDITIONS.strip(), name="no_line_end.csv")
    outcome = lab.load()
    assert (outcome.code, outcome.document["objects_loaded"], outcome.document["rows_loaded"]) == (0, 2, 0)
    assert lab.load().document["objects_skipped"] == 2


def test_markers_are_passed_over_and_other_files_are_named(lab: Lab) -> None:
    lab.put("conditions", CONDITIONS + "2020-01-01,,p,e,1,d\n")
    for name in ("_SUCCESS", ".part.csv.crc", "notes.txt"):
        lab.put("conditions", "", name=name)
    outcome = lab.load()
    assert (outcome.code, outcome.document["objects_loaded"]) == (0, 1)
    [ignored] = [warning for warning in outcome.document["warnings"] if "ignored" in warning]
    assert "notes.txt" in ignored


def test_only_the_tables_asked_for(lab: Lab) -> None:
    lab.put("conditions", CONDITIONS + "2020-01-01,,p,e,1,d\n")
    lab.put("observations", OBSERVATIONS + "2020-01-01,p,e,c,1,d,5,kg,numeric\n")
    assert [batch["table"] for batch in lab.load("--tables", "observations").document["batches"]] == ["observations"]
    assert [batch["table"] for batch in lab.load().document["batches"]] == ["conditions"]
    wrong = lab.load("--tables", "condition")
    assert (wrong.code, wrong.document["error"]) == (2, "usage")
    assert "'conditions'" in wrong.document["message"]

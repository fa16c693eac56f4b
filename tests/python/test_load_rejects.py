"""Bad records: each is in the book of rejects with its line, and every other record of the file loads."""

from __future__ import annotations

import datetime
import random

from conftest import Lab

HEADER = "START,STOP,PATIENT,ENCOUNTER,CODE,DESCRIPTION\n"


def row(number: int, description: str = "d") -> str:
    return f"2020-01-01,,p{number},e,{number},{description}\n"


CASES = {
    "too few": ("2020-01-01,,p,e\n", [("code", "missing_columns")]),
    "too many": ("2020-01-01,,p,e,1,d,more,more\n", [(None, "too_many_columns")]),
    "text behind a quote": ('2020-01-01,,p,e,1,"d"x\n', [("description", "broken_quotes")]),
    "not utf-8": ("2020-01-01,,p,e,1,caf\udce9\n", [("description", "invalid_encoding")]),
    "too long by one byte": (row(1, "x" * 513), [("description", "value_too_long")]),
    "too long in bytes, not in characters": (row(1, "é" * 257), [("description", "value_too_long")]),
    "an id too long": ("2020-01-01,," + "p" * 65 + ",e,1,d\n", [("patient", "value_too_long")]),
    "a line over 4 MiB": (row(1, "x" * (5 << 20)), [(None, "line_too_long")]),
    "two in a row": (
        "2020-01-01,,p,e\n" + row(1, "x" * 513),
        [("code", "missing_columns"), ("description", "value_too_long")],
    ),
    "a quote that is never closed": ('2020-01-01,,p,e,1,"d\n', [(None, "broken_quotes")]),
}


def test_a_bad_record_is_located_and_the_others_load(lab: Lab) -> None:
    days = {bad: f"2024-02-{number:02}" for number, bad in enumerate(CASES, start=1)}
    for number, (bad, (text, _)) in enumerate(CASES.items()):
        content = (HEADER + row(1) + row(2) + text + row(3) + row(4)).encode(errors="surrogateescape")
        lab.put("conditions", content, day=days[bad], zipped=number % 2 == 0)
    outcome = lab.load()
    assert outcome.code == 0
    assert outcome.document["rows_rejected"] == sum(len(expected) for _, expected in CASES.values())
    for bad, (_, expected) in CASES.items():
        day = [days[bad]]
        loaded = lab.query(
            "select patient from raw_ehr.conditions where _ingest_date = cast(? as date) order by 1", day
        )
        assert loaded == [("p1",), ("p2",), ("p3",), ("p4",)], bad
        ledger = "from raw_meta.load_ledger where ingest_date = cast(? as date)"
        rejects = lab.query(
            "select line_number, column_name, error_code from raw_meta.load_rejects"
            f" where load_id = (select load_id {ledger}) order by line_number",
            day,
        )
        assert rejects == [(4 + place, column, code) for place, (column, code) in enumerate(expected)], bad
        counts = lab.query(f"select rows_read, rows_loaded, rows_rejected {ledger}", day)
        assert counts == [(4 + len(expected), 4, len(expected))], bad


def test_the_widest_value_that_fits(lab: Lab) -> None:
    lab.put("conditions", HEADER + row(1, "x" * 512) + row(2, "é" * 256))
    assert lab.load().document["rows_rejected"] == 0


def test_lines_count_as_an_editor_counts_them(lab: Lab) -> None:
    """Values that span lines, blank lines and rejects before the record all move it down."""
    spanning = row(1, '"a\nb\nc"')
    lab.put(
        "conditions",
        HEADER + spanning + "few,1\n" + spanning + row(2, "x" * 600) + spanning + "few,2\n" + row(3, "y" * 700),
        name="spanning.csv",
    )
    lab.put(
        "conditions",
        HEADER + "\n" + row(1) + "\n\n" + row(2, "x" * 600) + "few,1\n\n" + row(3, "x" * 600) + "\n",
        name="with_blanks.csv",
    )
    lab.put(
        "conditions",
        (HEADER + spanning + "few,1\n" + row(2, "x" * 600)).replace("\n", "\r\n"),
        name="z_windows.csv",
    )
    assert lab.load().code == 0
    assert lab.rejects() == [
        (5, "patient", "missing_columns"),
        (9, "description", "value_too_long"),
        (13, "patient", "missing_columns"),
        (14, "description", "value_too_long"),
        (6, "description", "value_too_long"),
        (7, "patient", "missing_columns"),
        (9, "description", "value_too_long"),
        (5, "patient", "missing_columns"),
        (6, "description", "value_too_long"),
    ]


def test_an_open_quote_costs_its_line_and_not_the_rest_of_the_file(lab: Lab) -> None:
    """DuckDB alone would swallow everything up to the next quote, or to the end, and report one record or none."""
    content = [row(number) for number in range(100_000)]
    content[60_000] = '2020-01-01,,p,e,1,"open\n'
    lab.put("conditions", HEADER + "".join(content))
    outcome = lab.load()
    assert (outcome.document["rows_loaded"], outcome.document["rows_rejected"]) == (99_999, 1)
    assert lab.rejects() == [(60_002, None, "broken_quotes")]


def test_an_open_quote_between_good_quotes(lab: Lab) -> None:
    lab.put(
        "conditions",
        HEADER + row(1, '"q"') + row(2, '"open') + row(3) + row(4, '"q"') + row(5, "x" * 600) + row(6, "x" * 600 + "é"),
    )
    outcome = lab.load()
    assert lab.query("select patient from raw_ehr.conditions order by 1") == [("p1",), ("p3",), ("p4",)]
    assert lab.rejects() == [
        (3, None, "broken_quotes"),
        (6, "description", "value_too_long"),
        (7, "description", "value_too_long"),
    ]
    assert outcome.document["rows_read"] == 6


def test_an_open_quote_on_a_last_line_without_an_end(lab: Lab) -> None:
    lab.put("conditions", HEADER + row(1, '"open') + row(2) + "\n" + row(3, '"open').strip())
    outcome = lab.load()
    assert (outcome.code, outcome.document["rows_loaded"]) == (0, 1)
    assert lab.rejects() == [(2, None, "broken_quotes"), (5, None, "broken_quotes")]


def test_each_object_of_a_batch_has_its_own_counts(lab: Lab) -> None:
    lab.put("conditions", HEADER + row(1) + "few\n" + row(2, "x" * 600), name="a.csv")
    lab.put("conditions", "PATIENT,ENCOUNTER,START,CODE,DESCRIPTION,STOP\np,e,s,1,d,\np,e,s,1,d\n", name="b.csv")
    lab.put("conditions", HEADER + '2020-01-01,,p,e,1,"open\n' + row(3) + row(4), name="c.csv", zipped=True)
    lab.put("conditions", HEADER + row(5, "x" * 600) + row(6, "x" * 600), name="d.csv")
    assert lab.load().code == 0
    assert lab.query(
        "select split_part(object_key, '/', 4), rows_read, rows_loaded, rows_rejected,"
        " (select count(*) from raw_meta.load_rejects as r where r.object_key = l.object_key)"
        " from raw_meta.load_ledger as l order by 1"
    ) == [("a.csv", 3, 1, 2, 2), ("b.csv", 2, 1, 1, 1), ("c.csv", 3, 2, 1, 1), ("d.csv", 2, 0, 2, 2)]
    assert lab.query("select count(*) from raw_ehr.conditions") == [(4,)]


def test_no_value_of_a_record_is_written_down(lab: Lab) -> None:
    secret = "Zzyzx-Secret"
    lab.put(
        "conditions",
        (
            HEADER
            + f"2020-01-01,,{secret},e\n"
            + f'2020-01-01,,p,e,1,"{secret}"x\n'
            + row(1, secret * 99)
            + f"2020-01-01,,p,e,1,{secret}\udce9\n"
            + f"2020-01-01,,p,e,1,{secret},{secret}\n"
        ).encode(errors="surrogateescape"),
    )
    outcome = lab.load()
    assert outcome.document["rows_rejected"] == 5
    written = repr(lab.query("select * from raw_meta.load_rejects")) + repr(
        lab.query("select * from raw_meta.load_ledger")
    )
    assert secret not in written
    assert secret not in outcome.words
    assert secret not in repr(outcome.document)


def test_every_record_bad(lab: Lab) -> None:
    lab.put("conditions", HEADER + "x\n" * 1000)
    refused = lab.load()
    assert (refused.code, refused.document["rows_rejected"], lab.rejects()) == (4, 0, [])
    (failure,) = refused.document["failures"]
    assert (
        "has 1,000 bad records of 1,000, more than the 50 % that it may have: 1,000 missing_columns"
        in failure["message"]
    )
    outcome = lab.load("--max-errors", "100%")
    assert (outcome.code, outcome.document["rows_loaded"], outcome.document["rows_rejected"]) == (0, 0, 1000)
    assert [line for line, _, _ in lab.rejects()] == list(range(2, 1002))


def test_a_file_larger_than_a_buffer_with_bad_records_far_apart(lab: Lab) -> None:
    rows = [row(number, '"two\nlines"' if number % 7 == 0 else "x" * 500) for number in range(150_000)]
    rows[1000] = "few\n"
    rows[90_000] = row(1, "z" * 513)
    rows[149_999] = "a,b,c,d,e,f,g,h\n"
    lines = [2]
    for text in rows:
        lines.append(lines[-1] + text.count("\n"))
    lab.put("conditions", HEADER + "".join(rows))
    outcome = lab.load()
    assert outcome.document["rows_loaded"] == 149_997
    assert lab.rejects() == [
        (lines[1000], "stop", "missing_columns"),
        (lines[90_000], "description", "value_too_long"),
        (lines[149_999], None, "too_many_columns"),
    ]


BAD = {
    "few,1": "missing_columns",
    "1,2,3,4,5,6,7": "too_many_columns",
    's,,p,"e"x,c,d': "broken_quotes",
    "s,,p,e,c," + "x" * 600: "value_too_long",
    's,,p,e,c,"y\n' + "x" * 600 + '"': "value_too_long",
}
GOOD = ["s,,p,e,c,d", 's,,p,e,c,""', 's,,p,e,c,"a\nb"', 's,,p,e,c,5"', 's,,p,e,c,"1\n\n2"']


def test_good_and_bad_records_in_any_mixture(lab: Lab) -> None:
    """Every record of 30 random files is a row, or a reject on the very line where it begins."""
    random_ = random.Random(8)
    expected: dict[str, tuple[int, list[tuple[int, str]]]] = {}
    for number in range(30):
        line_end = random_.choice(["\n", "\n", "\r\n"])
        records = random_.choices(
            [*GOOD[:-1], *BAD, ""], [6, 2, 1, 1, 1, 1, 0.5, 1, 0.5, 1], k=random_.randrange(1, 40)
        )
        line = 2
        rejects = []
        for record in records:
            if record in BAD:
                rejects.append((line, BAD[record]))
            line += 1 + record.count("\n")
        day = str(datetime.date(2020, 1, 1) + datetime.timedelta(number))
        expected[day] = (sum(record in GOOD for record in records), rejects)
        last = random_.choice([line_end, ""])
        content = HEADER + "".join(f"{record}\n" for record in records).removesuffix("\n")
        lab.put("conditions", content.replace("\n", line_end) + last, day=day, zipped=number % 4 == 0)
    outcome = lab.load()
    assert (outcome.code, outcome.document["failures"]) == (0, [])
    for day, (rows, rejects) in expected.items():
        [(load_id, loaded)] = lab.query(
            "select load_id, rows_loaded from raw_meta.load_ledger where ingest_date = cast(? as date)", [day]
        )
        found = lab.query(
            "select line_number, error_code from raw_meta.load_rejects where load_id = ? order by 1", [load_id]
        )
        assert (loaded, found) == (rows, rejects), day


def test_blank_lines_within_values(lab: Lab) -> None:
    """Only where blank lines are between records as well, nobody can tell which are which, and the line stays open."""
    within = GOOD[-1] + "\n"
    lab.put("conditions", HEADER + within + row(1, "x" * 600), name="a.csv")
    lab.put("conditions", HEADER + within + "\n" + row(1, "x" * 600) + "few\n", name="b.csv")
    assert lab.load().document["rows_loaded"] == 2
    assert set(lab.rejects()) == {
        (5, "description", "value_too_long"),
        (None, "description", "value_too_long"),
        (7, "stop", "missing_columns"),
    }

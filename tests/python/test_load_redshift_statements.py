"""What the loader sends to Redshift: accepted by the gate, signed with a role, quoted, and without a credential."""

from __future__ import annotations

import json
import logging
import re
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biostar.check.gate import check_sql
from biostar.errors import ConfigurationError, WarehouseError
from biostar.standin import StandIn
from biostar.standin.rewrite.definitions import string_value
from biostar.standin.rewrite.tokens import tokenize
from biostar.warehouse import profile, quote_identifier, quote_literal, redshift_copy
from redshift_lab import RedshiftLab, make_lab

HEADER = "START,STOP,PATIENT,ENCOUNTER,CODE,DESCRIPTION\n"
ROW = "2020-01-01,,p,e,1,d\n"
SECRET = "wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLEKEY"


@pytest.fixture
def lab(
    standin: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> RedshiftLab:
    return make_lab(standin, tmp_path, monkeypatch, capsys)


@contextmanager
def recorded() -> Iterator[list[tuple[str, tuple[Any, ...]]]]:
    """Every statement that goes over the wire, with its bound values."""
    sent: list[tuple[str, tuple[Any, ...]]] = []
    real = profile.run

    def run(connection: Any, target: str, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        sent.append((sql, tuple(values)))
        return real(connection, target, sql, values)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(profile, "run", run)
        yield sent


def deliver(lab: RedshiftLab) -> None:
    lab.put("conditions", HEADER + ROW + "bad\n" + ROW)
    lab.put("conditions", HEADER + ROW + '2020-01-01,,p,e,1,"d\n' + ROW, name="open quote.csv")
    lab.put("conditions", "CODE,PATIENT,START,ENCOUNTER\n1,p,2020-01-01,e\n", name="it's.csv")


def test_the_gate_accepts_every_statement_and_copy_has_a_role(lab: RedshiftLab) -> None:
    deliver(lab)
    with recorded() as sent:
        assert lab.load().code == 0
    copies = [sql for sql, _ in sent if " copy " in sql]
    assert len(copies) >= 3
    for sql in copies:
        assert re.match(r"/\* biostar load conditions 2024-02-08 \S* ?\*/ copy \"biostar_stage_\w+\" \(\"", sql), sql
        assert (
            f"iam_role '{redshift_copy.check_role('arn:aws:iam::123456789012:role/biostar-standin')}' manifest" in sql
        )
        assert f"maxerror {redshift_copy.MAX_ERRORS}" in sql
    assert ("set query_group to 'biostar_load'", ()) in sent
    for sql, _ in {sql: None for sql, _ in sent}.items():
        # A bound value is no SQL: the gate reads the statement with nulls in its places.
        for report in check_sql(sql.replace("?", "null")):
            assert report.findings == [], (sql, report.findings)


def test_a_dry_run_shows_the_very_statements_and_sends_none_of_them(lab: RedshiftLab) -> None:
    """But for the names of manifests and temporary tables, and for bound values, which are written out."""
    lab.put("conditions", HEADER + ROW * 2)
    with recorded() as sent:
        dry = lab.load("--dry-run")
    assert (dry.code, [sql for sql, _ in sent if "biostar_stage" in sql], lab.keys("_biostar")) == (0, [], [])
    (batch,) = dry.document["batches"]
    shown = [plain(sql) for sql in batch["statements"]]
    assert any("copy" in sql for sql in shown)
    with recorded() as sent:
        assert lab.load().code == 0
    really = [plain(sql) for sql, _ in sent]
    assert [sql for sql in shown if sql not in really] == []
    assert lab.load("--dry-run").document["batches"] == []


def plain(sql: str) -> str:
    """Without the names that differ from run to run, and with a mark for each bound value."""
    sql = re.sub(r"biostar_stage_\w+", "stage", sql)
    sql = re.sub(r"_biostar/\w+/\d+\.(manifest|jsonpaths)", r"\1", sql)
    sql = re.sub(r"(/\* biostar load \S+ \S+) \S+ \*/", r"\1 */", sql)
    return re.sub(
        r"cast\((?:null /\*.*?\*/|'[^']*') as (bigint|date|timestamp|varchar\(65535\))\)", r"cast(? as \1)", sql
    )


def test_no_credential_is_sent_or_said(
    lab: RedshiftLab, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_SESSION_TOKEN", f"token-{SECRET}")
    deliver(lab)
    caplog.set_level(logging.DEBUG)
    for name in ("botocore", "boto3", "urllib3", "s3transfer"):  # what these say of a request is not ours
        caplog.set_level(logging.WARNING, logger=name)
    with recorded() as sent:
        outcome = lab.load()
    assert outcome.code == 0
    said = repr(sent) + outcome.words + json.dumps(outcome.document) + caplog.text
    assert SECRET not in said


def test_no_credential_in_a_traceback(lab: RedshiftLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIOSTAR_STANDIN_PASSWORD", SECRET)
    with pytest.raises(WarehouseError) as fault:
        profile.connect("standin")
    assert SECRET not in "".join(traceback.format_exception(fault.value))


@pytest.mark.parametrize(
    "role", ["", "AKIAIOSFODNN7EXAMPLE", "arn:aws:iam::1:role/x", "arn:aws:iam::123456789012:role/x' z"]
)
def test_what_is_no_role_is_refused_and_not_repeated(role: str) -> None:
    with pytest.raises(ConfigurationError) as fault:
        redshift_copy.check_role(role)
    assert not role or role not in str(fault.value)


@pytest.mark.parametrize(
    "role",
    [
        "default",
        "arn:aws:iam::123456789012:role/a/b+c",
        "arn:aws-cn:iam::123456789012:role/x,arn:aws:iam::210987654321:role/y",
    ],
)
def test_roles(role: str) -> None:
    assert redshift_copy.check_role(role) == role


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",))))
def test_a_literal_is_read_as_it_was_meant(text: str) -> None:
    """By the stand-in's reader, which takes a backslash for an escape as Redshift does."""
    tokens = tokenize(f"select {quote_literal(text)} as x")
    literals = [token for token in tokens.items if token.kind == "string"]
    assert [string_value(token) for token in literals] == [text]


@given(
    st.lists(
        st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), min_size=1), min_size=1, max_size=3
    )
)
def test_an_identifier_stays_one(parts: list[str]) -> None:
    quoted = quote_identifier(*parts)
    assert re.fullmatch(r'"(?:[^"]|"")*"(?:\."(?:[^"]|"")*")*', quoted, re.DOTALL)
    assert [one[1:-1].replace('""', '"') for one in re.findall(r'"(?:[^"]|"")*"', quoted, re.DOTALL)] == parts


def test_a_literal_cannot_hold_a_nul() -> None:
    with pytest.raises(ValueError, match="NUL"):
        quote_literal("a\0b")


def test_hostile_names_of_objects(lab: RedshiftLab) -> None:
    names = [
        "it's.csv",
        'a "quoted" name.csv',
        "'; drop table x; --.csv",
        "ünï 漢#%41&+.csv",
        "back\\slash.csv",
        "x" * 900 + ".csv",
        "x" * 900 + "y.csv",
        "*[a].csv",
        "what?x=y.csv",
    ]
    for name in names:
        lab.put("conditions", HEADER + f"2020-01-01,,{names.index(name)},e,1,d\nbad\n", name=name)
    outcome = lab.load()
    loaded = [(key,) for key in lab.keys("ehr")]
    assert lab.query("select object_key from {meta}.load_ledger order by 1") == sorted(loaded), outcome.document
    assert lab.query("select count(*), count(distinct patient) from {raw}.conditions") == [(len(loaded), len(loaded))]
    assert lab.query("select distinct object_key, line_number from {meta}.load_rejects order by 1") == sorted(
        (key, 3) for (key,) in loaded
    )

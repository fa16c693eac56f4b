"""What every verb promises: answers to --help, one JSON document on stdout, and an exit code that says who must act."""

from __future__ import annotations

import importlib
import json

import click
import pytest
from click.testing import CliRunner

from biostar import cli
from biostar.build.runner import redact
from biostar.errors import BiostarError, ConfigurationError, DataError, UsageError, WarehouseError


@pytest.mark.parametrize("verb", list(cli.VERBS))
def test_every_verb_explains_itself_with_an_example(verb: str) -> None:
    command = importlib.import_module(f"biostar.cli.{verb}").command
    answer = CliRunner().invoke(command, ["--help"])
    assert answer.exit_code == 0
    assert f"biostar {verb}" in answer.output, "no example in --help"


def test_an_unknown_verb_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bulid"]) == 2
    assert "bulid" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("no such option"), 2),
        (ConfigurationError("no profile"), 3),
        (DataError("not a CSV file"), 4),
        (WarehouseError("connection refused"), 5),
    ],
)
def test_each_class_of_error_has_its_exit_code(
    error: BiostarError, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    @click.option("--json", "as_json", is_flag=True)
    def command(as_json: bool) -> None:
        raise error

    monkeypatch.setattr(importlib.import_module("biostar.cli.doctor"), "command", command)
    assert cli.main(["doctor", "--json"]) == code
    printed = capsys.readouterr()
    assert json.loads(printed.out)["exit_code"] == code
    assert error.message in printed.err


def test_a_bug_names_its_place_and_not_what_it_held(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    def command() -> None:
        raise ValueError("999-12-3456")

    monkeypatch.setattr(importlib.import_module("biostar.cli.doctor"), "command", command)
    assert cli.main(["doctor"]) == 70
    printed = capsys.readouterr()
    assert "ValueError" in printed.err
    assert "999-12-3456" not in printed.err + printed.out


def test_an_interrupt_ends_with_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    @click.command()
    def command() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(importlib.import_module("biostar.cli.doctor"), "command", command)
    assert cli.main(["doctor"]) == 130


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("Conversion Error: Could not convert string '999-12-3456' to INT32", "999-12-3456"),
        ('Constraint Error: Duplicate key "id: 3edac2e3" violates primary key', "3edac2e3"),
    ],
)
def test_a_database_error_loses_the_value_it_quotes(message: str, shown: str) -> None:
    assert shown not in redact(message)
    assert redact(message).startswith(message[:16])


def test_other_database_errors_keep_the_names_they_quote() -> None:
    message = "Catalog Error: Table with name 'encounters' does not exist"
    assert redact(message) == message

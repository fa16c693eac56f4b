"""What the guides say exists: links resolve, commands parse, make targets are there, nothing outside is named."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from biostar.cli import cli

ROOT = Path(__file__).parents[2]
GUIDES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("**/*.md")])

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
COMMAND_END = ("|", "||", "&&", ";", ">", ">>", "2>", "&", "#")


def guide_id(guide: Path) -> str:
    return guide.relative_to(ROOT).as_posix()


each_guide = pytest.mark.parametrize("guide", GUIDES, ids=guide_id)


def anchors(file: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    headings = HEADING.findall(FENCE.sub("", file.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


def commands(text: str, program: str) -> Iterator[list[str]]:
    """The arguments of every call of `program`, in shell blocks line by line and in inline code."""
    lines = []
    for language, block in FENCE.findall(text):
        if language in ("sh", "bash", "console"):
            lines += [line.removeprefix("$ ") for line in block.replace("\\\n", " ").splitlines()]
    lines += INLINE.findall(FENCE.sub("", text))
    for line in lines:
        try:
            words = shlex.split(line, comments=True)
        except ValueError:
            continue
        while words:
            call, words = until_end(words)
            while call and re.fullmatch(r"[A-Z_]+=.*", call[0]):
                call = call[1:]
            if call and call[0].rpartition("/")[2] == program:
                yield call[1:]


def until_end(words: list[str]) -> tuple[list[str], list[str]]:
    for position, word in enumerate(words):
        if word in COMMAND_END:
            return words[:position], words[position + 1 :]
        if word.endswith(";"):
            return [*words[:position], word[:-1]], words[position + 1 :]
    return words, []


def fault_of(arguments: list[str]) -> str | None:
    """Why the command line cannot be as written; None where it can."""
    if not arguments:
        return None
    command: click.Command = cli
    context = click.Context(cli, info_name="biostar")
    while isinstance(command, click.Group):
        if arguments and arguments[0] in ("--help", "-h", "--version"):
            return None
        if not arguments:
            return None
        found = command.get_command(context, arguments[0])
        if found is None:
            return f"there is no verb '{arguments[0]}'"
        command, arguments = found, arguments[1:]
        context = click.Context(command, info_name=command.name, parent=context)
    if {"--help", "-h"} & set(arguments):
        return None
    try:
        command.parse_args(context, list(arguments))
    except click.UsageError as fault:
        return fault.format_message()
    return None


def test_the_guides_that_the_readme_promises_exist() -> None:
    names = {guide.name for guide in GUIDES}
    assert {
        "README.md", "CONTRIBUTING.md", "landing.md", "redshift.md", "adding-a-source.md", "adding-a-mart.md",
        "the-keys.md", "troubleshooting.md",
    } <= names  # fmt: skip


@each_guide
def test_relative_links_resolve(guide: Path) -> None:
    text = FENCE.sub("", guide.read_text(encoding="utf-8"))
    broken = []
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, fragment = target.partition("#")
        file = (guide.parent / path).resolve() if path else guide
        inside = file.exists() and ROOT in (file, *file.parents)
        if not inside or (fragment and fragment not in anchors(file)):
            broken.append(target)
    assert not broken


@each_guide
def test_biostar_commands_exist_with_these_options(guide: Path) -> None:
    wrong = {
        shlex.join(arguments): fault
        for arguments in commands(guide.read_text(encoding="utf-8"), "biostar")
        if (fault := fault_of(arguments))
    }
    assert not wrong


@each_guide
def test_make_targets_exist(guide: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {
        word
        for arguments in commands(guide.read_text(encoding="utf-8"), "make")
        for word in arguments
        if "=" not in word and not word.startswith("-")
    }
    assert named <= targets


@each_guide
def test_files_named_in_code_exist(guide: Path) -> None:
    """`models/…`, `macros/…` and the like in inline code; a name with a placeholder, or of a block, is no promise."""
    text = FENCE.sub("", re.sub(r"`[^`\n]+`:\n\n(?=```)", "", guide.read_text(encoding="utf-8")))
    top = "analyses|benchmarks|docs|macros|models|profiles|sample_data|scripts|seeds|snapshots|tests"
    missing = [
        name
        for name in INLINE.findall(text)
        if re.fullmatch(rf"({top})/[\w./-]+", name) and not (ROOT / name.split(":")[0]).exists()
    ]
    assert not missing


@each_guide
def test_nothing_outside_of_the_project_is_named(guide: Path) -> None:
    """Absolute paths are those of a reader's machine or none at all."""
    text = guide.read_text(encoding="utf-8")
    outside = [
        path
        for path in re.findall(r"(?<![\w/:.~<>-])/(?:[a-z]\w*/)[\w./-]*", re.sub(r"https?://\S+", "", text))
        if not path.startswith(("/tmp/", "/path/to/"))
    ]
    assert not outside


def words_of_the_program() -> str:
    """Every piece of text in the package's code, one a line: literals, and what stands between a message's values."""
    pieces = []
    for module in (ROOT / "scripts" / "biostar").rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                pieces.append(node.value)
    return "\n".join(pieces)


def test_the_messages_of_the_landing_guide_are_those_of_the_loader() -> None:
    text = (ROOT / "docs" / "landing.md").read_text(encoding="utf-8")
    _, _, tables = text.partition("## Every failure, and what to do")
    messages = re.findall(r"^\| `([^`]+)`", tables, re.MULTILINE)
    assert len(messages) > 20
    program = words_of_the_program()
    unsaid = [
        fragment
        for message in messages
        for part in message.split("…")
        if len(fragment := part.strip(" ';,:")) > 5 and fragment not in program
    ]
    assert not unsaid


def test_the_checks_themselves_see_a_wrong_command() -> None:
    text = "```sh\nbiostar laod --dry-run\nFOO=1 biostar load --no-such && biostar doctor\n```\nand `biostar sing`"
    faults = [fault_of(arguments) for arguments in commands(text, "biostar")]
    assert [bool(fault) for fault in faults] == [True, True, False, True]

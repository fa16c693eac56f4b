"""`biostar check`: refuse SQL that Amazon Redshift refuses, or answers differently."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from biostar.cli.output import console, json_option, print_json
from biostar.errors import DataError, UsageError


@click.command(
    epilog="""\b
Examples:
  biostar check                              this project, as it would reach Redshift
  biostar check report.sql --json            any SQL, of any project
  cat report.sql | biostar check -
  biostar check --explain varchar-length     one rule, who forbids what, and where the manual says so
"""
)
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, allow_dash=True))
@click.option("--no-compile", is_flag=True, help="Check what the last compilation left; don't run dbt.")
@click.option(
    "--sent",
    is_flag=True,
    help="Also go through two builds with a driver that runs nothing, and check what dbt would send, hooks and all.",
)
@click.option("--strict/--lenient", default=None, help="Let the project's own rules refuse (default: in the project).")
@click.option(
    "--allow-function",
    "allowed",
    multiple=True,
    metavar="SCHEMA.NAME",
    envvar="BIOSTAR_ALLOW_FUNCTIONS",
    help="A user-defined function that exists on the cluster; may be given again.",
)
@click.option("--transaction", is_flag=True, help="The text runs inside a transaction that is already open.")
@click.option("--quiet-warnings", is_flag=True, help="Leave warnings out of the text output.")
@click.option("--rules", "list_rules", is_flag=True, help="List the rules, and who forbids what.")
@click.option("--explain", metavar="RULE", help="Explain one rule.")
@click.option("--project-dir", type=click.Path(path_type=Path, file_okay=False), default=Path(), show_default=True)
@click.option("--target-path", type=click.Path(path_type=Path, file_okay=False), help="Where dbt compiles to.")
@json_option
def command(
    files: tuple[Path, ...],
    no_compile: bool,
    sent: bool,
    strict: bool | None,
    allowed: tuple[str, ...],
    transaction: bool,
    quiet_warnings: bool,
    list_rules: bool,
    explain: str | None,
    project_dir: Path,
    target_path: Path | None,
    as_json: bool,
) -> int:
    """Refuse SQL that Amazon Redshift refuses, or answers differently.

    Without FILES: the compiled SQL of this dbt project, its declared tables, hooks and the loader's DDL.
    With FILES (or - for stdin): any SQL, of any project.
    """
    from biostar.check import Options, check_sql, rules
    from biostar.check.report import as_document, rule_lines, summary, text_lines

    if list_rules or explain:
        known = rules()
        if explain and explain not in known:
            raise UsageError(f"there is no rule {explain!r}", next_step="biostar check --rules")
        chosen = [known[explain]] if explain else list(known.values())
        if as_json:
            print_json({"rules": [vars(rule) for rule in chosen]})
        else:
            click.echo("\n".join(rule_lines(chosen)))
        return 0

    begun = time.monotonic()
    names = frozenset(name.strip().lower() for entry in allowed for name in entry.split(",") if name.strip())
    if files:
        options = Options(strict=bool(strict), allow_functions=names)
        reports = {_name(file): check_sql(_read(file), options, in_transaction=transaction) for file in files}
    else:
        from biostar.check import project

        root = project_dir.resolve()
        if not (root / "dbt_project.yml").exists():
            raise UsageError(
                f"no files given, and {project_dir} is no dbt project", next_step="biostar check FILE.sql …"
            )
        target = (target_path or root / "target" / "redshift").resolve()
        manifest = project.read_manifest(target) if no_compile else project.compile_project(root, target)
        begun = time.monotonic()
        base = Options(strict=strict is not False, allow_functions=names)
        reports = project.check_project(manifest, root, base)
        if sent:
            reports.update(project.check_sent(manifest, root, target, base))
        elif unread := project.unread_hooks(manifest):
            console.print(f"{unread} hooks are written by macros while dbt runs: biostar check --sent reads them")

    counted = summary(reports)
    if as_json:
        print_json(as_document(reports))
    else:
        for line in text_lines(reports, warnings=not quiet_warnings):
            click.echo(line)
    console.print(
        f"{counted['statements']} statements in {counted['files']} files: {counted['refused']} refused, "
        f"{counted['warnings']} with warnings, {counted['accepted']} accepted ({time.monotonic() - begun:.1f} s)"
    )
    return DataError.exit_code if counted["refused"] else 0


def _name(file: Path) -> str:
    return "<stdin>" if str(file) == "-" else str(file)


def _read(file: Path) -> str:
    if str(file) == "-":
        return sys.stdin.read()
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{file} isn't UTF-8 text (byte {error.start})", next_step="save it as UTF-8") from error
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}", next_step="biostar check FILE.sql …") from error

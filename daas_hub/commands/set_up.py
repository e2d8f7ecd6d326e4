"""Commands that make or start a part of an installation: `init`, `import`, `proxy`."""

from __future__ import annotations

from pathlib import Path

import click

from daas_hub.commands.import_calipsoplus import EXPERIMENTS, SESSIONS, USERS, ImportFailed, import_files
from daas_hub.commands.init import DIRECTORY, run_init
from daas_hub.commands.init.write import example_names
from daas_hub.commands.output import lines_of_error
from daas_hub.errors import DaasError

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("directory", type=_PATH, default=DIRECTORY)
@click.option("--example", type=click.Choice(example_names()), help="Begin with the configuration of such a facility.")
@click.option("--answers", type=_PATH, metavar="FILE", help="A YAML file of answers; nothing is asked then.")
@click.option("--set", "pairs", multiple=True, metavar="NAME=ANSWER", help="One answer (see --questions).")
@click.option("--questions", "only_questions", is_flag=True, help="Print the questions with their names, and end.")
def init(
    directory: Path, example: str | None, answers: Path | None, pairs: tuple[str, ...], only_questions: bool
) -> int:
    """Ask what a facility has, and write a configuration for it.

    DIRECTORY is /etc/daas-hub by default. The exit code is 0 if the result is in order, 1 if something is left to do, 2
    if nothing was written.
    """
    return run_init(directory, example=example, answers=answers, pairs=pairs, only_questions=only_questions)


@click.command("import")
@click.option("--experiments", type=_PATH, required=True, help=f"CSV: {','.join(EXPERIMENTS)}")
@click.option("--sessions", type=_PATH, help=f"CSV: {','.join(SESSIONS)}")
@click.option("--users", type=_PATH, help=f"CSV: {','.join(USERS)}")
@click.option("--accounts", type=_PATH, help="Accounts table; members missing from it are reported.")
@click.option("--output", type=_PATH, required=True, help="Proposals file to write.")
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
def import_command(
    *, experiments: Path, sessions: Path | None, users: Path | None, accounts: Path | None, output: Path, force: bool
) -> int:
    """Convert the CSV files of a CALIPSOplus portal to a proposals file.

    The exit code is 0 if every row was imported, else 1.
    """
    try:
        report = import_files(experiments, output, sessions=sessions, users=users, accounts=accounts, force=force)
    except ImportFailed as error:
        print("\n".join(lines_of_error(error)))
        return 1
    for line in report.left_out:
        print(f"skipped: {line}")
    for line in report.remarks:
        print(f"note: {line}")
    print(
        f"{output}: {report.proposals} proposals, {report.visits} visits, {report.members} memberships;"
        f" {len(report.left_out)} rows skipped; the file was validated"
    )
    return 1 if report.left_out else 0


@click.command()
@click.argument("file", type=_PATH)
def proxy(file: Path) -> int:
    """Run the proxy of a configuration as a service of its own.

    It becomes the proxy; the exit code is 1 if it cannot be started.
    """
    # it imports the hub, which `init` and `import` do without
    from daas_hub.commands.proxy import run_proxy

    try:
        run_proxy(file)
    except DaasError as error:
        click.echo("\n".join(lines_of_error(error)), err=True)
    except OSError as error:
        click.echo(f"the proxy cannot be started: {error}", err=True)
    return 1

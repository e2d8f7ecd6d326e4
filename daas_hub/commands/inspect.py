"""Commands that read a configuration and query its sources: `check-config`, `show-proposals`, `whoami`, `links`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from daas_hub.commands.arguments import CONFIG, config_file, parse_claim
from daas_hub.commands.check_config import check_config
from daas_hub.commands.output import JSON, as_json, lines_of_error, reports_errors
from daas_hub.commands.show import ask_about, connected_logins, disconnect, find_person, read_config
from daas_hub.errors import DaasError
from daas_hub.services.secret_file import read_secret

FILE = click.argument("file", type=click.Path(path_type=Path))


@click.command("check-config")
@FILE
def check_config_command(file: Path) -> int:
    """Check a configuration without starting the hub.

    The exit code is 0 if the hub can start with it, else 1.
    """
    problems = check_config(file)
    for problem in problems:
        print(f"problem: {problem.message}")
        if problem.remedy:
            print(f"  fix: {problem.remedy}")
    print(f"{file}: {len(problems)} problem{'s' * (len(problems) != 1)}" if problems else f"{file}: in order")
    return 1 if problems else 0


@click.command("show-proposals")
@FILE
@click.argument("subject")
@click.option("--issuer", default="", help="Issuer of the login; default: the one configured.")
@click.option("--token-file", default="", help="File with an access token of the login, mode 600.")
def show_proposals(file: Path, subject: str, issuer: str, token_file: str) -> int:
    """Show the account and proposals of one login, as a launch would see them.

    SUBJECT is the subject of the login, as in the accounts table. The exit code is 0 if all sources responded, else 1.
    """
    problems = check_config(file)
    try:
        if problems:
            raise problems[0]
        token = read_secret("--token-file", token_file) if token_file else ""
        lines = asyncio.run(ask_about(read_config(file), subject, issuer=issuer, access_token=token))
    except DaasError as error:
        print("\n".join(lines_of_error(error)))
        return 1
    print("\n".join(lines))
    return 0


@click.command()
@click.argument("subject")
@CONFIG
@click.option("--issuer", default="", help="Issuer of the login; default: the one configured.")
@click.option("--claim", multiple=True, metavar="NAME=VALUE", help="A claim of the login; VALUE may be JSON.")
@click.option("--token-file", default="", help="File with an access token of the login, mode 600.")
@JSON
@reports_errors
def whoami(
    *, subject: str, config: Path | None, issuer: str, claim: tuple[str, ...], token_file: str, is_json: bool
) -> int:
    """Show account, roles and proposals of a login.

    SUBJECT is the subject of the login, as in the accounts table. Every source is asked now; no hub is needed.
    """
    file = config_file(config)
    if problems := check_config(file):
        raise problems[0]
    token = read_secret("--token-file", token_file) if token_file else ""
    claims = dict(parse_claim(one) for one in claim)
    person = asyncio.run(find_person(read_config(file), subject, issuer=issuer, access_token=token, claims=claims))
    print(as_json(person.as_json()) if is_json else "\n".join(person.lines()))
    return 0


@click.command()
@FILE
@click.option("--account", default="", help="Only the logins of this account.")
@click.option("--remove", nargs=2, metavar="ISSUER SUBJECT", help="Disconnect this login.")
def links(file: Path, account: str, remove: tuple[str, str] | None) -> int:
    """List the logins that people connected to their accounts, or remove one.

    The exit code is 0 on success, else 1.
    """
    problems = check_config(file)
    try:
        if problems:
            raise problems[0]
        config = read_config(file)
        if remove:
            done = asyncio.run(disconnect(config, *remove))
            print("removed; it is signed out at its next request" if done else "this login is not connected")
            return 0 if done else 1
        lines = asyncio.run(connected_logins(config, account))
    except DaasError as error:
        print("\n".join(lines_of_error(error)))
        return 1
    print("\n".join(lines))
    return 0

"""`daas-hub doctor`: its options, and the exit code that monitoring reads."""

from __future__ import annotations

import asyncio
import time
import traceback
from pathlib import Path
from typing import Any

import click

from daas_hub.commands import doctor as tests
from daas_hub.commands.arguments import parse_claim
from daas_hub.commands.doctor import Login, SignIn, as_json, as_plugin_output, as_text
from daas_hub.commands.output import lines_of_error
from daas_hub.commands.plugin import UNKNOWN, PluginCommand, plugin_line
from daas_hub.errors import ConfigurationError, DaasError
from daas_hub.findings import exit_code
from daas_hub.services.secret_file import read_secret

#: The value of `--login` without a method: the first one that is configured.
_FIRST_METHOD = ""


@click.command(cls=PluginCommand)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--as", "subject", default="", help="Run all checks as the login with this subject.")
@click.option("--issuer", default="", help="Issuer of the login; default: the first one configured.")
@click.option("--claim", multiple=True, metavar="NAME=VALUE", help="A claim of the login; VALUE may be JSON.")
@click.option("--token-file", default="", help="File with an access token of the login, mode 600.")
@click.option(
    "--login",
    "method",
    is_flag=False,
    flag_value=_FIRST_METHOD,
    default=None,
    metavar="[METHOD]",
    help="Sign in at the provider (device code) and run all checks as that user; METHOD is the provider's name in the "
    "configuration, default: the first one.",
)
@click.option("--mail-to", default="", metavar="ADDRESS", help="Send a test message there; without it, none is sent.")
@click.option(
    "--json",
    "is_json",
    is_flag=True,
    help="Print JSON; the exit code is 0 (in order), 1 (warnings), 2 (problems) or 3 (not run), as for Nagios.",
)
@click.option("--nagios", is_flag=True, help="Print one line with performance data first, as a plugin.")
def doctor(file: Path, mail_to: str, is_json: bool, nagios: bool, **login: Any) -> int:
    """Test every service the configuration refers to.

    The exit code is 0 in order, 1 warnings, 2 problems, 3 not run (as for Nagios).
    """
    if is_json and nagios:
        raise click.UsageError("--nagios cannot be used with --json.")
    started_at = time.monotonic()
    try:
        if not file.is_file():
            raise ConfigurationError("file", str(file), "there is no such file", remedy="Give its path.")
        findings = asyncio.run(tests.examine(file, _person(**login), mail_to))
    except DaasError as error:
        return _not_run("\n".join(lines_of_error(error)), nagios=nagios)
    except KeyboardInterrupt:
        return _not_run("interrupted", nagios=nagios)
    except Exception as error:  # Python's own exit code would be a warning
        traceback.print_exc()
        return _not_run(f"the tests could not be run: {type(error).__name__}", nagios=nagios)
    if nagios:
        print(as_plugin_output(findings, time.monotonic() - started_at))
    else:
        print((as_json if is_json else as_text)(str(file), findings))
    return exit_code(findings)


def _not_run(why: str, *, nagios: bool) -> int:
    """Print why there is no report; monitoring reads the standard output."""
    if nagios:
        print(plugin_line(UNKNOWN, why))
    else:
        click.echo(why, err=True)
    return UNKNOWN


def _person(
    *, subject: str, issuer: str, claim: tuple[str, ...], token_file: str, method: str | None
) -> Login | SignIn | None:
    """Return the login to run the checks as."""
    claims = dict(parse_claim(one) for one in claim)
    token = read_secret("--token-file", token_file) if token_file else ""
    if method is None:
        return Login(subject, issuer, claims, token) if subject else None
    if subject or issuer or claims or token:
        raise ConfigurationError(
            "--login", method, "cannot be combined", remedy="Leave out --as, --issuer, --claim and --token-file."
        )
    # stdout is for the report
    return SignIn(method, lambda text: click.echo(text, err=True))

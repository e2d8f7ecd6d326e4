"""The command `daas-hub`: check a configuration, query its sources, import a CALIPSOplus portal, run the demo."""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import signal
import subprocess
import sys
import time
import traceback
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, NoReturn

from daas_hub.commands.check_config import check_config
from daas_hub.commands.doctor import UNKNOWN, Login, SignIn, as_json, as_plugin_output, as_text, examine, plugin_line
from daas_hub.commands.import_calipsoplus import EXPERIMENTS, SESSIONS, USERS, ImportFailed, import_files
from daas_hub.commands.init import add_init_command, run_init
from daas_hub.commands.proxy import run_proxy
from daas_hub.commands.show import ask_about, connected_logins, disconnect, lines_of_error, read_config
from daas_hub.errors import ConfigurationError, DaasError
from daas_hub.findings import exit_code
from daas_hub.services.secret_file import read_secret
from daas_hub.version import __version__

START_TIMEOUT_S = 90.0


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser("daas-hub", description="Check and operate a daas_hub portal.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, parser_class=_Command)
    check = commands.add_parser("check-config", help="check a configuration without starting the hub")
    check.add_argument("file", type=Path)
    show = commands.add_parser(
        "show-proposals", help="show the account and proposals of one login, as a launch would see them"
    )
    show.add_argument("file", type=Path)
    show.add_argument("subject", help="subject of the login, as in the accounts table")
    show.add_argument("--issuer", default="", help="issuer of the login; default: the one configured")
    show.add_argument("--token-file", default="", help="file with an access token of the login, mode 600")
    links = commands.add_parser("links", help="list the logins that people connected to their accounts, or remove one")
    links.add_argument("file", type=Path)
    links.add_argument("--account", default="", help="only the logins of this account")
    links.add_argument("--remove", nargs=2, metavar=("ISSUER", "SUBJECT"), help="disconnect this login")
    _add_doctor_command(commands)
    add_import_command(commands)
    proxy = commands.add_parser("proxy", help="run the proxy of a configuration as a service of its own")
    proxy.add_argument("file", type=Path)
    add_init_command(commands)
    demo = commands.add_parser("demo", help="run a portal for trying it out")
    demo.add_argument("file", type=Path)
    options, unknown = parser.parse_known_args(argv)
    if unknown:
        commands.choices[options.command].error(f"unrecognized arguments: {' '.join(unknown)}")
    if options.command == "check-config":
        return run_check(options.file)
    if options.command == "show-proposals":
        return run_show(options.file, options.subject, options.issuer, options.token_file)
    if options.command == "links":
        return run_links(options.file, options.account, options.remove)
    if options.command == "doctor":
        return run_doctor(options)
    if options.command == "import":
        return run_import(options)
    others = {"init": lambda: run_init(options), "proxy": lambda: run_the_proxy(options.file)}
    return others.get(options.command, lambda: run_demo(options.file))()


def _add_doctor_command(commands: Any) -> None:
    doctor = commands.add_parser("doctor", help="test every service the configuration refers to")
    doctor.add_argument("file", type=Path)
    doctor.add_argument("--as", dest="subject", default="", help="run all checks as the login with this subject")
    doctor.add_argument("--issuer", default="", help="issuer of the login; default: the first one configured")
    doctor.add_argument(
        "--claim", action="append", default=[], metavar="NAME=VALUE", help="a claim of the login; VALUE may be JSON"
    )
    doctor.add_argument("--token-file", default="", help="file with an access token of the login, mode 600")
    doctor.add_argument(
        "--login",
        nargs="?",
        const="",
        metavar="METHOD",
        help="sign in at the provider (device code) and run all checks as that user; METHOD is the provider's "
        "name in the configuration, default: the first one",
    )
    form = doctor.add_mutually_exclusive_group()
    form.add_argument(
        "--json",
        action="store_true",
        help="print JSON; the exit code is 0 (in order), 1 (warnings), 2 (problems) or 3 (not run), as for Nagios",
    )
    form.add_argument("--nagios", action="store_true", help="print one line with performance data first, as a plugin")
    doctor.usage_status = 3


def run_the_proxy(file: Path) -> int:
    """Become the proxy; return 1 if it cannot be started."""
    try:
        run_proxy(file)
    except DaasError as error:
        print("\n".join(lines_of_error(error)), file=sys.stderr)
    except OSError as error:
        print(f"the proxy cannot be started: {error}", file=sys.stderr)
    return 1


class _Command(argparse.ArgumentParser):
    """The parser of one command."""

    #: Exit code for arguments that cannot be used.
    usage_status = 2

    def error(self, message: str) -> NoReturn:
        """Print the usage, and exit."""
        self.print_usage(sys.stderr)
        self.exit(self.usage_status, f"{self.prog}: error: {message}\n")


def run_doctor(options: argparse.Namespace) -> int:
    """Print the doctor's report; return 0 in order, 1 warnings, 2 problems, 3 not run (as for Nagios)."""
    started_at = time.monotonic()
    try:
        if not options.file.is_file():
            raise ConfigurationError("file", str(options.file), "there is no such file", remedy="Give its path.")
        login = _person(options)
        findings = asyncio.run(examine(options.file, login))
    except DaasError as error:
        return _not_run(options, "\n".join(lines_of_error(error)))
    except KeyboardInterrupt:
        return _not_run(options, "interrupted")
    except Exception as error:  # Python's own exit code would be a warning
        traceback.print_exc()
        return _not_run(options, f"the tests could not be run: {type(error).__name__}")
    if options.nagios:
        print(as_plugin_output(findings, time.monotonic() - started_at))
    else:
        print((as_json if options.json else as_text)(str(options.file), findings))
    return exit_code(findings)


def _not_run(options: argparse.Namespace, why: str) -> int:
    """Say why there is no report; monitoring reads the standard output."""
    if options.nagios:
        print(plugin_line(UNKNOWN, why))
    else:
        print(why, file=sys.stderr)
    return UNKNOWN


def _person(options: argparse.Namespace) -> Login | SignIn | None:
    """Return the login to run the checks as."""
    claims = dict(_claim(one) for one in options.claim)
    token = read_secret("--token-file", options.token_file) if options.token_file else ""
    if options.login is None:
        return Login(options.subject, options.issuer, claims, token) if options.subject else None
    if options.subject or options.issuer or claims or token:
        raise ConfigurationError(
            "--login", options.login, "cannot be combined", remedy="Leave out --as, --issuer, --claim and --token-file."
        )
    # stdout is for the report
    return SignIn(options.login, lambda text: print(text, file=sys.stderr, flush=True))


def _claim(option: str) -> tuple[str, Any]:
    name, equals, value = option.partition("=")
    if not equals or not name:
        raise ConfigurationError(
            "--claim", option, "is not NAME=VALUE", remedy="Example: --claim preferred_username=anna."
        )
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def add_import_command(commands: Any) -> None:
    """Add the options of `daas-hub import`."""
    command = commands.add_parser("import", help="convert the CSV files of a CALIPSOplus portal to a proposals file")
    command.add_argument("--experiments", type=Path, required=True, help=f"CSV: {','.join(EXPERIMENTS)}")
    command.add_argument("--sessions", type=Path, help=f"CSV: {','.join(SESSIONS)}")
    command.add_argument("--users", type=Path, help=f"CSV: {','.join(USERS)}")
    command.add_argument("--accounts", type=Path, help="accounts table; members missing from it are reported")
    command.add_argument("--output", type=Path, required=True, help="proposals file to write")
    command.add_argument("--force", action="store_true", help="overwrite an existing file")


def run_import(options: argparse.Namespace) -> int:
    """Import a CALIPSOplus portal's files; return 0 if every row was imported, 1 otherwise."""
    try:
        report = import_files(
            options.experiments,
            options.output,
            sessions=options.sessions,
            users=options.users,
            accounts=options.accounts,
            force=options.force,
        )
    except ImportFailed as error:
        print("\n".join(lines_of_error(error)))
        return 1
    for line in report.left_out:
        print(f"skipped: {line}")
    for line in report.remarks:
        print(f"note: {line}")
    print(
        f"{options.output}: {report.proposals} proposals, {report.visits} visits, {report.members} memberships;"
        f" {len(report.left_out)} rows skipped; the file was validated"
    )
    return 1 if report.left_out else 0


def run_check(file: Path) -> int:
    """Print each problem with its fix; return 0 if there are none."""
    problems = check_config(file)
    for problem in problems:
        print(f"problem: {problem.message}")
        if problem.remedy:
            print(f"  fix: {problem.remedy}")
    print(f"{file}: {len(problems)} problem{'s' * (len(problems) != 1)}" if problems else f"{file}: in order")
    return 1 if problems else 0


def run_show(file: Path, subject: str, issuer: str, token_file: str) -> int:
    """Print the account and proposals of a login; return 0 if all sources responded."""
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


def run_links(file: Path, account: str, remove: list[str] | None) -> int:
    """Print the connected logins, or remove one; return 0 on success."""
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


def run_demo(file: Path) -> int:
    """Run the hub in the foreground; print its address once it responds."""
    try:
        problems = check_config(file)
    except DaasError as error:
        problems = [error]
    if problems:
        for problem in problems:
            print(f"problem: {problem}", file=sys.stderr)
        return 1
    from daas_hub.demo.ports import COUNT, LOOPBACK, busy_ports, first_port

    first, busy = first_port(), busy_ports()
    if busy:
        print(
            f"problem: port {', '.join(map(str, busy))} of 127.0.0.1 is in use, and the demo needs {first} to "
            f"{first + COUNT - 1}. End what listens there, or choose others: DAAS_DEMO_PORT={first + 1000}.",
            file=sys.stderr,
        )
        return 1
    file = file.resolve()
    hub = subprocess.Popen([str(Path(sys.executable).parent / "jupyterhub"), "-f", str(file)], cwd="/")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _frame: hub.send_signal(received))
    inside = f"http://{LOOPBACK}:{first}/"
    # the hub by itself first: before it has told the proxy where it is, the proxy can only complain
    if _responds(f"http://127.0.0.1:{first + 2}/hub/health", hub) and _responds(inside + "hub/health", hub):
        _print_welcome(first)
    return hub.wait()


def _responds(address: str, hub: subprocess.Popen[bytes]) -> bool:
    """Wait until the portal responds; return False if it ended before."""
    until = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < until and hub.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):  # noqa: S310  # our own http address
                return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    return False


def _print_welcome(port: int) -> None:
    from daas_hub.demo.ports import LOOPBACK, host_name
    from daas_hub.demo.profile import PEOPLE

    lines = [
        f"Open http://{host_name()}:{port}/ in a browser on this machine, "
        "press 'Sign in', and choose one of these people:"
    ]
    lines += [f"  {subject:<8} {name}: {re.sub('^.', lambda m: m[0].lower(), words)}"
              for subject, (name, words) in PEOPLE.items()]  # fmt: skip
    if host_name() != LOOPBACK:
        plain = f"DAAS_DEMO_HOST={LOOPBACK} make demo"
        lines.append(f"If the browser does not find {host_name()}, stop, and run: {plain}")
    lines.append("Press Ctrl-C to stop the demo and all its sessions.")
    width = max(len(line) for line in lines)
    print("\n".join(["", "=" * width, *lines, "=" * width, ""]), flush=True)


if __name__ == "__main__":
    sys.exit(main())

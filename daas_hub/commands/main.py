"""The command `daas-hub`. Each command is imported when it is called: help and completion take a tenth of a second."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

import click
from click.shell_completion import CompletionItem

from daas_hub.version import __version__

#: The commands as `daas-hub --help` lists them: the module and function of each, and the one line about it.
_COMMANDS = {
    "check-config": ("inspect:check_config_command", "check a configuration without starting the hub"),
    "show-proposals": (
        "inspect:show_proposals",
        "show the account and proposals of one login, as a launch would see them",
    ),
    "whoami": ("inspect:whoami", "show account, roles and proposals of a login"),
    "links": ("inspect:links", "list the logins that people connected to their accounts, or remove one"),
    "doctor": ("diagnose:doctor", "test every service the configuration refers to"),
    "import": ("set_up:import_command", "convert the CSV files of a CALIPSOplus portal to a proposals file"),
    "proxy": ("set_up:proxy", "run the proxy of a configuration as a service of its own"),
    "init": ("set_up:init", "ask what a facility has, and write a configuration for it"),
    "status": ("operate:status", "show whether a running hub, its proxy, places and sources work"),
    "sessions": ("operate:sessions", "list the sessions of a running hub"),
    "stop": ("operate:stop", "stop sessions"),
    "unknown-sessions": (
        "unknown_sessions:unknown_sessions",
        "list sessions that run and that the hub does not know, or end some of them",
    ),
    "queue": ("reports:queue", "list the launches that wait, in their order"),
    "usage": ("reports:usage", "report what sessions used: a table, CSV or JSON"),
    "capacity": ("capacity:capacity", "show what each place has, and how much of it is in use"),
    "reload": ("reload:reload", "read applications and sizes again, without a restart of the hub"),
    "scaletest": ("scaletest:scaletest", "start many sessions of a test user, and measure"),
    "announce": ("announcements:announce", "show a notice on every page"),
    "notices": ("announcements:notices", "list the notices, or withdraw one"),
    "maintenance": ("announcements:maintenance", "announce a maintenance, end it, or show its state"),
    "check-nagios": ("monitoring:check_nagios", "report the state of a running hub to Nagios or Icinga"),
    "backup": ("backup:backup", "back up configuration, database and secrets into an archive"),
    "restore": ("backup:restore", "restore an archive of `daas-hub backup`"),
    "demo": ("demo:demo", "run a portal for trying it out"),
}


class _Commands(click.Group):
    """Imports a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order of the help."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command; None if there is no such command."""
        if cmd_name not in _COMMANDS:
            return None
        place, _ = _COMMANDS[cmd_name]
        module, _, name = place.partition(":")
        command = getattr(importlib.import_module(f"daas_hub.commands.{module}"), name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands; importing them for their help would take seconds."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in _COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return what completes a word: commands, without importing them, or options."""
        found = [
            CompletionItem(name, help=words) for name, (_, words) in _COMMANDS.items() if name.startswith(incomplete)
        ]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]


@click.group("daas-hub", cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(version)s")
def cli() -> None:
    """Check and operate a daas_hub portal."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code.

    Raises:
        SystemExit: the command line is wrong: 2, or what `usage_status` of the command says.
    """
    try:
        status = cli.main(args=argv, prog_name="daas-hub", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        context = getattr(error, "ctx", None)
        raise SystemExit(getattr(context and context.command, "usage_status", error.exit_code)) from None
    except click.Abort:
        print("interrupted", file=sys.stderr)
        return 130
    return status if isinstance(status, int) else 0


if __name__ == "__main__":
    sys.exit(main())

"""Database servers of the tests' own, from Debian: PostgreSQL and MariaDB, each in a folder and on a port of its own.

    python -m tests.databases postgresql tests/hub

runs tests with portals that store in such a server instead of a SQLite file. It leaves out those of hubs that would
not (`ELSEWHERE`).
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from tests.live_portal import DATABASE_SERVER, free_ports, new_state
from tests.not_tried import missing

START_S = 60.0
#: Files in tests/hub with databases of their own, and with those that `start_portal` does not start.
OWN_DATABASES = ("test_databases.py", "test_lost_starts.py", "test_lost_transactions.py")
ELSEWHERE = (*OWN_DATABASES, "test_demo.py", "test_matrix.py", "test_other_authenticator.py", "test_plain_hub.py")


class DatabaseServer(ABC):
    """A server that can be stopped, killed and started again with what it has stored."""

    #: The account that it runs as, which its Debian package makes.
    account: ClassVar[str]

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.folder, self.port = folder, port or free_ports(1)
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    @abstractmethod
    def problem(cls) -> str:
        """Return why it cannot run here; "" if it can."""

    @abstractmethod
    def initialize(self) -> None:
        """Make its data directory."""

    @abstractmethod
    def command(self) -> list[str]:
        """Return the command that runs it."""

    @abstractmethod
    def ready_command(self) -> list[str]:
        """Return the command that succeeds when it is ready."""

    @abstractmethod
    def create(self, name: str) -> None:
        """Create an empty database."""

    @abstractmethod
    def url_of(self, name: str) -> str:
        """Return the URL of a database for `JupyterHub.db_url`."""

    @abstractmethod
    def dump(self, name: str, file: Path) -> None:
        """Dump a database into a file, as docs/how-to/backup-and-restore.md says."""

    @abstractmethod
    def restore(self, file: Path, name: str) -> None:
        """Read a dump into an empty database."""

    def new_database(self) -> str:
        """Create an empty database, and return its URL."""
        name = f"hub_{secrets.token_hex(4)}"
        self.create(name)
        return self.url_of(name)

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self._as_account(self.command()), stdout=log, stderr=log)
        until = time.monotonic() + START_S
        while time.monotonic() < until and self._process.poll() is None:
            if subprocess.run(self.ready_command(), capture_output=True, check=False).returncode == 0:
                return
            time.sleep(0.1)
        self.stop(signal.SIGKILL)
        raise AssertionError(f"it did not start:\n{(self.folder / 'log').read_text(errors='replace')[-2000:]}")

    def stop(self, how: signal.Signals) -> None:
        """Send a signal, and wait for its end."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(60)
            self._process = None

    def run(self, *command: str, **more: Any) -> None:
        """Run a program of its own as its account."""
        output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT} | more
        ran = subprocess.run(self._as_account(command), check=False, cwd=self.folder, timeout=300, **output)
        assert ran.returncode == 0, f"{command}: {(ran.stdout or b'').decode(errors='replace')}"

    def _as_account(self, command: list[str] | tuple[str, ...]) -> list[str]:
        """Return a command that runs as its account: neither server runs as root."""
        return ["setpriv", f"--reuid={self.account}", f"--regid={self.account}", "--clear-groups", *command]


class PostgreSQL(DatabaseServer):
    """PostgreSQL, whichever version Debian has."""

    account = "postgres"

    @classmethod
    def _program(cls, name: str) -> Path:
        return max(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), default=Path("/nonexistent"))

    @classmethod
    def problem(cls) -> str:
        """Return why it cannot run here; "" if it can."""
        return "" if cls._program("postgres").exists() else "PostgreSQL is not installed (Debian: postgresql)"

    def initialize(self) -> None:
        """Make its data directory."""
        program = str(self._program("initdb"))
        self.run(program, "-D", f"{self.folder}/data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")

    def command(self) -> list[str]:
        """Return the command that runs it."""
        settings = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": self.folder}
        given = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        return [str(self._program("postgres")), "-D", f"{self.folder}/data", *given]

    def ready_command(self) -> list[str]:
        """Return the command that succeeds when it is ready."""
        return [str(self._program("pg_isready")), "-q", "-h", "127.0.0.1", "-p", str(self.port)]

    def create(self, name: str) -> None:
        """Create an empty database."""
        self.run(str(self._program("createdb")), *self._client, name)

    @property
    def _client(self) -> tuple[str, ...]:
        return ("-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres")

    def dump(self, name: str, file: Path) -> None:
        """Dump a database into a file."""
        with file.open("wb") as output:
            self.run(str(self._program("pg_dump")), *self._client, "--format=custom", name, stdout=output, stderr=None)

    def restore(self, file: Path, name: str) -> None:
        """Read a dump into an empty database."""
        with file.open("rb") as dump:
            self.run(str(self._program("pg_restore")), *self._client, f"--dbname={name}", stdin=dump)

    def url_of(self, name: str) -> str:
        """Return the URL of a database."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{name}"


class MariaDB(DatabaseServer):
    """MariaDB, as Debian configures it."""

    account = "mysql"

    @classmethod
    def problem(cls) -> str:
        """Return why it cannot run here; "" if it can."""
        return "" if shutil.which("mariadbd") else "MariaDB is not installed (Debian: mariadb-server)"

    def initialize(self) -> None:
        """Make its data directory."""
        how = "--auth-root-authentication-method=normal"
        self.run("mariadb-install-db", "--no-defaults", f"--datadir={self.folder}/data", how)

    def command(self) -> list[str]:
        """Return the command that runs it."""
        where = [f"--datadir={self.folder}/data", f"--socket={self.folder}/socket", f"--pid-file={self.folder}/pid"]
        network = ["--bind-address=127.0.0.1", f"--port={self.port}"]
        return ["mariadbd", "--no-defaults", "--character-set-server=utf8mb4", *where, *network]

    def ready_command(self) -> list[str]:
        """Return the command that succeeds when it is ready."""
        return ["mariadb-admin", "--no-defaults", f"--socket={self.folder}/socket", "-u", "root", "ping"]

    def create(self, name: str) -> None:
        """Create an empty database."""
        self.run("mariadb", *self._client, "-e", f"CREATE DATABASE {name}")

    @property
    def _client(self) -> tuple[str, ...]:
        return ("--no-defaults", f"--socket={self.folder}/socket", "-u", "root")

    def dump(self, name: str, file: Path) -> None:
        """Dump a database into a file."""
        with file.open("wb") as output:
            self.run("mariadb-dump", *self._client, "--single-transaction", name, stdout=output, stderr=None)

    def restore(self, file: Path, name: str) -> None:
        """Read a dump into an empty database."""
        with file.open("rb") as dump:
            self.run("mariadb", *self._client, name, stdin=dump)

    def url_of(self, name: str) -> str:
        """Return the URL of a database."""
        return f"mysql+pymysql://root@127.0.0.1:{self.port}/{name}?charset=utf8mb4"


SERVERS: dict[str, type[DatabaseServer]] = {"postgresql": PostgreSQL, "mariadb": MariaDB}


@contextmanager
def running_database(name: str) -> Iterator[DatabaseServer]:
    """Return a server that runs until the end of the block; skip where it cannot."""
    kind = SERVERS[name]
    if os.getuid() != 0:
        missing(name, "a database server runs as an account of its own, which takes root")
    if problem := kind.problem():
        missing(name, problem)
    folder = new_state()
    owner = pwd.getpwnam(kind.account)
    os.chown(folder, owner.pw_uid, owner.pw_gid)
    server = kind(folder)
    try:
        server.initialize()
        server.start()
        yield server
    finally:
        server.stop(signal.SIGKILL)
        shutil.rmtree(folder)


def database_for(state: Path) -> str:
    """Return the URL of the database of a portal with this state, on the server of this run."""
    kind, port, folder = os.environ[DATABASE_SERVER].split(":")
    server = SERVERS[kind](Path(folder), int(port))
    name = f"hub_{state.name.encode().hex()}"
    created = state / "database"
    if not created.exists():
        server.create(name)
        created.touch()
    return server.url_of(name)


def main() -> int:
    """Run pytest with a database server."""
    kind, *arguments = sys.argv[1:]
    arguments += [f"--ignore=tests/hub/{name}" for name in ELSEWHERE]
    with running_database(kind) as server:
        environment = {**os.environ, DATABASE_SERVER: f"{kind}:{server.port}:{server.folder}"}
        return subprocess.run([sys.executable, "-m", "pytest", *arguments], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())

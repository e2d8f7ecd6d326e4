"""The portal on the databases of facilities: PostgreSQL and MariaDB, also when they are killed while it runs."""

from __future__ import annotations

import asyncio
import re
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests
from jupyterhub import orm
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from traitlets.config import Config

from daas_hub import configure
from daas_hub.database import server
from daas_hub.notices import Kind, Notice, NoticeBoard
from daas_hub.tables import Usage, upgrade_tables
from tests.databases import SERVERS, DatabaseServer, running_database
from tests.hub.operator import Operator
from tests.hub.restored import wait_stored
from tests.live_portal import Person, Portal, free_ports, new_state, plain_text, remove, start_portal
from tests.tables.interrupted import finish_interrupted

pytestmark = pytest.mark.sandbox

#: Seconds after its database's return in which a page must be right again.
RIGHT_AGAIN_S = 10.0


@pytest.fixture(scope="module", params=SERVERS)
def database(request: pytest.FixtureRequest) -> Iterator[DatabaseServer]:
    """A database server."""
    with running_database(request.param) as server:
        yield server


@pytest.fixture(scope="module")
def stored(sandbox_works: None, database: DatabaseServer) -> Iterator[Portal]:
    """A portal that stores in it."""
    portal = start_portal(state=new_state(), more_config=f"c.JupyterHub.db_url = {database.new_database()!r}")
    yield portal
    portal.stop()
    remove(portal)


@pytest.fixture
def session(database: DatabaseServer) -> Iterator[Session]:
    """A session as the hub's own, with one user."""
    configure(Config())
    opened = orm.new_session_factory(database.new_database())()
    opened.add(orm.User(name="anna"))
    opened.commit()
    yield opened
    opened.close()
    opened.get_bind().dispose()


async def test_a_transaction_that_reads_ends_with_its_code(session: Session) -> None:
    assert orm.User.find(session, "anna") is not None
    assert session.in_transaction()
    await asyncio.sleep(0)
    assert not session.in_transaction()


async def test_a_change_waits_for_its_commit(session: Session) -> None:
    user = orm.User.find(session, "anna")
    user.admin = True
    await asyncio.sleep(0)
    session.rollback()
    assert not user.admin

    user.admin = True
    session.flush()
    await asyncio.sleep(0)
    session.rollback()
    assert not user.admin


async def test_the_next_transaction_finds_a_restarted_server(session: Session, database: DatabaseServer) -> None:
    assert orm.User.find(session, "anna") is not None
    await asyncio.sleep(0)
    restart(database)
    assert orm.User.find(session, "anna") is not None


def restart(database: DatabaseServer) -> None:
    database.stop(signal.SIGKILL)
    database.start()


async def test_a_transaction_is_repeated_on_a_restarted_server(session: Session, database: DatabaseServer) -> None:
    """Killed between two statements, and at a commit. The first key of a table is not in PostgreSQL's log yet."""
    anna, first = orm.User.find(session, "anna"), orm.Server(base_url="/first")
    session.add(first)
    anna.admin = True
    session.flush()
    restart(database)
    role = orm.Role(name="observer", scopes=[], users=[anna])
    session.add(role)
    session.flush()
    restart(database)
    session.commit()
    second = orm.Server(base_url="/second")
    session.add(second)
    session.flush()
    restart(database)
    session.delete(first)
    session.commit()
    session.expire_all()
    assert [(server.id, server.base_url) for server in session.query(orm.Server)] == [(second.id, "/second")]
    assert anna.admin
    assert role.users == [anna]


async def test_a_commit_whose_answer_was_lost_is_not_repeated(session: Session, database: DatabaseServer) -> None:
    session.add(orm.User(name="bert"))
    session.flush()
    session.connection().connection.dbapi_connection.commit()
    restart(database)
    session.commit()
    assert session.query(orm.User).count() == 2


async def test_only_the_first_transaction_waits_for_a_server_that_is_away(
    session: Session, database: DatabaseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "RESTART_S", 0.5)
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        time.sleep(seconds)

    monkeypatch.setattr(server, "time", SimpleNamespace(monotonic=time.monotonic, sleep=sleep))
    # a backend outlives its server by a moment, and would answer on an open connection
    session.rollback()
    session.get_bind().dispose()
    database.stop(signal.SIGKILL)
    try:
        with pytest.raises(OperationalError):
            orm.User.find(session, "anna")
        assert slept
        session.rollback()
        slept.clear()
        with pytest.raises(OperationalError):
            orm.User.find(session, "anna")
        assert not slept
        session.rollback()
    finally:
        database.start()
    assert orm.User.find(session, "anna") is not None


def test_times_and_sizes_come_back_as_they_were(database: DatabaseServer) -> None:
    """MariaDB's FLOAT has 24 bits: a maintenance that has begun began in a minute after a restart of the hub."""
    engine = create_engine(database.new_database())
    upgrade_tables(engine)
    if engine.dialect.name != "postgresql":
        # as an earlier release made them
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE daas_notices MODIFY begins FLOAT NOT NULL, MODIFY ends FLOAT NULL"))
            connection.execute(text("UPDATE daas_alembic_version SET version_num = '0005'"))
        upgrade_tables(engine)
    now, size = 1_796_025_123.456, 68_719_476_737.0
    with Session(engine) as db:
        stored = NoticeBoard(db).add(Notice(Kind.BANNER, "x", now, ends=now + 0.25))
        usage = {"user": "anna", "session": "one", "application": "pymca", "size": "small", "hours": 1 / 3}
        db.add(Usage(**usage, groups=[], cpus=0.1, memory_bytes=size, admitted=now))
        db.commit()
    with Session(engine) as db:
        assert NoticeBoard(db).all() == (stored,)
        found = db.query(Usage).one()
        assert (found.admitted, found.memory_bytes, found.cpus, found.hours) == (now, size, 0.1, 1 / 3)
        assert found.started is None
    engine.dispose()


#: Fifty starts, and 200 pages.
PEOPLE, EACH, PAGES = 10, 5, 200
SLEEPER = """\
name: sleeper
title: Sleeper
kind: desktop
command: [sleep, "300"]
"""


@pytest.fixture
def crowded(sandbox_works: None, database: DatabaseServer) -> Iterator[tuple[Portal, list[Person]]]:
    """A portal with ten people, who are signed in."""
    state, port = new_state(), free_ports(4)
    names = [f"p{number:02}" for number in range(PEOPLE)]
    logins = [f"logins: [{{issuer: 'http://127.0.0.1:{port + 1}', subject: {name}}}]" for name in names]
    accounts = [
        f"  - {{name: {name}, uid: {25100 + n}, gid: {25100 + n}, {logins[n]}}}" for n, name in enumerate(names)
    ]
    (state / "accounts.yaml").write_text("accounts:\n" + "\n".join(accounts) + "\n")
    applications = state / "applications"
    applications.mkdir()
    (applications / "sleeper.yaml").write_text(SLEEPER)
    portal = start_portal(
        applications, state=state, port=port, more_config=config_of_crowd(state, database.new_database())
    )
    try:
        yield portal, [portal.login(name) for name in names]
    finally:
        portal.stop()
        remove(portal)


def config_of_crowd(state: Path, db_url: str) -> str:
    """Return the lines of its configuration; fifty starts at once are slow on two processors."""
    return f"""
c.JupyterHub.db_url = {db_url!r}
c.Facility.accounts_file = "{state}/accounts.yaml"
c.SandboxSpawner.start_timeout = c.SandboxSpawner.http_timeout = 300
c.SandboxSpawner.reconcile_interval_s = 0.5
"""


@pytest.mark.servers
@pytest.mark.timeout(900)
def test_a_restart_loses_no_start(crowded: tuple[Portal, list[Person]], database: DatabaseServer) -> None:
    """Fifty starts are under way and 200 pages are open while the database is killed and started again."""
    portal, people = crowded
    stop = threading.Event()
    tokens = [(person, person.xsrf) for person in people]
    with ThreadPoolExecutor(PAGES + PEOPLE * EACH + 1) as threads:
        try:
            pages = [threads.submit(_read_events, people[n % PEOPLE], stop) for n in range(PAGES)]
            waits = threads.submit(_longest_wait, people[0], stop)
            starts = [threads.submit(_press, person, token) for person, token in tokens for _ in range(EACH)]
            time.sleep(1)
            database.stop(signal.SIGKILL)
            time.sleep(1)
            database.start()
            answers = [start.result() for start in starts]
            running = [len(_wait_ready(person)) for person in people]
        finally:
            stop.set()
        closed = [page.result() for page in pages]
    refused = [plain_text(one) for one in answers if one.status_code != 303]
    assert not refused, portal.log.read_text()
    assert running == [EACH] * PEOPLE
    assert waits.result() < RIGHT_AGAIN_S
    assert sum(closed) == 0, "streams of pages were closed"


@pytest.mark.servers
@pytest.mark.timeout(900)
def test_a_dump_under_load_ends_nothing_when_it_is_restored(
    crowded: tuple[Portal, list[Person]], database: DatabaseServer
) -> None:
    """Twenty starts are under way while the database is dumped; the hub comes back with the dump."""
    portal, people = crowded
    archive, dump = portal.state / "backup.tar.gz", portal.state / "dump"
    operator = Operator(portal)
    tokens = [(person, person.xsrf) for person in people]
    with ThreadPoolExecutor(len(people) * 2) as threads:
        starts = [threads.submit(_press, person, token) for person, token in tokens for _ in range(2)]
        while not any(start.done() for start in starts):
            time.sleep(0.05)
        database.dump(name_in(portal), dump)
        kept = operator.run_alone("backup", str(archive), "--without-database")
        assert kept.returncode == 0, kept.stderr
        assert [start.result().status_code for start in starts] == [303] * len(starts)
        names = {name for person in people for name in _wait_ready(person)}
    assert len(names) == len(starts)
    wait_stored(portal.state / "run", len(names))
    portal.process.kill()
    portal.process.wait()

    restored = database.new_database()
    database.restore(dump, make_url(restored).database or "")
    portal.process = start_portal(
        portal.state / "applications",
        state=portal.state,
        port=portal.port,
        more_config=config_of_crowd(portal.state, restored),
    ).process
    until = time.monotonic() + 60
    while time.monotonic() < until:
        unknown = {one["session"] for one in operator.asked("unknown-sessions")}
        known = set(operator.sessions())
        if known | unknown >= names:
            break
        time.sleep(0.5)
    missed = names - known - unknown
    assert not missed, [line for line in portal.log.read_text().splitlines() if any(one in line for one in missed)]
    assert unknown, "the dump was made after all starts"
    # some rounds later
    time.sleep(3)
    assert {one["session"] for one in operator.asked("unknown-sessions")} == unknown
    for person in people:
        again = portal.login(_subject_of(people, person))
        for name in set(again.get("/hub/api/user").json()["servers"]) & known:
            assert again.get(f"/user/{again.name}/{name}/status").json()["state"] == "running"


def name_in(portal: Portal) -> str:
    """Return the name of the database that a crowded portal was configured with."""
    (url,) = re.findall(r"c\.JupyterHub\.db_url = '(.*)'", (portal.state / "test_config.py").read_text())
    return make_url(url).database or ""


def _subject_of(people: list[Person], person: Person) -> str:
    return f"p{people.index(person):02}"


def _wait_ready(person: Person) -> list[str]:
    """Wait until all sessions of somebody run, and return their names."""
    names = list(person.get("/hub/api/user").json()["servers"])
    for name in names:
        person.wait_ready(name, timeout_s=300)
    return names


def _press(person: Person, token: str) -> requests.Response:
    """Press the button of the application."""
    form = {"_xsrf": token, "application": "sleeper"}
    cookies = person.session.cookies.copy()
    return requests.post(f"{person.portal.url}/hub/launch", form, cookies=cookies, allow_redirects=False, timeout=120)


def _read_events(person: Person, stop: threading.Event) -> bool:
    """Read a page's stream until all is over; return whether it was closed before."""
    cookies = person.session.cookies.copy()
    with requests.get(f"{person.portal.url}/hub/daas/events", cookies=cookies, stream=True, timeout=60) as stream:
        for _ in stream.iter_lines():
            if stop.is_set():
                return False
    return True


def _longest_wait(person: Person, stop: threading.Event) -> float:
    """Load the home page again and again; return the longest time between two right ones, in seconds."""
    last, longest = time.monotonic(), 0.0
    while not stop.is_set():
        right = requests.get(f"{person.portal.url}/hub/home", cookies=person.session.cookies.copy(), timeout=60)
        now = time.monotonic()
        if right.status_code == 200 and 'class="application"' in right.text:
            longest, last = max(longest, now - last), now
        time.sleep(0.2)
    return max(longest, time.monotonic() - last)


def test_a_session_survives_a_killed_database(stored: Portal, database: DatabaseServer) -> None:
    person = stored.login("anna")
    name = person.launch("terminal", proposal="MA-4242", visit="2")
    desktop = f"/user/{person.name}/{name}/"
    # its page comes before the hub's answer, and its state after it
    assert person.get(desktop).status_code == 200
    session = f"{desktop}status"
    assert person.get(session).json()["state"] == "running"

    database.stop(signal.SIGKILL)
    # nothing of it is in the hub's database
    assert person.get(session).json()["state"] == "running"
    away = person.get("/hub/home")
    assert away.status_code == 503, (away.url, plain_text(away))
    assert "The database of this portal does not answer." in plain_text(away)
    database.start()

    until = time.monotonic() + RIGHT_AGAIN_S
    while time.monotonic() < until and (page := person.get("/hub/home")).status_code != 200:
        time.sleep(0.2)
    assert page.status_code == 200
    assert f"/sessions/{name}" in page.text
    assert person.launch("terminal", proposal="MA-4242", visit="2") != name
    assert person.stop(name).status_code == 303


def test_an_interrupted_upgrade_is_finished(database: DatabaseServer) -> None:
    """MariaDB cannot roll back a table that it has made."""
    finish_interrupted(database.new_database)

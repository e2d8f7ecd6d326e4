"""Opening the directories of a plan: never through a link, never for ever, and never with a descriptor left behind.

A6, A7, A8, I2 and K12 of the threat model. What is mounted from it is compared again in tests/sandbox.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from daas_hub.accounts import Account
from daas_hub.errors import ErrorKind, StorageProblem
from daas_hub.launch import Mount
from daas_hub.storage import MAX_LEFT_BEHIND, AccountStorage, pin
from tests.stand_ins.squashing import require_fuse, squashing
from tests.waiting import wait_for

ROUNDS = 300
ANNA = Account("anna", 25001, 25001)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "visitor" / "ma1" / "id21").mkdir(parents=True)
    (tmp_path / "visitor" / "ma1" / "id21" / "spectrum").write_text("raw")
    (tmp_path / "outside" / "id21").mkdir(parents=True)
    return tmp_path / "visitor"


@pytest.fixture(autouse=True)
def no_descriptor_is_left() -> Iterator[None]:
    before = set(os.listdir("/proc/self/fd"))
    yield
    wait_for(lambda: not _opened_since(before), lambda: _opened_since(before))


def _opened_since(before: set[str]) -> list[str]:
    """Return what was opened of the tests; the loop of an asynchronous test is torn down later."""
    found = []
    for name in set(os.listdir("/proc/self/fd")) - before:
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(f"/proc/self/fd/{name}"))
    return [path for path in found if path.startswith("/tmp") or "pytest" in path]


def _open(name: str) -> bool:
    return os.path.lexists(f"/proc/self/fd/{name}")


def data(root: Path, path: str) -> Mount:
    return Mount(PurePosixPath(root), PurePosixPath(root / path), "data")


def own(root: Path, path: str, *, mode: int = 0o700) -> Mount:
    return Mount(PurePosixPath(root), PurePosixPath(root / path), ".", True, True, (os.getuid(), os.getgid()), mode)


async def test_a_directory_is_opened_and_told_apart(root: Path) -> None:
    (pinned,) = await pin((data(root, "ma1/id21"),))
    status = (root / "ma1" / "id21").stat()
    assert pinned.identity == (status.st_dev, status.st_ino)
    assert os.stat(pinned.fd).st_ino == status.st_ino
    assert not os.get_inheritable(pinned.fd)
    pinned.close()
    pinned.close()
    assert pinned.fd == -1


async def test_the_root_itself_may_be_a_link(root: Path, tmp_path: Path) -> None:
    """What the administrator wrote is trusted: /data is often a link."""
    (tmp_path / "data").symlink_to(root)
    (pinned,) = await pin((data(tmp_path / "data", "ma1"),))
    assert pinned.identity[1] == (root / "ma1").stat().st_ino
    pinned.close()


# -- what is not a directory ---------------------------------------------------------------------------------------


def _link_last(root: Path) -> None:
    (root / "x").symlink_to(root.parent / "outside")


def _link_inside(root: Path) -> None:
    (root / "x").symlink_to("ma1")


def _link_to_root(root: Path) -> None:
    (root / "x").symlink_to("/")


def _link_loop(root: Path) -> None:
    (root / "x").symlink_to("x")


def _link_dangling(root: Path) -> None:
    (root / "x").symlink_to("nowhere")


def _link_magic(root: Path) -> None:
    (root / "x").symlink_to("/proc/self/root")


def _file(root: Path) -> None:
    (root / "x").write_text("")


def _fifo(root: Path) -> None:
    os.mkfifo(root / "x")


def _socket(root: Path) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "x"))


def _nothing(root: Path) -> None:
    pass


KINDS: list[Any] = [
    pytest.param(_link_last, "symbolic link", id="A6 a link to outside"),
    pytest.param(_link_inside, "symbolic link", id="A6 a link to a neighbour"),
    pytest.param(_link_to_root, "symbolic link", id="A6 an absolute link"),
    pytest.param(_link_loop, "symbolic link", id="A6 a link to itself"),
    pytest.param(_link_dangling, "symbolic link", id="A6 a link to nothing"),
    pytest.param(_link_magic, "symbolic link", id="A6 a magic link"),
    pytest.param(_file, "not a directory", id="A8 a file"),
    pytest.param(_fifo, "not a directory", id="A8 a FIFO: nobody waits for its other end"),
    pytest.param(_socket, "not a directory", id="A8 a socket"),
    pytest.param(_nothing, "does not exist", id="A8 nothing"),
]


@pytest.mark.parametrize("place", ["x", "x/id21"], ids=["last", "middle"])
@pytest.mark.parametrize(("make", "words"), KINDS)
async def test_what_is_not_a_directory_is_refused(root: Path, make: Any, words: str, place: str) -> None:
    make(root)
    begun = time.monotonic()
    with pytest.raises(StorageProblem, match=words) as refused:
        await pin((data(root, place),))
    assert time.monotonic() - begun < 8, "the time that storage is given"
    assert str(root) not in str(refused.value), "the user knows it by its name in the session"
    assert refused.value.__notes__ == [f"source: {root / place}"], "the log knows the path"
    assert "~/data" in str(refused.value)


@pytest.mark.parametrize(("make", "words"), [kind for kind in KINDS if kind.id != "A8 nothing"])
async def test_what_may_be_created_is_not_created_through_it(root: Path, make: Any, words: str) -> None:
    """I2: a member who is first with a link, a file or a FIFO gets a refusal, not a directory elsewhere."""
    make(root)
    before = sorted(map(str, root.parent.rglob("*")))
    for place in ("x", "x/id21"):
        with pytest.raises(StorageProblem):
            await pin((own(root, place),))
    assert sorted(map(str, root.parent.rglob("*"))) == before, "nothing was made anywhere"


async def test_raw_data_is_never_created(root: Path) -> None:
    """AL17, AL40."""
    with pytest.raises(StorageProblem, match="does not exist"):
        await pin((data(root, "ma2"),))
    assert not (root / "ma2").exists()


async def test_a_directory_one_may_not_enter(root: Path) -> None:
    (root / "ma1").chmod(0)
    for folder in (root.parent, *root.parent.parents[:3]):
        folder.chmod(folder.stat().st_mode | 0o011)
    try:
        with pytest.raises(StorageProblem, match=r"cannot be read by (your account|the portal)"):
            # root may enter everything
            await pin((data(root, "ma1/id21"),), ANNA if os.geteuid() == 0 else None)
    finally:
        (root / "ma1").chmod(0o755)


async def test_a_missing_root_is_a_missing_share(tmp_path: Path) -> None:
    """AL40, DI13: the file server is not mounted here."""
    with pytest.raises(StorageProblem, match="does not exist"):
        await pin((data(tmp_path / "not-mounted", "ma1"),))


async def test_one_bad_directory_closes_the_good_ones(root: Path) -> None:
    with pytest.raises(StorageProblem):
        await pin((data(root, "ma1"), data(root, "ma1/id21"), data(root, "gone")))


# -- what is created -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077], ids=oct)
async def test_a_home_is_made_private(root: Path, umask: int) -> None:
    """I6: whatever the hub's umask."""
    before = os.umask(umask)
    try:
        (pinned,) = await pin((own(root / "homes", "by-uid/anna"),))
    finally:
        os.umask(before)
    pinned.close()
    assert stat.S_IMODE((root / "homes" / "by-uid" / "anna").stat().st_mode) == 0o700
    for parent in (root / "homes", root / "homes" / "by-uid"):
        assert stat.S_IMODE(parent.stat().st_mode) == 0o755, "the account passes through, and cannot replace its home"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives directories away")
async def test_as_root_it_belongs_to_its_owner(root: Path) -> None:
    """AL19, I5: the home to the account, the processed data to the group of the proposal."""
    home = Mount(PurePosixPath(root), PurePosixPath(root / "anna"), ".", True, True, (25001, 25001), 0o700)
    shared = Mount(
        PurePosixPath(root), PurePosixPath(root / "p" / "MA-1"), "processed", True, True, (-1, 26001), 0o2770
    )
    for pinned in await pin((home, shared)):
        pinned.close()
    made, parent, owned = (root / "p" / "MA-1").stat(), (root / "p").stat(), (root / "anna").stat()
    assert (owned.st_uid, owned.st_gid, stat.S_IMODE(owned.st_mode)) == (25001, 25001, 0o700)
    assert (made.st_uid, made.st_gid, stat.S_IMODE(made.st_mode)) == (0, 26001, 0o2770)
    assert (parent.st_uid, stat.S_IMODE(parent.st_mode) & 0o022) == (0, 0), "and nobody can replace it in its parent"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes an account")
@pytest.mark.parametrize(
    ("parent", "owner"),
    [
        pytest.param((0, 26001, 0o2770), 25001, id="the group may write: made by the account"),
        pytest.param((0, 0, 0o755), 0, id="only root may write: made by root, as the fallback"),
    ],
)
async def test_the_account_creates_what_it_may(reachable: Path, parent: tuple[int, int, int], owner: int) -> None:
    """The account is tried first; results belong to the group whoever made them."""
    root = reachable / "results"
    os.mkdir(root)
    os.chown(root, *parent[:2])
    os.chmod(root, parent[2])
    shared = Mount(PurePosixPath(root), PurePosixPath(root / "MA-1"), "processed", True, True, (-1, 26001), 0o2770)
    for pinned in await pin((shared,), replace(ANNA, groups=(26001,))):
        pinned.close()
    made = (root / "MA-1").stat()
    assert (made.st_uid, made.st_gid, stat.S_IMODE(made.st_mode)) == (owner, 26001, 0o2770)


async def test_who_must_create_what_nobody_here_may(reachable: Path) -> None:
    """On storage that squashes root: a sentence, and for the log the command."""
    require_fuse()
    for name in ("real/results", "root"):
        (reachable / name).mkdir(parents=True)
    (reachable / "real").chmod(0o755)
    path = reachable / "root" / "results" / "MA 1"
    shared = Mount(PurePosixPath(path.parent), PurePosixPath(path), "processed", True, True, (-1, 26001), 0o2770)
    with (
        squashing(reachable / "real", reachable / "root"),
        pytest.raises(StorageProblem, match="neither your account nor the portal may create it") as refused,
    ):
        await pin((shared,), replace(ANNA, groups=(26001,)))
    assert refused.value.kind is ErrorKind.NOT_CREATED
    assert f"as root on the file server: install -d -g 26001 -m 2770 '{path}'" in refused.value.__notes__


@pytest.mark.parametrize(
    ("name", "words", "kind"),
    [
        ("stale-handle", "stale file handle", ErrorKind.STORAGE),
        ("no-ticket", "Kerberos credentials", ErrorKind.NO_KERBEROS),
    ],
)
async def test_a_server_that_refuses_in_its_own_way(hung: Path, name: str, words: str, kind: ErrorKind) -> None:
    with pytest.raises(StorageProblem, match=words) as refused:
        await pin((data(hung, f"{name}/id21"),))
    assert refused.value.kind is kind


async def test_a_server_that_takes_sixteen_groups(reachable: Path) -> None:
    """AUTH_SYS sends no more: a directory of the seventeenth is refused, whatever this machine knows."""
    require_fuse()
    for name in ("real/first", "real/last", "root"):
        (reachable / name).mkdir(parents=True)
    groups = tuple(range(26001, 26021))
    for name, gid in (("first", groups[0]), ("last", groups[-1])):
        (reachable / "real" / name / "raw").mkdir()
        os.chown(reachable / "real" / name, 0, gid)
        (reachable / "real" / name).chmod(0o750)
    with squashing(reachable / "real", reachable / "root", groups=16):
        for pinned in await pin((data(reachable / "root", "first/raw"),), replace(ANNA, groups=groups)):
            pinned.close()
        with pytest.raises(StorageProblem, match="cannot be read by your account"):
            await pin((data(reachable / "root", "last/raw"),), replace(ANNA, groups=groups))


async def test_what_stands_there_keeps_its_owner_and_mode(root: Path) -> None:
    (root / "anna").mkdir(mode=0o750)
    (root / "anna").chmod(0o750)
    (pinned,) = await pin((own(root, "anna"),))
    pinned.close()
    assert stat.S_IMODE((root / "anna").stat().st_mode) == 0o750


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
@pytest.mark.parametrize(
    ("uid", "mode", "owner", "refused"),
    [
        pytest.param(25009, 0o777, -1, True, id="somebody else's, for everybody"),
        pytest.param(25009, 0o1777, -1, True, id="with the sticky bit: its owner may still replace files"),
        pytest.param(25009, 0o773, 25001, True, id="somebody else's, where the person's was expected"),
        pytest.param(25009, 0o2770, -1, False, id="a colleague's, for the group"),
        pytest.param(25009, 0o775, -1, False, id="everybody may read"),
        pytest.param(25001, 0o777, 25001, False, id="the person's own"),
        pytest.param(0, 0o2777, -1, False, id="root's: the administrator wants it"),
    ],
)
@pytest.mark.parametrize("writable", [True, False])
async def test_what_everybody_can_change_is_refused(
    root: Path, uid: int, mode: int, owner: int, refused: bool, writable: bool
) -> None:
    folder = root / "processed"
    folder.mkdir()
    os.chown(folder, uid, 26001)
    folder.chmod(mode)
    mount = Mount(PurePosixPath(root), PurePosixPath(folder), "processed", writable, writable, (owner, 26001), 0o2770)
    if refused and writable:
        with pytest.raises(StorageProblem, match="can be changed by everybody") as error:
            await pin((mount,))
        assert error.value.kind is ErrorKind.WORLD_WRITABLE
    else:
        (pinned,) = await pin((mount,))
        pinned.close()


async def test_two_starts_at_once_make_one_directory(root: Path) -> None:
    """I2: the race of a first creation."""
    both = await asyncio.gather(*(pin((own(root, "new/anna"),)) for _ in range(8)))
    assert len({pinned.identity for (pinned,) in both}) == 1
    for (pinned,) in both:
        pinned.close()


# -- races ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["flip", "flip/id21"], ids=["last", "middle"])
async def test_a_link_that_comes_and_goes_is_never_followed(root: Path, tmp_path: Path, place: str) -> None:
    """A7: a thread swaps the directory for a link to the outside, as fast as it can; no round may end outside."""
    flip, aside, link = root / "flip", root / "aside", root / "link"
    (flip / "id21").mkdir(parents=True)
    link.symlink_to(tmp_path / "outside")
    good = (root / place).stat()
    over = threading.Event()

    def swap() -> None:
        while not over.is_set():
            for one, other in ((flip, aside), (link, flip), (flip, link), (aside, flip)):
                one.rename(other)

    swapper = threading.Thread(target=swap)
    swapper.start()
    opened = 0
    try:
        for _ in range(ROUNDS):
            with contextlib.suppress(StorageProblem):
                (pinned,) = await pin((data(root, place),))
                opened += 1
                identity = pinned.identity
                pinned.close()
                assert identity == (good.st_dev, good.st_ino)
    finally:
        over.set()
        swapper.join()
    assert opened, "the race was run at all"


# -- storage that does not answer ----------------------------------------------------------------------------------


@pytest.fixture
def hung(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Yield storage that answers for `ma1`, and never for `never-answers`."""
    require_fuse()
    folder = tmp_path_factory.mktemp("hung")
    real, root = folder / "real", folder / "root"
    (real / "ma1" / "id21").mkdir(parents=True)
    root.mkdir()
    with squashing(real, root):
        yield root


async def test_a_directory_that_never_answers_is_given_up(root: Path, hung: Path) -> None:
    """A8, K12: within the time limit, while the hub's loop continues; and nothing is left open."""
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    (pinned,) = await pin((data(root, "ma1"),))
    pinned.close()
    ticking = asyncio.ensure_future(tick())
    begun = time.monotonic()
    before = len(os.listdir("/proc/self/fd"))
    try:
        with pytest.raises(StorageProblem, match="did not respond within 1 second"):
            await pin((data(root, "ma1"), data(hung, "never-answers/id21")), timeout_s=1)
        assert time.monotonic() - begun < 20
        assert ticks >= 10, "the loop was not held"
    finally:
        ticking.cancel()
    # the descriptor of the process that hangs there, which counts it until it ends
    assert len(os.listdir("/proc/self/fd")) <= before + 1


async def test_a_start_that_is_cancelled_leaves_nothing_open(root: Path, hung: Path) -> None:
    """K4: the user goes away while the storage is asked."""
    asking = asyncio.ensure_future(pin((data(root, "ma1"), data(hung, "never-answers/id21"))))
    await asyncio.sleep(0.3)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert not any(os.readlink(f"/proc/self/fd/{name}").startswith(str(root)) for name in _descriptors())


def _descriptors() -> list[str]:
    return [name for name in os.listdir("/proc/self/fd") if _open(name)]


async def test_one_hung_share_does_not_stop_the_others(root: Path, hung: Path) -> None:
    """K12: forty people try their proposal on a hung server; a start elsewhere still works."""
    tries = [pin((data(hung, "never-answers/id21"),), timeout_s=0.5) for _ in range(40)]
    assert all(isinstance(end, StorageProblem) for end in await asyncio.gather(*tries, return_exceptions=True))
    (pinned,) = await pin((data(root, "ma1"),), timeout_s=30)
    pinned.close()


async def test_processes_that_hang_do_not_pile_up(hung: Path) -> None:
    """A request that the server has taken cannot be killed: after a few, nobody else waits for that directory."""
    for _ in range(MAX_LEFT_BEHIND):
        with pytest.raises(StorageProblem, match="did not respond"):
            await pin((data(hung, "never-answers/id21"),), timeout_s=0.2)
    begun = time.monotonic()
    with pytest.raises(StorageProblem, match="still has not responded to an earlier launch") as refused:
        await pin((data(hung, "never-answers/id21"),), timeout_s=30)
    assert refused.value.kind is ErrorKind.STORAGE_TIMEOUT
    assert time.monotonic() - begun < 20


def test_a_process_that_hangs_keeps_nobody_waiting(hung: Path) -> None:
    """Whoever reads the output of the doctor, or of a hub, gets its end: what storage holds does not have it."""
    script = (
        "import asyncio, sys\n"
        "from pathlib import PurePosixPath\n"
        "from daas_hub.launch import Mount\n"
        "from daas_hub.storage import pin\n"
        "root = PurePosixPath(sys.argv[1])\n"
        "asyncio.run(pin((Mount(root, root / 'never-answers/id21', 'data'),), timeout_s=0.5))\n"
    )
    argv = [sys.executable, "-c", script, str(hung)]
    ran = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, cwd="/")
    assert "did not respond within 0.5 seconds" in ran.stderr


async def test_a_server_that_stops_and_comes_back(tmp_path: Path) -> None:
    """What has hung is killed, and is in nobody's way when the server is back."""
    require_fuse()
    for name in ("real/ma1", "root"):
        (tmp_path / name).mkdir(parents=True)
    with squashing(tmp_path / "real", tmp_path / "root") as server:
        server.send_signal(signal.SIGSTOP)
        try:
            for _ in range(MAX_LEFT_BEHIND + 1):
                with pytest.raises(StorageProblem, match=r"did not respond within 0\.3 seconds"):
                    await pin((data(tmp_path / "root", "ma1"),), timeout_s=0.3)
        finally:
            server.send_signal(signal.SIGCONT)
        (pinned,) = await pin((data(tmp_path / "root", "ma1"),))
        pinned.close()


async def test_mount_points_are_made_in_the_home_once(root: Path) -> None:
    """ES05: an engine would make them as root, and a person could not remove them."""
    pinned = await pin((own(root, "homes/anna"),))
    for _ in range(2):
        async with AccountStorage() as storage:
            await storage.make_mount_points(pinned, ("data", "processed"), (os.getuid(), os.getgid()))
    assert sorted(one.name for one in (root / "homes" / "anna").iterdir()) == ["data", "processed"]
    assert (root / "homes" / "anna" / "data").stat().st_uid == os.getuid()
    pinned[0].close()


@pytest.mark.parametrize("what", ["link", "file"])
async def test_a_mount_point_that_is_something_else_is_refused(root: Path, what: str) -> None:
    """A5: a link would be followed, and the data mounted over what it names."""
    pinned = await pin((own(root, "homes/anna"),))
    place = root / "homes" / "anna" / "data"
    if what == "link":
        place.symlink_to("/etc")
    else:
        place.write_text("mine")
    with pytest.raises(StorageProblem, match="file or link named 'data'"):
        async with AccountStorage() as storage:
            await storage.make_mount_points(pinned, ("data",), (os.getuid(), os.getgid()))
    pinned[0].close()


# -- patterns, places that may be missing -----------------------------------------------------------------------------


def pattern(root: Path, path: str) -> Mount:
    return Mount(PurePosixPath(root), PurePosixPath(root / path), "data", pattern=True)


async def opened(*mounts: Mount) -> list[str]:
    """Return the paths that were opened."""
    pinned = await pin(mounts)
    for one in pinned:
        assert os.stat(one.fd).st_ino == one.identity[1]
        one.close()
    return [str(one.mount.source) for one in pinned]


@pytest.fixture
def projects(tmp_path: Path) -> Path:
    root = tmp_path / "projects"
    for name in (
        "cycle2023-I/2022086950-acamara/DATA",
        "cycle2023-I/2022086951-jdoe/DATA",
        "cycle2023-II/2022086952-jdoe",
        "Run1/Rigaku_99240224",
        "Run2/Rigaku_224",
        ".hidden/2022086953-x",
    ):
        (root / name).mkdir(parents=True)
    (root / "Run2" / "notes_300").write_text("a file is no directory")
    (root / "Run1" / "linked_400").symlink_to("/etc")
    (root / "Run1" / "twice_500").mkdir()
    (root / "Run2" / "again_500").mkdir()
    return root


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("cycle*/2022086950-*", "cycle2023-I/2022086950-acamara"),
        ("cycle*/2022086950-*/DATA", "cycle2023-I/2022086950-acamara/DATA"),
        ("cycle*/2022086952-*", "cycle2023-II/2022086952-jdoe"),
        ("Run*/*_224", "Run2/Rigaku_224"),
        ("Run*/*_99240224", "Run1/Rigaku_99240224"),
    ],
)
async def test_one_directory_matches(projects: Path, path: str, found: str) -> None:
    assert await opened(pattern(projects, path)) == [str(projects / found)]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        pytest.param("Run*/*_500", "matches several", id="two"),
        pytest.param("cycle*/2022086999-*", "does not exist", id="none"),
        pytest.param("cycle*/2022086952-*/DATA", "does not exist", id="none below the one that matches"),
        pytest.param("Run*/*_300", "does not exist", id="a file"),
        pytest.param("Run*/*_400", "symbolic link", id="A6 a link"),
        pytest.param("*/2022086953-*", "does not exist", id="a hidden directory"),
        pytest.param("nowhere/*_1", "does not exist", id="nothing to look into"),
    ],
)
async def test_a_pattern_without_its_one_directory(projects: Path, path: str, words: str) -> None:
    with pytest.raises(StorageProblem, match=words):
        await opened(pattern(projects, path))


async def test_a_pattern_is_given_up_among_too_many_names(projects: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounded: a directory of a million names holds up nobody."""
    for number in range(30):
        (projects / "Run1" / f"other_{number:03}").mkdir()
    monkeypatch.setattr("daas_hub.storage.MAX_LOOKED_AT", 20)
    with pytest.raises(StorageProblem, match="too many entries"):
        await opened(pattern(projects, "Run*/*_224"))


async def test_what_is_missing_and_optional_is_left_out(root: Path) -> None:
    there = data(root, "ma1/id21")
    absent = replace(data(root, "ma1/shared"), target="shared", optional=True)
    assert await opened(there, absent) == [str(there.source)]
    with pytest.raises(StorageProblem, match=r"~/shared does not exist"):
        await opened(there, replace(absent, optional=False))


async def test_a_visit_whose_optional_data_are_all_missing(root: Path) -> None:
    """Nobody starts an application beside an empty ~/data, and wonders."""
    with pytest.raises(StorageProblem, match="No data have been recorded"):
        await opened(own(root, "home"), replace(data(root, "ma1/raw"), optional=True))


async def test_the_next_place_is_taken_only_when_the_first_is_missing(root: Path) -> None:
    first, second = data(root, "ma1/20260309"), data(root, "ma1/id21")
    assert await opened(replace(first, otherwise=(second,))) == [str(second.source)]
    (root / "ma1" / "20260309").mkdir()
    assert await opened(replace(first, otherwise=(second,))) == [str(first.source)]


async def test_a_link_in_the_first_place_is_not_the_same_as_none(root: Path) -> None:
    (root / "ma1" / "link").symlink_to("/etc")
    with pytest.raises(StorageProblem, match="symbolic link"):
        await opened(replace(data(root, "ma1/link"), otherwise=(data(root, "ma1/id21"),), optional=True))

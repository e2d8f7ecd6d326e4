"""The sandbox in words: the whole argv of one plan, and that nothing of any plan can add to it (H1', H2', A12, D2).

Whether bubblewrap does what the words say is seen from inside real sandboxes (tests/sandbox).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daas_hub.accounts import Account
from daas_hub.catalogue import Application, Kind, Size
from daas_hub.launch import UNCHANGED, Alias, Mount, Plan
from daas_hub.spawners.guest_layout import API_DIR, TEMPORARY_HOME_FILE, identity_texts, target_of
from daas_hub.spawners.sandbox.argv import ETC, InheritedFds, sandbox_argv

ANNA = Account("anna", 25001, 25002, (26001, 26002), {26001: "MA-4242", 26002: "staff id21"}, "Anna: L., \x1bÅ")
LAB = Application("lab", "JupyterLab", Kind.NOTEBOOK, environment={"KEY": "--bind"})
SMALL = Size("small", "2 processors", 4 * 2**30, 2, 1000, 12)


def mount(source: str, target: str, *, writable: bool = False) -> Mount:
    return Mount(PurePosixPath(source).parent, PurePosixPath(source), target, writable, writable)


HOME = mount("/gpfs/homes/anna", ".", writable=True)
DATA = mount("/data/visitor/MA-4242/2", "data")
PROCESSED = mount("/data/processed/MA-4242", "processed", writable=True)
PLAN = Plan(ANNA, LAB, SMALL, (HOME, DATA, PROCESSED), "MA-4242", "Glass --bind / /", 2)


def argv_of(plan: Plan, **changes: Any) -> list[str]:
    wanted: dict[str, Any] = {
        "program": "daas-lab",
        "identity_files": Path("/run/daas-hub/sessions/k/identity"),
        "api_dir": Path("/run/daas-hub/api"),
        "sockets_dir": Path("/run/daas-hub/sessions/k/sockets"),
        "prefix": Path("/opt/daas"),
    }
    fds = changes.pop("fds", InheritedFds(11, 12, 13, (14, 15)))
    return sandbox_argv(plan, fds, **(wanted | changes))


#: Every word of bubblewrap we use, and how many arguments it takes. A word that is not here is a finding.
WORDS = {
    **dict.fromkeys(("--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-net"), 0),
    **dict.fromkeys(("--unshare-cgroup-try", "--new-session", "--disable-userns"), 0),
    **dict.fromkeys(("--hostname", "--cap-drop", "--info-fd", "--block-fd", "--userns-block-fd", "--uid", "--gid"), 1),
    **dict.fromkeys(
        ("--proc", "--dev", "--add-seccomp-fd", "--size", "--tmpfs", "--perms", "--remount-ro", "--chdir"), 1
    ),
    **dict.fromkeys(("--bind", "--ro-bind", "--ro-bind-try", "--symlink"), 2),
}
BINDS = ("--bind", "--ro-bind", "--ro-bind-try")


def read_back(argv: list[str]) -> tuple[list[tuple[str, ...]], list[str]]:
    """Read an argv as bubblewrap does: its words with their arguments, and the command after `--`."""
    words: list[tuple[str, ...]] = []
    at = 1
    while argv[at] != "--":
        count = WORDS[argv[at]]
        words.append(tuple(argv[at : at + 1 + count]))
        at += 1 + count
    return words, argv[at + 1 :]


GOLDEN = """
bwrap --unshare-user --unshare-pid --unshare-ipc --unshare-uts --unshare-net --unshare-cgroup-try
--hostname session --new-session --cap-drop ALL --info-fd 11 --block-fd 12 --userns-block-fd 13
--add-seccomp-fd 14 --add-seccomp-fd 15
--ro-bind /usr /usr
--symlink usr/bin /bin --symlink usr/sbin /sbin --symlink usr/lib /lib --symlink usr/lib64 /lib64
--symlink usr/lib32 /lib32
--proc /proc --dev /dev --size 1073741824 --tmpfs /dev/shm --size 2147483648 --tmpfs /tmp --size 67108864 --tmpfs /run
@ETC@
--ro-bind /run/daas-hub/sessions/k/identity/passwd /etc/passwd
--ro-bind /run/daas-hub/sessions/k/identity/group /etc/group
--ro-bind /run/daas-hub/sessions/k/identity/nsswitch.conf /etc/nsswitch.conf
--ro-bind /run/daas-hub/sessions/k/identity/hosts /etc/hosts
--ro-bind /run/daas-hub/sessions/k/identity/localtime /etc/localtime
--perms 0700 --size 67108864 --tmpfs /run/session --size 1073741824 --tmpfs /var/tmp
--ro-bind-try /var/cache/fontconfig /var/cache/fontconfig --size 67108864 --tmpfs /var/lib/xkb
--ro-bind /opt/daas /opt/daas --ro-bind /run/daas-hub/api /run/daas-hub
--ro-bind /run/daas-hub/sessions/k/sockets /run/daas-sockets
--bind /gpfs/homes/anna /home/anna
--ro-bind /data/visitor/MA-4242/2 /home/anna/data
--bind /data/processed/MA-4242 /home/anna/processed
--remount-ro / --chdir /home/anna -- /opt/daas/bin/daas-lab
"""


def test_golden() -> None:
    """H2': the final call, whole. A change of this text is a change of what a session may do."""
    etc = " ".join(f"--ro-bind-try /etc/{name} /etc/{name}" for name in ETC)
    assert argv_of(PLAN) == GOLDEN.replace("@ETC@", etc).split()


def test_a_desktops_server_loads_nothing_from_its_users_home() -> None:
    """The notebook server does: its user's extensions."""
    _, command = read_back(argv_of(PLAN, program="daas-session"))
    assert command == ["/opt/daas/bin/python3", "-I", "/opt/daas/bin/daas-session"]


def test_golden_with_a_temporary_home() -> None:
    """The home alone is another; it is bounded, empty but for a file that says what it is, and below all others."""
    etc = " ".join(f"--ro-bind-try /etc/{name} /etc/{name}" for name in ETC)
    file = f"/run/daas-hub/sessions/k/identity/{TEMPORARY_HOME_FILE} /home/anna/{TEMPORARY_HOME_FILE}"
    home = f"--perms 0700 --size 2147483648 --tmpfs /home/anna --ro-bind {file}"
    golden = GOLDEN.replace("@ETC@", etc).replace("--bind /gpfs/homes/anna /home/anna", home)
    assert argv_of(replace(PLAN, mounts=PLAN.mounts[1:], temporary_home=True)) == golden.split()


def test_golden_for_a_hub_that_is_not_root() -> None:
    """It cannot write the maps itself: bubblewrap does, and no user namespace may be made below."""
    argv = argv_of(PLAN, fds=InheritedFds(11, 12, None, (14, 15)))
    golden = GOLDEN.replace("@ETC@", " ".join(f"--ro-bind-try /etc/{name} /etc/{name}" for name in ETC))
    assert argv == golden.replace("--userns-block-fd 13", "--uid 25001 --gid 25002 --disable-userns").split()


def test_nothing_of_etc_that_tells_of_the_machine() -> None:
    """H1': no passwords, no hosts, no secrets of services."""
    telling = {"passwd", "shadow", "group", "gshadow", "hosts", "resolv.conf", "ssh", "fstab", "krb5.keytab", "munge"}
    assert telling.isdisjoint(name.split("/")[0] for name in ETC)
    assert "ssl" not in ETC, "certificates, not keys"


def test_several_data_directories_stand_in_a_folder_nobody_can_write_to() -> None:
    first, second = mount("/data/a", "data/a"), mount("/data/b", "data/b")
    words, _ = read_back(argv_of(replace(PLAN, mounts=(HOME, first, second, PROCESSED))))
    own = [word for word in words if any(part.startswith("/home/anna") for part in word[1:]) and word[0] != "--chdir"]
    assert own == [
        ("--bind", "/gpfs/homes/anna", "/home/anna"),
        ("--bind", "/data/processed/MA-4242", "/home/anna/processed"),
        ("--tmpfs", "/home/anna/data"),
        ("--ro-bind", "/data/a", "/home/anna/data/a"),
        ("--ro-bind", "/data/b", "/home/anna/data/b"),
        ("--remount-ro", "/home/anna/data"),
    ]


def test_the_home_is_mounted_before_what_stands_in_it() -> None:
    words, _ = read_back(argv_of(PLAN))
    targets = [word[-1] for word in words if word[0] in BINDS]
    assert targets.index("/home/anna") < targets.index("/home/anna/data")


def test_further_directories_are_read_only_and_once() -> None:
    more = [Path("/opt/tools"), Path("/usr/local/x"), Path("/opt/daas"), Path("/opt/tools")]
    words, _ = read_back(argv_of(PLAN, read_only=more))
    shown = [word for word in words if word[0] in BINDS and word[1].startswith("/opt")]
    assert shown == [("--ro-bind", "/opt/daas", "/opt/daas"), ("--ro-bind", "/opt/tools", "/opt/tools")]


def test_a_prefix_below_usr_is_there_already() -> None:
    words, command = read_back(argv_of(PLAN, prefix=Path("/usr/local")))
    assert command == ["/usr/local/bin/daas-lab"]
    assert not any("/usr/local" in word for word in words)


@pytest.mark.parametrize(
    ("target", "path"), [(".", "/home/anna"), ("data", "/home/anna/data"), ("data/a", "/home/anna/data/a")]
)
def test_target_of(target: str, path: str) -> None:
    assert target_of(PLAN, target) == path


# -- any plan ------------------------------------------------------------------------------------------------------

hostile = st.sampled_from(
    ["--bind", "--", "--dev-bind / /", "-", "a b", "\n", "'; rm", "$(id)", "{x}", ":", ",", "...", "é"]
)
text = hostile | st.text("a-. :{}\n\"'$é", min_size=1, max_size=4).filter(lambda name: name not in (".", ".."))
sources = st.lists(text, min_size=1, max_size=3).map(lambda parts: PurePosixPath("/data", *parts))
targets = st.sampled_from(["data", "processed"]) | text.map(lambda name: f"data/{name}")
mounts = st.lists(st.tuples(sources, targets, st.booleans()), max_size=4).map(
    lambda found: (
        HOME,
        *(mount(str(source), target, writable=w and target == "processed") for source, target, w in found),
    )
)
plans = st.builds(
    Plan,
    account=st.builds(
        Account,
        name=text,
        uid=st.integers(1000, 60_000_000),
        gid=st.integers(1000, 60_000_000),
        display_name=text,
    ),
    application=st.builds(
        Application,
        name=text,
        title=text,
        kind=st.just(Kind.DESKTOP),
        command=st.tuples(text, text),
        environment=st.dictionaries(text, text, max_size=2),
    ),
    size=st.just(SMALL),
    mounts=mounts,
    proposal_id=st.none() | text,
    proposal_title=text,
    visit_number=st.none() | st.integers(),
    environment=st.dictionaries(text, text, max_size=2),
)
OURS = {"/usr", "/var/cache/fontconfig", "/opt/daas", "/run/daas-hub/api", *(f"/etc/{name}" for name in ETC)}
OURS |= {"/run/daas-hub/sessions/k/sockets"}
OURS |= {
    f"/run/daas-hub/sessions/k/identity/{name}" for name in ("passwd", "group", "nsswitch.conf", "hosts", "localtime")
}


@settings(max_examples=80, deadline=None)
@given(plans)
def test_no_plan_can_add_a_word(plan: Plan) -> None:
    """D2, H2': read as bubblewrap reads it, an argv says what a plan of plain names says; no value is a word."""
    words, command = read_back(argv_of(plan))
    assert command == ["/opt/daas/bin/daas-lab"]
    plain = [word for word in words if not any(part.startswith(plan.home) for part in word[1:])]
    expected, _ = read_back(argv_of(replace(PLAN, mounts=())))
    assert plain == [word for word in expected if "/home/anna" not in word]


@settings(max_examples=80, deadline=None)
@given(plans)
def test_no_mount_leaves_the_plan(plan: Plan) -> None:
    """A12, AL17, AL18: every source is ours or the plan's; writable are only the plan's writable ones."""
    words, _ = read_back(argv_of(plan))
    planned = {str(one.source): one.writable for one in plan.mounts}
    for word in words:
        if word[0] in BINDS:
            assert word[1] in OURS or word[1] in planned
            inside = PurePosixPath(word[2])
            assert ".." not in inside.parts
        if word[0] == "--bind":
            assert any(str(one.source) == word[1] and one.writable for one in plan.mounts)
    shown = sorted((str(one.source), target_of(plan, one.target)) for one in plan.mounts)
    assert sorted(word[1:] for word in words if word[0] in BINDS and word[1] in planned) == shown


@settings(max_examples=40, deadline=None)
@given(plans)
def test_what_is_not_a_path_is_not_in_the_arguments(plan: Plan) -> None:
    """L3: arguments can be read by everybody on the machine: no title, no environment, no command of an application."""
    marked = replace(
        plan,
        proposal_title="SECRET",
        environment={"TOKEN": "SECRET"},
        application=replace(plan.application, title="SECRET", command=("SECRET",), environment={"A": "SECRET"}),
        account=replace(plan.account, display_name="SECRET"),
    )
    assert argv_of(marked) == argv_of(plan)


# -- who a session thinks it is ------------------------------------------------------------------------------------


def test_identity_files() -> None:
    texts = identity_texts(ANNA)
    assert set(texts) == {"passwd", "group", "nsswitch.conf", "hosts", "resolv.conf", TEMPORARY_HOME_FILE}
    assert texts["passwd"].splitlines() == [
        "anna:x:25001:25002:Anna L. Å:/home/anna:/bin/bash",
        "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin",
    ]
    assert texts["group"].splitlines() == [
        "anna:x:25002:",
        "ma-4242:x:26001:anna",
        "staffid21:x:26002:anna",
        "nogroup:x:65534:",
    ]


@settings(max_examples=100)
@given(st.text(max_size=30), st.dictionaries(st.integers(1000, 99_999), st.text(max_size=8), max_size=4))
def test_no_name_writes_a_line_of_passwd_or_group(display_name: str, group_names: dict[int, str]) -> None:
    """B10, C9: a display name or a group's name cannot make a second root."""
    account = Account("anna", 25001, 25001, tuple(group_names), group_names, display_name)
    texts = identity_texts(account)
    passwd = [line.split(":") for line in texts["passwd"].split("\n")[:-1]]
    assert [(fields[0], *fields[2:4]) for fields in passwd] == [
        ("anna", "25001", "25001"),
        ("nobody", "65534", "65534"),
    ]
    assert all(len(fields) == 7 for fields in passwd)
    groups = [line.split(":") for line in texts["group"].split("\n")[:-1]]
    assert all(len(fields) == 4 for fields in groups)
    assert {int(fields[2]) for fields in groups} == {25001, 65534, *group_names}
    assert all(fields[0] and fields[0].isascii() for fields in groups)


def test_api_dir_is_where_the_session_looks() -> None:
    assert API_DIR == "/run/daas-hub"


def test_the_facilitys_own_paths_come_last_and_outer_ones_first() -> None:
    """Of two mounts with one path the read-only one counts; what lies in another one is mounted upon it."""
    data = replace(mount("/data/MA-4242/2", "data"), has_real_path=True)
    results = replace(mount("/data/MA-4242/2/results", "processed", writable=True), has_real_path=True)
    again = replace(mount("/data/MA-4242/2", "again", writable=True), has_real_path=True)
    aliases = (UNCHANGED, Alias(PurePosixPath("/data"), PurePosixPath("/gpfs/data")))
    argv = argv_of(replace(PLAN, mounts=(HOME, results, again, data), aliases=aliases))
    binds = [argv[index : index + 3] for index, word in enumerate(argv) if word in BINDS]
    assert [one for one in binds if one[2].startswith(("/data", "/gpfs"))] == [
        ["--ro-bind", "/data/MA-4242/2", "/data/MA-4242/2"],
        ["--bind", "/data/MA-4242/2/results", "/data/MA-4242/2/results"],
        ["--ro-bind", "/data/MA-4242/2", "/gpfs/data/MA-4242/2"],
        ["--bind", "/data/MA-4242/2/results", "/gpfs/data/MA-4242/2/results"],
    ]
    assert argv.index("/data/MA-4242/2/results") < len(argv) - argv[::-1].index("--remount-ro")

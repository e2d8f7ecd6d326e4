"""The memory limit that a session shows, from trees of /proc and /sys as kernels have them."""

from __future__ import annotations

from pathlib import Path

import pytest

from daas_hub.session.memory_limit import memory_kills, memory_limit_bytes

GIB = 2**30
V1 = "9:name=systemd:/x\n4:memory:{}\n1:cpu,cpuacct:/\n0::/\n"
V1_UNLIMITED = 9223372036854771712


@pytest.mark.parametrize(
    ("cgroup", "files", "limit"),
    [
        pytest.param("0::/\n", {"memory.max": f"{4 * GIB}\n"}, 4 * GIB, id="v2, own namespace"),
        pytest.param("0::/\n", {"memory.max": "max\n"}, 0, id="v2, unlimited"),
        pytest.param("0::/\n", {}, 0, id="v2, root of the machine, which has no such file"),
        pytest.param(
            "0::/daas.slice/one.scope\n",
            {"daas.slice/one.scope/memory.max": "max\n", "daas.slice/memory.max": f"{2 * GIB}\n"},
            2 * GIB,
            id="v2, the limit is set above",
        ),
        pytest.param(
            "0::/a/b\n", {"a/b/memory.max": f"{8 * GIB}\n", "a/memory.max": f"{4 * GIB}\n"}, 4 * GIB, id="v2, lowest"
        ),
        pytest.param(V1.format("/"), {"memory/memory.limit_in_bytes": f"{GIB}\n"}, GIB, id="v1, own namespace"),
        pytest.param(
            V1.format("/docker/0123"), {"memory/memory.limit_in_bytes": f"{GIB}\n"}, GIB, id="v1, the machine's path"
        ),
        pytest.param(
            V1.format("/"), {"memory/memory.limit_in_bytes": f"{V1_UNLIMITED}\n"}, 0, id="v1, unlimited"
        ),
        pytest.param(
            "4:cpu,memory:/one\n0::/\n", {"memory/one/memory.limit_in_bytes": f"{GIB}\n"}, GIB, id="v1, two of them"
        ),
        pytest.param("0::/\n", {"memory.max": "garbage\n"}, 0, id="unreadable"),
        pytest.param(None, {"memory.max": f"{GIB}\n"}, 0, id="no cgroups"),
    ],
)  # fmt: skip
def test_the_lowest_limit_counts(tmp_path: Path, cgroup: str | None, files: dict[str, str], limit: int) -> None:
    write_cgroup(tmp_path, cgroup, files)
    assert memory_limit_bytes(tmp_path) == limit


def write_cgroup(root: Path, cgroup: str | None, files: dict[str, str]) -> None:
    """Write files of a kernel below a directory."""
    if cgroup is not None:
        (root / "proc/self").mkdir(parents=True)
        (root / "proc/self/cgroup").write_text(cgroup)
    for name, text in files.items():
        file = root / "sys/fs/cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


#: As Linux 6 writes them.
EVENTS = "low 0\nhigh 0\nmax 1417\noom 3\noom_kill {}\noom_group_kill 0\nsock_throttled 0\n"
OOM_CONTROL = "oom_kill_disable 0\nunder_oom 0\noom_kill {}\n"


@pytest.mark.parametrize(
    ("cgroup", "files", "kills"),
    [
        pytest.param("0::/\n", {"memory.events": EVENTS.format(2)}, 2, id="v2, own namespace"),
        pytest.param(
            "0::/kubepods.slice/a.scope\n", {"memory.events": EVENTS.format(1)}, 1, id="v2, the machine's path"
        ),
        pytest.param("0::/\n", {"memory.events": EVENTS.format(0)}, 0, id="v2, none"),
        pytest.param(V1.format("/"), {"memory/memory.oom_control": OOM_CONTROL.format(4)}, 4, id="v1, own namespace"),
        pytest.param(
            V1.format("/kubepods/pod1"), {"memory/memory.oom_control": OOM_CONTROL.format(1)}, 1,
            id="v1, the machine's path",
        ),
        pytest.param("0::/\n", {"memory.events": "low 0\nhigh 0\n"}, 0, id="v2 of Linux before 4.13"),
        pytest.param("0::/\n", {"memory.events": "garbage\n"}, 0, id="unreadable"),
        pytest.param(None, {}, 0, id="no cgroups"),
    ],
)  # fmt: skip
def test_kills_for_want_of_memory_are_counted(
    tmp_path: Path, cgroup: str | None, files: dict[str, str], kills: int
) -> None:
    write_cgroup(tmp_path, cgroup, files)
    assert memory_kills(tmp_path) == kills

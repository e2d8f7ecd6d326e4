"""The memory limit that a session shows, from trees of /proc and /sys as kernels have them."""

from __future__ import annotations

from pathlib import Path

import pytest

from daas_hub.session.memory_limit import memory_limit_bytes

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
    if cgroup is not None:
        (tmp_path / "proc/self").mkdir(parents=True)
        (tmp_path / "proc/self/cgroup").write_text(cgroup)
    for name, text in files.items():
        file = tmp_path / "sys/fs/cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    assert memory_limit_bytes(tmp_path) == limit

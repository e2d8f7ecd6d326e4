"""A Python environment that sessions cannot enter is found before anybody launches; no sandbox is built here."""

from __future__ import annotations

from pathlib import Path

import pytest

from daas_hub.catalogue import Size
from daas_hub.errors import SessionFailed
from daas_hub.spawners.sandbox.checks import prefix_problem, require_no_gpus, sizes_with_gpus


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A tree with an interpreter in a home and an environment made from it; everybody may enter all of it."""
    for folder in ("home/alice/.pyenv/bin", "opt/venv/bin", "opt/venv/lib", "opt/python/bin"):
        (tmp_path / folder).mkdir(parents=True)
    for interpreter in ("home/alice/.pyenv/bin/python3", "opt/python/bin/python3.11", "opt/venv/bin/python3.11"):
        (tmp_path / interpreter).touch(mode=0o755)
    (tmp_path / "opt/python/bin/python3").symlink_to("python3.11")
    for path in (tmp_path, *tmp_path.parents):
        if path.is_relative_to("/tmp") and path != Path("/tmp"):  # pytest's own are closed
            path.chmod(0o755)
    return tmp_path


def interpreter_is(site: Path, target: str) -> str:
    """Let the environment's interpreter be a link to this one; give the prefix."""
    (site / "opt/venv/bin/python3").symlink_to(target)
    return str(site / "opt/venv")


@pytest.mark.parametrize("others", [True, False], ids=["as-accounts", "as-itself"])
def test_an_environment_that_everybody_can_read_is_in_order(site: Path, others: bool) -> None:
    prefix = interpreter_is(site, "python3.11")
    assert prefix_problem(prefix, others=others) is None


def test_a_system_interpreter_is_in_order(site: Path) -> None:
    assert prefix_problem(interpreter_is(site, "/usr/bin/python3"), others=True) is None


@pytest.mark.parametrize("others", [True, False], ids=["as-accounts", "as-itself"])
def test_an_interpreter_in_a_home_is_not_in_the_session(site: Path, others: bool) -> None:
    prefix = interpreter_is(site, f"{site}/home/alice/.pyenv/bin/python3")
    problem = prefix_problem(prefix, others=others)
    assert problem is not None
    assert problem.setting == "SandboxSpawner.prefix"
    assert f"{site}/home/alice/.pyenv/bin/python3, outside of what sessions see" in problem.message
    assert "/opt/daas-hub" in problem.remedy
    assert prefix_problem(prefix, [f"{site}/home/alice/.pyenv"], others=others) is None


def test_a_link_to_a_link_outside_is_not_in_the_session(site: Path) -> None:
    (site / "home/alice/python3").symlink_to("/usr/bin/python3")
    problem = prefix_problem(interpreter_is(site, f"{site}/home/alice/python3"), others=False)
    assert problem is not None
    assert f"leads to {site}/home/alice/python3" in problem.message


@pytest.mark.parametrize(
    ("closed", "mode"),
    [
        ("opt", 0o700),
        ("opt", 0o750),
        ("opt/venv", 0o700),
        ("opt/venv/bin", 0o711),
        ("opt/venv/lib", 0o750),
        ("opt/python", 0o700),
        ("opt/python/bin/python3.11", 0o744),
    ],
)
def test_a_closed_directory_is_named(site: Path, closed: str, mode: int) -> None:
    prefix = interpreter_is(site, f"{site}/opt/python/bin/python3")
    shown = [f"{site}/opt/python"]
    assert prefix_problem(prefix, shown, others=True) is None
    (site / closed).chmod(mode)
    problem = prefix_problem(prefix, shown, others=True)
    assert problem is not None
    assert f"cannot enter {site / closed} (mode {mode:04o})" in problem.message
    # a hub that is not root runs sessions as itself
    assert prefix_problem(prefix, shown, others=False) is None


def test_a_prefix_that_is_a_link_into_a_home(site: Path) -> None:
    interpreter_is(site, "python3.11")
    (site / "opt/venv").rename(site / "home/alice/venv")
    (site / "opt/venv").symlink_to(site / "home/alice/venv")
    (site / "home/alice").chmod(0o700)
    problem = prefix_problem(f"{site}/opt/venv", others=True)
    assert problem is not None
    assert f"{site}/home/alice (mode 0700)" in problem.message


def test_no_environment_at_all(tmp_path: Path) -> None:
    problem = prefix_problem(str(tmp_path), others=True)
    assert problem is not None
    assert "is not a Python environment" in problem.message


def test_a_size_with_gpus_is_refused_in_words() -> None:
    """By check-config, and at the launch: a sandbox would run without them."""
    plain = Size("small", "2 processors", 2**30, 2, 100, 1)
    gpu = Size("gpu", "1 GPU", 2**30, 2, 100, 1, gpus=1)
    assert [str(one) for one in sizes_with_gpus({"small": plain, "gpu": gpu})] == [
        "sizes.yaml = 'gpu': has GPUs, and sessions in a sandbox have none Remove `gpus` from the size, or run these "
        "sessions in containers (ProposalDockerSpawner.gpus)."
    ]
    require_no_gpus(plain)
    with pytest.raises(SessionFailed) as refusal:
        require_no_gpus(gpu)
    assert refusal.value.message == "The size '1 GPU' has a GPU, and sessions on this machine cannot have one."

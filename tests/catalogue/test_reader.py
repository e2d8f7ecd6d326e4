"""A folder of application files: what they may say, and that a bad one never takes the others with it (AL56, ES47)."""

from __future__ import annotations

from pathlib import Path

import pytest

from daas_hub.catalogue import Catalogue, Kind, read_catalogue
from daas_hub.catalogue.reader import memory_bytes
from daas_hub.errors import DocumentError

LAB = "name: lab\ntitle: JupyterLab\nkind: notebook\norder: 2\n"
PYMCA = "name: pymca\ntitle: PyMca\nkind: desktop\ncommand: [pymca, --nice]\norder: 1\nsizes: [large, small]\n"
GUIDE = "name: guide\ntitle: Guide\nkind: link\nurl: https://example.org/x\norder: 3\n"
SIZES = """
sizes:
  small: {title: Small, memory: 4 GiB, cpus: 2, processes: 500, hours: 12}
  large: {title: Large, memory: 512 MiB, cpus: 0.5}
"""
SHIPPED = Path(__file__).parents[2] / "demo" / "applications"


def read(folder: Path, **files: str) -> tuple[Catalogue, list[DocumentError]]:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return read_catalogue(folder)


def test_a_catalogue(tmp_path: Path) -> None:
    catalogue, problems = read(tmp_path, lab=LAB, pymca=PYMCA, guide=GUIDE, sizes=SIZES)
    assert problems == []
    assert list(catalogue.applications) == ["pymca", "lab", "guide"], "in the order the files ask for"
    pymca = catalogue.applications["pymca"]
    assert (pymca.kind, pymca.command, pymca.maximised) == (Kind.DESKTOP, ("pymca", "--nice"), True)
    assert [size.name for size in catalogue.sizes_of(pymca)] == ["large", "small"], "the first is its default"
    assert [size.name for size in catalogue.sizes_of(catalogue.applications["lab"])] == ["small"]
    small, large = catalogue.sizes["small"], catalogue.sizes["large"]
    assert (small.memory_bytes, small.cpus, small.processes, small.hours) == (4 * 2**30, 2.0, 500, 12.0)
    assert (large.memory_bytes, large.cpus, large.processes, large.hours) == (512 * 2**20, 0.5, 1000, 12.0)
    assert not catalogue.applications["guide"].with_proposal, "a link is beside no data"


def test_what_is_shipped_is_in_order() -> None:
    catalogue, problems = read_catalogue(SHIPPED)
    assert problems == []
    assert {"jupyterlab", "pymca", "terminal", "python"} <= set(catalogue.applications), "EL21, AL39"


def test_without_sizes_there_is_a_standard_one(tmp_path: Path) -> None:
    catalogue, problems = read(tmp_path, lab=LAB)
    assert problems == []
    assert [size.name for size in catalogue.sizes_of(catalogue.applications["lab"])] == ["standard"]


def test_folders_add_up(tmp_path: Path) -> None:
    """EL28: the facility's own applications beside those of the project; nobody replaces somebody else's."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    (tmp_path / "a" / "lab.yaml").write_text(LAB)
    (tmp_path / "b" / "guide.yaml").write_text(GUIDE)
    (tmp_path / "b" / "other.yaml").write_text(LAB.replace("JupyterLab", "Another"))
    catalogue, problems = read_catalogue(tmp_path / "a", tmp_path / "b", tmp_path / "c")
    assert {one.title for one in catalogue.applications.values()} == {"JupyterLab", "Guide"}
    told = "\n".join(map(str, problems))
    assert "there is already an application named 'lab'" in told
    assert "no such folder" in told


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", "empty", id="empty"),
        pytest.param(LAB.replace("kind: notebook", "kind: notebok"), "'notebok' is not one of", id="misspelt kind"),
        pytest.param(LAB + "privileged: true\n", "privileged", id="H2' a key nobody knows"),
        pytest.param(LAB + "command: [sh]\n", "a notebook has no command", id="a notebook with a command"),
        pytest.param(LAB.replace("name: lab", "name: Lab"), "name", id="capitals in the name"),
        pytest.param(LAB.replace("name: lab", "name: ../lab"), "name", id="A1 a path for a name"),
        pytest.param(LAB.replace("name: lab", 'name: "lab\\n"'), "name", id="A2 newline in the name"),
        pytest.param(LAB.replace("name: lab", "name: a--b"), "name", id="C3 two dashes"),
        pytest.param(LAB.replace("name: lab", "name: " + "a" * 17), "name", id="C3 a name too long for a session's"),
        pytest.param(LAB.replace("title: JupyterLab", "title: ''"), "title", id="no title"),
        pytest.param(LAB.replace("title: JupyterLab", "title: " + "x" * 61), "title", id="C8 a title too long"),
        pytest.param(LAB + "sizes: [huge]\n", "'huge' is not one of", id="a size nobody knows"),
        pytest.param(LAB + "start_page: https://evil.example\n", "start_page", id="E3 a start page elsewhere"),
        pytest.param(LAB + "start_page: //evil.example\n", "start_page", id="E3 a start page elsewhere, short"),
        pytest.param(LAB + "icon: ../../etc/passwd\n", "icon", id="A1 an icon elsewhere"),
        pytest.param(LAB + "icon: lab.png\n", "icon", id="an icon that is no SVG"),
        pytest.param(LAB + "icon: lab.svg\n", "no file 'lab.svg'", id="an icon that is missing"),
        pytest.param(LAB + "environment: {LD_PRELOAD: /x}\n", "LD_PRELOAD", id="environment of the linker"),
        pytest.param(
            LAB + "environment: {JUPYTERHUB_API_TOKEN: x}\n", "JUPYTERHUB_API_TOKEN", id="environment of the hub"
        ),
        pytest.param(LAB + "environment: {DAAS_SESSION: x}\n", "DAAS_SESSION", id="environment of the session"),
        pytest.param(LAB + "environment: {'A=B': x}\n", "A=B", id="a name with an equals sign"),
        pytest.param(LAB + 'environment: {"A\\n": x}\n', "may not be set", id="a name with a newline"),
        pytest.param(LAB + "environment: {THREADS: 2}\n", "environment.THREADS", id="a value that is no text"),
        pytest.param(
            PYMCA.replace("command: [pymca, --nice]\n", ""), "needs a command", id="a desktop without a command"
        ),
        pytest.param(PYMCA.replace("[pymca, --nice]", "pymca --nice"), "command", id="a command that is one text"),
        pytest.param(
            GUIDE.replace("https://example.org/x", "javascript:alert(1)"), "https://", id="C6 a link that runs"
        ),
        pytest.param(
            GUIDE.replace("https://example.org/x", "data:text/html,x"), "https://", id="C6 a link that is a page"
        ),
        pytest.param(GUIDE.replace("url: https://example.org/x\n", ""), "https://", id="a link to nowhere"),
        pytest.param(GUIDE.replace("https://example.org/x", "https://"), "https://", id="a link to no host"),
        pytest.param(GUIDE.replace("https://example.org/x", "'https://[x'"), "url", id="a link that cannot be read"),
        pytest.param("name: lab\n" + LAB, "duplicate key", id="G1 a key twice"),
    ],
)
def test_a_bad_file_is_left_out_and_reported(tmp_path: Path, text: str, words: str) -> None:
    catalogue, problems = read(tmp_path, good=LAB.replace("lab", "good"), bad=text, sizes=SIZES)
    assert list(catalogue.applications) == ["good"]
    (problem,) = problems
    assert problem.path == str(tmp_path / "bad.yaml")
    assert words in str(problem)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        pytest.param("{title: x, memory: 4GB, cpus: 2}", "'4GB' is not an amount", id="a unit nobody agreed on"),
        pytest.param("{title: x, memory: 4, cpus: 2}", "memory", id="J3 no unit"),
        pytest.param("{title: x, memory: -4 GiB, cpus: 2}", "memory", id="J3 negative memory"),
        pytest.param("{title: x, memory: 0 GiB, cpus: 2}", "memory", id="J3 no memory"),
        pytest.param("{title: x, memory: 4 GiB, cpus: 0}", "cpus", id="J3 no processor"),
        pytest.param("{title: x, memory: 4 GiB, cpus: -1}", "cpus", id="J3 negative processors"),
        pytest.param("{title: x, memory: 4 GiB, cpus: .nan}", "cpus", id="J3 not a number"),
        pytest.param("{title: x, memory: 4 GiB, cpus: .inf}", "cpus", id="J3 infinite"),
        pytest.param("{title: x, memory: 4 GiB, cpus: true}", "cpus", id="J3 true"),
        pytest.param("{title: x, memory: 4 GiB, cpus: '2'}", "cpus", id="J3 text"),
        pytest.param("{title: x, memory: 4 GiB, cpus: 1025}", "cpus", id="J3 more than any machine"),
        pytest.param("{title: x, memory: 4 GiB, cpus: 2, processes: 1}", "processes", id="J3 one process"),
        pytest.param("{title: x, memory: 4 GiB, cpus: 2, hours: 0}", "hours", id="J3 no time"),
        pytest.param("{title: x, memory: 4 GiB, cpus: 2, hours: 1e9}", "hours", id="J3 for ever"),
        pytest.param("{memory: 4 GiB, cpus: 2}", "title", id="no title"),
    ],
)
def test_bad_sizes_are_reported(tmp_path: Path, line: str, words: str) -> None:
    _, problems = read(tmp_path, lab=LAB, sizes=f"sizes:\n  odd: {line}\n")
    assert words in str(problems[0])
    assert problems[0].line == 2


@pytest.mark.parametrize("name", ["Grande", "a b", "über", "a_b", "-a", "''", "x" * 33])
def test_a_size_nobody_could_ask_for_is_refused(tmp_path: Path, name: str) -> None:
    """A launch takes a size's name only in one form (`launch/request.py`); another one could never be chosen."""
    _, problems = read(tmp_path, lab=LAB, sizes=f"sizes:\n  {name}: {{title: x, memory: 4 GiB, cpus: 2}}\n")
    assert problems


@pytest.mark.parametrize(
    ("text", "number"),
    [
        pytest.param("512 MiB", 512 * 2**20, id="MiB"),
        pytest.param("4GiB", 4 * 2**30, id="no blank"),
        pytest.param("1.5 TiB", 3 * 2**39, id="a fraction"),
    ],
)
def test_memory(text: str, number: int) -> None:
    assert memory_bytes(text) == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        "4",
        "4 GB",
        "4 gib",
        "GiB",
        "4  GiB",
        " 4 GiB",
        "4 GiB\n",
        "-1 GiB",
        "0.0 MiB",
        "１ GiB",
        "1e3 MiB",
        "nan GiB",
    ],
)
def test_what_is_no_memory(text: str) -> None:
    with pytest.raises(ValueError, match="is not an amount of memory"):
        memory_bytes(text)


@pytest.mark.parametrize(
    "image",
    [
        "localhost/daas-hub/pymca:0.1.0",
        "registry.facility.org:5000/team/pymca:2026-11",
        "pymca@sha256:" + "a" * 64,
        "pymca:5.9@sha256:" + "a" * 64,
        "127.0.0.1:5000/facility/desktop:1",
    ],
)
def test_an_image_is_named_exactly(tmp_path: Path, image: str) -> None:
    """DI01."""
    catalogue, problems = read(tmp_path, lab=f'{LAB}image: "{image}"\n')
    assert problems == []
    assert catalogue.applications["lab"].image == image


@pytest.mark.parametrize(
    "image",
    ["pymca", "daas-hub/pymca", "localhost/daas-hub/pymca", "registry:5000/pymca", "pymca:", "PyMca:1",
     "pymca:1 --privileged", "pymca@sha256:abc",
     "a//b:1", "-v:1", "../pymca:1", "pymca:1\\n", "https://r/pymca:1"],
)  # fmt: skip
def test_an_image_that_could_be_another_one_is_refused(tmp_path: Path, image: str) -> None:
    _, problems = read(tmp_path, lab=f'{LAB}image: "{image}"\n')
    assert "does not name one image" in str(problems[0])


@pytest.mark.parametrize("address", ["licence.facility.org:27000", "l:1", "3com:443"])
def test_an_address_a_session_may_connect_to(tmp_path: Path, address: str) -> None:
    """DE05."""
    catalogue, problems = read(tmp_path, lab=f'{LAB}egress: ["{address}"]\n')
    assert problems == []
    assert catalogue.applications["lab"].egress == (address,)


@pytest.mark.parametrize(
    "address",
    [
        "10.1.2.3:443",
        "localhost:80",
        "session:80",
        "Licence.facility.org:1",
        "*:443",
        "licence.facility.org",
        "licence.facility.org:0",
        "licence.facility.org:65536",
        "a b:1",
        "10.0.0.0/8:22",
        ":22",
        "-a:22",
        "a:22:33",
        "https://a:443",
        "localhost\\n1.2.3.4 evil:1",
    ],
)
def test_what_is_not_one_address_is_refused(tmp_path: Path, address: str) -> None:
    """AL13, A12: no pattern, no range, nothing that would be read as another line of a hosts file."""
    _, problems = read(tmp_path, lab=f'{LAB}egress: ["{address}"]\n')
    assert "is not one address" in str(problems[0])

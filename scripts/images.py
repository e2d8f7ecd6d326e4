"""Build, measure and list the images of images/: `build [NAME...]`, `test [NAME...]`, `sizes [--write]`.

Used by images/images.mk; needs Python and the engine's command line, and nothing else. DOCKER names the command,
DAAS_REGISTRY what images are called before their own name.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "images"
REFERENCE = ROOT / "docs" / "reference" / "images.md"
DOCKER = shlex.split(os.environ.get("DOCKER", "docker"))
#: No registry answers at "localhost", so an image that is missing here is never pulled from a stranger's namespace.
REGISTRY = os.environ.get("DAAS_REGISTRY") or "localhost/daas-hub"
#: What a Dockerfile says before it fails because its program cannot be fetched.
NO_SOURCE = "SOURCE-MISSING: "
#: Not an image, but what new ones are copied from.
TEMPLATE = "template"
#: Nothing runs in it: others take from it, and nobody keeps it.
WHEEL = "wheel"

_NAME = re.compile(r"[a-z][a-z0-9-]{0,15}")


@dataclass(frozen=True)
class Image:
    """One folder of images/."""

    name: str
    needs: tuple[str, ...]
    smoke: dict[str, Any]

    @property
    def tag(self) -> str:
        """What it is called on the engine."""
        return f"{REGISTRY}/{self.name}:{version()}"

    @property
    def is_session(self) -> bool:
        """Return whether sessions run in it."""
        return bool(self.smoke)


def version() -> str:
    """Return the project's version."""
    match = re.search(r'__version__ = "(.+)"', (ROOT / "daas_hub" / "version.py").read_text())
    assert match
    return match[1]


def all_images() -> dict[str, Image]:
    """Read every folder that has a Dockerfile, in the order in which they are built."""
    found = {}
    for dockerfile in sorted(IMAGES.glob("*/Dockerfile")):
        folder = dockerfile.parent
        if folder.name == TEMPLATE:
            continue
        instructions = re.sub(r"^#.*", "", dockerfile.read_text(), flags=re.MULTILINE)
        needs = re.findall(r"^(?:FROM |COPY --from=)\$\{REGISTRY\}/([a-z0-9-]+):", instructions, re.MULTILINE)
        smoke = folder / "smoke.toml"
        document = tomllib.loads(smoke.read_text()) if smoke.is_file() else {}
        found[folder.name] = Image(folder.name, tuple(needs), document)
    ordered: dict[str, Image] = {}

    def add(image: Image) -> None:
        for need in image.needs:
            if need in found and need not in ordered:
                add(found[need])
        ordered.setdefault(image.name, image)

    for image in found.values():
        add(image)
    return ordered


def chosen(names: list[str]) -> list[Image]:
    """Return the images of these names with what they are built on; all for none."""
    images = all_images()
    unknown = [name for name in names if name not in images]
    if unknown:
        raise SystemExit(f"no such image: {', '.join(unknown)}; there are {', '.join(images)}")
    wanted: set[str] = set()

    def want(name: str) -> None:
        if name in images and name not in wanted:
            wanted.add(name)
            for need in images[name].needs:
                want(need)

    for name in names or images:
        want(name)
    return [image for image in images.values() if image.name in wanted]


def docker(*args: str, quiet: bool = False) -> subprocess.CompletedProcess[str]:
    """Run the engine's command line."""
    out = subprocess.PIPE if quiet else None
    return subprocess.run([*DOCKER, *args], cwd=ROOT, stdout=out, stderr=out, text=True, check=False)


def build(names: list[str], options: list[str]) -> int:
    """Build in order; skip what cannot be built, and report at the end what is missing and why."""
    problems: dict[str, str] = {}
    excused = set()
    for image in chosen(names):
        without = [need for need in image.needs if need in problems]
        if without:
            problems[image.name] = f"it is built on {without[0]}"
            continue
        print(f"== {image.tag}", flush=True)
        said = _build(image, options)
        if said is None:
            continue
        problems[image.name] = said
        if said.startswith(NO_SOURCE):
            problems[image.name] = said.removeprefix(NO_SOURCE)
            if image.smoke.get("source_may_be_missing") and _build_stages(image, options):
                excused.add(image.name)
    for name, why in problems.items():
        print(f"not built: {name}: {why}", file=sys.stderr)
    # asked for by its name, an image that is not there is a failure, whatever the reason
    return 1 if set(problems) - (set() if names else excused) else 0


def _build_stages(image: Image, options: list[str]) -> bool:
    """Build what can be built of an image whose source is missing: each such stage gets a tag of its own."""
    return not any(
        _build(image, [*options, "--target", stage], tag=f"{REGISTRY}/{image.name}-{stage}:{version()}")
        for stage in image.smoke.get("stages_without_source", ())
    )


def _build(image: Image, options: list[str], *, tag: str = "") -> str | None:
    """Build one image; give the reason why not, in one line."""
    command = [
        *DOCKER, "build", "--progress=plain", "--file", f"images/{image.name}/Dockerfile",
        "--build-arg", f"VERSION={version()}", "--build-arg", f"REGISTRY={REGISTRY}",
        "--tag", tag or image.tag, *options, ".",
    ]  # fmt: skip
    why = "the build failed; its last lines are above"
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        print(line, end="", flush=True)
        # the instruction itself is printed, too: only what a program said has a time before it
        match = re.match(rf"#\d+ [\d.]+ {NO_SOURCE}(.*)", line)
        if match:
            why = NO_SOURCE + match[1].strip()
    return why if process.wait() else None


def test(names: list[str], arguments: list[str]) -> int:
    """Run the smoke tests of these images; of all for none."""
    images = all_images()
    for name in names:
        if name not in images or not images[name].is_session:
            raise SystemExit(f"{name} is no image that sessions run in: it has no smoke.toml")
    # whole ids, because one name may be the beginning of another
    choice = ["-k", " or ".join(f"[{name}] or [{name}-" for name in names)] if names else []
    command = [sys.executable, "-m", "pytest", "tests/images", *choice, *arguments]
    # who asks for images wants to hear that one is not there
    env = os.environ | {"DAAS_REQUIRE": ",".join(filter(None, [os.environ.get("DAAS_REQUIRE"), "docker"]))}
    return subprocess.run(command, cwd=ROOT, env=env, check=False).returncode


def new(name: str) -> int:
    """Copy the template."""
    folder = IMAGES / name
    if not _NAME.fullmatch(name):
        raise SystemExit(f"{name!r}: small letters, digits and hyphens, at most 16")
    if folder.exists():
        raise SystemExit(f"images/{name} is there already")
    folder.mkdir()
    for file in sorted((IMAGES / TEMPLATE).iterdir()):
        text = (
            file.read_text()
            .replace("TEMPLATE", name)
            .replace("0.1.0", version())
            .replace("localhost/daas-hub", REGISTRY)
        )
        (folder / file.name.removesuffix(".example")).write_text(text)
    print(f"images/{name} is made. Next: what its Dockerfile installs; then make image IMAGE={name}")
    return 0


# -- sizes --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Measured:
    """One image's layers with their sizes in bytes; a layer's name is that of itself and all below it."""

    image: Image
    layers: dict[str, int]

    @property
    def size(self) -> int:
        """What it is alone."""
        return sum(self.layers.values())


def _kept() -> list[Image]:
    return [image for image in all_images().values() if image.name != WHEEL]


def measured() -> list[Measured]:
    """Measure what is built here."""
    found = []
    for image in _kept():
        asked = docker("image", "inspect", image.tag, quiet=True)
        if asked.returncode == 0:
            (document,) = json.loads(asked.stdout)
            found.append(Measured(image, _layers(image.tag, document["RootFS"]["Layers"])))
    return found


def _layers(tag: str, names: list[str]) -> dict[str, int]:
    history = docker("history", "--human=false", "--no-trunc", "--format", "{{json .}}", tag, quiet=True).stdout
    entries = [json.loads(line) for line in history.splitlines()][::-1]
    # an instruction that changes no file makes no layer; the engine does not say which of the empty ones did
    # (a WORKDIR that is there already makes none)
    entries = [one for one in entries if int(one["Size"]) or not one["CreatedBy"].startswith("WORKDIR")]
    sizes = [int(entry["Size"]) for entry in entries if _makes_layer(entry["CreatedBy"])]
    if len(sizes) != len(names):
        raise SystemExit(f"{tag}: {len(names)} layers, and {len(sizes)} in its history")
    layers, below = {}, ""
    for name, size in zip(names, sizes, strict=True):
        below = f"{below}/{name}"
        layers[below] = size
    return layers


def _makes_layer(instruction: str) -> bool:
    return not re.match(
        r"(/bin/sh -c #\(nop\) +)?(ENV|CMD|ARG|USER|LABEL|ENTRYPOINT|EXPOSE|STOPSIGNAL|SHELL)\b", instruction
    )


def sizes(*, write: bool) -> int:
    """Print the table of sizes, or write it into the reference."""
    found = measured()
    if not found:
        raise SystemExit("none of the images is here: make images")
    base = next((one for one in found if one.image.name == "base"), None)
    everything: dict[str, int] = {}
    rows = []
    for one in found:
        shared = sum(size for layer, size in one.layers.items() if layer in everything)
        on_base = sum(size for layer, size in one.layers.items() if base is None or layer not in base.layers)
        everything |= one.layers
        title = f"`{one.image.name}`"
        rows.append((title, one.size, on_base, one.size - shared))
    lines = ["| image | size, MB | on top of base, MB | adds to those above, MB |", "|---|--:|--:|--:|"]
    lines += [
        f"| {name} | {size / 1e6:.0f} | {on_base / 1e6:.0f} | {adds / 1e6:.0f} |" for name, size, on_base, adds in rows
    ]
    lines.append(f"| **all, shared layers once** | **{sum(everything.values()) / 1e6:.0f}** | | |")
    table = "\n".join(lines)
    missing = [image.name for image in _kept() if image.name not in {one.image.name for one in found}]
    engine = docker("version", "--format", "{{.Server.Version}}", quiet=True).stdout.strip()
    today = datetime.datetime.now(datetime.UTC).date()
    note = f"Measured on {today}, version {version()}, Docker {engine}; 1 MB is 1,000,000 bytes, uncompressed."
    if missing:
        note += f" Not built there: {', '.join(missing)}."
    if not write:
        print(f"{table}\n\n{note}")
        return 0
    text = REFERENCE.read_text()
    begin, end = "<!-- sizes: make image-sizes -->", "<!-- end of sizes -->"
    head, rest = text.split(begin)
    tail = rest.split(end)[1]
    REFERENCE.write_text(f"{head}{begin}\n{table}\n\n{note}\n{end}{tail}")
    print(f"written to {REFERENCE.relative_to(ROOT)}")
    return 0


def main(argv: list[str]) -> int:
    """Run a command."""
    parser = argparse.ArgumentParser("images.py", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    building = commands.add_parser("build", help="build images, in order")
    building.add_argument("names", nargs="*")
    building.add_argument("--option", action="append", default=[], help="one more argument of `docker build`")
    testing = commands.add_parser("test", help="run smoke tests")
    testing.add_argument("names", nargs="*")
    testing.add_argument("--pytest", default="", help="more arguments of pytest")
    making = commands.add_parser("new", help="copy the template")
    making.add_argument("name")
    measuring = commands.add_parser("sizes", help="measure what is built")
    measuring.add_argument("--write", action="store_true", help="into docs/reference/images.md")
    options = parser.parse_args(argv)
    if options.command == "build":
        return build(options.names, [part for option in options.option for part in shlex.split(option)])
    if options.command == "test":
        return test(options.names, shlex.split(options.pytest))
    if options.command == "new":
        return new(options.name)
    return sizes(write=options.write)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

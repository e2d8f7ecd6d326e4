"""Writes a configuration directory, once: what is there already is never changed."""

from __future__ import annotations

import os
import re
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined

import daas_hub
from daas_hub.commands.init.questions import Answers, WrongAnswer
from daas_hub.services.secret_file import read_secret
from daas_hub.version import __version__

CONFIG = "jupyterhub_config.py"
#: what `make install` gives a sandbox, and what the images of this project have
APPLICATIONS = {
    "sandbox": ("jupyterlab", "desktop", "terminal"),
    "docker": ("jupyterlab", "desktop", "terminal", "pymca"),
}
_PRIVATE, _PUBLIC = 0o600, 0o644


@dataclass(frozen=True)
class File:
    """One file to write, below the directory."""

    name: str
    content: str
    mode: int = _PUBLIC


def files_for(answers: Answers, typed: Mapping[str, str]) -> list[File]:
    """Return what a directory is made of after these answers.

    Args:
        typed: secrets that were typed in, by the name of their question.
    """
    installation = _render("installation.py.j2", _places(answers))
    values = {"version": __version__, "installation": installation, **answers}
    files = [File(CONFIG, _render(f"{CONFIG}.j2", values)), _environment()]
    if answers["accounts"] == "table":
        files.append(File("accounts.yaml", _render("accounts.yaml.j2", values), _PRIVATE))
    if answers["proposals"] == "static":
        files.append(File("proposals.yaml", _render("proposals.yaml.j2", values), _PRIVATE))
    files += _secret_files({"oidc": "client_secret_file", "proposals": "proposals_secret_file"}, answers, typed)
    return [*files, *_applications(answers["sessions"], answers.get("registry", ""))]


def files_of_example(name: str, answers: Answers, typed: Mapping[str, str]) -> list[File]:
    """Return what a directory is made of after an example, with this installation's own addresses and paths."""
    text = example_text(name)
    for pattern, value in (
        (r'^ISSUER = "(.+)"$', answers["issuer"]),
        (r'public_url = "(.+)"', answers["public_url"]),
        (r'Facility\.name = "(.+)"', answers["facility"]),
        (r'client_id = "(.+)"', answers["client_id"]),
        (r'ca_file = "(.+)"', answers["ldap_ca"]),
    ):
        text = _replaced(text, pattern, value)
    catalogue = 'c.Facility.catalogue = [str(HERE / "applications")]'
    text = re.sub(r"^c\.JupyterHub\.(bind_url|public_url|subdomain_host) = .*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"^c\.Facility\.catalogue = .*$", catalogue, text, flags=re.MULTILINE)
    text = re.sub(r'"/etc/daas-hub/secrets/([a-z]+)"', r'str(HERE / "secrets" / "\1")', text)
    begin = "configure(c)\n"
    text = text.replace(begin, f"{begin}\n{_render('installation.py.j2', _places(answers))}", 1)
    imported = "from daas_hub import configure"
    text = text.replace(f"{imported}\n", f"{imported}, read_environment\n\nHERE = Path(__file__).parent\n", 1)
    names = {one: f"secret_{one}_file" for one in secrets_of_example(name)}
    return [File(CONFIG, text), _environment(), *_secret_files(names, answers, typed), *_applications("sandbox", "")]


def example_names() -> list[str]:
    """Return the examples there are."""
    return sorted(file.parent.name for file in examples_folder().glob(f"*/{CONFIG}"))


def example_text(name: str) -> str:
    """Return one example, as it is shipped."""
    return (examples_folder() / name / CONFIG).read_text()


def secrets_of_example(name: str) -> list[str]:
    """Return what an example's secrets are called."""
    return sorted(set(re.findall(r'/secrets/([a-z]+)"', example_text(name))))


def examples_folder() -> Path:
    """Return where the examples are: installed with the program, or in a checkout."""
    checkout = Path(daas_hub.__file__).parents[1] / "examples"
    return checkout if checkout.is_dir() else Path(sys.prefix) / "share" / "daas-hub" / "examples"


def write(directory: Path, files: list[File]) -> None:
    """Write all of it, or nothing.

    Raises:
        WrongAnswer: one of the files is there already, or the directory cannot be written.
    """
    there = [file.name for file in files if os.path.lexists(directory / file.name)]
    if there:
        raise WrongAnswer(
            f"{directory} has {', '.join(there)} already, and nothing is overwritten.",
            remedy="Name another directory, or move them away.",
        )
    old_umask = os.umask(0o022)
    try:
        for file in files:
            path = directory / file.name
            private = path.parent.name == "secrets"
            path.parent.mkdir(mode=0o700 if private else 0o755, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, file.mode)
            with os.fdopen(descriptor, "w") as opened:
                opened.write(file.content)
    except OSError as error:
        raise WrongAnswer(f"{error.filename} cannot be written: {error.strerror}.", remedy="Run it as root.") from None
    finally:
        os.umask(old_umask)


def _places(answers: Answers) -> dict[str, object]:
    first = int(answers["port"])
    path = urlsplit(answers["public_url"]).path.rstrip("/") + "/"
    public = answers["public_url"].rstrip("/") + "/"
    return {
        "bind_url": f"http://127.0.0.1:{first}{path}",
        "api_url": f"http://127.0.0.1:{first + 1}",
        "hub_bind_url": f"http://127.0.0.1:{first + 2}",
        "public_url": public,
        "state": answers["state"].rstrip("/"),
    }


def _environment() -> File:
    keys = {"crypt_key": secrets.token_hex(32), "proxy_token": secrets.token_hex(32)}
    return File("environment", _render("environment.j2", keys), _PRIVATE)


def _secret_files(names: Mapping[str, str], answers: Answers, typed: Mapping[str, str]) -> list[File]:
    """Return the secrets that were given, each a file of its own."""
    found = []
    for name, question in names.items():
        path = answers.get(question, "")
        secret = typed.get(question) or (read_secret(question, path) if path else "")
        if secret:
            found.append(File(f"secrets/{name}", f"{secret}\n", _PRIVATE))
    return found


def _applications(backend: str, registry: str) -> list[File]:
    values = {"registry": registry, "version": __version__}
    return [
        File(f"applications/{name}.yaml", _render(f"applications/{name}.yaml.j2", values))
        for name in (*APPLICATIONS[backend], "sizes")
    ]


def _render(name: str, values: Mapping[str, object]) -> str:
    jinja = Environment(
        loader=PackageLoader("daas_hub.commands.init"), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True, autoescape=False,  # noqa: S701  # Python and YAML, not pages; values by `py`
    )  # fmt: skip
    jinja.filters["py"] = repr_in_double_quotes
    return jinja.get_template(name).render(values)


def repr_in_double_quotes(value: object) -> str:
    """Return a Python literal, in double quotes as the rest of the file has them."""
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def _replaced(text: str, pattern: str, value: str) -> str:
    """Replace what a pattern's group matches, in the first line that has it."""
    match = re.search(pattern, text, re.MULTILINE)
    if match is None:
        return text
    return text[: match.start(1) - 1] + repr_in_double_quotes(value) + text[match.end(1) + 1 :]

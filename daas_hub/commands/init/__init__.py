"""`daas-hub init`: ask what a facility has, and write a configuration directory that passes `check-config`."""

from __future__ import annotations

import getpass
import re
import sys
from collections.abc import Iterable
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

import yaml

from daas_hub.commands.check_config import check_config
from daas_hub.commands.init import questions
from daas_hub.commands.init.questions import QUESTIONS, Question, WrongAnswer
from daas_hub.commands.init.write import (
    CONFIG,
    example_text,
    files_for,
    files_of_example,
    secrets_of_example,
    write,
)
from daas_hub.errors import DaasError

DIRECTORY = Path("/etc/daas-hub")


def run_init(
    directory: Path, *, example: str | None, answers: Path | None, pairs: Iterable[str], only_questions: bool
) -> int:
    """Ask, write, and check what was written; return 0 in order, 1 something is left to do, 2 nothing was written."""
    asked = questions_of(example)
    if only_questions:
        print("\n".join(f"{one.name}: {one.text}" + (f" [{one.default}]" if one.default else "") for one in asked))
        return 0
    directory = directory.absolute()
    try:
        given = _given(answers, pairs, asked)
        interactive = answers is None and sys.stdin.isatty()
        collected, typed = collect(asked, given, interactive=interactive)
        files = files_of_example(example, collected, typed) if example else files_for(collected, typed)
        write(directory, files)
    except DaasError as error:
        print(
            f"daas-hub init: {error.message}" + (f"\n  remedy: {error.remedy}" if error.remedy else ""), file=sys.stderr
        )
        return 2
    except (KeyboardInterrupt, EOFError):
        print("\nended before its time; nothing was written", file=sys.stderr)
        return 2
    for file in files:
        print(f"written: {directory / file.name}")
    return _report(directory / CONFIG)


def questions_of(example: str | None) -> tuple[Question, ...]:
    """Return what is asked: everything, or what an example does not know."""
    if example is None:
        return QUESTIONS
    text = example_text(example)

    def known(pattern: str) -> str:
        match = re.search(pattern, text, re.MULTILINE)
        return match[1] if match else ""

    of_secrets = (
        Question(
            f"secret_{name}_file", f"The secret {name} (Enter: put it into its file later)", questions.secret_file, "",
            secret=True,
        )
        for name in secrets_of_example(example)
    )  # fmt: skip
    return (
        replace(questions.FACILITY, default=known(r'Facility\.name = "(.+)"')),
        replace(questions.PUBLIC_URL, default=known(r'public_url = "(.+)"')),
        replace(questions.ISSUER, default=known(r'^ISSUER = "(.+)"$')),
        replace(questions.CLIENT_ID, default=known(r'client_id = "(.+)"')),
        replace(questions.LDAP_CA, when=lambda _answers: True),
        *of_secrets,
        questions.STATE,
        questions.PORT,
    )


def collect(
    asked: Iterable[Question], given: dict[str, str], *, interactive: bool
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the answer to each question that is to be asked, and the secrets that were typed in.

    Raises:
        WrongAnswer: a given answer cannot work, or one is missing and nobody can be asked.
    """
    answers: dict[str, str] = {}
    typed: dict[str, str] = {}
    for question in asked:
        if not question.when(answers):
            continue
        if question.name in given or not interactive:
            try:
                answers[question.name] = question.accepted(given.get(question.name, ""))
            except WrongAnswer as error:
                raise WrongAnswer(f"{question.name}: {error.message}", remedy=error.remedy) from None
        elif question.secret:
            answers[question.name] = ""
            typed[question.name] = getpass.getpass(f"{question.text}: ").strip()
        else:
            answers[question.name] = _asked(question)
    return answers, typed


def _asked(question: Question) -> str:
    """Ask until there is an answer that can work."""
    default = f" [{question.default}]" if question.default else ""
    while True:
        try:
            return question.accepted(input(f"{question.text}{default}: "))
        except WrongAnswer as error:
            print(f"  {error}")


def _given(file: Path | None, pairs: Iterable[str], asked: Iterable[Question]) -> dict[str, str]:
    """Return the answers of a file and of the command line."""
    given: dict[str, str] = {}
    if file is not None:
        try:
            document = yaml.safe_load(file.read_text())
        except (OSError, yaml.YAMLError) as error:
            raise WrongAnswer(f"{file} cannot be read: {error}") from None
        if not isinstance(document, dict):
            raise WrongAnswer(f"{file} is not a list of answers, like `facility: My Light Source`.")
        given = {str(name): "" if value is None else str(value) for name, value in document.items()}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise WrongAnswer(f"--set {pair} is not NAME=ANSWER.")
        given[name] = value
    names = [question.name for question in asked]
    for name in given:
        if name not in names:
            near = get_close_matches(name, names, n=1)
            raise WrongAnswer(f"There is no question {name!r}.", remedy=f"Did you mean {near[0]}?" if near else "")
    return given


def _report(config: Path) -> int:
    """Check what was written; print what is left to do."""
    problems = check_config(config)
    for problem in problems:
        print(f"left to do: {problem.message}")
        if problem.remedy:
            print(f"  remedy: {problem.remedy}")
    if problems:
        print(f"Then: daas-hub check-config {config}")
        return 1
    print(f"{config}: in order. Next: daas-hub doctor {config}")
    return 0

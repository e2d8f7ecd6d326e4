"""Inherited settings: which are a class's own, which work, and that one that would do nothing is refused."""

from __future__ import annotations

import pytest
from traitlets import Dict, Int, List, Unicode
from traitlets.config import Config, Configurable

from daas_hub.stock_settings import StockSettings, inherited_settings, is_set, problems_with, value_of


class Base(Configurable):
    """A stock class."""

    works = Int(1, config=True)
    ignored = Unicode(config=True)
    items = List(config=True)
    added_later = Dict(config=True)
    not_configurable = Int()


class Middle(Base):
    """Another, which redefines a setting."""

    ignored = Unicode("middle", config=True)


class Ours(Middle):
    """A class of ours."""

    own = Int(config=True)
    items = List(config=True)


# as the classes of the package are
Ours.__module__ = "daas_hub.somewhere"

DECLARED = StockSettings(honoured={"works": "JupyterHub"}, refused={"ignored": "Use own."})


def test_a_setting_that_is_redefined_is_ours() -> None:
    assert inherited_settings(Ours) == {"works": Base, "ignored": Middle, "added_later": Base}


def test_the_declaration_is_compared_with_the_class() -> None:
    """A new release of a base class cannot add a setting silently, nor drop one."""
    complete = StockSettings(honoured={"works": "", "added_later": ""}, refused={"ignored": ""})
    assert complete.mismatches(Ours) == []
    wrong = StockSettings(honoured={"works": "", "gone": "", "ignored": ""}, refused={"ignored": ""})
    assert wrong.mismatches(Ours) == [
        "added_later of Ours is not declared",
        "gone is declared, and Ours does not inherit it",
        "ignored is declared twice",
    ]


@pytest.mark.parametrize(
    ("sections", "refused"),
    [
        pytest.param({}, [], id="nothing-set"),
        pytest.param({"Ours": {"works": 2}, "Base": {"works": 3}}, [], id="honoured"),
        pytest.param({"Ours": {"own": 2, "items": [1]}}, [], id="its-own"),
        pytest.param({"Stranger": {"ignored": "x"}}, [], id="another-class"),
        pytest.param(
            {"Ours": {"ignored": "x"}},
            ["Ours.ignored = '(set)': does not apply to Ours Use own."],
            id="refused",
        ),
        pytest.param(
            {"Base": {"ignored": ""}, "Middle": {"ignored": None}},
            [
                "Middle.ignored = None: does not apply to Ours Use own.",
                "Base.ignored = '(set)': does not apply to Ours Use own.",
            ],
            id="in-the-sections-of-its-bases",
        ),
        pytest.param(
            {"JupyterHub": {"Ours": {"ignored": "x"}}},
            ["JupyterHub.Ours.ignored = '(set)': does not apply to Ours Use own."],
            id="below-the-application",
        ),
        pytest.param(
            {"Ours": {"added_later": {"password": "hush"}}},
            [
                "Ours.added_later = '(set)': is a setting of Base that Ours does not support "
                "Remove the line, or use a release of daas-hub that supports it."
            ],
            id="undeclared",
        ),
    ],
)
def test_what_would_do_nothing_is_refused(sections: dict[str, dict[str, object]], refused: list[str]) -> None:
    assert [str(problem) for problem in problems_with(Ours, Config(sections), DECLARED)] == refused


def test_a_list_that_is_added_to_is_set_and_one_that_was_only_read_is_not() -> None:
    added, read = Config(), Config()
    added.Base.added_later.update({"a": 1})
    _ = read.Base.added_later
    assert [problem.setting for problem in problems_with(Ours, added, DECLARED)] == ["Base.added_later"]
    assert problems_with(Ours, read, DECLARED) == []


def test_is_set() -> None:
    assert is_set(Ours, Config({"Middle": {"works": 1}}), "works")
    assert not is_set(Ours, Config({"Middle": {"works": 1}}), "ignored")


def test_the_value_that_takes_precedence() -> None:
    assert value_of(Ours, Config({"Base": {"works": 1}, "Ours": {"works": 2}}), "works") == 2
    assert value_of(Ours, Config({"Ours": {"works": 2}, "JupyterHub": {"Base": {"works": 3}}}), "works") == 3
    assert value_of(Ours, Config(), "works") is None


def test_the_configuration_is_only_read() -> None:
    before = Config({"JupyterHub": {"port": 1}})
    problems_with(Ours, before, DECLARED)
    assert dict(before) == {"JupyterHub": {"port": 1}}

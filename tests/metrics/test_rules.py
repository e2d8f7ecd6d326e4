"""The alerts, with Prometheus' own checks: promtool of Debian's package."""

from __future__ import annotations

import subprocess

import pytest
import yaml

from tests.metrics.prometheus import RULES, SCRAPE, program
from tests.metrics.published import alerts

TESTS = RULES.with_name("daas-hub.tests.yml")


@pytest.mark.parametrize(
    "arguments",
    [("check", "rules", str(RULES)), ("test", "rules", str(TESTS)), ("check", "config", "--syntax-only", str(SCRAPE))],
    ids=["rules", "tests of rules", "configuration"],
)
def test_promtool_accepts(arguments: tuple[str, ...]) -> None:
    ran = subprocess.run([program("promtool"), *arguments], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_every_alert_has_a_test_in_which_it_fires() -> None:
    tests = [one for case in yaml.safe_load(TESTS.read_text())["tests"] for one in case["alert_rule_test"]]
    assert set(alerts()) == {one["alertname"] for one in tests if one["exp_alerts"]}

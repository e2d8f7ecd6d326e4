"""Lines of the hub's log: with the reference of their launch, as text and as JSON, and without secrets in both."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import logging
import logging.config
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from traitlets.config import Application, Config

from daas_hub import configure
from daas_hub.errors import ConfigurationError
from daas_hub.hub_log import JSON_LOGGING, OURS, HubJSONFormatter, HubRecord, use_hub_log
from daas_hub.launch_reference import fill_slot, open_slot
from daas_hub.log_redaction import REDACTED

FORMATTERS: dict[str, Callable[[], logging.Formatter]] = {
    "text": lambda: logging.Formatter("%(levelname)s %(message)s"),
    "json": HubJSONFormatter,
}


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Undo what a hub sets for its whole process."""
    factory, ours = logging.getLogRecordFactory(), logging.getLogger(OURS)
    parent, propagate = ours.parent, ours.propagate
    yield
    logging.setLogRecordFactory(factory)
    ours.parent, ours.propagate = parent, propagate


@pytest.fixture
def lines() -> Iterator[Callable[[str], tuple[logging.Logger, io.StringIO]]]:
    """Return a hub's logger, and what its handler has written."""
    opened: list[tuple[logging.Logger, logging.Handler]] = []

    def open_log(form: str) -> tuple[logging.Logger, io.StringIO]:
        log, output = logging.getLogger(f"Hub of {form}"), io.StringIO()
        handler = logging.StreamHandler(output)
        handler.setFormatter(FORMATTERS[form]())
        log.addHandler(handler)
        log.setLevel(logging.DEBUG)
        log.propagate = False
        opened.append((log, handler))
        use_hub_log(log)
        return log, output

    yield open_log
    for log, handler in opened:
        log.removeHandler(handler)


@pytest.mark.parametrize("form", FORMATTERS)
async def test_lines_of_a_launch_have_its_reference(lines: Any, form: str) -> None:
    log, output = lines(form)
    open_slot()
    log.info("before")

    async def launch() -> None:
        fill_slot("1a2b3c4d")
        logging.getLogger(OURS).info("within %s", "a task")

    await asyncio.ensure_future(launch())
    log.warning("after it")
    before, within, after = output.getvalue().splitlines()
    assert "1a2b3c4d" not in before
    if form == "json":
        assert [json.loads(one)["launch"] for one in (within, after)] == ["1a2b3c4d"] * 2
        assert json.loads(within)["message"] == "within a task"
        assert "launch" not in json.loads(before)
    else:
        assert within == "INFO within a task [launch 1a2b3c4d]"
        assert after == "WARNING after it [launch 1a2b3c4d]"


@pytest.mark.parametrize("form", FORMATTERS)
@pytest.mark.parametrize(
    "write",
    [
        pytest.param(lambda log: log.info("GET /cb?code=h1dden&a=1"), id="message"),
        pytest.param(lambda log: log.info("GET %s", "/cb?code=h1dden&a=1"), id="argument"),
        pytest.param(lambda log: log.info({"a": "/cb?code=h1dden&a=1"}), id="record instead of a text"),
        pytest.param(lambda log: log.info("ok", extra={"url": "/cb?code=h1dden&a=1"}), id="extra field"),
        pytest.param(lambda log: log.info("ok", stack_info=True), id="stack"),
        pytest.param(lambda log: _fail(log, "/cb?code=h1dden&a=1"), id="traceback"),
        pytest.param(lambda log: _fail(log, "/cb?next=%2Fcb%3Fstate%3Dh1dden"), id="encoded, in a traceback"),
    ],
)
def test_no_secret_is_written(lines: Any, form: str, write: Callable[[logging.Logger], None]) -> None:
    log, output = lines(form)
    write(log)
    assert "h1dden" not in output.getvalue()


def _fail(log: logging.Logger, address: str) -> None:
    try:
        raise ValueError(address)
    except ValueError:
        log.exception("failed")


def test_json_is_one_object_a_line(lines: Any) -> None:
    log, output = lines("json")
    log.error('two\nlines, "quotes" and ü')
    _fail(log, "/cb?code=x")
    first, second = map(json.loads, output.getvalue().splitlines())
    assert first["message"] == 'two\nlines, "quotes" and ü'
    assert {"timestamp", "level", "logger", "source"} < set(first)
    assert first["level"] == "ERROR"
    assert first["timestamp"].endswith("Z")
    assert "Traceback" in second["exception"]
    assert REDACTED in second["exception"]


def test_records_of_before_are_written_as_well() -> None:
    """A library may make its own."""
    record = logging.LogRecord("other", logging.INFO, __file__, 1, "GET /x?code=%s", ("h1dden",), None)
    assert "h1dden" not in HubJSONFormatter().format(record)


def test_configure_gives_json_to_the_hubs_own_handler(capsys: pytest.CaptureFixture[str]) -> None:
    """As traitlets merges it with its own configuration, with the format and date format of text."""
    config = Config()
    configure(config, log_format="json")
    assert config.JupyterHub.logging_config == JSON_LOGGING

    class Hub(Application):
        """An application of traitlets."""

    hub = Hub(logging_config=JSON_LOGGING, log_level=logging.INFO)
    hub.log.info("started")
    line = json.loads(capsys.readouterr().err)
    assert line["message"] == "started"
    with contextlib.suppress(AttributeError):
        hub.close_handlers()


def test_a_format_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="log_format"):
        configure(Config(), log_format="xml")  # type: ignore[arg-type]


def test_a_record_takes_the_reference_of_where_it_was_made() -> None:
    """A handler may write it later, in another thread."""

    async def launch() -> HubRecord:
        fill_slot("1a2b3c4d")
        return HubRecord("hub", logging.INFO, __file__, 1, "x", (), None)

    record = asyncio.run(launch())
    assert record.getMessage() == "x [launch 1a2b3c4d]"

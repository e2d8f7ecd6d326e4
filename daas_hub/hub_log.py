"""The hub's log: our lines among JupyterHub's own, with the reference of their launch, as text or as JSON."""

from __future__ import annotations

import datetime
import logging
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from daas_hub.launch_reference import current_reference
from daas_hub.log_redaction import RedactedRecord, redact

#: The loggers of this package.
OURS = "jupyterhub.daas"
#: For `JupyterHub.logging_config`: one JSON object a line.
JSON_LOGGING: dict[str, Any] = {"formatters": {"console": {"class": "daas_hub.hub_log.HubJSONFormatter"}}}


class HubRecord(RedactedRecord):
    """A redacted record that knows the launch in which it was logged."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # not `launch`: formatters write the fields that a record has in addition
        self._launch = current_reference()

    @property
    def launch(self) -> str:
        """The reference of the launch in which it was logged; "" for none."""
        return self._launch

    def getMessage(self) -> str:  # noqa: N802  # the name of logging
        """Return the message, with the reference at its end, whatever formatter asks for it."""
        message = self.plain_message()
        return f"{message} [launch {self.launch}]" if self.launch else message

    def plain_message(self) -> str:
        """Return the message alone."""
        return super().getMessage()


class HubJSONFormatter(JsonFormatter):
    """A record as one JSON object: timestamp, level, logger, source, message; launch, exception and stack if there are.

    Fields that somebody adds to a record are left out, and every text is redacted.
    """

    def __init__(self, fmt: str | None = None, datefmt: str | None = None, style: str = "%", **kwargs: Any) -> None:
        # the text format of JupyterHub, which also passes it here
        super().__init__()

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        """Set the fields of a record."""
        moment = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        reference = record.launch if isinstance(record, HubRecord) else ""
        log_data |= {
            "timestamp": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "source": f"{record.module}:{record.lineno}",
            "message": record.plain_message() if isinstance(record, HubRecord) else record.getMessage(),
        }
        if reference:
            log_data["launch"] = reference
        for field, name in (("exc_info", "exception"), ("stack_info", "stack")):
            if message_dict.get(field):
                log_data[name] = message_dict[field]

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """Redact every text: a traceback is formatted here, and not by the record."""
        return {name: redact(str(value)) for name, value in log_data.items()}


def use_hub_log(log: Any) -> None:
    """Let the lines of this package go where the hub's own go, and all records have references and no secrets."""
    logging.setLogRecordFactory(HubRecord)
    if isinstance(log, logging.Logger):
        # as JupyterHub does with tornado's; their names are not below that of its logger
        ours = logging.getLogger(OURS)
        ours.parent, ours.propagate = log, True

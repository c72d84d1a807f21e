"""One JSON object a line (or plain text for a terminal) on standard error."""

import logging

from pythonjsonlogger import json as json_logger

_TEXT = "%(asctime)s %(levelname)-7s %(message)s"
_JSON = "%(levelname)s %(name)s %(message)s"


def configure(*, level: str, as_json: bool) -> None:
    """Send all logs to standard error; libraries are heard from WARNING on."""
    handler = logging.StreamHandler()
    if as_json:
        names = {"levelname": "level", "name": "logger"}
        handler.setFormatter(json_logger.JsonFormatter(_JSON, rename_fields=names, timestamp="time"))
    else:
        handler.setFormatter(logging.Formatter(_TEXT))
    handler.addFilter(_is_news)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("scm_operator").setLevel(level.upper())


def _is_news(record: logging.LogRecord) -> bool:
    """Leave out what is so by design: the signals are the operator's, not kopf's."""
    return not record.getMessage().startswith("OS signals are ignored")

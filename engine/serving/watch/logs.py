"""Log lines as JSON or text, for our own loggers and BentoML's."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence

OURS = "shazam"  # and below it: what has another name gets no handler
FIELDS = ("request_id", "route", "status", "duration_ms", "batch_size")


class JsonFormatter(logging.Formatter):
    """One JSON object a line: timestamp (UTC, RFC 3339), level, logger, message, and our fields."""

    def format(self, record: logging.LogRecord) -> str:
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = {
            "timestamp": f"{seconds}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        fields = {name: getattr(record, name, None) for name in FIELDS}
        line.update({name: value for name, value in fields.items() if value is not None})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def configure_logging(log_format: str, level: str, unknown: Sequence[str] = ()) -> None:
    """Send `shazam` loggers to stderr in this format, and BentoML's handlers in the same."""
    formatter: logging.Formatter = (
        JsonFormatter()
        if log_format == "json"
        else logging.Formatter("%(asctime)s %(levelname)-7s %(message)s")
    )
    # BentoML disables what loggers there are when it sets up its own; ours may be made before, by
    # the thread that opens the artifact.
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if name.partition(".")[0] == OURS and isinstance(logger, logging.Logger):
            logger.disabled = False
    ours = logging.getLogger(OURS)
    ours.setLevel(level.upper())
    ours.propagate = False
    if not ours.handlers:
        ours.addHandler(logging.StreamHandler())
    for variable in unknown:
        ours.warning("%s is set but is not a setting of ours; see the README's list", variable)
    for handler in (
        *ours.handlers,
        *logging.getLogger("bentoml").handlers,
        *logging.getLogger().handlers,
    ):
        handler.setFormatter(formatter)

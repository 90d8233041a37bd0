"""Weighted lists in request header fields (RFC 9110 §12.4.2): ``Accept`` and ``Accept-Encoding``."""

from __future__ import annotations

import re

_WEIGHT = re.compile(r"[0-9]{0,3}(\.[0-9]{0,9})?", re.ASCII)


def parse_weights(field: str) -> dict[str, float]:
    """Map each listed value, in lower case and without parameters, to its weight from 0 to 1.

    Takes any string: empty elements are skipped, an unreadable weight counts as 1, and of a value
    that is listed twice the greater weight stands.
    """
    weights: dict[str, float] = {}
    for element in field.split(","):
        value, *parameters = (part.strip() for part in element.lower().split(";"))
        if value:
            weights[value] = max(_weight(parameters), weights.get(value, 0.0))
    return weights


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.rstrip() == "q":
            return _number(value.strip())
    return 1.0


def _number(value: str) -> float:
    if value in {"", "."} or not _WEIGHT.fullmatch(value):
        return 1.0
    return min(float(value), 1.0)

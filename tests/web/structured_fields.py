"""A reader for the field values that we send (RFC 8941 lists of tokens with parameters)."""

from __future__ import annotations

import re

_KEY = r"[a-z*][a-z0-9_.*-]*"
_TOKEN = r"[A-Za-z*][A-Za-z0-9!#$%&'*+.^_`|~:/-]*"
_VALUE = rf'(?:-?\d{{1,15}}|"[^"\\]*"|{_TOKEN}|\?[01])'
_MEMBER = re.compile(rf"(?P<token>{_TOKEN})(?P<parameters>(?:; *{_KEY}(?:={_VALUE})?)*)\Z")
_FORWARDS = {"bypass", "method", "uri-miss", "vary-miss", "miss", "request", "stale", "partial"}


def cache_status(field: str) -> dict[str, str | bool]:
    """Read a ``Cache-Status`` of one cache and hold it against RFC 9211 §2."""
    member = _MEMBER.match(field)
    assert member, f"no list member of RFC 8941: {field!r}"
    assert member["token"] == "cheesebox"
    parameters: dict[str, str | bool] = {}
    for parameter in member["parameters"].split(";")[1:]:
        key, equals, value = parameter.strip().partition("=")
        parameters[key] = value if equals else True
    assert ("hit" in parameters) != ("fwd" in parameters), "either served or forwarded"
    assert parameters.get("fwd", "miss") in _FORWARDS
    return parameters

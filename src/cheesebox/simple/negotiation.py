"""Which representation and which content coding a client gets (PEP 691, RFC 9110 §12.5).

Nothing here ever refuses: as on the public index, a client that names nothing we have gets HTML.
"""

from __future__ import annotations

import enum

from cheesebox.simple.accept import parse_weights


class Format(enum.Enum):
    """A representation of a page; the value is its ``Content-Type``.

    Only ``text/html`` carries a charset: without one some clients read it as ISO-8859-1.
    """

    JSON = "application/vnd.pypi.simple.v1+json"
    HTML = "application/vnd.pypi.simple.v1+html"
    TEXT = "text/html; charset=utf-8"

    @property
    def content_type(self) -> str:
        """The value for the ``Content-Type`` field."""
        return self.value


class Coding(enum.Enum):
    """A content coding that we produce; the value is its ``Content-Encoding``."""

    IDENTITY = "identity"
    GZIP = "gzip"
    ZSTD = "zstd"

    @property
    def token(self) -> str:
        """The registered token."""
        return self.value


_LATEST_JSON = "application/vnd.pypi.simple.latest+json"
_LATEST_HTML = "application/vnd.pypi.simple.latest+html"
_BY_NAME = {
    Format.JSON.value: Format.JSON,
    _LATEST_JSON: Format.JSON,
    Format.HTML.value: Format.HTML,
    _LATEST_HTML: Format.HTML,
    "text/html": Format.TEXT,
}
# "Latest" is a way to ask, never a way to answer.
_JSON_NAMES = (Format.JSON.value, _LATEST_JSON)
_HTML_NAMES = (Format.HTML.value, _LATEST_HTML)
_ANY_APPLICATION = ("application/*", "*/*")
_ANY_TEXT = ("text/*", "*/*")


def negotiate_format(accept: str | None, format_parameter: str | None = None) -> Format:
    """Choose the representation; the ``format`` query parameter goes before ``Accept``.

    JSON is for clients that name it and like it no less than HTML. A wildcard alone means HTML.
    """
    if format_parameter in _BY_NAME:
        return _BY_NAME[format_parameter]
    weights = parse_weights(accept or "")
    json = _explicit(weights, _JSON_NAMES)
    html = _weight(weights, _HTML_NAMES, _ANY_APPLICATION)
    text = _weight(weights, ("text/html",), _ANY_TEXT)
    if json and json >= max(html, text):
        return Format.JSON
    named = _explicit(weights, _HTML_NAMES)
    if html > text or (named and named == text):
        return Format.HTML
    return Format.TEXT


def _explicit(weights: dict[str, float], names: tuple[str, ...]) -> float | None:
    return max((weights[name] for name in names if name in weights), default=None)


def _weight(weights: dict[str, float], names: tuple[str, ...], ranges: tuple[str, ...]) -> float:
    """Weigh by the most specific range that matches (RFC 9110 §12.5.1)."""
    explicit = _explicit(weights, names)
    if explicit is not None:
        return explicit
    return next((weights[name] for name in ranges if name in weights), 0.0)


def negotiate_coding(accept_encoding: str | None) -> Coding:
    """Choose the coding with the greatest weight; among equals the one that compresses best.

    The identity coding needs no mention, yet any coding that is asked for goes before it; it is also
    the answer when the client refuses everything (RFC 9110 §12.5.3).
    """
    weights = parse_weights(accept_encoding or "")
    rest = weights.get("*", 0.0)
    gzip = _explicit(weights, ("gzip", "x-gzip"))
    offers = [
        (Coding.ZSTD, weights.get("zstd", rest)),
        (Coding.GZIP, rest if gzip is None else gzip),
        (Coding.IDENTITY, weights.get("identity", rest)),
    ]
    best, weight = max(offers, key=lambda offer: offer[1])
    return best if weight > 0 else Coding.IDENTITY

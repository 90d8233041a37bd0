"""Parameters of the API's queries: how they are read, and how OpenAPI describes them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cheesebox.errors import InvalidRequest

if TYPE_CHECKING:
    from cheesebox.web.http import Request

_WHOLE = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number within bounds."""

    name: str
    help: str
    default: int
    least: int
    most: int

    def read(self, request: Request) -> int:
        """Give its value; raises `InvalidRequest`."""
        text = request.parameter(self.name)
        if text is None:
            return self.default
        if not _WHOLE.fullmatch(text) or not self.least <= int(text) <= self.most:
            raise InvalidRequest(f"{self.name}: a whole number from {self.least} to {self.most} is allowed")
        return int(text)

    def schema(self) -> dict[str, Any]:
        """Describe it as JSON Schema."""
        bounds = {"minimum": self.least, "maximum": self.most}
        return {"type": "integer", "default": self.default, **bounds}


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words; the first is the default."""

    name: str
    help: str
    allowed: tuple[str, ...]

    def read(self, request: Request) -> str:
        """Give its value; raises `InvalidRequest`."""
        text = request.parameter(self.name)
        if text is None:
            return self.allowed[0]
        if text not in self.allowed:
            raise InvalidRequest(f"{self.name}: one of {', '.join(self.allowed)} is allowed")
        return text

    def schema(self) -> dict[str, Any]:
        """Describe it as JSON Schema."""
        return {"type": "string", "enum": list(self.allowed), "default": self.allowed[0]}


@dataclass(frozen=True, slots=True)
class Text:
    """Any text."""

    name: str
    help: str

    def read(self, request: Request) -> str:
        """Give its value; empty if it was not given."""
        return request.parameter(self.name) or ""

    def schema(self) -> dict[str, Any]:
        """Describe it as JSON Schema."""
        return {"type": "string", "default": ""}


Parameter = Whole | Choice | Text

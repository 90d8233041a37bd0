"""cheesebox: a short-term cache for Python package indexes."""

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cheesebox.mounting import create_app

__all__ = ["__version__", "create_app"]

__version__ = version("cheesebox")


def __getattr__(name: str) -> Any:
    """Import on first use: a program that asks for the version alone pays for nothing else (PEP 562)."""
    if name != "create_app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from cheesebox.mounting import create_app  # noqa: PLC0415 - that is the point

    return create_app

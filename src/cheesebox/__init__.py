"""cheesebox: a short-term cache for Python package indexes."""

from importlib.metadata import version

__version__ = version("cheesebox")

"""What the pages show: fenced blocks, and the commands with their outputs in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block of a page; ``line`` is that of its first line."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True, slots=True)
class Command:
    """A command as it is typed, and what is shown of its output: … stands for anything, as does nothing."""

    line: str
    output: str

    @property
    def expected(self) -> re.Pattern[str]:
        """What the output has to look like."""
        return re.compile(".*".join(map(re.escape, (self.output or "…").split("…"))), re.DOTALL)


def blocks_of(page: Path) -> list[Block]:
    """Give the blocks of a page."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(page.name, text.count("\n", 0, found.start(2)) + 1, found[1], found[2])
        for found in _BLOCK.finditer(text)
    ]


def all_blocks(language: str) -> list[Block]:
    """Give the blocks of one language on all pages and in the README."""
    pages = [*PAGES, ROOT / "README.md"]
    return [block for page in pages for block in blocks_of(page) if block.language == language]


def commands_of(block: Block) -> Iterator[Command]:
    """Give the commands of a console block, which begin with a prompt."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        line, _, output = part.partition("\n")
        yield Command(line, output.rstrip("\n"))


def command_lines(block: Block) -> list[str]:
    """Give the lines of any block that call cheesebox, as they are typed."""
    lines = [line.strip().removeprefix("$ ") for line in block.text.splitlines()]
    return [line for line in lines if re.match(r"(\w+=\S+ )*cheesebox \w", line)]

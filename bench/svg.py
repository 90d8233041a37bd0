"""Bar charts as SVG that read well on light and on dark pages."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape

LABELS, BARS, RIGHT, STEP, TOP = 420, 360, 190, 26, 48
STYLE = """\
text { font: 12px system-ui, sans-serif; fill: #1f2328 } .title { font-size: 14px; font-weight: 600 }
.dim { fill: #59636e } .grid { stroke: #d1d9e0; stroke-width: 1 }
.ours { fill: #b7791f } .theirs { fill: #8b949e }
.good { fill: #2da44e } .bad { fill: #bf8700 } .spread { stroke: #1f2328; stroke-width: 1.5 }
.target { stroke: #cf222e; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .dim { fill: #9198a1 } .grid { stroke: #3d444d } .spread { stroke: #e6edf3 }
  .ours { fill: #e3b341 } .theirs { fill: #6e7681 } .good { fill: #3fb950 } .bad { fill: #d29922 }
  .target { stroke: #ff7b72 }
}
"""


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar from nothing to `value`; `low` and `high` its spread, `target` a mark, `kind` a class."""

    label: str
    value: float
    text: str
    kind: str
    low: float | None = None
    high: float | None = None
    target: float | None = None


@dataclass(frozen=True, slots=True)
class Scale:
    """A logarithmic axis of whole decades."""

    first: int
    last: int

    @classmethod
    def over(cls, values: list[float]) -> Scale:
        logs = [math.log10(value) for value in values if value > 0]
        first = math.floor(min(logs))
        return cls(first, max(math.ceil(max(logs)), first + 1))

    def x(self, value: float) -> float:
        share = (math.log10(max(value, 10.0**self.first)) - self.first) / (self.last - self.first)
        return LABELS + BARS * share


def chart(title: str, bars: list[Bar]) -> str:
    """Return the chart as an SVG document; the axis is logarithmic."""
    reach = [v for bar in bars for v in (bar.value, bar.low, bar.high, bar.target) if v is not None]
    scale = Scale.over(reach)
    height = TOP + STEP * len(bars) + 12
    width = LABELS + BARS + RIGHT
    box = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box} role="img" aria-label="{escape(title)}">',
        f"<style>{STYLE}</style>",
        f'<text class="title" x="8" y="18">{escape(title)}</text>',
        *_grid(scale, height),
        *(line for number, bar in enumerate(bars) for line in _bar(scale, bar, TOP + STEP * number)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _grid(scale: Scale, height: int) -> list[str]:
    lines = []
    for power in range(scale.first, scale.last + 1):
        x = scale.x(10.0**power)
        lines.append(f'<line class="grid" x1="{x:.0f}" y1="{TOP - 8}" x2="{x:.0f}" y2="{height - 6}"/>')
        label = f"{10**power:,}".replace(",", " ") if power >= 0 else f"{10.0**power:g}"
        lines.append(f'<text class="dim" x="{x:.0f}" y="{TOP - 12}" text-anchor="middle">{label}</text>')
    return lines


def _bar(scale: Scale, bar: Bar, y: int) -> list[str]:
    start, end, middle = scale.x(0), scale.x(bar.value), y + STEP / 2 - 2
    box = f'x="{start:.1f}" y="{y}" width="{max(end - start, 1):.1f}" height="{STEP - 8}"'
    lines = [
        f'<text x="{LABELS - 8}" y="{middle + 4:.0f}" text-anchor="end">{escape(bar.label)}</text>',
        f'<rect class="{bar.kind}" {box} rx="2"/>',
        f'<text x="{LABELS + BARS + 8}" y="{middle + 4:.0f}">{escape(bar.text)}</text>',
    ]
    if bar.low is not None and bar.high is not None:
        lines.append(_line("spread", scale.x(bar.low), middle, scale.x(bar.high), middle))
    if bar.target is not None:
        lines.append(_line("target", scale.x(bar.target), y - 3, scale.x(bar.target), y + STEP - 5))
    return lines


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.0f}" x2="{x2:.1f}" y2="{y2:.0f}"/>'

"""The figures of `docs/scale.md`, written into it from `results/simulation.json` and from nothing else.

The page is prose with places for tables: what lies between ``<!-- simulated: NAME -->`` and
``<!-- /simulated -->`` is replaced. `python -m bench.simulation.page [RESULTS]`
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.paths import DOCS, RESULTS
from bench.svg import Bar, chart
from bench.table import figure

if TYPE_CHECKING:
    from collections.abc import Callable

LATEST = RESULTS / "simulation.json"
PLACE = re.compile(r"(<!-- simulated: (\w+) -->\n).*?(<!-- /simulated -->)", re.DOTALL)
Cell = dict[str, Any]

COLUMNS = (
    "nodes",
    "requests a day",
    "hits at the node",
    "asked upstream",
    "upstream, GB",
    "S3 GET",
    "S3 PUT",
    "Valkey",
    "USD a month",
)


def write(source: Path = LATEST, docs: Path = DOCS) -> None:
    """Write tables into the page, and its plots."""
    data = json.loads(source.read_text())
    page = docs / "scale.md"
    page.write_text(filled(page.read_text(), data))
    folder = docs / "scale"
    folder.mkdir(exist_ok=True)
    for name, svg in plots(data).items():
        (folder / f"{name}.svg").write_text(svg)


def filled(text: str, data: dict[str, Any]) -> str:
    """Fill all places of a page."""
    return PLACE.sub(lambda place: f"{place[1]}\n{BLOCKS[place[2]](data)}\n\n{place[3]}", text)


def plan_row(cell: Cell) -> tuple[str, ...]:
    """Give the cells of the plan's table."""
    day = cell["day"]
    asked = day["upstream_whole"] + day["upstream_confirmed"]
    calls = day["claims"] + day["publications"] + day["renewals"] + day["touches"]
    shared = [
        _count(n) if cell["nodes"] > 1 else "–" for n in (day["storage_gets"], day["storage_puts"], calls)
    ]
    return (
        str(cell["nodes"]),
        _power(cell["requests"]),
        percent(day["hit_ratio"]),
        percent(asked / _requests(day)),
        figure(day["upstream_bytes"] / 1e9),
        *shared,
        figure(sum(cell["cost"].values())),
    )


def limit_row(cell: Cell) -> tuple[str, ...]:
    """Give the cells of the table of first bottlenecks."""
    first, second = cell["resources"][:2]
    return (
        str(cell["nodes"]),
        _power(cell["requests"]),
        first["name"],
        percent(first["used"]),
        first["setting"],
        f"{second['name']}, {percent(second['used'])}",
    )


def _plan(data: dict[str, Any]) -> str:
    return _table(COLUMNS, [plan_row(cell) for cell in data["cells"]])


def _limits(data: dict[str, Any]) -> str:
    heads = ("nodes", "requests a day", "what is used up first", "used", "moved by", "then")
    return _table(heads, [limit_row(cell) for cell in data["cells"]], right=(0, 1, 3))


def _settings(data: dict[str, Any]) -> str:
    heads = (
        "changed",
        "hits at the node",
        "asked upstream",
        "upstream, GB",
        "S3 GET",
        "Valkey",
        "USD a month",
    )
    rows = []
    for told in data["settings"]:
        row = plan_row(told["cell"])
        shared = ("–", "–") if told["cell"]["is_alone"] else (row[5], row[7])
        rows.append((told["changed"], *row[2:5], *shared, row[8]))
    return _table(heads, rows, right=range(1, 7))


def _method(data: dict[str, Any]) -> str:
    heads = ("", "hits at the node", "pages", "files", "upstream, GB", "seconds")
    rows = [_ratios(name, cell) for name, cell in data["compared"].items()]
    return _table(heads, rows, right=range(1, 6))


def _ratios(name: str, cell: Cell) -> tuple[str, ...]:
    day = cell["day"]
    return (
        name,
        percent(day["hit_ratio"]),
        percent(day["page_hits"] / day["pages"]),
        percent(day["file_hits"] / day["files"]),
        figure(day["upstream_bytes"] / 1e9),
        figure(cell["seconds"]),
    )


def _check(data: dict[str, Any]) -> str:
    heads = ("requests, room", "", "hits", "pages", "files", "upstream requests", "upstream, MB")
    rows = []
    for told in data["checked"]:
        trial = told["trial"]
        name = f"{trial['requests']}, {trial['max_size'] / 1e6:g} MB, seed {trial['seed']}"
        rows += [(name, *_outcome("model", told["predicted"])), ("", *_outcome("node", told["real"]))]
    return _table(heads, rows, right=range(2, 7))


def _outcome(name: str, outcome: dict[str, Any]) -> tuple[str, ...]:
    return (
        name,
        *(f"{100 * outcome[key]:.2f} %" for key in ("hit_ratio", "page_hit_ratio", "file_hit_ratio")),
        str(outcome["upstream_requests"]),
        f"{outcome['upstream_bytes'] / 1e6:.2f}",
    )


def _assumed(data: dict[str, Any]) -> str:
    law, load, settings = data["zipf"], data["load"], data["assumed"]
    told = (
        f"Simulated on {data['made'][:10]} in {data['seconds']} s, seed {data['seed']}.",
        f"Popularity: exponent {law['head']:.2f} up to rank {law['knee']:.0f}, {law['tail']:.2f} after it.",
        f"{percent(load['bursts'])} of a day's requests come in bursts on the hour, whose rate halves each",
        f"{load['burst_half']:g} s; the busiest minute has {load['peak']:.1f} times the mean.",
        f"`max_size` of each node {_gigabytes(settings['max_size'])}, `shared_max_size` of all",
        f"{_gigabytes(settings['shared_max_size'])}; `fresh_for` {settings['fresh_for'] / 60:g} minutes.",
    )
    return f"- {told[0]}\n- {told[1]}\n- {told[2]}\n  {told[3]}\n- {told[4]}\n  {told[5]}"


def _gigabytes(size: int) -> str:
    return f"{figure(size / 1e9)} GB"


def _capacity(data: dict[str, Any]) -> str:
    rows = [(name, figure(value)) for name, value in {**data["capacity"], **data["prices"]}.items()]
    return _table(("parameter", "value"), [(f"`{name}`", value) for name, value in rows], right=(1,))


BLOCKS: dict[str, Callable[[dict[str, Any]], str]] = {
    "plan": _plan,
    "limits": _limits,
    "settings": _settings,
    "method": _method,
    "check": _check,
    "assumed": _assumed,
    "parameters": _capacity,
}


def plots(data: dict[str, Any]) -> dict[str, str]:
    """Draw what the busiest minute takes of the first bottleneck, and what a month costs."""
    used, costs = [], []
    for cell in data["cells"]:
        first, total = cell["resources"][0], sum(cell["cost"].values())
        label = f"{cell['nodes']} × cheesebox, {_power(cell['requests'])} a day"
        share = 100 * first["used"]
        kind = "good" if share <= 100 else "bad"
        text = f"{figure(share)} % {first['name']}"
        used.append(Bar(label, share, text, kind, target=100.0))
        costs.append(Bar(label, total, f"{figure(total)} USD", "ours"))
    return {
        "limits": chart("First bottleneck in the busiest minute, % (red mark: all of it)", used),
        "costs": chart("US dollars a month", costs),
    }


def percent(share: float) -> str:
    """Write a share as a percentage of three digits."""
    return f"{figure(100 * share)} %" if share < 0.995 or share >= 1 else f"{100 * share:.1f} %"


def _count(number: float) -> str:
    for size, name in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if number >= size:
            return f"{figure(number / size)}{name}"
    return figure(number)


def _power(number: float) -> str:
    return f"10{str(len(str(round(number))) - 1).translate(str.maketrans('0123456789', '⁰¹²³⁴⁵⁶⁷⁸⁹'))}"


def _requests(day: dict[str, Any]) -> int:
    return int(day["pages"] + day["metadata"] + day["files"])


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]], right: Any = None) -> str:
    aligned = range(len(heads)) if right is None else right
    rule = ["---:" if column in aligned else "---" for column in range(len(heads))]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (heads, tuple(rule), *rows))


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else LATEST)

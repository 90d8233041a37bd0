"""What ``stats`` says where several nodes share a store."""

from __future__ import annotations

import msgspec
from rich.console import Console

from cheesebox.cli.stats import Stats, _print_plain, _shown
from tests.web.dashboard import staged


def stats(trouble: str = "") -> Stats:
    overview = msgspec.structs.replace(staged.overview(), nodes=staged.nodes(trouble))
    return Stats(overview, staged.history(24))


def written(seen: Stats) -> str:
    console = Console(width=200, color_system=None)
    with console.capture() as captured:
        console.print(_shown(seen, 24, is_live=True))
    return captured.get()


def test_programs_get_a_line_for_each_engine_and_one_for_the_node(capsys):
    _print_plain(stats("no answer"))
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [row for row in rows if row[0] in ("engine", "nodes")] == [
        ["engine", "register", "2", ""],
        ["engine", "storage", "14", "no answer"],
        ["nodes", "http://10.0.0.7:6283", "18204", "2310", "412", "3"],
    ]


def test_people_get_one_line_and_what_fails():
    told = written(stats())
    assert "18,204 from the shared storage, 2,310 fetched for all" in told
    assert "fails" not in told
    assert "storage fails: no\ufffd answer" in written(stats("no\x1b answer"))


def test_where_there_is_one_node_nothing_is_said_of_others(capsys):
    alone = Stats(staged.overview(), staged.history(24))
    _print_plain(alone)
    assert "engine\t" not in capsys.readouterr().out
    assert "several nodes" not in written(alone)

"""The table of ready answers: what it holds, and what it lets go of first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from cheesebox.cache.files import FileHead
from cheesebox.ports import Key
from cheesebox.web.heads import ReadyFileHead
from cheesebox.web.hot import HotTable, Template

if TYPE_CHECKING:
    from cheesebox.cache.terms import Terms

KB = 1024
PLAIN = (b"", b"")


class Forever:
    """A source that holds for ever."""

    def remaining(self) -> int | None:
        return 60

    def terms(self) -> Terms | None:
        return None


SOURCE = Forever()


def template(body: bytes | memoryview) -> Template:
    head = ReadyFileHead(FileHead('"x"', "", len(body)), len(body), "x-pypi-cache")
    return Template(Key("file/x"), "file", '"x"', body, SOURCE, head)


def in_memory(size: int) -> Template:
    return template(bytes(size))


def mapped(size: int) -> Template:
    return template(memoryview(bytes(size)))


def test_a_mapped_file_pushes_no_answer_out_of_memory():
    table = HotTable(100 * KB, 100 * KB)
    table.offer(b"/page", PLAIN, in_memory(80 * KB))

    for number in range(10):
        table.offer(b"/wheel-%d" % number, PLAIN, mapped(80 * KB))

    assert table.find(b"/page", PLAIN) is not None
    assert table.find(b"/wheel-9", PLAIN) is not None
    assert table.find(b"/wheel-8", PLAIN) is None


def test_what_was_let_go_of_says_so():
    table = HotTable(100 * KB, 100 * KB)
    for make in (in_memory, mapped):
        table.offer(b"/first", PLAIN, make(80 * KB))
        first = table.find(b"/first", PLAIN)
        assert first is not None
        assert first.is_held

        table.offer(b"/second", PLAIN, make(80 * KB))

        assert not first.is_held


def test_a_use_beside_the_table_counts_for_its_order():
    for make in (in_memory, mapped):
        table = HotTable(200 * KB, 200 * KB)
        table.offer(b"/used", PLAIN, make(80 * KB))
        used = table.find(b"/used", PLAIN)
        assert used is not None
        table.offer(b"/unused", PLAIN, make(80 * KB))

        table.used(used)
        table.offer(b"/new", PLAIN, make(80 * KB))

        assert used.is_held
        assert table.find(b"/unused", PLAIN) is None


def test_files_are_unmapped_and_the_rest_stays():
    table = HotTable(100 * KB, 100 * KB)
    table.offer(b"/page", PLAIN, in_memory(KB))
    table.offer(b"/wheel", PLAIN, mapped(KB))

    table.unmap()

    assert table.find(b"/wheel", PLAIN) is None
    assert table.find(b"/page", PLAIN) is not None


def test_a_target_has_its_newest_body_mapped_or_not():
    table = HotTable(100 * KB, 100 * KB)
    for body in (in_memory(KB), mapped(2 * KB), in_memory(3 * KB)):
        table.offer(b"/file", PLAIN, body)
        found = table.find(b"/file", PLAIN)
        assert found is not None
        assert found.body is body.body
        assert table.statistics().targets == 1


OFFERS = st.tuples(
    st.sampled_from([b"/a", b"/b", b"/c", b"/d"]),
    st.sampled_from([(b"", b""), (b"text/html", b""), (b"", b"gzip")]),
    st.integers(0, 60 * KB),
    st.booleans(),
)


@given(st.lists(OFFERS, max_size=40))
def test_the_table_never_holds_more_than_its_bytes(offers):
    table = HotTable(100 * KB, 70 * KB)
    seen = []
    for target, negotiated, size, is_mapped in offers:
        table.offer(target, negotiated, mapped(size) if is_mapped else in_memory(size))
        if (ready := table.find(target, negotiated)) is not None:
            seen.append((target, negotiated, ready))
        held = {r for t, n, r in seen if r.is_held and table.find(t, n) is r}
        assert {r for _, _, r in seen if r.is_held} == held
        assert sum(len(r.body) for r in held if not r.is_mapped) <= 100 * KB
        assert sum(len(r.body) for r in held if r.is_mapped) <= 70 * KB
        assert table.statistics().bytes >= sum(len(r.body) for r in held)

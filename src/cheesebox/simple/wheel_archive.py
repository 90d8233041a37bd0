"""Finds the core metadata in a wheel of which only slices are at hand. Pure: no file, no network.

A wheel is a ZIP archive (APPNOTE.TXT §4.3) with one ``<name>-<version>.dist-info/METADATA`` (binary
distribution format). `find_metadata` asks for the slices that it needs, one by one.

Rules of this module:
1. Nothing that the archive says is believed before it is checked: offsets lie within it, sizes within
   bounds, and the bytes have the CRC-32 that the directory tells.
2. The end of the central directory is enough if the entry of the metadata stands in it: builders put
   it among the last. What stands twice counts as `zipfile` has it: the last one.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cheesebox.simple.names import canonical_spelling

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

TAIL = 32 * 1024
"""Bytes at the end of a wheel to begin with: mostly they have the metadata itself."""

_LARGEST_DIRECTORY = 32 * 1024 * 1024
_LARGEST_METADATA = 8 * 1024 * 1024
_LONGEST_COMMENT = 0xFFFF

_END = struct.Struct("<4s4H2LH")
_END_SIGNATURE = b"PK\5\6"
_END64 = struct.Struct("<4sQ2H2L4Q")
_END64_SIGNATURE = b"PK\6\6"
_LOCATOR = struct.Struct("<4sLQL")
_LOCATOR_SIGNATURE = b"PK\6\7"
_ENTRY = struct.Struct("<4s6H3L5H2L")
_ENTRY_SIGNATURE = b"PK\1\2"
_LOCAL = struct.Struct("<4s5H3L2H")
_LOCAL_SIGNATURE = b"PK\3\4"
_MORE_IN_LOCAL = 64
"""Bytes by which the extra fields of a local header may exceed the directory's without another look."""

_ENCRYPTED = 0x1
_STORED, _DEFLATED = 0, 8
_IN_EXTRA = 0xFFFFFFFF
_ZIP64 = 1
_FOLDER_SUFFIX = ".dist-info"
_METADATA = "/METADATA"


class UnreadableWheel(ValueError):
    """The archive is broken, or has no core metadata that can be read."""


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes ``start`` up to ``stop`` of the archive."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class _Member:
    """An entry of the central directory; ``offset`` is where its local header lies."""

    name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int
    extra: int


@dataclass(frozen=True, slots=True)
class _Directory:
    """Where the central directory lies, and what to add to the offsets that it tells."""

    span: Span
    shift: int


def find_metadata(filename: str, size: int, tail: bytes) -> Generator[Span, bytes, bytes]:
    """Give the core metadata of the wheel ``filename``, ``size`` bytes long, that ends with ``tail``.

    A generator: it yields spans and wants exactly their bytes sent. Raises `UnreadableWheel`.
    """
    known = _Known(size, tail)
    directory = yield from _directory(known)
    member = yield from _member(known, directory, filename)
    return (yield from _content(known, directory, member))


def read_metadata(filename: str, size: int, read: Callable[[int, int], bytes]) -> bytes:
    """Give the core metadata of a wheel that is at hand; raises `UnreadableWheel`.

    ``read`` gives the bytes from its first argument up to its second.
    """

    def whole(start: int, stop: int) -> bytes:
        data = read(start, stop)
        if len(data) != stop - start:
            raise UnreadableWheel("it became shorter while it was read")
        return data

    finder = find_metadata(filename, size, whole(max(0, size - TAIL), size))
    try:
        span = next(finder)
        while True:
            span = finder.send(whole(span.start, span.stop))
    except StopIteration as found:
        return bytes(found.value)


class _Known:
    """The end of the archive, as far as it is known."""

    def __init__(self, size: int, tail: bytes) -> None:
        self.size = size
        self.tail = tail

    @property
    def start(self) -> int:
        return self.size - len(self.tail)

    def reach(self, start: int) -> Generator[Span, bytes, None]:
        """Get to know the archive from ``start`` to its end."""
        if start < self.start:
            more = yield Span(start, self.start)
            self.tail = more + self.tail

    def read(self, start: int, stop: int) -> Generator[Span, bytes, bytes]:
        """Give a slice; what is not known of it is asked for, and not kept."""
        if not 0 <= start <= stop <= self.size:
            raise UnreadableWheel("an offset leads out of the archive")
        if start >= self.start:
            return self.cut(start, stop)
        more = yield Span(start, min(stop, self.start))
        return more + self.cut(self.start, max(stop, self.start))

    def cut(self, start: int, stop: int) -> bytes:
        """Give a slice that is known."""
        return self.tail[start - self.start : stop - self.start]


def _directory(known: _Known) -> Generator[Span, bytes, _Directory]:
    end = _find_end(known.tail)
    if end is None:
        yield from known.reach(max(0, known.size - _END.size - _LONGEST_COMMENT))
        end = _find_end(known.tail)
    if end is None:
        raise UnreadableWheel("it has no end of a central directory")
    end += known.start
    yield from known.reach(max(0, end - _LOCATOR.size - _END64.size))
    *_, length, offset, _ = _END.unpack(known.cut(end, end + _END.size))
    end, length, offset = _in_64_bits(known, end, length, offset)
    start = end - length
    if start < 0 or length > _LARGEST_DIRECTORY:
        raise UnreadableWheel("its central directory is larger than may be")
    return _Directory(Span(start, end), start - offset)


def _find_end(tail: bytes) -> int | None:
    at = len(tail) - _END.size
    if at < 0:
        return None
    if tail.startswith(_END_SIGNATURE, at) and tail.endswith(b"\0\0"):
        return at
    found = tail.rfind(_END_SIGNATURE, 0, at + len(_END_SIGNATURE))
    return None if found < 0 else found


def _in_64_bits(known: _Known, end: int, length: int, offset: int) -> tuple[int, int, int]:
    """Take end, length and offset of the directory from the ZIP64 record, if there is one."""
    at = end - _LOCATOR.size
    locator = known.cut(at, end) if at >= known.start else b""
    if not locator.startswith(_LOCATOR_SIGNATURE):
        return end, length, offset
    _, disk, _, disks = _LOCATOR.unpack(locator)
    start = at - _END64.size
    record = known.cut(start, at) if start >= known.start else b""
    if disk != 0 or disks > 1 or not record.startswith(_END64_SIGNATURE):
        raise UnreadableWheel("its ZIP64 record is broken")
    *_, length, offset = _END64.unpack(record)
    return start, length, offset


def _member(known: _Known, directory: _Directory, filename: str) -> Generator[Span, bytes, _Member]:
    span = directory.span
    if known.start > span.start:
        # Rule 2: the entries at the end may do.
        member = _exact(_last_entries(known.cut(known.start, span.stop)), filename)
        if member is not None:
            return member
        yield from known.reach(span.start)
    entries = _all_entries(known.cut(span.start, span.stop))
    return _exact(entries, filename) or _only(entries, filename)


def _all_entries(data: bytes) -> list[_Member]:
    entries = []
    at = 0
    while at < len(data):
        if not data.startswith(_ENTRY_SIGNATURE, at):
            raise UnreadableWheel("its central directory is broken")
        at, member = _entry(data, at)
        entries.append(member)
    return entries


def _last_entries(data: bytes) -> list[_Member]:
    """Read the entries of a directory whose beginning is cut off: from the first that fits on."""
    at = data.find(_ENTRY_SIGNATURE)
    while at >= 0:
        try:
            return _all_entries(data[at:])
        except UnreadableWheel:
            at = data.find(_ENTRY_SIGNATURE, at + 1)
    return []


def _entry(data: bytes, at: int) -> tuple[int, _Member]:
    """Give where the next entry begins, and this one."""
    if at + _ENTRY.size > len(data):
        raise UnreadableWheel("its central directory is cut off")
    fields = _ENTRY.unpack_from(data, at)
    flags, method = fields[3], fields[4]
    crc, packed, size, name_size, extra_size, comment_size = fields[7:13]
    offset = fields[-1]
    name_at = at + _ENTRY.size
    extra_at = name_at + name_size
    following = extra_at + extra_size + comment_size
    if following > len(data):
        raise UnreadableWheel("its central directory is cut off")
    extra = data[extra_at : extra_at + extra_size]
    size, packed, offset = _widened(extra, (size, packed, offset))
    name = data[name_at:extra_at]
    return following, _Member(name, flags, method, crc, packed, size, offset, extra_size)


def _widened(extra: bytes, values: tuple[int, int, int]) -> tuple[int, int, int]:
    """Replace what does not fit in 32 bits by what the ZIP64 extra field has (APPNOTE.TXT §4.5.3)."""
    if _IN_EXTRA not in values:
        return values
    wide = _extra_field(extra, _ZIP64)
    found = iter(struct.unpack(f"<{len(wide) // 8}Q", wide[: len(wide) // 8 * 8]))
    try:
        size, packed, offset = [next(found) if value == _IN_EXTRA else value for value in values]
    except (StopIteration, RuntimeError) as error:
        raise UnreadableWheel("its ZIP64 fields are broken") from error
    return size, packed, offset


def _extra_field(extra: bytes, wanted: int) -> bytes:
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == wanted:
            return extra[at + 4 : at + 4 + length]
        at += 4 + length
    return b""


def _exact(entries: list[_Member], filename: str) -> _Member | None:
    """Find the metadata of just this project and version."""
    wanted = canonical_spelling("-".join(filename.split("-")[:2]))
    found = [member for folder, member in _candidates(entries) if folder == wanted]
    return found[-1] if found else None


def _only(entries: list[_Member], filename: str) -> _Member:
    """Find the metadata of this project, whatever version it says, if it is the only one."""
    project = canonical_spelling(filename.partition("-")[0])
    found = {folder: member for folder, member in _candidates(entries) if folder.startswith(f"{project}-")}
    if len(found) != 1:
        raise UnreadableWheel(
            "it has no METADATA of its own" if not found else "it has more than one METADATA"
        )
    return found.popitem()[1]


def _candidates(entries: list[_Member]) -> Iterator[tuple[str, _Member]]:
    """Give what may be metadata: one level deep, with the project and version of its folder."""
    for member in entries:
        name = member.name.decode("utf-8", "replace")
        if name.endswith(_FOLDER_SUFFIX + _METADATA) and name.count("/") == 1:
            yield canonical_spelling(name.removesuffix(_FOLDER_SUFFIX + _METADATA)), member


def _content(known: _Known, directory: _Directory, member: _Member) -> Generator[Span, bytes, bytes]:
    if member.flags & _ENCRYPTED or member.method not in (_STORED, _DEFLATED):
        raise UnreadableWheel("its METADATA is encrypted or compressed in an unusual way")
    if max(member.size, member.packed) > _LARGEST_METADATA:
        raise UnreadableWheel("its METADATA is larger than may be")
    at = member.offset + directory.shift
    likely = _LOCAL.size + len(member.name) + member.extra + _MORE_IN_LOCAL + member.packed
    data = yield from known.read(at, max(min(at + likely, directory.span.start), at))
    begin = _local_header(data, member)
    if len(data) < begin + member.packed:
        data = yield from known.read(at, at + begin + member.packed)
    return _unpacked(data[begin : begin + member.packed], member)


def _local_header(data: bytes, member: _Member) -> int:
    """Give where the bytes of the member begin."""
    if len(data) < _LOCAL.size or not data.startswith(_LOCAL_SIGNATURE):
        raise UnreadableWheel("its METADATA is not where the directory says")
    name_size, extra_size = struct.unpack_from("<2H", data, _LOCAL.size - 4)
    if data[_LOCAL.size : _LOCAL.size + name_size] != member.name:
        raise UnreadableWheel("its METADATA is not where the directory says")
    return int(_LOCAL.size + name_size + extra_size)


def _unpacked(packed: bytes, member: _Member) -> bytes:
    content = packed if member.method == _STORED else _inflated(packed, member.size)
    if len(content) != member.size or zlib.crc32(content) != member.crc:
        raise UnreadableWheel("its METADATA is damaged: size or CRC-32 are wrong")
    return content


def _inflated(packed: bytes, size: int) -> bytes:
    decoder = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    try:
        return decoder.decompress(packed, size + 1)
    except zlib.error as error:
        raise UnreadableWheel(f"its METADATA is damaged: {error}") from error

"""Generated pages, files and paths for the laws of the Simple API."""

from __future__ import annotations

from urllib.parse import quote

from hypothesis import strategies as st

# Lone surrogates cannot stand in UTF-8, and JSON decoders refuse them.
TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
HOSTILE = TEXT | st.sampled_from(
    [
        '"><script>alert(1)</script>',
        "</script>",
        "&gt;",
        "&amp;gt;",
        "a\nb",
        "a\r\nb",
        "'",
        "\x00",
        "]]>",
        "<!--",
        "é€😀",
    ]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | HOSTILE
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
HEX = st.text("0123456789abcdef", min_size=64, max_size=64)

SEGMENTS = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/\\"), min_size=1, max_size=12
).filter(lambda segment: segment not in {".", ".."})


def file_paths(prefix: str = ""):
    """Canonical paths below a mount."""
    return st.lists(SEGMENTS, min_size=1, max_size=4).map(lambda segments: prefix + "/".join(segments))


@st.composite
def standard_files(draw):
    """JSON objects of files with what both JSON and HTML can carry."""
    filename = draw(SEGMENTS)
    entry = {
        "filename": filename,
        "url": f"https://files.example/packages/aa/{quote(filename, safe='')}",
        "hashes": {"sha256": draw(HEX)} if draw(st.booleans()) else {},
    }
    times = st.datetimes().map(lambda time: time.isoformat() + "Z")
    optional = {
        "requires-python": st.none() | HOSTILE,
        "size": st.none() | st.integers(0, 10**17),
        "upload-time": st.none() | times,
        "yanked": st.none() | st.booleans() | HOSTILE,
        "core-metadata": st.none() | st.booleans() | HEX.map(lambda digest: {"sha256": digest}),
        "provenance": st.none() | HOSTILE,
        "gpg-sig": st.booleans(),
    }
    for key, values in optional.items():
        if draw(st.booleans()):
            entry[key] = draw(values)
    return entry


@st.composite
def documents(draw, files):
    """Whole JSON pages, with unknown keys and ``files`` anywhere among them."""
    items = [
        ("name", "foo"),
        ("meta", {"api-version": draw(st.sampled_from(["1.0", "1.1", "1.4", "1.9"])), "_last-serial": 7}),
        ("files", draw(st.lists(files, max_size=3))),
        *draw(st.dictionaries(TEXT.map("x-{}".format), JSON, max_size=3)).items(),
    ]
    if draw(st.booleans()):
        items.append(("project-status", {"status": draw(HOSTILE), "reason": draw(HOSTILE)}))
    return dict(draw(st.permutations(items)))

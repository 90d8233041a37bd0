"""Distribution files and their metadata as clients see them."""

from __future__ import annotations

import gzip
import http.client
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.fakes.distributions import incompressible
from tests.fakes.faults import Hold, NoLength, Status
from tests.fakes.handlers import LAST_MODIFIED
from tests.web.structured_fields import cache_status

MEGABYTE = 1024 * 1024
SIZE = 3 * MEGABYTE
HELD = 2_000_000  # far enough that bytes are on disk, and that the end is far ahead
RANGES = [
    ("bytes=0-99", 0, 100),
    ("bytes=100-100", 100, 101),
    (f"bytes={SIZE - 10}-", SIZE - 10, SIZE),
    ("bytes=0-", 0, SIZE),
    (f"bytes=1000-{SIZE + 1000}", 1000, SIZE),
    ("bytes=-16384", SIZE - 16384, SIZE),
    (f"bytes=-{SIZE + 5}", 0, SIZE),
    ("Bytes = 5 - 9", 5, 10),
]
IGNORED = [
    "bytes=0-1,5-9",
    "bytes=9-5",
    "bytes=-",
    "bytes=a-b",
    "bytes=",
    "bytes",
    "lines=0-5",
    "",
    "bytes=0x1-5",
    "bytes=+1-5",
    "bytes=1-5;q=1",
    "bytes=" + "9" * 5000 + "-",
]


@pytest.fixture
def wheel(pypi):
    return pypi.add_file(
        "large", "large-1.0-py3-none-any.whl", incompressible(SIZE, seed="x"), metadata=b"Name: large\n"
    )


@pytest.fixture
def cold(box, wheel):
    """The application knows the index's page, but no file."""
    assert wheel.filename in box.get("/pypi/simple/large/").body.decode()
    return box


@pytest.fixture(scope="module")
def hot(library):
    path = f"/pypi{library.large.path}"
    assert library.box.get(path).body == library.large.content
    return path


def _check_slice(answer, content, start, stop):
    assert answer.status == 206
    assert answer["content-range"] == f"bytes {start}-{stop - 1}/{len(content)}"
    assert answer["content-length"] == str(stop - start)
    assert answer.body == content[start:stop]


@pytest.mark.parametrize(("asked", "start", "stop"), RANGES)
def test_a_range_of_a_cached_file(library, hot, asked, start, stop):
    answer = library.box.get(hot, range=asked)

    _check_slice(answer, library.large.content, start, stop)
    assert answer["x-cache2"] == "HIT"


@pytest.mark.parametrize(("asked", "start", "stop"), RANGES)
def test_a_range_of_a_file_that_is_not_cached(cold, wheel, asked, start, stop):
    answer = cold.get(f"/pypi{wheel.path}", range=asked)

    _check_slice(answer, wheel.content, start, stop)
    assert cache_status(answer["cache-status"])["fwd"] in ("uri-miss", "partial")


@pytest.mark.parametrize(("asked", "start", "stop"), RANGES)
def test_a_range_of_a_file_that_is_on_its_way(cold, pypi, wheel, gate, asked, start, stop):
    pypi.fault(wheel.path, Hold(gate, after=HELD), times=1)
    with cold.begin(f"/pypi{wheel.path}") as follower:
        gate.wait_reached()
        if start < HELD < stop:
            gate.release()
        answer = cold.get(f"/pypi{wheel.path}", range=asked)
        gate.release()
        assert follower.read() == wheel.content

    _check_slice(answer, wheel.content, start, stop)


@pytest.mark.parametrize("asked", IGNORED)
def test_a_range_that_cannot_be_read_is_ignored(library, hot, asked):
    answer = library.box.get(hot, range=asked)

    assert (answer.status, answer.body) == (200, library.large.content)
    assert "content-range" not in answer.headers


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", f"bytes={SIZE + 5}-{SIZE + 9}", "bytes=-0"])
def test_a_range_beyond_the_end_is_416(library, hot, cold, wheel, asked):
    for answer in (library.box.get(hot, range=asked), cold.get(f"/pypi{wheel.path}", range=asked)):
        assert (answer.status, answer.body) == (416, b"")
        assert answer["content-range"] == f"bytes */{SIZE}"


@pytest.mark.parametrize("is_hot", [True, False])
def test_if_range_guards_a_range(library, hot, cold, wheel, is_hot):
    box, path = (library.box, hot) if is_hot else (cold, f"/pypi{wheel.path}")
    head = box.head(path)

    def ask(validator):
        return box.get(path, range="bytes=5-9", if_range=validator).status

    assert head["last-modified"] == LAST_MODIFIED
    assert (ask(head["etag"]), ask(LAST_MODIFIED)) == (206, 206)
    for other in (f"W/{head['etag']}", '"other"', "Thu, 02 Jan 2025 00:00:00 GMT", "junk", '"'):
        assert ask(other) == 200


@pytest.mark.parametrize("asked", ["bytes=0-99", "bytes=-5", f"bytes={SIZE}-"])
def test_head_ignores_a_range_and_promises_ranges(library, hot, cold, wheel, asked):
    for box, path in ((library.box, hot), (cold, f"/pypi{wheel.path}")):
        answer = box.head(path, range=asked)
        assert (answer.status, answer["content-length"]) == (200, str(SIZE))
        assert answer["accept-ranges"] == "bytes"
        assert "content-range" not in answer.headers


def test_head_of_a_cold_file_says_what_get_says_and_downloads_nothing(cold, pypi, wheel):
    path = f"/pypi{wheel.path}"
    head = cold.head(path)
    assert pypi.count(wheel.path, "GET") == 0
    got = cold.get(path)
    warm = cold.head(path)

    changing = {"date", "x-cache2", "cache-status"}
    assert head.headers.keys() == got.headers.keys() == warm.headers.keys()
    for name in got.headers.keys() - changing:
        assert head[name] == got[name] == warm[name]
    assert (head["x-cache2"], got["x-cache2"], warm["x-cache2"]) == ("MISS", "MISS", "HIT")


def test_a_slice_of_a_large_cold_file_downloads_only_the_slice(cold, pypi, wheel):
    answer = cold.get(f"/pypi{wheel.path}", range="bytes=-16384")

    assert answer["x-cache2"] == "BYPASS"
    assert cache_status(answer["cache-status"]) == {"fwd": "partial"}
    assert [r.headers.get("range") for r in pypi.requests if r.path == wheel.path and r.method == "GET"] == [
        f"bytes={SIZE - 16384}-"
    ]


def test_the_end_of_a_file_on_its_way_does_not_wait_for_the_middle(cold, pypi, wheel, gate):
    pypi.fault(wheel.path, Hold(gate, after=200_000), times=1)
    with cold.begin(f"/pypi{wheel.path}") as first:
        gate.wait_reached()
        assert cold.get(f"/pypi{wheel.path}", range="bytes=-100").body == wheel.content[-100:]
        gate.release()
        assert first.read() == wheel.content


def test_one_download_serves_all_who_ask_meanwhile(cold, pypi, wheel, gate):
    pypi.fault(wheel.path, Hold(gate, after=MEGABYTE))
    path = f"/pypi{wheel.path}"
    begun = threading.Barrier(9, timeout=20)

    def follow(_):
        with cold.begin(path) as response:
            first = response.read(1000)
            begun.wait()
            return first + response.read(), response.headers["cache-status"]

    with ThreadPoolExecutor(8) as clients:
        answers = clients.map(follow, range(8))
        begun.wait()  # every client has bytes, and the upstream has not sent the last one
        gate.release()
        answers = list(answers)

    assert [body for body, _ in answers] == [wheel.content] * 8
    assert pypi.count(wheel.path) == 1
    assert sum("collapsed" in cache_status(status) for _, status in answers) == 7


def test_files_are_immutable_octets_with_a_constant_etag(library, hot):
    answers = [library.box.get(hot), library.box.get(hot, range="bytes=1-5"), library.box.head(hot)]

    for answer in answers:
        assert answer["content-type"] == "application/octet-stream"
        assert answer["cache-control"] == "max-age=365000000, immutable, public"
        assert answer["x-content-type-options"] == "nosniff"
        assert answer["access-control-allow-origin"] == "*"
        assert "Content-Range" in answer["access-control-expose-headers"]
        assert not {"content-encoding", "content-disposition", "transfer-encoding"} & set(answer.headers)
    assert {answer["etag"] for answer in answers} == {f'"{library.large.blake2}"'}


def test_files_answer_conditional_requests(library, hot):
    etag = library.box.head(hot)["etag"]

    def ask(**headers):
        return library.box.get(hot, **headers).status

    assert ask(if_none_match=etag) == 304
    assert ask(if_modified_since=LAST_MODIFIED) == 304
    assert ask(if_modified_since="Tue, 31 Dec 2024 00:00:00 GMT") == 200
    assert ask(if_none_match='"other"', if_modified_since=LAST_MODIFIED) == 200
    for junk in ("junk", '"', "W/", "unquoted, tags", "", "Mon, 99 Foo 99999 77:77:77 ABC"):
        assert ask(if_none_match=junk) == ask(if_modified_since=junk) == 200


@pytest.mark.parametrize("accept_encoding", ["gzip, deflate, zstd", "identity", None])
def test_metadata_come_plain_and_right_whatever_coding_is_offered(launch, pypi, accept_encoding):
    wheel = pypi.add_wheel("six", "1.0", requires=["a>=1"])
    box = launch()
    box.get("/pypi/simple/six/")
    asked = {} if accept_encoding is None else {"accept_encoding": accept_encoding}

    for status in ("MISS", "HIT"):
        answer = box.get(f"/pypi{wheel.metadata_path}", **asked)
        assert answer.body == wheel.metadata
        assert "content-encoding" not in answer.headers
        assert answer["x-cache2"] == status
        cache_status(answer["cache-status"])


@pytest.mark.parametrize("accept_encoding", ["gzip, deflate, zstd", "identity"])
def test_an_archive_has_no_content_encoding(library, accept_encoding):
    answer = library.box.get(f"/pypi{library.sdist.path}", accept_encoding=accept_encoding)

    assert "content-encoding" not in answer.headers
    assert answer.body == library.sdist.content
    assert gzip.decompress(answer.body)


@pytest.mark.parametrize(
    ("which", "spellings"),
    [
        ("local", ["2.0+local.1", "2.0%2Blocal.1", "2.0%2blocal.1"]),
        ("epoch", ["1!3.0", "1%213.0"]),
        ("space", ["some%20project"]),
    ],
)
def test_all_spellings_of_a_path_are_one_file(library, which, spellings):
    file = getattr(library, which)
    folder = file.path.rpartition("/")[0]
    name = file.filename.replace(" ", "%20")
    plain = {"local": "2.0+local.1", "epoch": "1!3.0", "space": "some%20project"}[which]
    library.box.get(f"/pypi{folder}/{name}")
    before = len(library.pypi.requests)

    for spelling in spellings:
        for slashes in ("/", "//", "///"):
            spelled = f"/pypi{folder}/{name.replace(plain, spelling)}"
            answer = library.box.get(spelled.replace("/packages/", f"{slashes}packages{slashes}"))
            assert (answer.status, answer.body) == (200, file.content)
    assert len(library.pypi.requests) == before


def test_a_file_without_a_length_is_served_in_chunks_and_later_with_its_length(cold, pypi, wheel):
    pypi.fault(wheel.path, NoLength())
    first = cold.get(f"/pypi{wheel.path}")
    second = cold.get(f"/pypi{wheel.path}")

    assert first.body == second.body == wheel.content
    assert first["transfer-encoding"] == "chunked"
    assert "accept-ranges" not in first.headers
    assert second["content-length"] == str(SIZE)


def test_head_and_range_of_a_file_whose_length_nobody_tells(cold, pypi, wheel, gate):
    pypi.fault(wheel.path, NoLength())
    pypi.fault(wheel.path, Hold(gate, after=HELD), method="GET", times=1)
    path = f"/pypi{wheel.path}"
    with cold.begin(path) as follower:
        gate.wait_reached()
        head = cold.head(path)
        assert (head.status, head.body) == (200, b"")
        assert "content-length" not in head.headers
        with cold.begin(path, range="bytes=5-9") as whole:
            assert whole.status == 200
            gate.release()
            assert whole.read() == follower.read() == wheel.content


def test_an_empty_file_has_no_range(launch, pypi):
    empty = pypi.add_file("empty", "empty-1.0.tar.gz", b"")
    box = launch()
    box.get("/pypi/simple/empty/")

    for _ in range(2):
        assert (box.get(f"/pypi{empty.path}").status, box.get(f"/pypi{empty.path}").body) == (200, b"")
        assert box.get(f"/pypi{empty.path}", range="bytes=0-").status == 416


def test_a_missing_file_is_a_404_that_is_remembered(cold, pypi):
    path = "/packages/aa/bb/" + "c" * 60 + "/gone-1.0.tar.gz"
    for _ in range(2):
        answer = cold.get(f"/pypi{path}")
        assert (answer.status, answer.body) == (404, b"404 Not Found")
    assert pypi.count(path) == 1


def test_a_refused_file_is_a_502_and_not_a_404(cold, pypi, wheel):
    pypi.fault(wheel.path, Status(403))

    for answer in (cold.get(f"/pypi{wheel.path}"), cold.head(f"/pypi{wheel.path}")):
        assert answer.status == 502
        assert 1 <= int(answer["retry-after"]) <= 60


def test_a_following_client_can_be_cut_only_by_a_fault(cold, pypi, wheel):
    with pytest.raises(http.client.IncompleteRead):
        _cut_in_mid_body(cold, pypi, wheel)
    pypi.heal()
    assert cold.get(f"/pypi{wheel.path}").body == wheel.content


def _cut_in_mid_body(cold, pypi, wheel):
    from tests.fakes.faults import Truncate

    pypi.fault(wheel.path, Truncate(MEGABYTE))
    cold.get(f"/pypi{wheel.path}")

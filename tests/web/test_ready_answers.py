"""What the server may answer by itself is what the application answers."""

from __future__ import annotations

import pytest

from tests.fakes import faults

JSON = "application/vnd.pypi.simple.v1+json"


def _paths(library):
    return [
        "/pypi/simple/some-project/",
        "/pypi/simple/some-project/?format=" + JSON,
        "/pypi/pypi/some-project/json",
        f"/pypi{library.wheel.path}",
        f"/pypi{library.wheel.metadata_path}",
    ]


@pytest.mark.parametrize("which", range(5))
@pytest.mark.parametrize("negotiated", [{}, {"accept": JSON, "accept_encoding": "gzip, zstd"}])
def test_a_ready_answer_says_what_the_application_says(library, which, negotiated):
    path = _paths(library)[which]
    for _ in range(2):
        whole = library.box.get(path, **negotiated)
    unchanged = library.box.get(path, if_none_match=whole["etag"], **negotiated)
    fields = (negotiated.get("accept", "").encode(), negotiated.get("accept_encoding", "").encode())

    found = library.box.app.hot_lane.find(path.encode(), fields)

    assert found is not None
    ready, remaining = found
    assert ready.body == whole.body
    for full, answer in ((True, whole), (False, unchanged)):
        lines = ready.head(remaining, full=full).decode("latin-1").split("\r\n")
        assert lines[-2:] == ["", ""]
        told = dict(line.split(": ", 1) for line in lines[:-2])
        assert told == {k: v for k, v in answer.headers.items() if k not in ("date", "server")}


def test_partial_and_failed_answers_are_not_repeated(box, pypi):
    wheel = pypi.add_wheel("six", "1.0")
    box.get("/pypi/simple/six/")
    path = f"/pypi{wheel.path}"
    for headers in ({"range": "bytes=0-5"}, {"if_none_match": "*"}, {"range": "bytes=99999999-"}):
        for _ in range(2):
            assert box.get(path, **headers).status in (206, 304, 416)
    pypi.fault("/simple/*", faults.Status(500))
    box.get("/pypi/simple/other/")

    for target in (path, "/pypi/simple/other/", "/pypi/simple/Six/"):
        assert box.app.hot_lane.find(target.encode(), (b"", b"")) is None


def test_without_room_on_disk_everything_is_served_uncached(launch, pypi):
    wheel = pypi.add_wheel("six", "1.0", size_padding=200_000)
    box = launch(max_size="100")

    for _ in range(2):
        assert box.get("/pypi/simple/six/").status == 200
        listed = box.get("/pypi/simple/", accept=JSON)
        assert (listed.status, b'"six"' in listed.body) == (200, True)
        assert box.get("/pypi/simple/", if_none_match=box.head("/pypi/simple/")["etag"]).status == 304
        assert box.get(f"/pypi{wheel.path}").body == wheel.content
    assert box.app.totals().size <= 100

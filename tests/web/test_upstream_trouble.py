"""Trouble upstream is told truthfully, and never as "there is no such thing"."""

from __future__ import annotations

import hashlib
import http.client
import json

import pytest

from cheesebox.web.site import ConnectionCut
from tests.fakes import faults
from tests.fakes.distributions import incompressible

PAGE = "/pypi/simple/six/"
MEGABYTE = 1024 * 1024
BROKEN_PAGES = {
    "status 500": (faults.Status(500),),
    "status 503": (faults.Status(503),),
    "status 403": (faults.Status(403),),
    "status 401": (faults.Status(401),),
    "status 429": (faults.Status(429),),
    "status 204": (faults.Status(204),),
    "reset": (faults.Reset(),),
    "reset in the body": (faults.Reset(20),),
    "truncated": (faults.Truncate(20),),
    "longer than it is": (faults.WrongLength(10),),
    "redirect loop": (faults.RedirectLoop(),),
    "redirect to nowhere": (faults.RedirectTo("http://127.0.0.1:1/simple/six/"),),
    "not JSON": (faults.NotJson(),),
    "JSON of another shape": (faults.NotJson(b"[1]"),),
    "another type": (faults.ContentType("image/png"), faults.NotJson(b"PNG")),
    "a bomb": (faults.GzipBomb(30 * MEGABYTE),),
}


def _is_problem(answer, status):
    assert (answer.status, answer["content-type"]) == (status, "application/problem+json")
    assert 1 <= int(answer["retry-after"]) <= 60
    assert answer["cache-control"] == "no-store"
    assert answer["access-control-allow-origin"] == "*"
    problem = json.loads(answer.body)
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]


@pytest.mark.parametrize("case", BROKEN_PAGES)
def test_a_broken_page_is_a_problem_or_the_stale_copy(launch, pypi, case):
    box = launch(max_page_size="10MB")
    pypi.add_wheel("six", "1.0")
    pypi.add_wheel("seven", "1.0")
    good = box.get("/pypi/simple/seven/")
    pypi.touch("seven")
    pypi.fault("/simple/*/", *BROKEN_PAGES[case])

    _is_problem(box.get(PAGE), 502)
    box.clock.advance(301)
    stale = box.get("/pypi/simple/seven/")

    assert (stale.status, stale["x-cache2"], stale.body) == (200, "STALE", good.body)
    pypi.heal()
    box.clock.advance(301)
    assert box.get(PAGE).status == 200


def test_a_silent_upstream_is_a_504(launch, pypi, gate):
    pypi.add_wheel("six", "1.0")
    box = launch(read_timeout="200ms")
    pypi.fault("/simple/six/", faults.Hold(gate))

    _is_problem(box.get(PAGE), 504)


def test_a_dead_upstream_is_a_502_for_everything(launch, pypi):
    wheel = pypi.add_wheel("six", "1.0")
    box = launch()
    pypi.go_down()

    documents = (PAGE, "/pypi/simple/", "/pypi/pypi/six/json")
    for path in (*documents, f"/pypi{wheel.path}", f"/pypi{wheel.metadata_path}"):
        _is_problem(box.get(path), 502)
        head = box.head(path)
        assert (head.status, head.body) == (502, b"")


def test_a_small_file_with_wrong_bytes_is_a_502(box, pypi):
    wheel = pypi.add_wheel("six", "1.0")
    box.get(PAGE)
    pypi.fault(wheel.path, faults.WrongBytes(5))
    pypi.fault(wheel.metadata_path, faults.WrongBytes(5))

    _is_problem(box.get(f"/pypi{wheel.path}"), 502)
    _is_problem(box.get(f"/pypi{wheel.metadata_path}"), 502)
    pypi.heal()
    assert box.get(f"/pypi{wheel.path}").body == wheel.content
    assert box.get(f"/pypi{wheel.metadata_path}").body == wheel.metadata


def test_a_large_file_with_wrong_bytes_is_cut_before_its_last_byte(box, pypi, caplog):
    content = incompressible(2 * MEGABYTE, seed="bad")
    wheel = pypi.add_file("six", "six-1.0-py3-none-any.whl", content)
    box.get(PAGE)
    pypi.fault(wheel.path, faults.WrongBytes(-1))

    with pytest.raises(http.client.IncompleteRead) as cut:
        box.get(f"/pypi{wheel.path}")

    assert len(cut.value.partial) <= len(content) - 64 * 1024
    told = [record for record in caplog.records if record.name == "cheesebox.web.site"]
    assert [(record.levelname, record.exc_info) for record in told] == [("WARNING", None)]
    assert "cut the answer" in told[0].message
    # What the server logs of it is known by its type, so that its log can leave it out.
    assert [r.exc_info[0] for r in caplog.records if r.name == "uvicorn.error"] == [ConnectionCut]
    counted = box.app.statistics().answers["file", "MISS"]
    assert counted == (1, len(cut.value.partial))
    pypi.heal()
    assert hashlib.sha256(box.get(f"/pypi{wheel.path}").body).hexdigest() == wheel.sha256


def test_a_body_without_length_that_fails_is_not_ended_properly(box, pypi):
    wheel = pypi.add_file("six", "six-1.0-py3-none-any.whl", incompressible(MEGABYTE, seed="bad"))
    box.get(PAGE)
    pypi.fault(wheel.path, faults.WrongBytes(-1), faults.NoLength())

    with pytest.raises(http.client.IncompleteRead):
        box.get(f"/pypi{wheel.path}")


def test_a_slice_that_cannot_be_had_is_told_by_a_status(box, pypi):
    wheel = pypi.add_file("six", "six-1.0-py3-none-any.whl", incompressible(2 * MEGABYTE, seed="s"))
    box.get(PAGE)
    assert box.head(f"/pypi{wheel.path}").status == 200
    pypi.fault(wheel.path, faults.Status(503))

    _is_problem(box.get(f"/pypi{wheel.path}", range="bytes=-100"), 502)


def test_two_requests_for_a_broken_object_are_two_honest_answers(box, pypi):
    wheel = pypi.add_wheel("six", "1.0")
    box.get(PAGE)
    pypi.fault(wheel.path, faults.Status(500))
    for _ in range(2):
        _is_problem(box.get(f"/pypi{wheel.path}"), 502)


def test_a_redirect_of_the_upstream_is_followed_and_not_handed_on(box, pypi):
    wheel = pypi.add_wheel("six", "1.0")
    other = pypi.add_file("other", "other-1.0.zip", wheel.content, path="/packages/elsewhere/six.bin")
    box.get(PAGE)
    pypi.fault(wheel.path, faults.RedirectTo(other.url))

    answer = box.get(f"/pypi{wheel.path}")

    assert (answer.status, answer.body) == (200, wheel.content)
    assert "location" not in answer.headers

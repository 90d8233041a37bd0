"""Project pages, the project list, legacy JSON and provenance as clients see them."""

from __future__ import annotations

import hashlib
import json
from html.parser import HTMLParser

import pytest

from tests.fakes.faults import Hold, HtmlOnly, Reset, Status
from tests.web.structured_fields import cache_status

PAGE = "/pypi/simple/some-project/"
JSON = "application/vnd.pypi.simple.v1+json"
HTML = "application/vnd.pypi.simple.v1+html"
LEGACY = "/pypi/pypi/some-project/json"
LEGACY_VERSION = "/pypi/pypi/some-project/1.0/json"
PROVENANCE = "/pypi/integrity/some-project/1.0/some_project-1.0-py3-none-any.whl/provenance"
DOCUMENTS = [PAGE, "/pypi/simple/", LEGACY, LEGACY_VERSION, PROVENANCE]
CHANGING = {"date", "content-type", "content-length", "content-encoding"}


class Anchors(HTMLParser):
    """The links of a page, by their text."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.by_text: dict[str, dict[str, str | None]] = {}
        self._attributes: dict[str, str | None] | None = None
        self.feed(page.decode())

    def handle_starttag(self, tag, attrs):
        self._attributes = dict(attrs) if tag == "a" else None

    def handle_data(self, data):
        if self._attributes is not None:
            self.by_text[data] = self._attributes
            self._attributes = None


@pytest.mark.parametrize("coding", ["identity", "gzip", "zstd"])
@pytest.mark.parametrize("accept", [JSON, HTML, "text/html"])
@pytest.mark.parametrize("path", DOCUMENTS)
def test_a_conditional_request_gets_304_with_the_same_strong_etag(library, path, accept, coding):
    library.box.get(path)
    whole = library.box.get(path, accept=accept, accept_encoding=coding)
    etag = whole["etag"]

    assert whole.status == 200
    assert etag.startswith('"')
    for validator in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = library.box.get(path, accept=accept, accept_encoding=coding, if_none_match=validator)
        assert (again.status, again.body) == (304, b"")
        assert not CHANGING - {"date"} & set(again.headers)
        shared = {name: value for name, value in whole.headers.items() if name not in CHANGING}
        assert {name: value for name, value in again.headers.items() if name != "date"} == shared


@pytest.mark.parametrize("path", DOCUMENTS)
def test_each_representation_has_an_etag_of_its_own(library, path):
    kinds = [(a, c) for a in (JSON, HTML, "text/html") for c in ("identity", "gzip", "zstd")]
    seen = {}
    for accept, coding in kinds:
        answer = library.box.get(path, accept=accept, accept_encoding=coding)
        kind = (answer["content-type"], answer.headers.get("content-encoding"))
        seen.setdefault(kind, set()).add(answer["etag"])

    assert all(len(etags) == 1 for etags in seen.values())
    assert len({etag for etags in seen.values() for etag in etags}) == len(seen)


@pytest.mark.parametrize("path", [*DOCUMENTS, PAGE + "?format=" + JSON])
@pytest.mark.parametrize("coding", ["identity", "gzip", "zstd"])
def test_head_gives_the_headers_of_get(library, path, coding):
    library.box.get(path)
    got = library.box.get(path, accept=JSON, accept_encoding=coding)
    head = library.box.head(path, accept=JSON, accept_encoding=coding)

    assert head.body == b""
    assert _without_date(head.headers) == _without_date(got.headers)
    unchanged = library.box.head(path, accept=JSON, accept_encoding=coding, if_none_match=got["etag"])
    assert (unchanged.status, unchanged["etag"]) == (304, got["etag"])


def _without_date(headers):
    return {name: value for name, value in headers.items() if name != "date"}


@pytest.mark.parametrize("path", [PAGE, "/pypi/simple/", "/pypi/simple/nobody/", "/pypi/simple/-/"])
def test_vary_names_both_negotiated_fields(library, path):
    assert library.box.get(path)["vary"] == "Accept, Accept-Encoding"


@pytest.mark.parametrize("path", [LEGACY, PROVENANCE, "/pypi/pypi/nobody/json"])
def test_documents_of_one_format_vary_by_coding_only(library, path):
    assert library.box.get(path)["vary"] == "Accept-Encoding"


@pytest.mark.parametrize("path", [PAGE, LEGACY, LEGACY_VERSION, "/pypi/simple/"])
def test_browsers_may_read_pages_and_their_serial(library, path):
    answer = library.box.get(path, origin="http://elsewhere.example")

    assert answer["access-control-allow-origin"] == "*"
    assert "X-PyPI-Last-Serial" in answer["access-control-expose-headers"]
    assert int(answer["x-pypi-last-serial"]) > 1000


def test_links_of_a_json_page_lead_to_the_files(library):
    page = json.loads(library.box.get(PAGE, accept=JSON).body)
    contents = {file.filename: file.content for file in _files(library)}

    assert {file["filename"] for file in page["files"]} == set(contents)
    for file in page["files"]:
        assert file["url"].startswith("../../packages/")
        answer = library.box.follow(PAGE, file["url"])
        assert (answer.status, answer.body) == (200, contents[file["filename"]])
        assert hashlib.sha256(answer.body).hexdigest() == file["hashes"]["sha256"]


def test_links_of_an_html_page_lead_to_the_files(library):
    anchors = Anchors(library.box.get(PAGE).body).by_text

    for file in _files(library):
        link, _, fragment = (anchors[file.filename]["href"] or "").partition("#")
        assert fragment == f"sha256={file.sha256}"
        assert library.box.follow(PAGE, link).body == file.content


@pytest.mark.parametrize("path", [LEGACY, LEGACY_VERSION])
def test_links_of_the_legacy_api_lead_to_the_files(library, path):
    document = json.loads(library.box.get(path).body)
    groups = [document["urls"], *document.get("releases", {}).values()]
    contents = {file.filename: file.content for file in _files(library)}

    assert document["urls"]
    for file in (file for group in groups for file in group):
        assert library.box.follow(path, file["url"]).body == contents[file["filename"]]


def test_links_of_the_project_list_lead_to_the_pages(library):
    anchors = Anchors(library.box.get("/pypi/simple/").body).by_text

    assert library.box.follow("/pypi/simple/", anchors["Some.Project"]["href"] or "").status == 200


def _files(library):
    return [library.wheel, library.sdist, library.local, library.epoch, library.space]


@pytest.mark.parametrize("public_url", ["https://a.example/x/pypi", "https://a.example/x/pypi/"])
def test_a_public_url_makes_links_absolute(launch, pypi, public_url):
    file = pypi.add_wheel("absolute", "1.0", provenance={"version": 1})
    box = launch(public_url=public_url, rewrite_provenance="true")
    base = "https://a.example/x/pypi"

    page = json.loads(box.get("/pypi/simple/absolute/", accept=JSON).body)
    html = Anchors(box.get("/pypi/simple/absolute/").body).by_text[file.filename]

    assert page["files"][0]["url"] == f"{base}{file.path}"
    assert page["files"][0]["provenance"].startswith(f"{base}/integrity/absolute/1.0/")
    assert (html["href"] or "").startswith(f"{base}{file.path}#sha256=")
    for path in ("/pypi/pypi/absolute/json", "/pypi/pypi/absolute/1.0/json"):
        assert json.loads(box.get(path).body)["urls"][0]["url"] == f"{base}{file.path}"


def test_provenance_comes_unchanged_under_its_own_type(library):
    answer = library.box.get(PROVENANCE)

    assert json.loads(answer.body) == {"version": 1, "attestations": []}
    assert answer["content-type"] == "application/vnd.pypi.integrity.v1+json"


def test_provenance_links_stay_the_upstreams_by_default(library):
    page = json.loads(library.box.get(PAGE, accept=JSON).body)
    links = [file["provenance"] for file in page["files"] if file["provenance"]]

    assert links == [library.pypi.url + PROVENANCE.removeprefix("/pypi")]


def test_the_legacy_api_says_no_in_json(library):
    for path in ("/pypi/pypi/nobody/json", "/pypi/pypi/some-project/9.9/json"):
        answer = library.box.get(path)
        assert (answer.status, answer["content-type"]) == (404, "application/json")
        assert json.loads(answer.body) == {"message": "Not Found"}


def test_hostile_yanked_reasons_stay_text(library):
    reason = 'broken: "<&>" \n ü'
    page = json.loads(library.box.get(PAGE, accept=JSON).body)
    html = Anchors(library.box.get(PAGE).body).by_text

    assert [file["yanked"] for file in page["files"] if file["yanked"]] == [reason]
    assert html[library.local.filename]["data-yanked"] == reason
    assert "data-yanked" not in html[library.wheel.filename]


def test_a_quarantined_page_replaces_the_cached_one(box, pypi):
    pypi.add_wheel("six", "1.0")
    assert json.loads(box.get("/pypi/simple/six/", accept=JSON).body)["files"]
    pypi.set_status("six", "quarantined", "malware")
    box.clock.advance(301)

    answer = box.get("/pypi/simple/six/", accept=JSON)

    assert answer["x-cache2"] == "EXPIRED"
    page = json.loads(answer.body)
    assert (page["files"], page["versions"]) == ([], [])
    assert page["project-status"] == {"status": "quarantined", "reason": "malware"}
    assert b'content="quarantined"' in box.get("/pypi/simple/six/").body


def test_an_index_without_json_is_served_in_both_formats(box, pypi):
    file = pypi.add_wheel("six", "1.0", requires_python=">=3.8")
    pypi.fault("/simple/*", HtmlOnly())

    page = json.loads(box.get("/pypi/simple/six/", accept=JSON).body)

    assert page["meta"]["api-version"] == "1.0"
    assert page["files"][0]["requires-python"] == ">=3.8"
    assert box.follow("/pypi/simple/six/", page["files"][0]["url"]).body == file.content
    assert file.filename.encode() in box.get("/pypi/simple/six/").body


def test_a_404_is_remembered_for_a_minute(box, pypi):
    for path in ("/pypi/simple/six/", "/pypi/pypi/six/json"):
        pypi.clear()
        assert box.get(path).status == box.get(path).status == 404
        assert len(pypi.requests) == 1
        box.clock.advance(61)
        assert box.get(path).status == 404
        assert len(pypi.requests) == 2
    pypi.add_wheel("six", "1.0")
    box.clock.advance(61)
    assert box.get("/pypi/simple/six/").status == 200


def test_each_way_of_serving_a_page_is_told(box, pypi):
    path = "/pypi/simple/six/"
    pypi.add_wheel("six", "1.0")
    told = []

    def ask(**headers):
        answer = box.get(path, **headers)
        told.append((answer["x-cache2"], cache_status(answer["cache-status"]), answer["cache-control"]))

    ask()
    ask()
    box.clock.advance(100)
    ask()
    box.clock.advance(201)
    ask()
    pypi.touch("six")
    box.clock.advance(301)
    ask()
    pypi.fault("/simple/six/", Status(503))
    box.clock.advance(301)
    ask()
    ask()

    assert [verdict for verdict, _, _ in told] == [
        "MISS",
        "HIT",
        "HIT",
        "REVALIDATED",
        "EXPIRED",
        "STALE",
        "STALE",
    ]
    ages = ["300", "300", "200", "300", "300", "0", "0"]
    assert [control for _, _, control in told] == [f"max-age={age}, public" for age in ages]
    assert told[0][1] == {"fwd": "uri-miss", "stored": True, "ttl": "300"}
    assert told[1][1] == {"hit": True, "ttl": "300"}
    assert told[3][1] == {"fwd": "stale", "fwd-status": "304", "stored": True, "ttl": "300"}
    assert told[5][1]["detail"] == "STALE"


def test_while_a_refresh_is_under_way_others_get_the_old_page(launch, pypi, gate):
    box = launch(refresh_patience="0s")
    pypi.add_wheel("six", "1.0")
    box.get("/pypi/simple/six/")
    pypi.fault("/simple/six/", Hold(gate))
    box.clock.advance(301)

    answers = [box.get("/pypi/simple/six/") for _ in range(3)]

    assert [answer["x-cache2"] for answer in answers] == ["UPDATING"] * 3
    assert all(cache_status(answer["cache-status"])["detail"] == "UPDATING" for answer in answers)
    gate.wait_reached()
    assert pypi.count("/simple/six/") == 2


@pytest.mark.parametrize("path", ["/pypi/simple/six/", "/pypi/simple/", "/pypi/pypi/six/json"])
def test_no_cache_asks_upstream_and_max_age_0_does_not(box, pypi, path):
    pypi.add_wheel("six", "1.0")
    box.get(path)
    box.clock.advance(11)

    assert box.get(path, cache_control="max-age=0")["x-cache2"] == "HIT"
    assert box.get(path, cache_control="No-Cache")["x-cache2"] == "REVALIDATED"


@pytest.mark.parametrize("accept", [JSON, HTML, "text/html"])
@pytest.mark.parametrize("coding", ["identity", "gzip", "zstd"])
def test_the_list_is_rendered_once_for_each_representation(library, accept, coding):
    first = library.box.get("/pypi/simple/", accept=accept, accept_encoding=coding)
    second = library.box.get("/pypi/simple/", accept=accept, accept_encoding=coding)

    assert first.body == second.body
    assert int(second["content-length"]) == len(second.body)
    assert library.pypi.count("/simple/") == 1


def test_the_header_of_the_status_can_be_called_otherwise(launch, pypi):
    pypi.add_wheel("six", "1.0")
    box = launch(status_header="X-Proxy-Cache")

    answer = box.get("/pypi/simple/six/")

    assert answer["x-proxy-cache"] == "MISS"
    assert "x-cache2" not in answer.headers


def test_a_page_whose_upstream_resets_is_a_502_the_first_time_and_stale_later(box, pypi):
    pypi.add_wheel("six", "1.0")
    rule = pypi.fault("/simple/six/", Reset())

    answer = box.get("/pypi/simple/six/")

    assert (answer.status, answer["content-type"]) == (502, "application/problem+json")
    assert rule.hits >= 1
    pypi.heal()
    box.clock.advance(10)
    assert box.get("/pypi/simple/six/").status == 200
    pypi.go_down()
    box.clock.advance(301)
    assert box.get("/pypi/simple/six/")["x-cache2"] == "STALE"

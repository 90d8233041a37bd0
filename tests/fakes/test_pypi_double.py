from __future__ import annotations

import gzip
import hashlib
import http.client
import json
import threading
import time
import urllib.request
import zipfile
from io import BytesIO
from typing import TYPE_CHECKING

import pytest

from tests.fakes.faults import (
    Delay,
    Drip,
    Fault,
    Gate,
    GzipBomb,
    Hold,
    HtmlOnly,
    LowerSerial,
    NoEtag,
    NoLength,
    NoRanges,
    NotJson,
    OtherEtagEachTime,
    RedirectLoop,
    Reset,
    Status,
    ThenClose,
    Truncate,
    WrongBytes,
    WrongLength,
)

if TYPE_CHECKING:
    from tests.fakes.pypi import FakePyPI

JSON = {"Accept": "application/vnd.pypi.simple.v1+json"}


class Got:
    """One answer, read to its end."""

    def __init__(
        self, url: str, path: str, headers: dict[str, str] | None = None, method: str = "GET"
    ) -> None:
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
        try:
            connection.request(method, path, headers=headers or {})
            response = connection.getresponse()
            self.status, self.headers = response.status, response.headers
            self.body = response.read()
        finally:
            connection.close()


def get(pypi: FakePyPI, path: str, **headers: str) -> Got:
    return Got(pypi.url, path, {name.replace("_", "-"): value for name, value in headers.items()})


def test_a_project_page_is_json_or_html_as_the_client_asks(pypi: FakePyPI) -> None:
    file = pypi.add_wheel("Demo.Pkg", "1.0", requires_python=">=3.8", yanked="broken & <bad>")
    page = json.loads(Got(pypi.url, "/simple/demo-pkg/", JSON).body)
    assert page["files"][0]["hashes"] == {"sha256": file.sha256}
    assert page["files"][0]["size"] == file.size
    html = get(pypi, "/simple/demo-pkg/")
    assert html.headers["Content-Type"] == "text/html"
    assert f'{file.url}#sha256={file.sha256}"'.encode() in html.body
    assert b'data-yanked="broken &amp; &lt;bad&gt;"' in html.body


def test_each_encoding_has_its_own_etag_and_answers_304_to_it(pypi: FakePyPI) -> None:
    pypi.add_wheel("demo", "1.0")
    plain = Got(pypi.url, "/simple/demo/", JSON)
    packed = Got(pypi.url, "/simple/demo/", {**JSON, "Accept-Encoding": "gzip"})
    assert gzip.decompress(packed.body) == plain.body
    assert packed.headers["ETag"] != plain.headers["ETag"]
    again = Got(pypi.url, "/simple/demo/", {**JSON, "If-None-Match": plain.headers["ETag"]})
    assert (again.status, again.body, again.headers["ETag"]) == (304, b"", plain.headers["ETag"])
    pypi.touch("demo")
    assert Got(pypi.url, "/simple/demo/", {**JSON, "If-None-Match": plain.headers["ETag"]}).status == 200


def test_names_are_redirected_to_their_normalised_form_and_unknown_ones_are_404(pypi: FakePyPI) -> None:
    assert get(pypi, "/simple/Foo_Bar/").headers["Location"] == "/simple/foo-bar/"
    assert get(pypi, "/simple/foo").status == 301
    assert get(pypi, "/simple/foo/").status == 404


def test_a_wheel_is_a_zip_at_the_path_of_its_digest(pypi: FakePyPI) -> None:
    file = pypi.add_wheel("demo", "1.0", requires=["other>=1"], size_padding=1000)
    got = get(pypi, file.path)
    digest = hashlib.blake2b(got.body, digest_size=32).hexdigest()
    assert file.path.startswith(f"/packages/{digest[:2]}/{digest[2:4]}/{digest[4:]}/demo-1.0")
    with zipfile.ZipFile(BytesIO(got.body)) as archive:
        assert archive.testzip() is None
        assert archive.read("demo-1.0.dist-info/METADATA") == get(pypi, file.metadata_path).body


def test_equal_arguments_give_equal_wheels(pypi: FakePyPI) -> None:
    assert (
        pypi.add_wheel("a", "1", size_padding=99).sha256 == pypi.add_wheel("a", "1", size_padding=99).sha256
    )


@pytest.mark.parametrize(
    ("asked", "status", "span"),
    [
        ("bytes=0-9", 206, slice(0, 10)),
        ("bytes=90-", 206, slice(90, 100)),
        ("bytes=-7", 206, slice(93, 100)),
        ("bytes=5-1000", 206, slice(5, 100)),
        ("bytes=100-", 416, slice(0, 0)),
        ("lines=1-2", 200, slice(0, 100)),
    ],
)
def test_files_answer_ranges(pypi: FakePyPI, asked: str, status: int, span: slice) -> None:
    file = pypi.add_file("demo", "demo-1.zip", bytes(range(100)))
    got = get(pypi, file.path, Range=asked)
    assert (got.status, got.body) == (status, file.content[span])


def test_if_range_with_another_validator_gets_the_whole_file(pypi: FakePyPI) -> None:
    file = pypi.add_file("demo", "demo-1.zip", bytes(100))
    etag = get(pypi, file.path).headers["ETag"]
    assert get(pypi, file.path, Range="bytes=9-", If_Range=etag).status == 206
    assert get(pypi, file.path, Range="bytes=9-", If_Range='"x"').status == 200


def test_a_file_is_never_answered_304(pypi: FakePyPI) -> None:
    file = pypi.add_file("demo", "demo-1.zip", b"abc")
    assert get(pypi, file.path, If_None_Match=get(pypi, file.path).headers["ETag"]).status == 200


def test_the_legacy_api_and_attestations_are_served(pypi: FakePyPI) -> None:
    file = pypi.add_wheel("demo", "1.0", provenance={"version": 1})
    whole = json.loads(get(pypi, "/pypi/demo/json").body)
    assert whole["releases"]["1.0"][0]["url"] == file.url
    assert "releases" not in json.loads(get(pypi, "/pypi/demo/1.0/json").body)
    assert get(pypi, "/pypi/demo/2.0/json").status == 404
    page = json.loads(Got(pypi.url, "/simple/demo/", JSON).body)
    path = page["files"][0]["provenance"].removeprefix(pypi.url)
    assert json.loads(get(pypi, path).body) == {"version": 1}


def test_a_quarantined_project_offers_no_files(pypi: FakePyPI) -> None:
    pypi.add_wheel("demo", "1.0")
    pypi.set_status("demo", "quarantined", "malware")
    page = json.loads(Got(pypi.url, "/simple/demo/", JSON).body)
    assert (page["files"], page["project-status"]["reason"]) == ([], "malware")
    assert get(pypi, "/pypi/demo/json").status == 404


def test_requests_are_counted_by_path_and_method(pypi: FakePyPI) -> None:
    file = pypi.add_wheel("demo", "1.0")
    get(pypi, "/simple/demo/")
    Got(pypi.url, file.path, method="HEAD")
    assert (pypi.count("/simple/*"), pypi.count("/packages/*", "GET"), pypi.count("/packages/*")) == (1, 0, 1)
    pypi.clear()
    assert pypi.count("*") == 0


def test_files_can_live_on_another_host(pypi_with_file_host: FakePyPI) -> None:
    file = pypi_with_file_host.add_wheel("demo", "1.0")
    assert file.url.startswith(pypi_with_file_host.files_url)
    assert pypi_with_file_host.files_url != pypi_with_file_host.url
    assert Got(pypi_with_file_host.files_url, file.path).body == file.content


@pytest.mark.parametrize("fault", [Truncate(10), WrongLength(+5)])
def test_a_body_can_end_too_early(pypi: FakePyPI, fault: Fault) -> None:
    file = pypi.add_file("demo", "demo-1.zip", bytes(100))
    pypi.fault(file.path, fault)
    with pytest.raises(http.client.IncompleteRead):
        get(pypi, file.path)


@pytest.mark.parametrize("after", [-1, 0, 50])
def test_a_connection_can_be_reset(pypi: FakePyPI, after: int) -> None:
    file = pypi.add_file("demo", "demo-1.zip", bytes(100))
    pypi.fault(file.path, Reset(after), times=1)
    with pytest.raises(ConnectionResetError):
        get(pypi, file.path)
    assert get(pypi, file.path).body == file.content


def test_bytes_can_be_wrong_and_etags_restless(pypi: FakePyPI) -> None:
    file = pypi.add_file("demo", "demo-1.zip", bytes(100))
    pypi.fault(file.path, WrongBytes(3), OtherEtagEachTime())
    first, second = get(pypi, file.path), get(pypi, file.path)
    assert first.body == bytes(3) + b"\xff" + bytes(96)
    assert first.headers["ETag"] != second.headers["ETag"]


@pytest.mark.parametrize("fault", [NoLength(chunked=True), NoLength(chunked=False), Drip(30, 0.001)])
def test_a_body_arrives_whole_in_any_framing(pypi: FakePyPI, fault: Fault) -> None:
    file = pypi.add_file("demo", "demo-1.zip", bytes(range(100)))
    pypi.fault(file.path, fault)
    got = get(pypi, file.path)
    assert got.body == file.content
    assert ("Content-Length" in got.headers) == isinstance(fault, Drip)


def test_pages_can_be_spoiled(pypi: FakePyPI) -> None:
    pypi.add_wheel("demo", "1.0")
    serial = pypi.serial_of("demo")
    pypi.fault("/simple/demo/", LowerSerial(7), NoEtag())
    spoiled = Got(pypi.url, "/simple/demo/", JSON)
    assert spoiled.headers["X-PyPI-Last-Serial"] == str(serial - 7)
    assert json.loads(spoiled.body)["meta"]["_last-serial"] == serial - 7
    assert "ETag" not in spoiled.headers
    pypi.heal()
    pypi.fault("/simple/demo/", HtmlOnly(), times=1)
    assert Got(pypi.url, "/simple/demo/", JSON).headers["Content-Type"] == "text/html"
    pypi.fault("/simple/demo/", NotJson(), times=1)
    with pytest.raises(json.JSONDecodeError):
        json.loads(Got(pypi.url, "/simple/demo/", JSON).body)
    pypi.fault("/simple/demo/", GzipBomb(10_000_000), times=1)
    bomb = Got(pypi.url, "/simple/demo/", JSON)
    assert len(bomb.body) < 20_000
    assert len(gzip.decompress(bomb.body)) == 10_000_000


def test_answers_can_be_refused_redirected_and_without_ranges(pypi: FakePyPI) -> None:
    file = pypi.add_file("demo", "demo-1.zip", bytes(100))
    rule = pypi.fault(file.path, Status(503, {"Retry-After": "3"}), times=1)
    refused = get(pypi, file.path)
    assert (refused.status, refused.headers["Retry-After"], rule.hits) == (503, "3", 1)
    pypi.fault(file.path, RedirectLoop(), times=1)
    assert get(pypi, file.path).headers["Location"] == file.path
    pypi.fault(file.path, NoRanges())
    whole = get(pypi, file.path, Range="bytes=5-")
    assert (whole.status, whole.body, whole.headers["Accept-Ranges"]) == (200, file.content, None)


@pytest.mark.parametrize("after", [None, 40])
def test_an_answer_waits_at_its_gate(pypi: FakePyPI, gate: Gate, after: int | None) -> None:
    file = pypi.add_file("demo", "demo-1.zip", bytes(100))
    pypi.fault(file.path, Hold(gate, after))
    bodies: list[bytes] = []
    threads = [threading.Thread(target=lambda: bodies.append(get(pypi, file.path).body)) for _ in range(3)]
    for thread in threads:
        thread.start()
    gate.wait_reached(3)
    assert (bodies, pypi.in_progress, pypi.high_water) == ([], 3, 3)
    gate.release()
    for thread in threads:
        thread.join()
    assert bodies == [file.content] * 3


def test_an_index_that_is_down_refuses_and_comes_back_on_its_port(pypi: FakePyPI) -> None:
    pypi.add_wheel("demo", "1.0")
    url = pypi.url
    pypi.go_down()
    with pytest.raises(ConnectionRefusedError):
        get(pypi, "/simple/demo/")
    pypi.come_back()
    assert (pypi.url, get(pypi, "/simple/demo/").status) == (url, 200)


def test_a_connection_is_kept_unless_a_fault_closes_it(pypi: FakePyPI) -> None:
    pypi.add_wheel("demo", "1.0")
    connection = http.client.HTTPConnection(pypi.url.removeprefix("http://"), timeout=10)
    for _ in range(2):
        connection.request("GET", "/simple/demo/")
        assert connection.getresponse().read()
    pypi.fault("/simple/demo/", ThenClose())
    connection.request("GET", "/simple/demo/")
    assert connection.getresponse().read()
    assert connection.sock.recv(1) == b""
    connection.close()


def test_a_delay_holds_the_head_back(pypi: FakePyPI) -> None:
    pypi.add_wheel("demo", "1.0")
    pypi.fault("/simple/demo/", Delay(0.2))
    started = time.monotonic()
    get(pypi, "/simple/demo/")
    assert time.monotonic() - started >= 0.2


def test_the_answers_tell_whether_they_went_out_whole(pypi: FakePyPI) -> None:
    file = pypi.add_file("demo", "demo-1.zip", bytes(100))
    get(pypi, file.path, Range="bytes=90-")
    pypi.fault(file.path, Reset(10))
    with pytest.raises(ConnectionResetError):
        get(pypi, file.path)
    ended = [(a.status, a.body_size, a.complete) for a in pypi.wait_for_answers(2)]
    assert ended == [(206, 10, True), (200, 100, False)]


@pytest.mark.parametrize("plus", ["+", "%2B"])
def test_a_file_of_a_local_version_is_there_in_both_spellings(pypi: FakePyPI, plus: str) -> None:
    file = pypi.add_wheel("demo", "1.0+cpu")
    url = pypi.url + file.path.replace("%2B", plus)
    for suffix, content in (("", file.content), (".metadata", file.metadata)):
        with urllib.request.urlopen(f"{url}{suffix}", timeout=30) as answer:
            assert answer.read() == content

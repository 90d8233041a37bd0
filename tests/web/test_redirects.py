"""Other spellings of a path lead to the one right URL, under any prefix and only for this once."""

from __future__ import annotations

import json
from urllib.parse import urljoin

import pytest

JSON = "application/vnd.pypi.simple.v1+json"


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("/pypi/simple", "/pypi/simple/"),
        ("/pypi/simple/six", "/pypi/simple/six/"),
        ("/pypi/simple/Some_Project", "/pypi/simple/some-project/"),
        ("/pypi/simple/Some_Project/", "/pypi/simple/some-project/"),
        ("/pypi/simple/some-.-project/?format=x&y=%2F", "/pypi/simple/some-project/?format=x&y=%2F"),
        ("/pypi/simple/S%69x/", "/pypi/simple/six/"),
        ("/pypi/pypi/six/json/", "/pypi/pypi/six/json"),
        ("/pypi/pypi/six/1.0/json/", "/pypi/pypi/six/1.0/json"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_another_spelling_is_redirected_once(library, asked, meant, method):
    before = len(library.pypi.requests)

    answer = library.box.get(asked, method)

    assert (answer.status, answer.body) == (302, b"")
    assert not answer["location"].startswith(("/", "http"))
    assert urljoin(asked, answer["location"]) == meant
    assert answer["cache-control"] == "no-store"
    assert answer["access-control-allow-origin"] == "*"
    assert len(library.pypi.requests) == before


@pytest.mark.parametrize("page", ["/pypi//simple/some-project/", "//pypi/simple/some-project/"])
@pytest.mark.parametrize("asked", ["/pypi/simple//some-project/", "/pypi/simple/some-project//"])
def test_repeated_slashes_in_a_pages_url_would_break_its_links_so_they_are_redirected(library, page, asked):
    for target in (page, asked, "///pypi///simple///some-project///"):
        answer = library.box.raw_get(target.encode() + b"?x=1")
        assert (answer.status, answer["location"]) == (302, "/pypi/simple/some-project/?x=1")


def test_a_redirect_never_leads_to_another_host(library):
    for target in (b"//evil.example/pypi//simple//a/", b"//evil.example//simple/a/", b"/pypi//evil.example/"):
        assert library.box.raw_get(target).status == 404
    answer = library.box.raw_get(b"//pypi//simple//evil.example")
    assert answer["location"].startswith("/pypi/")


def test_a_file_is_found_behind_repeated_slashes(library):
    path = library.sdist.path.replace("/packages/", "/pypi//packages///")

    assert library.box.get(path).body == library.sdist.content


def test_behind_a_root_path_links_and_redirects_hold(launch, pypi):
    wheel = pypi.add_wheel("Some.Project", "1.0")
    box = launch(root_path="/proxied/here")
    # uvicorn puts its root path before the path that it got, as behind a proxy that strips it

    slashes = box.get("/pypi//simple//some-project/")
    redirect = box.get("/pypi/simple/Some_Project")
    page = json.loads(box.get("/pypi/simple/some-project/", accept=JSON).body)

    assert slashes["location"] == "/proxied/here/pypi/simple/some-project/"
    assert redirect["location"] == "some-project/"
    seen = urljoin("/proxied/here/pypi/simple/some-project/", page["files"][0]["url"])
    assert seen == f"/proxied/here/pypi{wheel.path}"
    assert box.get(f"/pypi{wheel.path}").body == wheel.content
    assert box.get("/-/health").status == 200


def test_mounted_in_a_site_the_application_finds_its_paths(launch, pypi):
    wheel = pypi.add_wheel("six", "1.0")

    def mount(app):
        """Mount as Starlette does: the path stays whole, ``root_path`` tells the part of the mount."""

        async def site(scope, receive, send):
            if scope["type"] == "http":
                assert scope["path"].startswith("/mnt/a b/")
                scope = {**scope, "root_path": "/mnt/a b"}
            await app(scope, receive, send)

        return site

    box = launch(wrap=mount)
    base = "/mnt/a%20b/pypi"

    page = box.get(f"{base}/simple/six/", accept=JSON)
    link = json.loads(page.body)["files"][0]["url"]

    assert box.follow(f"{base}/simple/six/", link).body == wheel.content
    assert urljoin(f"{base}/simple/Six", box.get(f"{base}/simple/Six")["location"]) == f"{base}/simple/six/"
    assert box.get(f"{base}//simple//six/")["location"] == f"{base}/simple/six/"


def test_a_server_that_gives_no_raw_path_is_enough(launch, pypi):
    local = pypi.add_wheel("six", "1.0+local", path="/packages/aa/bb/six-1.0+local-py3-none-any.whl")

    def strip(app):
        async def site(scope, receive, send):
            await app({key: value for key, value in scope.items() if key != "raw_path"}, receive, send)

        return site

    box = launch(wrap=strip)
    box.get("/pypi/simple/six/")

    for name in ("six-1.0+local", "six-1.0%2Blocal"):
        assert box.get(f"/pypi/packages/aa/bb/{name}-py3-none-any.whl").body == local.content
    assert box.get("/pypi/packages/aa/bb/six-1.0%252Blocal-py3-none-any.whl").status == 404

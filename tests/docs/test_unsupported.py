"""What docs/unsupported.md says that there is not, is answered as it says."""

from __future__ import annotations

import pytest

from tests.web.running import run_app


@pytest.fixture
def box(pypi, tmp_path):
    with run_app(tmp_path / "cache", pypi.simple_url) as running:
        yield running


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/pypi/", "/pypi/legacy/", "/pypi/simple/", "/pypi/pypi"])
def test_an_upload_or_a_call_is_refused_as_a_method_that_a_cache_has_not(box, pypi, method, path):
    answer = box.get(path, method)
    assert (answer.status, answer["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert pypi.count("*") == 0


@pytest.mark.parametrize("path", ["/pypi/search?q=six", "/pypi/project/six/", "/pypi/user/alice/"])
def test_what_is_no_part_of_the_simple_api_is_not_there_and_nobody_is_asked_for_it(box, pypi, path):
    assert box.get(path).status == 404
    assert pypi.count("*") == 0

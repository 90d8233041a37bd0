from __future__ import annotations

import email
import json

import pytest
from packaging.requirements import InvalidRequirement, Requirement

from cheesebox import errors
from cheesebox.web import problems
from cheesebox.web.http import Request

ERRORS = [
    kind("what happened")
    for kind in vars(errors).values()
    if isinstance(kind, type)
    and issubclass(kind, errors.CheeseboxError)
    and kind not in (errors.UpstreamStatus, errors.UnreadableMetadata)
] + [errors.UpstreamStatus("what happened", upstream_status=403)]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_every_error_has_an_honest_answer(error):
    response = problems.problem(error)
    headers = dict(response.headers)

    assert response.status == error.status
    assert int(headers["content-length"]) == len(response.body)
    assert headers["access-control-allow-origin"] == "*"
    if isinstance(error, errors.NotFound | errors.InvalidName | errors.InvalidPath):
        assert response.body == b"404 Not Found"
        return
    assert headers["content-type"] == "application/problem+json"
    document = json.loads(response.body)
    assert (document["status"], document["title"]) == (error.status, error.title)
    assert document.get("detail") == (None if error.status == 500 else "what happened")
    assert ("retry-after" in headers) is (error.status > 500)


def test_unreadable_metadata_is_answered_by_metadata_that_installers_leave_aside():
    response = problems.problem(errors.UnreadableMetadata("Some.Project-1.0-py3-none-any.whl", "reason"))
    metadata = email.message_from_bytes(response.body)

    assert (response.status, dict(response.headers)["cache-control"]) == (200, "no-store")
    assert (metadata["Name"], metadata["Version"]) == ("some-project", "1.0")
    with pytest.raises(InvalidRequirement):
        Requirement(metadata["Requires-Dist"])


def test_trouble_upstream_is_never_a_client_error():
    for error in ERRORS:
        if isinstance(error, errors.UpstreamError):
            assert error.status in (502, 503, 504)


@pytest.mark.parametrize(("asked", "told"), [({}, False), ({"access-control-request-method": "GET"}, True)])
def test_options_tell_more_to_a_preflight(asked, told):
    response = problems.options(Request("OPTIONS", "/", "", asked))

    assert response.status == 204
    assert ("access-control-allow-headers" in dict(response.headers)) is told


@pytest.mark.parametrize(("query", "location"), [("", "../six/"), ("a=b", "../six/?a=b")])
def test_a_redirect_keeps_the_query(query, location):
    assert dict(problems.redirect("../six/", query).headers)["location"] == location


def test_the_plain_answers():
    assert dict(problems.not_found("Accept").headers)["vary"] == "Accept"
    assert json.loads(problems.legacy_not_found().body) == {"message": "Not Found"}
    assert dict(problems.method_not_allowed("GET").headers)["allow"] == "GET"


def test_a_withheld_file_tells_from_when_it_is_allowed():
    known = problems.problem(errors.FileWithheld("too young", allowed_from="2027-01-20T08:00:00Z"))
    assert json.loads(known.body)["allowed_from"] == "2027-01-20T08:00:00Z"
    assert "allowed_from" not in json.loads(problems.problem(errors.FileWithheld("denied")).body)

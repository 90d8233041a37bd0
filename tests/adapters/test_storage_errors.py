"""What obstore raises is told in one line, with the reason that the service gives, and without secrets."""

from __future__ import annotations

import pytest

from cheesebox.adapters.storage_errors import is_missing, told

S3 = """Generic S3 error: Error performing GET http://127.0.0.1:9000/b?X-Amz-Signature=12ab in 2.04ms - \
Server returned non-2xx status code: 403 Forbidden: <?xml version="1.0" encoding="UTF-8"?>
<Error><Code>RequestTimeTooSkewed</Code><Message>The difference between the request time and \
the server&#39;s time is too large.</Message><RequestId>18EA</RequestId></Error>

Debug source:
Generic { store: "S3", secret: "abc" }"""

AZURE = """Generic MicrosoftAzure error: 403 Forbidden: <?xml version="1.0" encoding="utf-8"?>\
<Error><Code>AuthenticationFailed</Code><Message>Server failed to authenticate the request.
RequestId:55ab
Time:2026-01-01T00:00:00Z</Message><AuthenticationErrorDetail>The MAC signature found in the HTTP request \
'abc=' is not the same</AuthenticationErrorDetail></Error>"""


def test_the_reason_of_the_service_is_told_and_no_query_and_no_dump():
    assert told(OSError(S3)) == (
        "GET http://127.0.0.1:9000/b: 403 Forbidden, RequestTimeTooSkewed: "
        "The difference between the request time and the server's time is too large."
    )


def test_a_message_of_several_lines_is_told_by_its_first():
    assert told(OSError(AZURE)) == (
        "Generic MicrosoftAzure error: 403 Forbidden, AuthenticationFailed: "
        "Server failed to authenticate the request."
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("connection refused", "connection refused"),
        (
            "S3 error: Error performing GET http://127.0.0.1:1/b in 2.5s, after 3 retries  - HTTP error",
            "GET http://127.0.0.1:1/b: HTTP error",
        ),
        (
            "502 Bad Gateway: <html><Message>no reason</Message></html>",
            "502 Bad Gateway: <html><Message>no reason</Message></html>",
        ),
        ("<Error><Code></Code></Error>", "OSError"),
        ("", "OSError"),
    ],
)
def test_without_a_reason_the_sentence_is_all(text, expected):
    assert told(OSError(text)) == expected


def test_an_object_is_missing_and_a_bucket_is_not_an_object():
    assert is_missing(FileNotFoundError("Object at location a not found"))
    assert not is_missing(FileNotFoundError("<Error><Code>NoSuchBucket</Code></Error>"))

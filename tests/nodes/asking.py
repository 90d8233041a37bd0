"""Asking a node, and waiting for what it does behind its answers."""

from __future__ import annotations

import time
import urllib.error
import urllib.request


def get(node, path, **headers):
    request = urllib.request.Request(node.node_url + path, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, dict(response.headers), response.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


def body_of(node, path):
    status, _, body = get(node, path)
    assert status == 200, body
    return body


def wait_until(holds, seconds=30):
    ends = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < ends, "it never came to be"
        time.sleep(0.05)

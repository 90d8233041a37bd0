"""Core metadata of wheels whose upstream has none, through a merged index."""

from __future__ import annotations

import json

from tests.fakes.distributions import metadata_in, wheel_without_metadata

JSON = "application/vnd.pypi.simple.v1+json"
PAGE = "/all/simple/six/"
CONFIG = """
[[index]]
name = "all"
sources = ["near", "far", "plain"]
union = "all"

[[index]]
name = "near"
mount = ""
upstream = "{near}"

[[index]]
name = "far"
upstream = "{far}"

[[index]]
name = "plain"
mount = ""
upstream = "{plain}"
extract_metadata = false
"""


def test_a_merged_index_offers_the_metadata_of_its_sources(doubles, serve):
    near, far, plain = doubles(), doubles(), doubles()
    near.add_wheel("six", "1.0")
    lacking = far.add_wheel("six", "2.0", metadata=False)
    broken = far.add_file("six", "six-3.0-py3-none-any.whl", wheel_without_metadata(), version="3.0")
    plain.add_wheel("six", "4.0", metadata=False)
    box = serve(CONFIG.format(near=near.simple_url, far=far.simple_url, plain=plain.simple_url))

    def shown(path=PAGE):
        files = json.loads(box.get(path, accept=JSON).body)["files"]
        return {file["filename"]: (file["url"], file["core-metadata"]) for file in files}

    for path in (PAGE, "/far/simple/six/"):
        urls = {name: url for name, (url, offered) in shown(path).items() if offered is True}
        assert set(urls) == {lacking.filename, broken.filename}
        answer = box.follow(path, f"{urls[lacking.filename]}.metadata")
        assert answer.body == metadata_in(lacking.content)
    assert box.follow(path, f"{urls[broken.filename]}.metadata").headers["cache-control"] == "no-store"
    for path in (PAGE, "/far/simple/six/"):
        assert shown(path)[broken.filename][1] is False
        assert shown(path)[lacking.filename][1] is True

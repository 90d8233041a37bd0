"""Core metadata of wheels whose upstream has none, through a merged index."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.fakes.distributions import metadata_in, wheel_without_metadata

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "metadata.md"
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


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)


def test_the_examples_of_the_documentation(doubles, serve):
    pypi = doubles()
    wheel = pypi.add_wheel("six", "1.0", metadata=False)
    broken = pypi.add_file("six", "six-9.0-py3-none-any.whl", wheel_without_metadata(), version="9.0")
    [example] = blocks("toml")
    config, count = re.subn(r"https://\w+\.example/simple/", pypi.simple_url, example)
    assert count == 2
    box = serve(config)
    assert box.get(f"/internal{wheel.metadata_path}").body == metadata_in(wheel.content)
    answer = box.get(f"/internal{broken.metadata_path}")
    [told] = blocks("text")
    assert (answer["cache-control"], answer.body.decode()) == ("no-store", told)
    assert box.get(f"/nightly{wheel.metadata_path}").status == 404

"""The recipes of docs/places.md and the answer to a bad release, run against index doubles."""

from __future__ import annotations

import json
import re
from contextlib import ExitStack

import pytest

from tests.docs.examples import DOCS, blocks_of
from tests.fakes.faults import Status
from tests.fakes.pypi import FakePyPI
from tests.web.running import run_app

JSON = "application/vnd.pypi.simple.v1+json"


def toml_below(page, heading):
    """The TOML block of a section."""
    text = (DOCS / page).read_text()
    start = text.index(f"{heading}") if heading.startswith("**") else text.index(f"\n## {heading}\n")
    line = text.count("\n", 0, start)
    return next(b.text for b in blocks_of(DOCS / page) if b.language == "toml" and b.line > line)


@pytest.fixture
def start(tmp_path):
    """Run an application with the settings of an example, its upstreams replaced by doubles."""
    with ExitStack() as stack:

        def start_one(text, upstreams):
            for public, double in upstreams.items():
                assert public in text
                text = text.replace(public, double)
            folder = tmp_path / f"run{len(list(tmp_path.iterdir()))}"
            folder.mkdir()
            text = re.sub(r"^(cache_dir|host) = .*\n", "", text, flags=re.MULTILINE)
            config = folder / "cheesebox.toml"
            config.write_text(text)
            return stack.enter_context(run_app(folder / "cache", None, config=config))

        yield start_one


def files_of(box, path):
    answer = box.get(path, accept=JSON)
    assert answer.status == 200, answer.body
    return {file["filename"]: file for file in json.loads(answer.body)["files"]}


@pytest.fixture
def pytorch():
    """An index as PyTorch's is: 403 for what it has not, and old copies of other people's libraries."""
    with FakePyPI() as double:
        for project, version in (("torch", "2.9.0+cu126"), ("numpy", "1.0")):
            double.add_wheel(project, version)
        double.fault("/simple/six/", Status(403))
        yield double


@pytest.mark.parametrize(
    ("order", "numpy"), [(["pytorch-cu126", "pypi"], "1.0"), (["pypi", "pytorch-cu126"], "2.0")]
)
def test_torch_comes_from_its_own_index_and_the_rest_by_order(start, pypi, pytorch, order, numpy):
    for project, version in (("torch", "2.9.0"), ("numpy", "2.0"), ("six", "1.17.0")):
        pypi.add_wheel(project, version)
    text = toml_below("places.md", "PyTorch").replace('["pytorch-cu126", "pypi"]', json.dumps(order))
    upstreams = {
        "https://download.pytorch.org/whl/cu126/": pytorch.simple_url,
        "https://pypi.org/simple/": pypi.simple_url,
    }
    box = start(text, upstreams)
    assert list(files_of(box, "/cu126/simple/torch/")) == ["torch-2.9.0+cu126-py3-none-any.whl"]
    assert list(files_of(box, "/cu126/simple/numpy/")) == [f"numpy-{numpy}-py3-none-any.whl"]
    assert list(files_of(box, "/cu126/simple/six/")) == ["six-1.17.0-py3-none-any.whl"]


def test_a_cache_can_have_another_as_its_upstream(start, pypi):
    wheel = pypi.add_wheel("six", "1.17.0", upload_time="2025-01-01T00:00:00.000000Z")
    common = start(
        'upstream = "https://pypi.org/simple/"\n' + toml_below("places.md", "A build farm"),
        {"https://pypi.org/simple/": pypi.simple_url},
    )
    text = [b.text for b in blocks_of(DOCS / "places.md") if "# on each machine" in b.text]
    near = start(text[0], {"http://cache.farm.example:6283": common.url})
    [file] = files_of(near, "/pypi/simple/six/").values()
    assert near.follow("/pypi/simple/six/", file["url"]).body == wheel.content
    assert [
        answer["x-cache2"] for answer in (near.get(f"/pypi{wheel.path}"), common.get(f"/pypi{wheel.path}"))
    ] == [
        "HIT",
        "HIT",
    ]


def test_a_bad_release_is_withheld_though_it_is_cached(start, pypi):
    bad = pypi.add_wheel("requests", "2.99.0")
    pypi.add_wheel("requests", "2.98.0")
    text = 'upstream = "https://pypi.org/simple/"\n' + toml_below(
        "troubleshooting.md", "**A bad release is out.**"
    )
    box = start(text, {"https://pypi.org/simple/": pypi.simple_url})
    assert list(files_of(box, "/pypi/simple/requests/")) == ["requests-2.98.0-py3-none-any.whl"]
    told = json.loads(box.get(f"/pypi{bad.path}").body)
    assert told["detail"].endswith("compromised, see the incident channel")

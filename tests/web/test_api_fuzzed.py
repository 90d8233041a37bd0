"""The API against its own description: generated requests, and answers that are what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.fakes.pypi import FakePyPI
from tests.web.running import run_app

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "a-token-for-the-test"
BARE = [("GET", "/overview"), ("GET", "/highlights"), ("GET", "/activity"), ("GET", "/settings")]
WITH_PARTS = [
    ("GET", "/history"),
    ("GET", "/projects"),
    ("GET", "/projects/{project}"),
    ("POST", "/purge"),
    ("POST", "/offline"),
]
RIGHT, WRONG = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
CASES = [(*each, RIGHT) for each in BARE + WITH_PARTS] + [(*each, WRONG) for each in WITH_PARTS]
# Which conditions of a purge go together is told in words: a body may be right in each part and refused.
EXCLUDED = {"/purge": [positive_data_acceptance]}
BOUNDED = settings(
    max_examples=25,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def described(tmp_path_factory) -> Iterator[schemathesis.BaseSchema]:
    with (
        FakePyPI() as pypi,
        run_app(tmp_path_factory.mktemp("fuzzed") / "cache", pypi.simple_url, admin_token=TOKEN) as box,
    ):
        pypi.add_wheel("demo", "1.0")
        box.get("/pypi/simple/demo/")
        yield schemathesis.openapi.from_url(f"{box.url}/-/api/v1/openapi.json", config=SchemathesisConfig())


def test_all_operations_are_fuzzed(described):
    found = {(result.ok().method.upper(), result.ok().path) for result in described.get_all_operations()}
    assert found == set(BARE + WITH_PARTS)


@pytest.mark.parametrize(("method", "path", "mode"), CASES)
def test_answers_are_as_described(described, method, path, mode):
    operation = described[path][method]

    @BOUNDED
    @given(data=st.data())
    def fuzz(data):
        case = data.draw(operation.as_strategy(generation_mode=mode))
        headers = {"Authorization": f"Bearer {TOKEN}"} if method == "POST" else None
        answer = case.call(headers=headers, timeout=20)
        case.validate_response(answer, excluded_checks=EXCLUDED.get(path))

    fuzz()

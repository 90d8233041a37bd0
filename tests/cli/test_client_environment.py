from hypothesis import given
from hypothesis import strategies as st

from cheesebox.cli.client_environment import client_environment

URL = "http://127.0.0.1:1234/pypi/simple/"
POINTED = {
    "PIP_INDEX_URL",
    "UV_DEFAULT_INDEX",
    "UV_INDEX_URL",
    "PDM_PYPI_URL",
    "PIPENV_PYPI_MIRROR",
    "POETRY_PYPI_MIRROR_URL",
}
names = st.sampled_from(
    [*POINTED, "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX", "PIP_CONFIG_FILE", "NO_PROXY", "PATH"]
)


@given(st.dictionaries(names, st.text(max_size=20)))
def test_every_installer_is_pointed_at_the_cache_and_the_rest_is_left_alone(environ):
    made = client_environment(environ, URL)
    assert {name for name, value in made.items() if value == URL} >= POINTED
    assert not made.keys() & {"PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX"}
    for name in ("PIP_CONFIG_FILE", "PATH"):
        assert made.get(name) == environ.get(name)


@given(st.dictionaries(names, st.text(max_size=20)))
def test_pointing_twice_is_pointing_once(environ):
    once = client_environment(environ, URL)
    assert client_environment(once, URL) == once


def test_loopback_is_not_asked_through_a_proxy():
    assert client_environment({}, URL)["NO_PROXY"] == "127.0.0.1"
    assert client_environment({"NO_PROXY": "a.example"}, URL)["NO_PROXY"] == "a.example,127.0.0.1"
    assert client_environment({"no_proxy": "127.0.0.1, b"}, URL)["no_proxy"] == "127.0.0.1, b"
    assert client_environment({"no_proxy": "*"}, URL)["no_proxy"] == "*"


def test_each_spelling_of_no_proxy_knows_what_the_other_one_said():
    made = client_environment({"no_proxy": "a.example"}, URL)
    assert made["NO_PROXY"] == made["no_proxy"] == "a.example,127.0.0.1"

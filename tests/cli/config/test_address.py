from pathlib import Path

import pytest

from cheesebox.cli.config.address import Address, address_of, listening, parse_address
from cheesebox.errors import SettingsError
from cheesebox.settings import IndexSettings, Settings


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example/py",
        "https://a.example/py/",
        "https://a.example/py/simple",
        "https://a.example/py/simple/",
    ],
)
def test_the_url_of_a_mount_and_that_of_its_simple_api_mean_the_same(url):
    assert parse_address(url) == Address("https://a.example/py")
    assert parse_address(url).simple_url == "https://a.example/py/simple/"


@pytest.mark.parametrize(
    "url", ["a.example/py", "ftp://a.example/", "http://", "http://a b/", "http://a/;}\n{"]
)
def test_what_is_no_url_of_an_index_is_refused(url):
    with pytest.raises(SettingsError, match="--url"):
        parse_address(url)


@pytest.mark.parametrize(
    ("url", "trusted"),
    [
        ("http://127.0.0.1:6283/pypi", None),
        ("http://127.8.8.8/pypi", None),
        ("http://[::1]:6283/pypi", None),
        ("http://localhost:6283/pypi", None),
        ("https://a.example/pypi", None),
        ("http://a.example/pypi", "a.example"),
        ("http://kim:pass@a.example:6283/pypi", "a.example:6283"),
        ("http://10.0.0.1:6283/pypi", "10.0.0.1:6283"),
    ],
)
def test_a_host_has_to_be_trusted_where_neither_tls_nor_loopback_protects(url, trusted):
    assert Address(url).trusted_host == trusted


@pytest.mark.parametrize(
    ("host", "here"),
    [("0.0.0.0", "127.0.0.1:6283"), ("::", "[::1]:6283"), ("a.example", "a.example:6283")],
)
def test_a_server_that_listens_everywhere_is_reached_by_loopback(host, here):
    assert listening(Settings(host=host)) == here


def test_the_public_url_is_what_clients_use():
    index = IndexSettings(public_url="https://a.example/mirror/")
    assert address_of(Settings(port=0), index).simple_url == "https://a.example/mirror/simple/"
    assert address_of(Settings(), IndexSettings()).simple_url == "http://127.0.0.1:6283/pypi/simple/"


def test_a_port_that_is_picked_later_is_no_address():
    with pytest.raises(SettingsError, match="--url"):
        address_of(Settings(port=0), IndexSettings())


def test_a_server_with_tls_has_an_https_url():
    settings = Settings(tls_cert=Path("cert.pem"), tls_key=Path("key.pem"))
    assert address_of(settings, settings.index).simple_url == "https://127.0.0.1:6283/pypi/simple/"

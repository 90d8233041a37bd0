import socket

import pytest

from cheesebox.errors import SettingsError
from cheesebox.server.sockets import listen, root_url


def test_port_zero_takes_a_free_port_that_listens_at_once():
    with listen("127.0.0.1", 0) as sock:
        port = sock.getsockname()[1]
        assert root_url(sock) == f"http://127.0.0.1:{port}"
        socket.create_connection(("127.0.0.1", port), timeout=10).close()


def test_the_url_of_all_addresses_is_the_one_of_loopback():
    with listen("0.0.0.0", 0) as sock:
        assert root_url(sock) == f"http://127.0.0.1:{sock.getsockname()[1]}"


def test_a_port_in_use_is_told_with_what_to_do():
    with listen("127.0.0.1", 0) as sock:
        port = sock.getsockname()[1]
        with pytest.raises(SettingsError) as caught:
            listen("127.0.0.1", port)
    assert str(caught.value) == (
        f"port {port} on 127.0.0.1 is in use: stop what listens there or give another with --port"
    )


def test_a_foreign_address_is_told_with_what_to_do():
    with pytest.raises(
        SettingsError, match=r"^this machine has no address 192\.0\.2\.1: give one of its own with"
    ):
        listen("192.0.2.1", 0)


def test_a_host_without_an_address_is_told():
    with pytest.raises(
        SettingsError, match=r"^host '300\.1\.1\.1\.invalid' cannot be resolved: give an address"
    ):
        listen("300.1.1.1.invalid", 0)

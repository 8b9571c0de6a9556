"""The guard of conftest.py, which watches the whole suite."""

import socket

import pytest


def test_another_computer_is_out_of_reach(network_guard):
    with socket.socket() as one, pytest.raises(OSError, match="Tests use no network"):
        one.connect(("192.0.2.1", 80))
    with socket.socket() as one, pytest.raises(OSError, match="Tests use no network"):
        one.connect_ex(("example.org", 80))
    # Asked for by this test and not by the package.
    network_guard.ours.clear()


def test_this_computer_is_within_reach():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            pass


def test_a_connection_of_the_package_would_be_told(network_guard):
    """A module of this name stands in the stack: what the guard looks for."""
    code = compile(
        "one.connect(('192.0.2.1', 80))", "src/napari_microus/imagined.py", "exec"
    )
    with socket.socket() as one, pytest.raises(OSError, match="Tests use no network"):
        exec(code, {"one": one})
    assert "imagined.py" in network_guard.ours.pop()

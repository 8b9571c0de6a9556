"""The guard of conftest.py, which watches the whole suite and its children."""

import ast
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "napari_microus"
# Each of these could reach another computer.
NETWORKING = {
    *("socket", "ssl", "ftplib", "smtplib", "http", "xmlrpc", "socketserver"),
    *("requests", "httpx", "aiohttp", "urllib3", "websocket", "websockets", "pooch"),
    *("huggingface_hub", "gdown", "asyncio", "urllib.request", "urllib.error"),
    *("distributed", "torch.hub", "timm", "boto3", "fsspec"),
}
# And these do: a download that a person asks for, a Dask cluster or a scanner that a
# person names, and capsules sent to a program on this computer.
ALLOWED = {
    "core/download.py",
    "core/batch/on_dask.py",
    "core/live/stream.py",
    "core/live/serving.py",
}


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


def test_a_connection_of_the_package_would_be_reported(network_guard):
    """A module of this name stands in the stack: what the guard looks for."""
    code = compile(
        "one.connect(('192.0.2.1', 80))", "src/napari_microus/imagined.py", "exec"
    )
    with socket.socket() as one, pytest.raises(OSError, match="Tests use no network"):
        exec(code, {"one": one})
    assert "imagined.py" in network_guard.ours.pop()


def run_child(code, log):
    return subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"MICROUS_NETWORK_LOG": str(log)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_children_have_the_guard_too(tmp_path):
    log = tmp_path / "network.txt"
    asked = "import socket; socket.socket().connect(('192.0.2.1', 80))"
    done = run_child(asked, log)
    assert "Tests use no network" in done.stderr
    assert not log.exists()  # asked for by others than the package

    ours = f"exec(compile({asked!r}, 'src/napari_microus/imagined.py', 'exec'))"
    assert "Tests use no network" in run_child(ours, log).stderr
    assert "imagined.py" in log.read_text(encoding="utf-8")


def imports(path):
    """Names of the modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
        elif isinstance(node, ast.Call) and "import_module" in ast.unparse(node.func):
            yield from (arg.value for arg in node.args if isinstance(arg, ast.Constant))
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_nothing_else_of_the_package_can_reach_another_computer():
    found = {
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        for name in imports(path)
        if name in NETWORKING or name.partition(".")[0] in NETWORKING
    }
    assert found == ALLOWED

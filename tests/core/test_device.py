import subprocess
import sys

import pytest
import torch

from napari_microus.core import device
from napari_microus.core.errors import DeviceError


def test_the_processor_can_always_be_chosen():
    assert device.choose_device("cpu") == torch.device("cpu")
    assert device.choose_device(torch.device("cpu")) == torch.device("cpu")


def test_auto_takes_the_first_that_is_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert device.choose_device("auto") == torch.device("mps")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device.choose_device("auto") == torch.device("cuda")


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "mps"])
def test_an_absent_device_is_refused_with_the_reason(name, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(DeviceError, match=rf"got '{name}', but .+\. Choose auto"):
        device.choose_device(name)


@pytest.mark.parametrize("name", ["gpu", "", "cuda:x"])
def test_an_unknown_name_lists_the_known(name):
    with pytest.raises(DeviceError, match="must be auto, cuda, cuda:N, mps or cpu"):
        device.choose_device(name)


def test_a_gpu_beyond_the_last_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert device.choose_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(DeviceError, match="below 2; got 'cuda:2'"):
        device.choose_device("cuda:2")


def test_devices_are_reported_without_importing_torch():
    code = (
        "import sys; from napari_microus.core.device import device_statuses; "
        "[s] = [s for s in device_statuses() if s.name == 'cpu']; "
        "assert s.is_available; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_is_said_before_torch_agrees_with_torch():
    code = (
        "from napari_microus.core.device import device_statuses; "
        "before = device_statuses(); import torch; "
        "assert [s.is_available for s in before] == "
        "[s.is_available for s in device_statuses()], before"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("cuda: Optional[str] = None\nhip: Optional[str] = None", "NVIDIA GPU support"),
        ("cuda: Optional[str] = '12.8'", "no NVIDIA driver"),
        ("cuda: Optional[str] = None\nhip: Optional[str] = '6.4'", ""),
    ],
)
def test_the_build_of_torch_gives_the_reason(text, reason, tmp_path, monkeypatch):
    (tmp_path / "version.py").write_text(text)
    spec = type("Spec", (), {"origin": str(tmp_path / "__init__.py")})
    monkeypatch.setattr("importlib.util.find_spec", lambda name: spec)

    def no_library(name):
        raise OSError

    monkeypatch.setattr("ctypes.CDLL", no_library)
    device._no_cuda.cache_clear()
    try:
        assert reason in device._no_cuda()
        assert bool(reason) == bool(device._no_cuda())
    finally:
        device._no_cuda.cache_clear()

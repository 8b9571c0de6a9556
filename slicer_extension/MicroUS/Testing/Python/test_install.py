import importlib.metadata
import sys
import types
from pathlib import Path
from subprocess import CalledProcessError

import pytest
import slicer
from MicroUSLib.packages import install
from MicroUSLib.packages.install import Installer, InstallError


class Pip:
    """Plays pip and the PyTorch extension; remembers what was asked of them."""

    def __init__(self, monkeypatch, *present):
        self.present = set(present)
        self.calls = []
        self.constraints = ""
        monkeypatch.setattr(install, "is_met", self.has)
        monkeypatch.setattr(slicer.util, "pip_install", self.pip_install)
        monkeypatch.delitem(sys.modules, "slicer.packaging", raising=False)
        torch = types.ModuleType("PyTorchUtils")
        torch.PyTorchUtilsLogic = lambda: self
        monkeypatch.setitem(sys.modules, "PyTorchUtils", torch)

    def has(self, requirement):
        return requirement.partition(">=")[0] in self.present

    def add(self, texts):
        self.present |= {text.partition(">=")[0] for text in texts}

    def installTorch(self, askConfirmation, backend, version):
        assert not askConfirmation
        self.calls.append(("torch", version))
        self.add(["torch"])
        return object()

    def pip_install(self, arguments):
        self.calls.append(("pip", list(arguments)))
        if "-c" in arguments:
            file = Path(arguments[arguments.index("-c") + 1])
            self.constraints = file.read_text(encoding="utf-8")
        self.add(a for a in arguments if not a.startswith("-"))

    def pip_ensure(self, texts, constraints, prompt_install, requester):
        assert not prompt_install
        self.calls.append(("ensure", list(texts)))
        self.constraints = Path(constraints).read_text(encoding="utf-8")
        self.add(texts)


def agree(text):
    return True


def with_packaging(pip, monkeypatch):
    packaging = types.ModuleType("slicer.packaging")
    packaging.pip_ensure = pip.pip_ensure
    monkeypatch.setitem(sys.modules, "slicer.packaging", packaging)


def test_order_is_torch_then_needs_then_ours(monkeypatch):
    pip = Pip(monkeypatch)
    with_packaging(pip, monkeypatch)

    assert Installer(confirm=agree).ensure()

    assert pip.calls == [
        ("torch", ">=2.4.1"),
        ("ensure", install.requirements()),
        ("pip", ["--no-deps", "napari-microus"]),
    ]


def test_older_slicer_uses_pip(monkeypatch):
    pip = Pip(monkeypatch)

    Installer(confirm=agree).ensure()

    kinds = [kind for kind, _ in pip.calls]
    assert kinds == ["torch", "pip", "pip"]
    assert "monai>=1.5" in pip.calls[1][1]


@pytest.mark.parametrize("has_packaging", [True, False])
def test_what_slicer_ships_is_held(has_packaging, monkeypatch):
    pip = Pip(monkeypatch)
    if has_packaging:
        with_packaging(pip, monkeypatch)
    Installer(confirm=agree).ensure()

    version = importlib.metadata.version
    held = dict(line.split("==") for line in pip.constraints.splitlines())
    for name in ("numpy", "scipy", "SimpleITK", "vtk"):
        assert held[name] == version(name)
    assert held["torch"] == version("torch").partition("+")[0]


def test_nothing_is_asked_when_nothing_is_missing(monkeypatch):
    names = [text.partition(">=")[0] for text in install.requirements()]
    pip = Pip(monkeypatch, "torch", "napari-microus", *names)

    def refuse(text):
        raise AssertionError(text)

    assert not Installer(confirm=refuse).ensure()
    assert pip.calls == []


def test_declining_installs_nothing(monkeypatch):
    pip = Pip(monkeypatch)
    asked = []

    with pytest.raises(InstallError, match="declined"):
        Installer(confirm=asked.append).ensure()

    assert pip.calls == []
    assert "monai>=1.5" in asked[0]


def test_wheels_need_no_network(monkeypatch, tmp_path):
    pip = Pip(monkeypatch)
    with_packaging(pip, monkeypatch)

    Installer(tmp_path, confirm=agree).ensure()

    assert [kind for kind, _ in pip.calls] == ["pip"] * 3
    for _, arguments in pip.calls:
        assert arguments[:3] == ["--no-index", "--find-links", str(tmp_path)]
    assert pip.calls[0][1][3:] == ["torch>=2.4.1"]
    assert pip.calls[2][1][3:] == ["--no-deps", "napari-microus"]


def test_missing_folder_of_wheels_is_reported_before_anything_is_asked(
    monkeypatch, tmp_path
):
    Pip(monkeypatch)
    with pytest.raises(InstallError, match="There is no folder of wheels"):
        Installer(tmp_path / "none").ensure()


def test_missing_pytorch_extension_is_reported(monkeypatch):
    Pip(monkeypatch)
    monkeypatch.setitem(sys.modules, "PyTorchUtils", None)
    with pytest.raises(InstallError, match="extension PyTorch is not installed"):
        Installer(confirm=agree).ensure()


def test_failing_pip_is_reported(monkeypatch):
    pip = Pip(monkeypatch, "torch")

    def fail(arguments):
        raise CalledProcessError(1, "pip")

    monkeypatch.setattr(slicer.util, "pip_install", fail)
    with pytest.raises(InstallError, match="pip ended with 1"):
        Installer(confirm=agree).ensure()
    assert pip.calls == []


def test_packages_that_did_not_arrive_are_named(monkeypatch):
    pip = Pip(monkeypatch, "torch", "napari-microus")
    monkeypatch.setattr(pip, "add", lambda texts: None)
    with pytest.raises(InstallError, match=r"monai>=1.5.* is still missing"):
        Installer(confirm=agree).ensure()


def test_requirements_of_this_environment_are_judged_by_version():
    assert install.is_met("monai>=1.5")
    assert not install.is_met("monai>=99")
    assert not install.is_met("no-such-package")

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_microus.cli.application import app
from napari_microus.core import samples
from napari_microus.core.events import CANCEL_VARIABLE, drain, from_json
from napari_microus.core.library import load_model
from napari_microus.core.live import Exchange
from napari_microus.core.predict import predict
from napari_microus.core.volume import Volume


@pytest.mark.slow
def test_a_frame_in_the_folder_gets_its_capsule(tmp_path, monkeypatch):
    import napari_microus.cli.commands  # noqa: F401
    from napari_microus.core import parent

    monkeypatch.setattr(parent, "end_with_parent", lambda: None)  # this one stays
    monkeypatch.setenv(CANCEL_VARIABLE, str(tmp_path / "cancel"))
    frame = np.ascontiguousarray(samples.read_sweep().scan.array[4])
    folder = tmp_path / "exchange"
    folder.mkdir()
    Exchange(folder, "frame").put(7, frame)

    # It ends once its capsule is there.
    put = Exchange.put

    def put_and_cancel(self, number, array):
        put(self, number, array)
        (tmp_path / "cancel").touch()

    monkeypatch.setattr(Exchange, "put", put_and_cancel)
    result = CliRunner().invoke(app, ["live-exchange", str(folder), "--device", "cpu"])

    assert result.exit_code != 0  # interrupted
    assert all(from_json(line) for line in result.output.splitlines() if "{" in line)
    number, capsule = Exchange(folder, "capsule").take()
    assert number == 7
    alone = drain(predict(load_model(), Volume(frame[None]), device="cpu"))
    np.testing.assert_array_equal(capsule, alone.mask.array[0])
    assert '"model' in (folder / "provenance.json").read_text(encoding="utf-8")


def test_the_command_is_for_programs_alone():
    import napari_microus.cli.commands  # noqa: F401

    assert "live-exchange" not in CliRunner().invoke(app, ["--help"]).output

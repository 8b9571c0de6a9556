import json

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_microus.cli.application import app
from napari_microus.core import samples
from napari_microus.core.io import read_mask, read_volume
from openigtlink_server import Server, image


@pytest.fixture(scope="module")
def register():
    import napari_microus.cli.commands  # noqa: F401


@pytest.mark.slow
def test_a_stream_is_segmented_and_kept(register, tmp_path):
    frame = np.ascontiguousarray(samples.read_sweep().scan.array[4])
    message = image(frame)

    def talk(peer, stop):
        while not stop.wait(0.03):
            peer.sendall(message)

    server = Server(talk)
    cine = tmp_path / "cine.nii.gz"
    try:
        stated = CliRunner().invoke(
            app,
            [
                "live",
                f"127.0.0.1:{server.port}",
                *("--frames", "3", "--every", "0", "--record", str(cine)),
                *("--device", "cpu"),
            ],
        )
    finally:
        server.close()

    assert stated.exit_code == 0, stated.output
    lines = [json.loads(line) for line in stated.output.splitlines()]
    frames = [line for line in lines if "frame" in line]
    assert [line["frame"] for line in frames] == [1, 2, 3]
    # A frame of a gland: the bundled model finds it.
    assert all(line["capsule_pixels"] > 0.02 * frame.size for line in frames)
    scan = read_volume(cine)
    np.testing.assert_array_equal(scan.array, np.stack([frame] * 3))
    mask = read_mask(tmp_path / "cine_capsule.nii.gz", grid=scan)
    assert mask.array[0].sum() == frames[0]["capsule_pixels"]


def test_an_address_that_is_none_is_a_sentence(register):
    stated = CliRunner().invoke(app, ["live", "probe:port"])
    assert stated.exit_code != 0
    assert "host and a port" in str(stated.exception)

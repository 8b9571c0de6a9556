import numpy as np

from napari_microus.core.events import Preview
from napari_microus.core.runs.folder import request_preview
from napari_microus.core.train import train


def test_preview_shows_the_frame_that_was_asked_for(tiny, drain, tmp_path):
    config = tiny(epochs=1, data={"phantom_val_cases": 2, "phantom_val_frames": 3})
    (tmp_path / "run").mkdir()
    request_preview(tmp_path / "run", case=3, frame=2)  # 3 of 2 cases: the second

    events, _ = drain(train(config))

    previews = [event for event in events if isinstance(event, Preview)]
    assert [preview.frame for preview in previews] == [2]
    assert previews[0].case.endswith("1")
    with np.load(previews[0].path) as shown:
        assert shown["image"].shape == shown["expert"].shape
        assert shown["probability"].shape == shown["expert"].shape
        assert (shown["spacing_mm"] > 0).all()


def test_without_a_wish_the_first_case_shows_its_largest_mask(tiny, drain):
    config = tiny(epochs=1, data={"phantom_val_cases": 2, "phantom_val_frames": 3})

    events, _ = drain(train(config))

    previews = [event for event in events if isinstance(event, Preview)]
    assert [preview.case[-1] for preview in previews] == ["0"]

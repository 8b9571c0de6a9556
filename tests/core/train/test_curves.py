from napari_microus.core.train import curves

draw = curves.draw  # before the fixture that spares other tests the picture
ROW = {
    "epoch": 0,
    "train_loss": 0.5,
    "val_loss": None,
    "val_dice": 0.9,
    "val_hd95_mm": 2.5,
    "learning_rate": 0.01,
    "seconds": 3.0,
    "is_best": True,
}


def test_the_table_is_read_back_without_what_was_not_measured(tmp_path):
    curves.write_table(tmp_path / "curves.csv", [ROW, ROW | {"epoch": 1}])

    first, second = curves.read_table(tmp_path / "curves.csv")

    assert second == first | {"epoch": 1.0}
    assert "val_loss" not in first
    assert first["val_dice"] == 0.9


def test_the_picture_is_drawn_from_the_table(tmp_path):
    curves.write_table(tmp_path / "curves.csv", [ROW])

    draw(tmp_path, 0.95)

    assert (tmp_path / "curves.png").read_bytes()[:4] == b"\x89PNG"


def test_before_the_first_epoch_there_is_no_picture(tmp_path):
    draw(tmp_path, None)

    assert list(tmp_path.iterdir()) == []

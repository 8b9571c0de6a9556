import subprocess
import sys
import threading

import numpy as np
import pytest

from napari_microus.core.errors import InputError
from napari_microus.core.events import Notice
from napari_microus.core.live import Exchange, ExchangeSource, LiveFrame, follow


def frame(value, shape=(40, 60)):
    array = np.full(shape, value, np.uint8)
    array[:5] = 0
    return array


def test_the_newest_is_taken_once_and_nothing_is_left(tmp_path):
    here, there = Exchange(tmp_path, "frame"), Exchange(tmp_path, "frame")
    assert there.take() is None
    for number in (7, 8, 9):
        here.put(number, frame(number))
    number, array = there.take()
    assert number == 9
    np.testing.assert_array_equal(array, frame(9))
    assert there.take() is None
    assert list(tmp_path.iterdir()) == []


def test_only_one_waits_however_many_come(tmp_path):
    """Nobody takes them while a model is loaded."""
    here = Exchange(tmp_path, "frame")
    for number in range(50):
        assert here.put(number, frame(number)) == (number > 0)
        assert len(list(tmp_path.iterdir())) == 1
    assert Exchange(tmp_path, "frame").take()[0] == 49
    assert not here.put(50, frame(50))  # 49 may be answered


def test_directions_do_not_meet(tmp_path):
    Exchange(tmp_path, "frame").put(1, frame(1))
    assert Exchange(tmp_path, "capsule").take() is None


@pytest.mark.parametrize("dtype", ["u1", "i2", "f4"])
def test_values_of_any_type_arrive_as_they_are(tmp_path, dtype):
    sent = np.arange(12, dtype=dtype).reshape(3, 4)[:, ::2]  # not contiguous
    Exchange(tmp_path, "frame").put(1, sent)
    _, array = Exchange(tmp_path, "frame").take()
    assert array.dtype == sent.dtype
    np.testing.assert_array_equal(array, sent)


def test_a_file_that_is_no_array_is_passed_over(tmp_path):
    (tmp_path / "frame-000000002.npy").write_bytes(b"nothing")
    Exchange(tmp_path, "frame").put(1, frame(1))
    assert Exchange(tmp_path, "frame").take()[0] == 1


def test_both_sides_at_once_lose_no_newest(tmp_path):
    """Numbers only rise, and the last is always taken."""
    here, there, taken = Exchange(tmp_path, "frame"), Exchange(tmp_path, "frame"), []
    taken_back = set()

    def write():
        for number in range(300):
            if here.put(number, np.full((50, 50), number, np.int32)):
                taken_back.add(number - 1)

    writer = threading.Thread(target=write)
    writer.start()
    while writer.is_alive() or not taken or taken[-1] != 299:
        found = there.take()
        if found is not None:
            number, array = found
            assert (array == number).all()
            taken.append(number)
    writer.join()
    assert taken == sorted(set(taken))
    assert not taken_back & set(taken)
    assert list(tmp_path.glob("*.npy")) == []


def test_frames_are_followed_with_their_numbers(tmp_path, bright):
    here = Exchange(tmp_path, "frame")
    work = follow(bright, ExchangeSource(tmp_path), device="cpu")
    numbers = []
    here.put(3, frame(3)[None])  # no frame: refused with a sentence
    for event in work:
        if isinstance(event, Notice):
            assert "is no picture" in event.message
            here.put(5, frame(200))
        if isinstance(event, LiveFrame):
            numbers.append(event.tag)
            np.testing.assert_array_equal(event.frame, frame(200))
            here.put(8, frame(200))
        if len(numbers) == 2:
            break
    work.close()
    assert numbers == [5, 8]


def test_it_ends_with_its_folder(tmp_path, bright):
    folder = tmp_path / "gone"
    folder.mkdir()
    work = follow(bright, ExchangeSource(folder), device="cpu")
    next(work)
    folder.rmdir()
    assert [event for event in work if isinstance(event, LiveFrame)] == []


def test_a_folder_must_be_there(tmp_path):
    with pytest.raises(InputError, match="through a folder"):
        ExchangeSource(tmp_path / "none")


def test_who_has_frames_alone_needs_no_pytorch():
    code = (
        "import sys; from napari_microus.core.live import Exchange; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

import gc
import threading
import time
import tracemalloc

import numpy as np
import pytest
import torch

from napari_microus.core.errors import ConfigError, InputError, OutputError
from napari_microus.core.events import Notice
from napari_microus.core.io import read_mask, read_volume
from napari_microus.core.library import load_model
from napari_microus.core.live import (
    FolderSource,
    LiveFrame,
    LiveStatus,
    Recording,
    StreamSource,
    answering,
    follow,
)
from napari_microus.core.live.following import Counts
from openigtlink_server import header, image, send_at

PATIENCE_S = 60


def until(work, is_enough):
    """Drain a generator until enough was seen, close it, and return the events."""
    events, began = [], time.monotonic()
    for event in work:
        events.append(event)
        if is_enough(events):
            break
        assert time.monotonic() - began < PATIENCE_S, events[-5:]
    work.close()
    return events


def frames_in(events):
    return [event for event in events if isinstance(event, LiveFrame)]


def notices_in(events):
    return [event.message for event in events if isinstance(event, Notice)]


def keep_sending(message):
    def talk(peer, stop):
        while not stop.wait(0.02):
            peer.sendall(message)

    return talk


def live_threads():
    ours = ("napari-microus live", "napari-microus answers")
    return [t for t in threading.enumerate() if t.name in ours]


@pytest.mark.parametrize("rate", [30, 60])
def test_the_newest_real_frame_is_answered_and_every_frame_counted(
    serve, bright, real_frames, rate
):
    messages = [image(frame) for frame in real_frames]
    server = serve(send_at(messages * 6, rate, jitter=0.9))
    work = follow(bright, StreamSource("127.0.0.1", server.port), device="cpu")

    events = until(
        work, lambda seen: any(frame.received == 60 for frame in frames_in(seen))
    )

    found = frames_in(events)
    last = found[-1]
    assert last.number + last.dropped + last.refused == last.received
    # The last one that was sent is the last one that was answered.
    np.testing.assert_array_equal(last.frame, real_frames[-1])
    assert last.mask.shape == last.frame.shape
    assert set(np.unique(last.mask)) <= {0, 1}
    assert last.spacing_mm == pytest.approx((0.2, 0.1))
    assert all(frame.latency_s > 0 for frame in found)
    assert not live_threads()


def test_a_slow_answer_leaves_out_frames_but_never_the_newest(serve, real_frames):
    messages = [image(frame) for frame in real_frames]
    server = serve(send_at(messages, 100))
    asked = []

    class Slow(torch.nn.Module):
        image_size = 32

        def forward(self, x):
            asked.append(1)
            time.sleep(0.3)
            return 20 * (x - 0.5)

    work = follow(Slow(), StreamSource("127.0.0.1", server.port), device="cpu")
    events = until(
        work,
        lambda seen: any(
            np.array_equal(f.frame, real_frames[-1]) for f in frames_in(seen)
        ),
    )

    last = frames_in(events)[-1]
    assert last.dropped > 0
    assert last.number + last.dropped == last.received


def test_counts_hold_where_answers_overtake_each_other():
    counts = Counts()
    assert counts.answer(1)
    counts.refuse(4)  # while the answer to frame 2 is awaited
    assert counts.answer(2)
    assert (counts.answered, counts.refused, counts.dropped) == (2, 0, 0)
    assert counts.answer(6)
    assert not counts.answer(5)  # later than the answer to a newer frame
    assert (counts.answered, counts.refused, counts.dropped) == (3, 1, 2)
    counts.refuse(3)
    assert (counts.answered, counts.refused, counts.dropped) == (3, 2, 1)
    assert counts.newest == 6


def test_frames_that_are_refused_for_ever_take_no_memory():
    counts = Counts()
    assert counts.answer(1)
    for number in range(2, 10_002):
        counts.refuse(number)
        assert len(counts.later) <= 100
    assert counts.answer(10_002)
    assert (counts.answered, counts.refused, counts.dropped) == (2, 10_000, 0)


def test_two_frames_are_segmented_at_once_and_come_in_their_order(
    serve, real_frames, monkeypatch
):
    model, before = load_model(), torch.get_num_threads()
    busy, most, lock = [0], [0], threading.Lock()

    def segment(model, frame, settings):
        with lock:
            busy[0] += 1
            most[0] = max(most[0], busy[0])
        time.sleep(0.08)
        with lock:
            busy[0] -= 1
        return np.zeros(frame.shape, np.uint8)

    monkeypatch.setattr(answering, "_segment", segment)
    torch.set_num_threads(3)
    try:
        server = serve(send_at([image(frame) for frame in real_frames] * 3, 40))
        work = follow(model, StreamSource("127.0.0.1", server.port), device="cpu")
        events = until(
            work, lambda seen: any(frame.received == 30 for frame in frames_in(seen))
        )
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    numbers = [frame.received for frame in frames_in(events)]
    assert most[0] == 2
    assert numbers == sorted(numbers)
    for frame in frames_in(events):
        assert frame.number + frame.dropped + frame.refused == frame.received
    assert not live_threads()


def test_a_fault_in_a_thread_ends_the_work(serve, real_frames):
    class Broken(torch.nn.Module):
        image_size = 32

        def forward(self, x):
            raise ZeroDivisionError

    server = serve(keep_sending(image(real_frames[0])))
    work = follow(Broken(), StreamSource("127.0.0.1", server.port), device="cpu")
    with pytest.raises(ZeroDivisionError):
        until(work, lambda seen: False)
    assert not live_threads()


def test_a_lost_connection_is_made_again(serve, bright, real_frames):
    message = image(real_frames[0])
    server = serve(lambda peer, stop: peer.sendall(message))
    work = follow(bright, StreamSource("127.0.0.1", server.port), device="cpu")

    events = until(work, lambda seen: len(frames_in(seen)) == 3)

    assert server.connections >= 3
    assert any("connection to 127.0.0.1" in note for note in notices_in(events))


def test_a_change_of_size_changes_the_mask(serve, bright, real_frames):
    small = np.ascontiguousarray(real_frames[0, :120, :90])
    both = image(real_frames[0]), image(small)

    def talk(peer, stop):
        number = 0
        while not stop.wait(0.1):
            peer.sendall(both[number % 2])
            number += 1

    work = follow(bright, StreamSource("127.0.0.1", serve(talk).port), device="cpu")
    events = until(
        work,
        lambda seen: (
            {f.mask.shape for f in frames_in(seen)} == {(120, 90), real_frames[0].shape}
        ),
    )
    assert all(f.mask.shape == f.frame.shape for f in frames_in(events))


@pytest.mark.parametrize(
    ("evil", "sentence"),
    [
        (b"\xff" * 58, "is no OpenIGTLink"),
        (header("IMAGE", 1 << 50), "MiB came in, which is too large"),
        (image(np.zeros((8, 8), np.uint8), crc=5), "damaged on its way"),
        (image(np.eye(8, dtype=np.uint8), size=(60000, 60000, 1)), "60000 × 60000"),
    ],
)
def test_a_hostile_peer_is_refused_and_good_frames_still_come(
    serve, bright, real_frames, evil, sentence
):
    good = image(real_frames[0])

    def talk(peer, stop):
        peer.sendall(evil)
        stop.wait(0.4)
        peer.sendall(good)
        stop.wait(0.4)

    turns = []

    def alternate(peer, stop):
        turns.append(1)
        if len(turns) % 2:
            talk(peer, stop)
        else:
            keep_sending(good)(peer, stop)

    server = serve(alternate)
    work = follow(bright, StreamSource("127.0.0.1", server.port), device="cpu")
    events = until(
        work,
        lambda seen: frames_in(seen) and any(sentence in n for n in notices_in(seen)),
    )
    assert len([n for n in notices_in(events) if sentence in n]) == 1


def test_other_messages_are_passed_over(serve, bright, real_frames):
    other = header("TRANSFORM", 48) + b"\0" * 48
    server = serve(keep_sending(other + image(real_frames[0])))
    work = follow(bright, StreamSource("127.0.0.1", server.port), device="cpu")
    assert until(work, lambda seen: len(frames_in(seen)) > 2)


def test_nobody_there_is_reported_once_and_the_end_is_quick(bright):
    work = follow(bright, StreamSource("127.0.0.1", 1), device="cpu")
    events = until(work, lambda seen: sum(isinstance(e, LiveStatus) for e in seen) > 10)
    assert len(notices_in(events)) == 1
    assert "No server answers at 127.0.0.1:1" in notices_in(events)[0]
    assert not events[-1].is_connected if isinstance(events[-1], LiveStatus) else True
    assert not live_threads()


def test_one_grey_shows_no_gland(serve, bright):
    server = serve(keep_sending(image(np.full((20, 30), 200, np.uint8))))
    work = follow(bright, StreamSource("127.0.0.1", server.port), device="cpu")
    frame = frames_in(until(work, lambda seen: bool(frames_in(seen))))[0]
    assert not frame.mask.any()


def test_memory_stays_what_it_was(serve, bright, real_frames):
    server = serve(keep_sending(image(real_frames[0])))
    work = follow(bright, StreamSource("127.0.0.1", server.port), device="cpu")
    sizes = []
    tracemalloc.start()
    try:
        for count in (20, 60):
            while True:
                event = next(work)
                if isinstance(event, LiveFrame) and event.number >= count:
                    break
            del event
            gc.collect()
            sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
        work.close()
    # One frame may be on its way and one may wait, of the forty in between.
    assert sizes[1] - sizes[0] < 3 * real_frames[0].nbytes


@pytest.mark.parametrize("address", ["", ":80", "host:0", "host:99999", "host:x"])
def test_an_address_without_host_or_port_is_refused(address):
    with pytest.raises(ConfigError, match="host and a port"):
        StreamSource.parse(address)
    assert StreamSource.parse("probe").name == "probe:18944"


def test_a_folder_is_followed_as_it_grows(tmp_path, bright, real_frames):
    from PIL import Image

    Image.fromarray(real_frames[0]).save(tmp_path / "0000.png")
    work = follow(bright, FolderSource(tmp_path), device="cpu")
    seen = []
    for number in range(3):
        while not frames_in(seen[-1:]):
            seen.append(next(work))
        np.testing.assert_array_equal(seen[-1].frame, real_frames[number])
        seen.append(None)
        whole = tmp_path / f"{number + 1:04}.part"
        Image.fromarray(real_frames[number + 1]).save(whole, format="png")
        whole.rename(whole.with_suffix(".png"))
    (tmp_path / "9999.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    events = until(work, lambda seen: any("9999.png" in n for n in notices_in(seen)))
    assert "left out" in notices_in(events)[-1]


def test_a_folder_that_is_none_is_refused(tmp_path):
    with pytest.raises(InputError, match="must go into a folder"):
        FolderSource(tmp_path / "none")


def live(frame, number=1):
    mask = (frame > 100).astype(np.uint8)
    return LiveFrame(frame, mask, (0.2, 0.1), 0.01, number, number, 0, 0)


def test_a_cine_is_kept_with_its_masks(tmp_path, real_frames):
    recording = Recording(tmp_path / "cine.nii.gz")
    for frame in real_frames[:4]:
        recording.add(live(frame))
    files = recording.save()

    assert files == [tmp_path / "cine.nii.gz", tmp_path / "cine_capsule.nii.gz"]
    scan = read_volume(files[0])
    np.testing.assert_array_equal(scan.array, real_frames[:4])
    np.testing.assert_allclose(scan.spacing_mm[1:], (0.2, 0.1), rtol=1e-6)
    mask = read_mask(files[1], grid=scan)
    np.testing.assert_array_equal(mask.array, real_frames[:4] > 100)
    assert [p for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_another_size_ends_a_cine_and_what_came_before_stays(tmp_path, real_frames):
    recording = Recording(tmp_path / "cine.nii.gz")
    recording.add(live(real_frames[0]))
    with pytest.raises(InputError, match="must keep its size"):
        recording.add(live(real_frames[0, :50]))
    assert len(recording.save()) == 2
    with pytest.raises(OutputError, match="exists"):
        Recording(tmp_path / "cine.nii.gz")


def test_a_cine_without_frames_leaves_no_file(tmp_path):
    assert Recording(tmp_path / "cine.nii.gz").save() == []
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OutputError, match="Change the suffix"):
        Recording(tmp_path / "cine.mp3")

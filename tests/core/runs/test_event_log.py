from napari_microus.core.events import Notice, to_json
from napari_microus.core.runs.event_log import EventLog


def line(words):
    return to_json(Notice(words)) + "\n"


def words(events):
    return [event.message for event in events]


def test_each_line_is_read_once(tmp_path):
    path = tmp_path / "events.jsonl"
    log = EventLog(path)
    path.write_text(line("a"))
    assert words(log.read()[0]) == ["a"]

    with path.open("a") as file:
        file.write(line("b") + line("c"))

    assert words(log.read()[0]) == ["b", "c"]
    assert log.read() == ([], False)


def test_half_a_line_waits_for_its_end(tmp_path):
    path = tmp_path / "events.jsonl"
    whole = line("long words")
    path.write_text(whole[:20])
    log = EventLog(path)
    assert log.read() == ([], False)

    path.write_text(whole)

    assert words(log.read()[0]) == ["long words"]


def test_file_that_lost_its_end_is_read_anew(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text(line("a") + line("b"))
    log = EventLog(path)
    log.read()

    # As long as before, yet another tail: a resumed run overtook our look.
    path.write_text(line("a") + line("c") + line("d"))
    events, starts_over = log.read()

    assert starts_over
    assert words(events) == ["a", "c", "d"]


def test_no_file_is_no_event(tmp_path):
    assert EventLog(tmp_path / "events.jsonl").read() == ([], False)


def test_vanished_file_begins_anew(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text(line("a"))
    log = EventLog(path)
    log.read()
    path.unlink()

    assert log.read() == ([], True)

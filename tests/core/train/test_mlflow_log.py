"""A run in MLflow, beside its own folder, which holds everything in any case."""

import json
import math
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from napari_microus.core.errors import ConfigError
from napari_microus.core.events import Notice
from napari_microus.core.train import mlflow_log, resume, train
from napari_microus.core.train.mlflow_log import MlflowLog, logged


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """Wait for no server, and leave no settings of MLflow's behind."""
    monkeypatch.setattr(mlflow_log, "_PAUSE_S", 0.02)
    monkeypatch.setattr(mlflow_log, "_RETRY_S", 0.05)
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in mlflow_log._SETTINGS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def client_of():
    """Read what MLflow keeps in a folder or on a server."""
    pytest.importorskip("mlflow")
    from mlflow.tracking import MlflowClient

    return lambda uri: MlflowClient(tracking_uri=uri)


def notices(events):
    return [event.message for event in events if isinstance(event, Notice)]


def test_without_mlflow_one_sentence_comes_before_anything_is_made(
    tiny, monkeypatch, tmp_path
):
    monkeypatch.setattr(mlflow_log, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="needs the package mlflow; got none") as none:
        list(train(tiny(mlflow=True)))
    assert "napari-microus[mlflow]" in none.value.plain
    assert not (tmp_path / "run").exists()


def test_nothing_of_mlflow_is_imported_where_nobody_asked(tiny, drain):
    before = "mlflow" in sys.modules
    drain(train(tiny(epochs=1)))
    assert ("mlflow" in sys.modules) == before


def test_a_run_is_logged_beside_itself(tiny, drain, client_of, tmp_path):
    events, result = drain(train(tiny(mlflow=True)))

    client = client_of((tmp_path / "mlruns").as_uri())
    experiment = client.get_experiment_by_name("napari-microus")
    (run,) = client.search_runs([experiment.experiment_id])
    assert (run.info.run_name, run.info.status) == ("tiny", "FINISHED")
    params = run.data.params
    assert params["optimizer.learning_rate"] == "0.001"
    assert params["loss.name"] == "adaptive_focal"
    assert params["output"] == "run"  # its name alone, no path
    assert str(tmp_path) not in json.dumps(params)
    history = client.get_metric_history(run.info.run_id, "epoch/val_dice")
    lines = (result.run / "events.jsonl").read_text(encoding="utf-8").splitlines()
    written = [json.loads(line) for line in lines]
    epochs = [line for line in written if line["event"] == "EpochReport"]
    assert [(m.step, m.value) for m in history] == [
        (1, pytest.approx(epochs[0]["val_dice"])),
        (2, pytest.approx(epochs[1]["val_dice"])),
    ]
    steps = client.get_metric_history(run.info.run_id, "step/loss")
    assert [m.step for m in steps] == [1, 2, 3, 4, 5, 6]
    assert all(math.isfinite(m.value) for m in steps)
    kept = {f.path for f in client.list_artifacts(run.info.run_id)}
    kept |= {f.path for f in client.list_artifacts(run.info.run_id, "model")}
    assert {"curves.csv", "model/model.safetensors", "model/model_card.md"} <= kept
    assert not any("MLflow" in text for text in notices(events))


def test_a_run_that_goes_on_goes_on_in_mlflow(tiny, drain, client_of, tmp_path):
    _, result = drain(train(tiny(mlflow=True)))
    drain(resume(result.run))
    client = client_of((tmp_path / "mlruns").as_uri())
    experiment = client.get_experiment_by_name("napari-microus")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED"

    # One whose run somebody has removed from MLflow begins a new one.
    known = json.loads((result.run / "mlflow.json").read_text(encoding="utf-8"))
    gone = known | {"run_id": "0" * 32}
    (result.run / "mlflow.json").write_text(json.dumps(gone))
    events, _ = drain(resume(result.run))
    assert len(client.search_runs([experiment.experiment_id])) == 2
    assert not any("MLflow" in text for text in notices(events))


def test_a_run_that_fails_is_marked_so(tiny, client_of, tmp_path):
    def failing():
        yield Notice("begun")
        raise ConfigError("no")

    (tmp_path / "run").mkdir()
    with pytest.raises(ConfigError):
        list(logged(failing(), tiny(mlflow=True), tmp_path / "run"))
    client = client_of((tmp_path / "mlruns").as_uri())
    experiment = client.get_experiment_by_name("napari-microus")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FAILED"


# --- a server that goes away


@pytest.fixture
def closed_port():
    """A port on which nobody answers."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def test_a_server_that_is_not_there_loses_nothing(
    tiny, drain, client_of, closed_port, monkeypatch
):
    uri = f"http://127.0.0.1:{closed_port}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setattr(mlflow_log, "_MODEL_S", 10.0)
    events, result = drain(train(tiny(mlflow=True)))

    assert result.state == "finished"
    assert (result.run / "model" / "model.safetensors").exists()
    said = [text for text in notices(events) if "MLflow takes no figures" in text]
    assert len(said) == 1
    assert "the run continues" in said[0]
    assert "\n" not in said[0]


class _Answers(BaseHTTPRequestHandler):
    """The few words of MLflow's protocol that a run needs; asked to fail, it does."""

    def do_GET(self):
        if "runs/get" in self.path:
            return self._answer(self._run("RUNNING"))
        return self._answer({}, 404, "RESOURCE_DOES_NOT_EXIST")

    def _run(self, status):
        info = {"run_id": "r", "run_uuid": "r", "experiment_id": "1"}
        info |= {"status": status, "artifact_uri": self.server.artifacts}
        return {"run": {"info": info, "data": {}}}

    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(length) or "{}")
        if self.server.is_away:
            return self._answer({}, 503, "TEMPORARILY_UNAVAILABLE")
        name = self.path.rsplit("/", 1)[-1]
        if self.path.endswith("experiments/create"):
            return self._answer({"experiment_id": "1"})
        if self.path.endswith("runs/create"):
            return self._answer(self._run("RUNNING"))
        self.server.taken.append((name, body))
        return self._answer({"run_info": self._run("FINISHED")["run"]["info"]})

    def _answer(self, values, code=200, error=""):
        if error:
            values = {"error_code": error, "message": error}
        content = json.dumps(values).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A small MLflow server on this machine, which can go away and come back."""
    found = HTTPServer(("127.0.0.1", 0), _Answers)
    found.is_away, found.taken = False, []
    found.artifacts = (tmp_path / "artifacts").as_uri()
    thread = threading.Thread(target=found.serve_forever)
    thread.start()
    uri = f"http://127.0.0.1:{found.server_port}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    yield found
    found.shutdown()
    thread.join()
    found.server_close()


def until(holds):
    end = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_server_that_comes_back_takes_what_was_waiting(
    tiny, client_of, server, tmp_path, capfd
):
    from napari_microus.core.events import BatchReport

    def step(batch):
        return BatchReport(
            epoch=0,
            batch=batch,
            batches=9,
            loss=batch / 10,
            learning_rate=0.1,
            frames_per_s=1.0,
            memory_mib=0.0,
        )

    def losses():
        return [
            (metric["step"], metric["value"])
            for name, body in server.taken
            for metric in body.get("metrics", [])
            if metric["key"] == "step/loss"
        ]

    (tmp_path / "run").mkdir()
    log = MlflowLog(tiny(mlflow=True), tmp_path / "run")
    log.write(step(1))
    until(lambda: losses() == [(1, 0.1)])
    server.is_away = True
    log.write(step(2))
    until(lambda: log._problem)
    (away,) = log.news()
    assert "takes no figures now" in away.message
    assert log.news() == []  # said once
    log.write(step(3))
    server.is_away = False
    until(lambda: len(losses()) == 3)
    until(lambda: not log._problem)
    assert losses() == [(1, 0.1), (2, 0.2), (3, 0.3)]
    assert "taken what was waiting" in log.news()[0].message
    log.close("finished")
    assert log.news() == []
    assert capfd.readouterr().out == ""  # events go there, and nothing else
    assert [body["status"] for _, body in server.taken if "status" in body] == [
        "FINISHED"
    ]


def test_a_server_that_never_answers_holds_the_end_up_for_a_moment_alone(
    tiny, client_of, monkeypatch, tmp_path
):
    (tmp_path / "run").mkdir()
    waits = threading.Event()
    monkeypatch.setattr(mlflow_log, "_LAST_FIGURES_S", 0.2)
    monkeypatch.setattr(MlflowLog, "_begin", lambda self: waits.wait(30))
    log = MlflowLog(tiny(mlflow=True), tmp_path / "run")
    began = time.monotonic()
    log.close("stopped")
    assert time.monotonic() - began < 5
    assert "not answered in time" in log.news()[0].message
    waits.set()

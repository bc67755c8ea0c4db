"""The service as its clients see it: started once, shared, restarted, stopped; a real process each time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest

from cellspan.core.parameters import Parameters
from cellspan.core.segmenter import Segmenter
from cellspan.core.service.client import (
    Engine,
    EngineError,
    EngineMissing,
    Service,
    as_npy,
    running_service,
    service_file,
)
from cellspan.core.training.simulate import simulate_nuclei

pytestmark = pytest.mark.end_to_end
SERVE = [sys.executable, "-m", "cellspan.core.cli", "serve"]
IMAGE = simulate_nuclei((128, 128), seed=1).image


def about() -> dict[str, object]:
    """What service.json tells."""
    return json.loads(service_file().read_text())


def test_labels_through_the_service_are_those_of_the_core(engine_home: Path) -> None:
    heard: list[str] = []
    result = Engine(SERVE).segment(IMAGE, {"model": "nuclei"}, lambda fraction, message: heard.append(message))
    expected = Segmenter("nuclei", "cpu").segment(IMAGE, Parameters(model="nuclei"))
    assert result.labels.dtype == np.int32
    assert np.array_equal(result.labels, expected.labels)
    assert result.labels.max() > 0
    assert result.model_sha256 == expected.model_sha256
    assert result.diameter == pytest.approx(expected.diameter)
    assert "starting the cellspan engine" in heard[0]


def test_ten_clients_at_once_share_one_service(engine_home: Path) -> None:
    script = (
        "import sys, numpy as np; from cellspan.core.service.client import Engine\n"
        f"r = Engine({SERVE!r}).segment(np.load(sys.argv[1]), {{'model': 'nuclei', 'diameter': 26}})\n"
        "import json; from cellspan.core.service.client import service_file\n"
        "print(json.loads(service_file().read_text())['pid'], r.labels.max())"
    )
    engine_home.mkdir()
    np.save(engine_home / "image.npy", IMAGE)
    clients = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(engine_home / "image.npy")], stdout=subprocess.PIPE, text=True
        )
        for _ in range(10)
    ]
    answers = {client.communicate()[0].strip() for client in clients}
    assert len(answers) == 1
    assert all(client.returncode == 0 for client in clients)
    assert int(answers.pop().split()[0]) == about()["pid"]


@pytest.mark.skipif(os.name == "nt", reason="file modes are POSIX")
def test_only_the_user_can_read_the_token(engine_home: Path) -> None:
    Engine(SERVE).connect()
    assert service_file().stat().st_mode & 0o777 == 0o600


def test_a_wrong_token_gets_401_and_learns_nothing(engine_home: Path) -> None:
    Engine(SERVE).connect()
    address = about()["address"]
    for path in ("/v1/health", "/v1/models", "/openapi.json", "/v1/jobs/1", "/nothing"):
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            answer = httpx.get(f"{address}{path}", headers=headers, trust_env=False)
            assert answer.status_code == 401
            assert answer.json() == {"code": "no_token", "sentence": "A valid token is needed.", "fields": {}}
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert httpx.post(f"{address}/v1/jobs", content=b"x", trust_env=False).status_code == 401


def test_a_service_killed_in_mid_job_is_started_again_once(engine_home: Path) -> None:
    engine = Engine(SERVE)
    first = engine.connect()
    pid = about()["pid"]
    killed = threading.Event()

    def kill(fraction: float, message: str) -> None:
        if message == "running the network" and not killed.is_set():
            killed.set()
            os.kill(pid, signal.SIGKILL)

    large = np.tile(IMAGE, (8, 8))
    result = engine.segment(large, {"model": "nuclei", "diameter": 26}, kill)
    assert killed.is_set()
    assert first is not None
    assert about()["pid"] != pid
    expected = Segmenter("nuclei", "cpu").segment(large, Parameters(model="nuclei", diameter=26))
    assert np.array_equal(result.labels, expected.labels)


def test_an_image_that_ends_two_engines_is_named(engine_home: Path) -> None:
    def kill(fraction: float, message: str) -> None:
        if message == "running the network":
            os.kill(about()["pid"], signal.SIGKILL)

    with pytest.raises(EngineError, match=r"This image crashed the engine 2 times"):
        Engine(SERVE).segment(np.tile(IMAGE, (8, 8)), {"model": "nuclei", "diameter": 26}, kill)


def test_further_results_are_there_even_if_the_service_dies_before_they_are_fetched(
    engine_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parameters = {"model": "nuclei", "diameter": 26, "device": "cpu"}
    engine = Engine(SERVE)
    sound = engine.segment(IMAGE, parameters, also=("objects", "probability"))
    assert sorted(sound.extra) == ["objects", "probability"]
    assert sound.extra["objects"].shape == (2, sound.labels.max())
    assert sound.extra["probability"].shape == IMAGE.shape
    with pytest.raises(KeyError):
        sound.extra["flows"]

    content = Service.content
    killed = []

    def kill_first(self: Service, path: str, accept: str) -> bytes:
        if path.endswith("/objects") and not killed:
            killed.append(about()["pid"])
            os.kill(killed[0], signal.SIGKILL)
        return content(self, path, accept)

    monkeypatch.setattr(Service, "content", kill_first)
    again = engine.segment(IMAGE, parameters, also=("objects",))
    assert np.array_equal(again.extra["objects"], sound.extra["objects"])
    assert about()["pid"] not in killed


def test_refusals_arrive_as_the_cores_sentence(engine_home: Path) -> None:
    engine = Engine(SERVE)
    with pytest.raises(EngineError, match="diameter = '-3'"):
        engine.segment(IMAGE, {"model": "nuclei", "diameter": -3})
    with pytest.raises(EngineError, match="no model 'nuclej'"):
        engine.segment(IMAGE, {"model": "nuclej"})
    with pytest.raises(EngineError, match="no option 'diametre'"):
        engine.segment(IMAGE, {"model": "nuclei", "diametre": 3})
    with pytest.raises(EngineError, match="NaN"):
        engine.segment(np.full((9, 9), np.nan, np.float32), {"model": "nuclei"})
    assert engine.segment(IMAGE, {"model": "nuclei"}).labels.max() > 0


def test_a_missing_engine_is_one_sentence_with_the_way_out(engine_home: Path) -> None:
    for command in ([], ["no-such-program-here", "serve"]):
        with pytest.raises(EngineMissing, match="pip install cellspan"):
            Engine(command).segment(IMAGE, {})
    with pytest.raises(EngineMissing, match=r"could not be started.*No module named"):
        Engine([sys.executable, "-m", "no_such_module_here"]).segment(IMAGE, {})


def test_it_stops_when_idle(engine_home: Path) -> None:
    Engine([*SERVE, "--idle-minutes", "0.02"]).connect()
    deadline = time.monotonic() + 20
    while service_file().exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not service_file().exists()
    assert running_service() is None


def test_http_as_documented(engine_home: Path) -> None:
    Engine(SERVE).connect()
    headers = {"Authorization": f"Bearer {about()['token']}"}
    with httpx.Client(base_url=about()["address"], headers=headers, trust_env=False, timeout=60) as http:
        documented = http.get("/openapi.json").json()["paths"]["/v1/jobs"]["post"]["parameters"]
        assert {"diameter", "model", "flow_threshold", "device"} <= {row["name"] for row in documented}
        assert http.get("/v1/health").json()["status"] == "ok"
        assert "nuclei" in [model["name"] for model in http.get("/v1/models").json()["models"]]
        body = as_npy(IMAGE)
        post = {"Content-Type": "application/x-npy", "Idempotency-Key": "one"}
        jobs = [http.post("/v1/jobs?model=nuclei&diameter=26", content=body, headers=post) for _ in range(2)]
        assert [job.status_code for job in jobs] == [202, 202]
        assert jobs[0].json()["id"] == jobs[1].json()["id"]
        path = f"/v1/jobs/{jobs[0].json()['id']}"
        done = http.get(path, params={"wait": 30}).json()
        assert done["state"] == "done"
        assert done["result"]["count"] > 0
        assert http.get(f"{path}/rois").content[:2] == b"PK"
        assert http.get(f"{path}/labels", headers={"Accept": "image/tiff"}).content[:2] in (b"II", b"MM")
        assert http.get(f"{path}/labels", headers={"Accept": "text/html"}).status_code == 406
        assert http.get(f"{path}/colours").status_code == 404
        wrong = http.get(path, params={"wait": "long"})
        assert (wrong.status_code, wrong.json()["sentence"][:13]) == (400, "wait = 'long'")
        assert http.delete(path).status_code == 204
        assert http.get(path).status_code == 404
        assert http.post("/v1/jobs", content=b"", headers={"Content-Type": "text/plain"}).status_code == 415


def test_a_cancelled_job_ends_and_the_next_one_runs(engine_home: Path) -> None:
    engine = Engine(SERVE)

    def press_stop(fraction: float, message: str) -> None:
        if message == "running the network":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        engine.segment(np.tile(IMAGE, (24, 24)), {"model": "nuclei", "diameter": 26}, press_stop)
    with ThreadPoolExecutor() as pool:
        assert pool.submit(engine.segment, IMAGE, {"model": "nuclei", "diameter": 26}).result(30).labels.max() > 0

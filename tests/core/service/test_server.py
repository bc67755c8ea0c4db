"""The engine's process: it stops without losing work, makes room for its successor, and is not taken for another's."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest

import cellspan
import cellspan.core
from cellspan.core.parameters import Parameters
from cellspan.core.segmenter import Segmenter
from cellspan.core.service import client
from cellspan.core.service.client import Engine, EngineError, EngineMissing, find_engine, running_service, service_file
from cellspan.core.training.simulate import simulate_nuclei

pytestmark = [pytest.mark.end_to_end, pytest.mark.skipif(os.name == "nt", reason="signals and modes are POSIX")]
SERVE = [sys.executable, "-m", "cellspan.core.cli", "serve"]
IMAGE = simulate_nuclei((128, 128), seed=1).image
LARGE = np.tile(IMAGE, (8, 8))
OPTIONS = {"model": "nuclei", "diameter": 26}


@pytest.fixture(scope="module")
def expected() -> dict[int, np.ndarray]:
    """The right labels by the height of the image."""
    segmenter, parameters = Segmenter("nuclei", "cpu"), Parameters(**OPTIONS)
    return {len(image): segmenter.segment(image, parameters).labels for image in (IMAGE, LARGE)}


def pid() -> int:
    """Of the engine that runs, or starts."""
    return int(json.loads(service_file().read_text())["pid"])


def ended(process: psutil.Process, seconds: float = 60) -> bool:
    """Whether a process, also one that nobody has waited for, ends in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def served(engine_home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """An engine whose exit code can be seen."""
    process = subprocess.Popen([*SERVE, "--idle-minutes", "5"], stderr=subprocess.PIPE)
    while running_service() is None:
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize("how", ["request", "SIGTERM", "SIGINT"])
def test_a_polite_stop_loses_no_work_and_ends_with_code_0(
    served: subprocess.Popen[bytes], expected: dict[int, np.ndarray], how: str
) -> None:
    begun = threading.Event()

    def tell(fraction: float, message: str) -> None:
        if message.startswith(("running", "following")):
            begun.set()

    with ThreadPoolExecutor(4) as pool:
        images = [LARGE, IMAGE, LARGE, IMAGE]
        jobs = [pool.submit(Engine(SERVE).segment, image, OPTIONS, tell) for image in images]
        assert begun.wait(60)
        if how == "request":
            done = subprocess.run([*SERVE[:-1], "service", "stop"], capture_output=True, text=True)
            assert (done.returncode, done.stdout) == (0, "The engine has stopped.\n")
        else:
            served.send_signal(getattr(signal, how))
        assert served.wait(90) == 0
        for image, job in zip(images, jobs, strict=True):
            assert np.array_equal(job.result(120).labels, expected[len(image)])
    assert b"Traceback" not in (served.stderr.read() if served.stderr else b"")


def test_nothing_stays_behind(served: subprocess.Popen[bytes], engine_home: Path) -> None:
    Engine(SERVE).segment(IMAGE, OPTIONS)
    served.terminate()
    assert served.wait(60) == 0
    assert sorted(path.name for path in engine_home.iterdir()) == ["running", "service.lock", "service.log"]
    assert not list((engine_home / "running").iterdir())
    for name in ("service.lock", "service.log"):
        assert (engine_home / name).stat().st_mode & 0o777 == 0o600
    assert engine_home.stat().st_mode & 0o777 == 0o700


def test_engines_that_are_killed_lose_nobodys_work(engine_home: Path, expected: dict[int, np.ndarray]) -> None:
    """4 clients with 6 images each, and two kills: a strike counts for the job that ran, no other."""
    finished, killed = threading.Semaphore(0), []

    def work(_: int) -> list[np.ndarray]:
        engine, labels = Engine(SERVE), []
        for _ in range(6):
            labels.append(engine.segment(IMAGE, OPTIONS).labels)
            finished.release()
        return labels

    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(work, k) for k in range(4)]
        for _ in range(2):
            for _ in range(4):
                assert finished.acquire(timeout=120)
            killed.append(pid())
            os.kill(killed[-1], signal.SIGKILL)
        for job in jobs:
            assert all(np.array_equal(labels, expected[len(IMAGE)]) for labels in job.result(240))
    assert len(set(killed)) == 2


def test_a_frozen_engine_is_not_an_absent_one(
    served: subprocess.Popen[bytes], cellspan: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "HEALTH_SECONDS", 0.5)
    monkeypatch.setattr(client, "PATIENCE_SECONDS", 1.0)
    served.send_signal(signal.SIGSTOP)
    try:
        assert find_engine().state == "silent"
        done = cellspan("service", "status", check=False)
        assert done.returncode == 1
        assert f"does not answer (process {served.pid}, started 20" in done.stderr
        with pytest.raises(EngineError, match=rf"does not answer \(process {served.pid}.*stop --force") as caught:
            Engine(SERVE).segment(IMAGE, OPTIONS)
        assert not isinstance(caught.value, EngineMissing)
        assert "FAIL engine does not answer" in cellspan("doctor", check=False).stdout
        assert cellspan("service", "stop", "--force").stdout == "The engine has stopped.\n"
        assert served.wait(10) == -signal.SIGKILL
    finally:
        served.send_signal(signal.SIGCONT)


@pytest.fixture
def copied(tmp_path: Path) -> tuple[list[str], Path]:
    """A program of its own that can be replaced: the command, and one of its files."""
    site = tmp_path / "site"
    shutil.copytree(Path(cellspan.core.__file__).parent, site / "cellspan" / "core")
    shutil.copy(cellspan.__file__, site / "cellspan")
    start = f"import sys; sys.path.insert(0, {str(site)!r}); from cellspan.core.cli import main; main()"
    return [sys.executable, "-c", start, "serve"], site / "cellspan" / "core" / "errors.py"


def test_after_an_upgrade_new_clients_get_a_new_engine(
    engine_home: Path, copied: tuple[list[str], Path], expected: dict[int, np.ndarray]
) -> None:
    command, file = copied
    old = Engine(command)
    assert np.array_equal(old.segment(IMAGE, OPTIONS).labels, expected[len(IMAGE)])
    first = psutil.Process(pid())
    file.write_text(file.read_text() + "\n# another version\n")
    time.sleep(2)  # the program on disk is looked at once a second
    new = Engine(command)
    assert np.array_equal(new.segment(IMAGE, OPTIONS).labels, expected[len(IMAGE)])
    assert pid() != first.pid
    assert first.is_running(), "it goes on for its own clients"
    assert np.array_equal(old.segment(IMAGE, OPTIONS).labels, expected[len(IMAGE)])
    first.terminate()
    assert ended(first)
    assert np.array_equal(old.segment(IMAGE, OPTIONS).labels, expected[len(IMAGE)]), "and they find the next one"


def test_another_program_has_an_engine_of_its_own(served: subprocess.Popen[bytes], tmp_path: Path) -> None:
    """As a second environment has one: its commands lie in another folder."""
    record = json.loads(service_file().read_text())
    service_file().write_text(json.dumps({**record, "programs": ["/another/environment/bin"]}))
    assert find_engine(SERVE).state == "absent"
    Engine(SERVE).segment(IMAGE, OPTIONS)
    (second,) = (path for path in service_file().parent.glob("*/service.json"))
    process = psutil.Process(json.loads(second.read_text())["pid"])
    assert process.pid != served.pid
    process.terminate()
    assert ended(process)


def test_only_one_of_many_surplus_engines_stays(served: subprocess.Popen[bytes]) -> None:
    surplus = [subprocess.Popen(SERVE, stderr=subprocess.PIPE) for _ in range(3)]
    assert [process.wait(60) for process in surplus] == [0, 0, 0]
    assert running_service() is not None


# ---- who may talk to it


def plant(folder: Path, **record: object) -> None:
    """A service.json that another program wrote."""
    folder.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(folder / "service.json", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({"pid": 1, "version": "0.1.0", "started": "then", **record}, file)


def test_the_token_is_not_sent_to_another_program(engine_home: Path) -> None:
    """The port of an engine that died can be taken by anybody on the machine."""
    heard: list[tuple[str, dict[str, str]]] = []

    class Impostor(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append((self.path, dict(self.headers)))
            content = b'{"proof": "0000", "status": "ok"}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Impostor)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        plant(engine_home, address=f"http://127.0.0.1:{server.server_port}", token="secret")
        assert running_service() is None
        assert Engine(SERVE).segment(IMAGE, OPTIONS).count > 0, "a real engine was started"
    finally:
        server.shutdown()
        server.server_close()
    assert heard
    assert all(path.startswith("/v1/hello?challenge=") and "Authorization" not in headers for path, headers in heard)


@pytest.mark.parametrize(
    "record",
    [{"address": "http://127.0.0.1:1", "token": 7}, {"address": "http://[", "token": "t"}, {"token": "t"}, {}],
    ids=str,
)
def test_a_damaged_record_is_no_engine(engine_home: Path, record: dict[str, object]) -> None:
    plant(engine_home, **record)
    assert find_engine().state == "absent"


def test_a_record_that_others_can_write_is_refused(engine_home: Path, cellspan: Callable) -> None:
    plant(engine_home, address="http://127.0.0.1:1", token="t")
    service_file().chmod(0o644)
    with pytest.raises(EngineError, match=r"service\.json: other users can read or replace it"):
        find_engine()
    done = cellspan("service", "status", check=False)
    assert (done.returncode, "other users can read" in done.stderr) == (2, True)
    service_file().unlink()
    target = engine_home / "elsewhere.json"
    target.write_text("{}")
    service_file().symlink_to(target)
    assert find_engine().state == "absent", "links are not followed"
    service_file().unlink()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can give a folder to another user")
def test_the_folder_of_another_user_is_refused(engine_home: Path, cellspan: Callable) -> None:
    plant(engine_home, address="http://127.0.0.1:1", token="t")
    os.chown(engine_home, 65534, 65534)
    with pytest.raises(EngineError, match="belongs to another user"):
        Engine(SERVE).segment(IMAGE, OPTIONS)
    for words in (("serve",), ("service", "status"), ("service", "stop")):
        done = cellspan(*words, check=False)
        assert (done.returncode, "belongs to another user" in done.stderr) == (2, True), words
    os.chown(engine_home, 0, 0)


def test_places_that_cannot_be_used_are_one_sentence(
    engine_home: Path, cellspan: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine_home.mkdir()
    service_file().mkdir()
    done = cellspan("serve", check=False)
    assert (done.returncode, "service.json: the engine cannot write its address" in done.stderr) == (2, True)
    service_file().rmdir()
    with monkeypatch.context() as patched:
        patched.setenv("CELLSPAN_RUNTIME_DIR", "/proc/nothing/here")
        for words in (("serve",), ("doctor",)):
            done = cellspan(*words, check=False)
            assert done.returncode in (1, 2)
            assert "set CELLSPAN_RUNTIME_DIR to another folder" in done.stdout + done.stderr
    file = engine_home / "file"
    file.write_text("")
    monkeypatch.setenv("CELLSPAN_RUNTIME_DIR", str(file))
    done = cellspan("serve", check=False)
    assert (done.returncode, "this is not a folder" in done.stderr) == (2, True)
    monkeypatch.setenv("CELLSPAN_RUNTIME_DIR", str(engine_home))


def test_other_computers_are_let_in_on_purpose_only(engine_home: Path, cellspan: Callable, tmp_path: Path) -> None:
    done = cellspan("serve", "--host", "0.0.0.0", check=False)
    assert (done.returncode, "add --allow-remote if you want this" in done.stderr) == (2, True)
    done = cellspan("serve", "--tls-certificate", tmp_path / "none.pem", check=False)
    assert (done.returncode, "TLS needs both files" in done.stderr) == (2, True)
    certificate, key = tmp_path / "engine.pem", tmp_path / "engine.key"
    certificate.write_text("nonsense")
    key.write_text("nonsense")
    done = cellspan("serve", "--tls-certificate", certificate, "--tls-key", key, check=False)
    assert (done.returncode, "the TLS files cannot be used" in done.stderr) == (2, True)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl to make a certificate with")
def test_over_tls(engine_home: Path, tmp_path: Path, expected: dict[int, np.ndarray]) -> None:
    certificate, key = tmp_path / "engine.pem", tmp_path / "engine.key"
    words = f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=engine -keyout {key} -out {certificate}"
    subprocess.run(words.split(), check=True, capture_output=True)
    command = [*SERVE, "--tls-certificate", str(certificate), "--tls-key", str(key)]
    assert np.array_equal(Engine(command).segment(IMAGE, OPTIONS).labels, expected[len(IMAGE)])
    assert json.loads(service_file().read_text())["address"].startswith("https://127.0.0.1:")


def test_idle_connections_do_not_end_the_engine(served: subprocess.Popen[bytes]) -> None:
    about = json.loads(service_file().read_text())
    host, port = about["address"].removeprefix("http://").split(":")
    idle = [socket.create_connection((host, int(port)), timeout=5) for _ in range(700)]
    try:
        headers = {"Authorization": f"bearer {about['token']}"}
        with httpx.Client(base_url=about["address"], headers=headers, trust_env=False, timeout=20) as connection:
            assert connection.get("/v1/health").json()["status"] == "ok"
        assert Engine(SERVE).segment(IMAGE, OPTIONS).count > 0
    finally:
        for one in idle:
            one.close()
    assert served.poll() is None


def test_an_upload_has_a_bound(engine_home: Path) -> None:
    engine = Engine([*SERVE, "--max-upload", "0.1"])
    with pytest.raises(EngineError, match=r"more than 104857 bytes.*--max-upload"):
        engine.segment(LARGE, OPTIONS)
    assert engine.segment(IMAGE, OPTIONS).count > 0

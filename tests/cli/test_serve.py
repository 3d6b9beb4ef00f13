"""`kftune serve` in a real process."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from report_studies import sampled

from kftune.cli import main
from kftune.results.export import to_json


@pytest.fixture
def study(tmp_path: Path) -> Path:
    file = tmp_path / "small.json"
    file.write_text(json.dumps(to_json(sampled(12))))
    return file


def answer(address: str, seconds: float = 60) -> bytes:
    """Returns what a server answers, once it listens."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with urlopen(address, timeout=10) as reply:  # noqa: S310  # our own server
                content: bytes = reply.read()
                return content
        except URLError:
            time.sleep(0.2)
    pytest.fail(f"nothing answers at {address}")


@pytest.mark.nightly
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_the_trials_until_it_is_ended_and_leaves_nothing(number: signal.Signals, study: Path, tmp_path: Path):
    pytest.importorskip("optuna_dashboard")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "temporary").mkdir()
    command = [sys.executable, "-m", "kftune", "serve", str(study), "--port", str(port)]
    environment = {**os.environ, "TMPDIR": str(tmp_path / "temporary")}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        (summary,) = json.loads(answer(f"http://127.0.0.1:{port}/api/studies"))["study_summaries"]
        process.send_signal(number)
        printed, _ = process.communicate(timeout=60)
    assert summary["study_name"] == "small"
    assert process.returncode == 0
    assert printed.startswith(f"http://127.0.0.1:{port}/ shows the trials".encode())
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http", "8080.5"])
def test_a_port_that_there_is_not_is_refused(port: str, study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", str(study), f"--port={port}"]) == 2
    assert f"--port is a number from 1 to 65535, but got '{port}'" in capsys.readouterr().err


def test_without_the_dashboard_it_names_the_extra(study: Path, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna_dashboard", None)
    assert main(["serve", str(study)]) == 2
    assert "pip install 'kftune[serve]'" in capsys.readouterr().err

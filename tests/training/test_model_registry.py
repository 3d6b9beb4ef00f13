"""Entering a model in the Model Registry: what it then holds, steps that are tried again, and what goes wrong."""

from __future__ import annotations

import hashlib
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import model_registry_server
import pytest

from kftune.errors import ModelRegistryError
from kftune.files import write_text
from kftune.training.__main__ import main
from kftune.training.model_registry import enter
from kftune.training.registry_entry import ModelEntry

HPARAMS = {
    "lstm_units": 8,
    "learning_rate": 0.01,
    "shuffle": True,
    "circuit": "P1/C1",
    "patience": None,
    "sizes": [2, 3],
}
SUMMARY = {
    "circuit": "P1/C1",
    "epochs": 3,
    "best": {"epoch": 2},
    "history": [{"epoch": 1}],
    "windows": {"train": 9, "val": 3},
    "versions": {"python": "3.11.2", "torch": "2.13.0"},
}


@pytest.fixture
def server() -> Iterator[model_registry_server.Server]:
    with model_registry_server.serving() as server:
        yield server


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as a training leaves it, and no variables of ours."""
    for name, content in {"hparams": HPARAMS, "summary": SUMMARY}.items():
        write_text(tmp_path / "model" / f"{name}.json", json.dumps(content))
    write_text(tmp_path / "model" / "model.pt", "weights")
    write_text(tmp_path / "metrics", '{"val_loss": 0.25, "epochs": 3}')
    for name in ("KFTUNE_MODEL_REGISTRY_TOKEN", "KF_PIPELINES_SA_TOKEN_PATH", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def register(**further: str) -> int:
    given = {**{name: name for name in ("model", "metrics", "card", "manifest")}, "title": "pumps", **further}
    return main(["register", *(f"--{name}={value}" for name, value in given.items())])


def register_at(server: model_registry_server.Server, **further: str) -> int:
    return register(**{"model_registry": server.address, "uri": "s3://models/pumps", **further})


# -- what it holds -----------------------------------------------------------------------------------------------------


def test_a_version_is_named_by_its_manifest_and_has_what_the_manifest_says(server, folder, capsys):
    assert register_at(server, revision="4c7586e", author="Ada", description="the first") == 0
    digest = hashlib.sha256((folder / "manifest").read_bytes()).hexdigest()
    ((name, version),) = server.named("model_version").items()
    assert (name, version["author"], version["description"]) == (digest[:12], "Ada", "the first")
    assert version["registeredModelId"] == server.named("registered_model")["pumps"]["id"]
    assert {key: list(value.values())[:1] for key, value in version["customProperties"].items()} == {
        "val_loss": [0.25],
        "epochs": [3.0],
        "hparams.lstm_units": ["8"],
        "hparams.learning_rate": [0.01],
        "hparams.shuffle": [True],
        "hparams.circuit": ["P1/C1"],
        "hparams.patience": ["null"],
        "hparams.sizes": ["[2, 3]"],
        **{
            f"files.{file}": [hashlib.sha256((folder / "model" / file).read_bytes()).hexdigest()]
            for file in ("hparams.json", "model.pt", "summary.json")
        },
        "revision": ["4c7586e"],
        "manifest_sha256": [digest],
    }
    types = {key: value["metadataType"] for key, value in version["customProperties"].items()}
    assert types["epochs"] == types["hparams.learning_rate"] == "MetadataDoubleValue"
    assert (types["hparams.lstm_units"], types["hparams.shuffle"]) == ("MetadataIntValue", "MetadataBoolValue")
    assert capsys.readouterr().out.splitlines() == [
        "pumps: 3 files",
        f"version {digest[:12]} of pumps is entered in the Model Registry: s3://models/pumps",
    ]


def test_an_artifact_says_where_the_model_is_and_how_it_is_stored(server):
    assert register_at(server, uri="pvc://models/pumps") == 0
    artifact = server.named("model_artifact")["pumps"]
    assert artifact["uri"] == "pvc://models/pumps"
    assert (artifact["modelFormatName"], artifact["modelFormatVersion"]) == ("pytorch", "2.13.0")
    assert list(server.entries)[2][1] == next(iter(server.named("model_version").values()))["id"]


def test_hostile_names_are_names(server):
    assert register_at(server, title="a/b?name=c&#\n<i>", version="../../x") == 0
    assert register_at(server, title="a/b?name=c&#\n<i>", version="../../x") == 0
    assert [key[2] for key in server.entries] == ["a/b?name=c&#\n<i>", "../../x", "a/b?name=c&#\n<i>"]


# -- again -------------------------------------------------------------------------------------------------------------


def test_a_step_that_runs_again_enters_nothing_twice(server, capsys):
    assert register_at(server) == 0
    server.requests.clear()
    assert register_at(server, uri="s3://models/elsewhere") == 0
    assert server.requests == ["GET registered_model", "GET model_version", "GET model_artifact"]
    assert capsys.readouterr().out.endswith(" was entered before in the Model Registry: s3://models/pumps\n")


def test_a_step_that_was_cut_off_is_finished_when_it_runs_again(server):
    server.failures["model_versions/2/artifacts"] = [(500, "application/json", '{"code": "", "message": "gone"}')]
    assert register_at(server) == 1
    assert register_at(server) == 0
    assert [key[0] for key in server.entries] == ["registered_model", "model_version", "model_artifact"]


def test_another_model_is_another_version(server, folder):
    assert register_at(server) == 0
    write_text(folder / "model" / "model.pt", "other weights")
    assert register_at(server) == 0
    assert len(server.named("registered_model")) == 1
    assert len(server.named("model_version")) == 2


def test_a_version_that_is_another_model_is_left_alone(server, folder, capsys):
    assert register_at(server, version="1") == 0
    before = json.dumps(list(server.entries.values()))
    write_text(folder / "model" / "model.pt", "other weights")
    assert register_at(server, version="1") == 1
    assert json.dumps(list(server.entries.values())) == before
    assert "version '1' of 'pumps' is another model: it has the manifest " in one_line(capsys)
    assert register_at(server, version="2") == 0


def test_a_version_that_somebody_else_made_is_left_alone(server, capsys):
    server.add(("registered_model", "", "pumps"), {"name": "pumps", "state": "LIVE"})
    server.add(("model_version", "1", "1"), {"name": "1", "registeredModelId": "1", "state": "LIVE"})
    assert register_at(server, version="1") == 1
    assert "it has no manifest of kftune, and this one has " in one_line(capsys)


def add_model_first(server: Any, key: tuple[str, str, str]) -> None:
    if key not in server.entries and key[0] == "registered_model":
        server.add(key, {"name": key[2], "state": "LIVE"})


def test_steps_that_enter_versions_of_one_model_at_the_same_time_do_not_fail(server):
    server.on_create = partial(add_model_first, server)
    assert register_at(server) == 0
    assert [key[0] for key in server.entries] == ["registered_model", "model_version", "model_artifact"]


# -- the token ---------------------------------------------------------------------------------------------------------


def test_without_a_variable_no_token_is_sent(server):
    assert register_at(server) == 0
    assert set(server.tokens) == {None}


def test_a_token_comes_from_its_variable_or_from_the_file_of_the_other(server, folder, monkeypatch, capsys):
    write_text(folder / "token", "of-the-pod\n")
    monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(folder / "token"))
    assert register_at(server) == 0
    assert set(server.tokens) == {"Bearer of-the-pod"}
    monkeypatch.setenv("KFTUNE_MODEL_REGISTRY_TOKEN", "of-the-secret")
    server.tokens.clear()
    assert register_at(server) == 0
    assert set(server.tokens) == {"Bearer of-the-secret"}
    assert "of-the" not in "".join(capsys.readouterr())


@pytest.mark.parametrize("token", ["two\nlines", "grün"])
def test_a_token_that_no_header_can_hold_is_refused_and_not_shown(token, server, monkeypatch, capsys):
    monkeypatch.setenv("KFTUNE_MODEL_REGISTRY_TOKEN", token)
    assert register_at(server) == 1
    error = one_line(capsys)
    assert "a token must be one line of ASCII" in error
    assert token.splitlines()[0] not in error
    assert server.requests == []


# -- without a registry ------------------------------------------------------------------------------------------------


def test_without_an_address_nothing_is_sent_and_the_client_is_not_loaded(folder):
    code = """
import sys
from kftune.training.__main__ import main
assert main(["register", "--model=model", "--card=c", "--manifest=m", "--model_registry=", "--uri=s3://a/b"]) == 0
assert main(["register", "--model=model", "--card=c", "--manifest=m", "--model_registry=http://x"]) == 2
assert not {"model_registry", "mr_openapi", "aiohttp", "asyncio"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_without_the_client_the_extra_is_named_and_the_files_are_written(folder, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "model_registry.core", None)
    monkeypatch.delitem(sys.modules, "kftune.training.model_registry")
    assert register(model_registry="http://127.0.0.1:9", uri="s3://a/b") == 1
    assert "pip install 'kftune[model-registry]'" in one_line(capsys)
    assert (folder / "manifest").exists()


# -- mistakes and refusals ---------------------------------------------------------------------------------------------

ADDRESS = "--model_registry must be http://HOST:PORT or https://HOST:PORT, but got "
MISTAKES = {
    "no uri": ({"model_registry": "http://x"}, "give --uri=… with --model_registry, such as --uri=s3://bucket/path"),
    "a path": ({"model_registry": "http://x", "uri": "/run/model"}, "--uri must be a place such as s3://bucket/path"),
    "no place": ({"model_registry": "http://x", "uri": "s3://"}, "but got 's3://'"),
    "no scheme": ({"model_registry": "x:8080", "uri": "s3://a"}, f"{ADDRESS}'x:8080'"),
    "another scheme": ({"model_registry": "grpc://x:80", "uri": "s3://a"}, f"{ADDRESS}'grpc://x:80'"),
    "a path behind it": ({"model_registry": "http://x/api", "uri": "s3://a"}, f"{ADDRESS}'http://x/api'"),
    "no host": ({"model_registry": "http://", "uri": "s3://a"}, f"{ADDRESS}'http://'"),
    "no port": ({"model_registry": "http://x:y", "uri": "s3://a"}, f"{ADDRESS}'http://x:y'"),
    "a password": ({"model_registry": "http://u:p@x", "uri": "s3://a"}, f"{ADDRESS}'http://u:p@x'"),
    "a token": ({"token": "x"}, "known: author, card, created"),
}


@pytest.mark.parametrize(("given", "text"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_gives_one_message_before_anything_is_written(given, text, folder, capsys):
    assert register(**given) == 2
    assert text in one_line(capsys)
    assert not (folder / "manifest").exists()


JSON, HTML = "application/json", "text/html"
ANSWERS = {
    "no token": ((401, HTML, "<h1>who?</h1>"), "requires a valid token (401); set the variable KFTUNE_"),
    "no right": ((403, HTML, ""), "refuses the account of this token (403)"),
    "a refusal": (
        (400, JSON, '{"code": "", "message": "no\\nsuch"}'),
        'refuses (400): {"code": "", "message": "no\\nsuch"}',
    ),
    "a fault": ((500, "text/plain", "a\nb"), "refuses (500): "),
    "a page": ((200, HTML, "<html>"), "is not a Model Registry: "),
    "other JSON": ((200, JSON, '{"a": 1}'), "is not a Model Registry: "),
    "no JSON": ((200, JSON, "{"), "is not a Model Registry: "),
}


@pytest.mark.parametrize(("answer", "text"), ANSWERS.values(), ids=ANSWERS)
def test_what_a_server_answers_is_one_line_and_the_files_are_written(answer, text, server, folder, capsys):
    server.failures["registered_model"] = [answer]
    assert register_at(server) == 1
    assert text in one_line(capsys)
    assert (folder / "manifest").exists()


def test_a_server_without_the_api_is_not_taken_for_one_without_the_model(server, capsys):
    server.failures["registered_models"] = [(404, "text/plain", "404 page not found")]
    assert register_at(server) == 1
    assert "uses (404); is the address right?" in one_line(capsys)


def test_a_server_that_is_not_there_is_one_line(capsys):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    assert register(model_registry=address, uri="s3://a/b") == 1
    assert f"no Model Registry can be reached at {address}: " in one_line(capsys)


def test_a_server_that_does_not_answer_is_not_waited_for_without_end():
    entry = ModelEntry("pumps", "1", "s3://a/b", {"manifest_sha256": "0"}, ("pytorch", "2"))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ModelRegistryError, match=r"has not answered in 0\.2 s"):
            enter(address, entry, patience=0.2)


def one_line(capsys: Any) -> str:
    """The error, which is one line."""
    error: str = capsys.readouterr().err
    assert error.startswith("kftune.training: ")
    assert error.count("\n") == 1
    return error

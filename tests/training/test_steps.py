"""The steps around a training: what they write, that they repeat themselves, and the circuits pipeline by hand."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import torch
from places import CIRCUITS

from kftune.errors import HparamsError
from kftune.files import write_text
from kftune.hparams.models.lstm import LstmHparams
from kftune.local import run_study
from kftune.pipeline import FixedValue, Node, OutputReference, ParameterReference, Pipeline, TuneStep, load_pipeline
from kftune.pipeline.ports import text_of, typed_value
from kftune.results import open_results
from kftune.training.__main__ import main
from kftune.training.data import load_circuit, read_circuit, write_circuit
from kftune.training.lstm import load_trained
from kftune.training.page import curves


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KFTUNE_DEVICE", "cpu")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    torch.set_num_threads(1)


def call(step: str, **paths: object) -> int:
    return main([step, *(f"--{name}={value}" for name, value in paths.items())])


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with readings and a small model of them."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KFTUNE_DEVICE", "cpu")
        patch.setenv("OMP_NUM_THREADS", "1")
        assert call("data", circuit="PLANT001/CIRCUIT02", data=folder / "data") == 0
        small = {"circuit": "PLANT001/CIRCUIT02", "lstm_units": 8, "epochs": 3, "learning_rate": 0.01}
        assert call("lstm", data=folder / "data", model=folder / "model", **small) == 0
        assert call("evaluate", model=folder / "model", data=folder / "data", metrics=folder / "metrics") == 0
    return folder


# -- data --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["PLANT001/CIRCUIT01", "PLANT007/CIRCUIT03"])
def test_the_data_step_writes_what_training_reads(name: str, tmp_path: Path):
    assert call("data", circuit=name, data=tmp_path / "new" / "data") == 0
    assert read_circuit(name, tmp_path / "new" / "data") == load_circuit(name)


def test_the_data_step_takes_own_readings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_text(tmp_path / "own" / "X.csv", "t,f\n2024-01-01T00:00:00+00:00,1.5\n")
    monkeypatch.setenv("KFTUNE_DATA", str(tmp_path / "own"))
    assert call("data", circuit="X", data=tmp_path / "data") == 0
    assert read_circuit("X", tmp_path / "data").flow == (1.5,)


# -- train -------------------------------------------------------------------------------------------------------------


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path, trained: Path):
    for name in ("one", "other"):
        small = {"circuit": "PLANT001/CIRCUIT02", "lstm_units": 8, "epochs": 2}
        assert call("lstm", data=trained / "data", model=tmp_path / name, **small) == 0
    for name in ("hparams.json", "model.pt", "summary.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


def test_training_reads_the_data_that_it_is_given(tmp_path: Path, trained: Path):
    assert call("lstm", data=trained / "data", model=tmp_path / "model", epochs=1, lstm_units=4) == 0
    _, _, scale = load_trained(tmp_path / "model")
    assert scale == load_trained(trained / "model")[2]


# -- evaluate ----------------------------------------------------------------------------------------------------------


def test_a_training_shows_the_metrics_of_the_kept_epoch_and_its_losses_where_it_is_asked_to(tmp_path: Path):
    names = ("data", "model", "metrics", "train_loss", "val_loss", "val_mae", "report", "executor-output")
    paths = {name: tmp_path / name for name in names}
    write_circuit(load_circuit("PLANT001/CIRCUIT02"), paths["data"])
    assert call("lstm", circuit="PLANT001/CIRCUIT02", lstm_units=4, epochs=2, **paths) == 0
    best = read_json(paths["model"] / "summary.json")["best"]
    metrics = {name: best[name] for name in ("train_loss", "val_loss", "val_mae")}
    assert read_json(paths["metrics"]) == metrics
    assert {name: float(paths[name].read_text()) for name in metrics} == metrics
    assert read_json(paths["executor-output"]) == {"artifacts": {"metrics": {"artifacts": [{"metadata": metrics}]}}}
    page = paths["report"].read_text(encoding="utf-8")
    assert "<h1>Training of PLANT001/CIRCUIT02</h1>" in page
    assert page.count("<polyline") == 2


def test_an_evaluation_finds_what_training_reported_for_the_kept_epoch(trained: Path):
    best = read_json(trained / "model" / "summary.json")["best"]
    found = read_json(trained / "metrics")
    assert (found["val_loss"], found["val_mae"]) == (best["val_loss"], best["val_mae"])
    baselines = read_json(trained / "model" / "summary.json")["baselines"]
    assert found["baseline_loss"] == min(errors["loss"] for errors in baselines.values())


def test_an_evaluation_writes_each_output_that_it_is_given_a_path_for(tmp_path: Path, trained: Path):
    paths = {name: tmp_path / name for name in ("metrics", "val_loss", "val_mae", "report", "executor-output")}
    assert call("evaluate", model=trained / "model", data=trained / "data", **paths) == 0
    metrics = read_json(paths["metrics"])
    assert float(paths["val_loss"].read_text()) == metrics["val_loss"]
    assert float(paths["val_mae"].read_text()) == metrics["val_mae"]
    assert read_json(paths["executor-output"]) == {
        "artifacts": {"metrics": {"artifacts": [{"metadata": metrics}]}},
    }


def test_other_readings_are_judged_in_the_scale_of_the_model(tmp_path: Path, trained: Path):
    circuit = load_circuit("PLANT001/CIRCUIT02")
    lines = [f"{time.isoformat()},{flow}" for time, flow in zip(circuit.times, circuit.flow, strict=True)]
    write_text(tmp_path / "last", "\n".join(["time,flow", *lines[len(lines) // 2 :]]))
    paths = {"model": trained / "model", "data": tmp_path / "last", "metrics": tmp_path / "metrics"}
    assert call("evaluate", **paths) == 0
    spread = load_trained(trained / "model")[2].spread
    found = read_json(tmp_path / "metrics")
    # Jensen: the mean absolute error is at most the root of the mean squared one, both in litres per second.
    assert 0 < found["val_mae"] <= spread * found["val_loss"] ** 0.5


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_report_is_one_page_that_loads_nothing(tmp_path: Path, trained: Path):
    paths = {"model": trained / "model", "data": trained / "data", "report": tmp_path / "report.html"}
    assert call("evaluate", **paths) == 0
    page = _Page()
    page.feed((tmp_path / "report.html").read_text(encoding="utf-8"))
    names = [tag for tag, _ in page.tags]
    assert not {"script", "link", "img", "iframe"} & set(names)
    assert names.count("polyline") == 2
    points = next(attributes["points"] for tag, attributes in page.tags if tag == "polyline")
    assert points is not None
    assert len(points.split()) == 3


@pytest.mark.parametrize("losses", [[0.5], [0.0, 0.0], [1e-9, 3e-9, 2e-9], [123456.0, 7.0], [*map(float, range(300))]])
def test_a_loss_curve_lies_within_its_picture(losses: list[float]):
    history = [{"epoch": epoch, "train_loss": loss, "val_loss": loss} for epoch, loss in enumerate(losses, start=1)]
    text = curves("Loss by epoch", history, ("train_loss", "val_loss"), kept=1)
    picture = ElementTree.fromstring(text)  # noqa: S314  # our own text
    _, _, width, height = map(float, picture.attrib["viewBox"].split())
    for line in picture.iter("polyline"):
        points = [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
        assert len(points) == len(losses)
        assert all(0 <= x <= width and 0 <= y <= height for x, y in points)
        heights = [-y for _, y in points]
        assert [losses[index] for index in sorted(range(len(losses)), key=heights.__getitem__)] == sorted(losses)


# -- register ----------------------------------------------------------------------------------------------------------


def register(trained: Path, folder: Path, **further: object) -> dict[str, Any]:
    paths = {name: folder / name for name in ("card", "manifest", "registered")}
    assert call("register", model=trained / "model", metrics=trained / "metrics", **paths, **further) == 0
    found: dict[str, Any] = read_json(folder / "manifest")
    return found


def test_a_manifest_says_what_the_model_is_and_has_the_sum_of_each_file(tmp_path: Path, trained: Path):
    manifest = register(trained, tmp_path, title="pumps", revision="4c7586e")
    assert (manifest["name"], manifest["revision"], manifest["created"]) == ("pumps", "4c7586e", None)
    assert manifest["metrics"] == read_json(trained / "metrics")
    assert LstmHparams.from_dict(manifest["hparams"]) == load_trained(trained / "model")[0]
    assert sorted(manifest["files"]) == ["hparams.json", "model.pt", "summary.json"]
    for name, about in manifest["files"].items():
        content = (trained / "model" / name).read_bytes()
        assert about == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def test_a_manifest_has_no_time_of_its_own(tmp_path: Path, trained: Path):
    register(trained, tmp_path / "one")
    register(trained, tmp_path / "other")
    for name in ("card", "manifest"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()
    assert register(trained, tmp_path / "third", created="2026-01-02T03:04:05Z")["created"] == "2026-01-02T03:04:05Z"


def test_a_registered_model_is_complete_and_loads(tmp_path: Path, trained: Path):
    register(trained, tmp_path)
    hparams, _, _ = load_trained(tmp_path / "registered")
    assert hparams.lstm_units == 8
    for name in ("card", "manifest"):
        suffix = {"card": "card.md", "manifest": "manifest.json"}[name]
        assert (tmp_path / "registered" / suffix).read_bytes() == (tmp_path / name).read_bytes()


def test_a_card_shows_hostile_text_as_text(tmp_path: Path, trained: Path):
    register(trained, tmp_path, title="a | b\n# <script>", revision="`x`")
    card = (tmp_path / "card").read_text(encoding="utf-8")
    assert card.startswith("# a \\| b \\# \\<script\\>\n")
    assert "| source revision | \\`x\\` |" in card
    assert "| val\\_loss | " in card


# -- mistakes ----------------------------------------------------------------------------------------------------------

MISTAKES = {
    "no circuit": (["data", "--data=x"], "data needs --circuit=…"),
    "an empty path": (["data", "--circuit=PLANT001/CIRCUIT01", "--data="], "data needs --data=…"),
    "a misspelt argument": (["evaluate", "--modle=x"], "did you mean 'model'?"),
    "no value": (["register", "--model"], "--model needs a value: --model=VALUE"),
    "an argument twice": (["data", "--data=x", "--data=y"], "--data must be given once"),
    "no such circuit": (["data", "--circuit=P1", "--data=x"], "a name must be like PLANT001/CIRCUIT01"),
    "no readings": (["lstm", "--data=nowhere"], "cannot read the readings of PLANT001/CIRCUIT01"),
    "no model": (["evaluate", "--model=nowhere", "--data=x"], "nowhere/summary.json is missing"),
    "a model that nothing was learned for": (
        ["register", "--model=empty", "--card=c", "--manifest=m"],
        "has no 'best'",
    ),
    "a model of something else": (["register", "--model=other", "--card=c", "--manifest=m"], "must contain JSON"),
    "no model to register": (["register", "--model=nowhere", "--card=c", "--manifest=m"], "hparams.json is missing"),
}


@pytest.mark.parametrize(("argv", "text"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_gives_one_message(
    argv: list[str], text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    for name, summary in {"empty": '{"circuit": "c", "epochs": 1, "best": null}', "other": "no JSON"}.items():
        write_text(tmp_path / name / "hparams.json", "{}")
        write_text(tmp_path / name / "summary.json", summary)
    assert main(argv) == 2
    printed = capsys.readouterr()
    assert text in printed.err
    assert printed.err.startswith("kftune.training: ")
    assert printed.err.count("\n") == 1


class Hostile:
    """What would run a command when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("hostile-was-here",)


def _saved(value: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"", b"no model at all", pickle.dumps(Hostile()), _saved(Hostile()), _saved({})[:-300], _saved({})],
    ids=["empty", "text", "code", "code within", "cut off", "other content"],
)
def test_a_damaged_or_hostile_checkpoint_is_refused(
    content: bytes, tmp_path: Path, trained: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hparams.json").write_bytes((trained / "model" / "hparams.json").read_bytes())
    (tmp_path / "model.pt").write_bytes(content)
    with pytest.raises(HparamsError, match="must contain the weights"):
        load_trained(tmp_path)
    assert not (tmp_path / "hostile-was-here").exists()


def test_data_and_register_and_their_mistakes_load_no_torch(tmp_path: Path, trained: Path):
    code = f"""
import sys
from kftune.training.__main__ import main
assert main(["data", "--circuit=PLANT001/CIRCUIT02", "--data={tmp_path}/data"]) == 0
assert main(["register", "--model={trained}/model", "--card={tmp_path}/card", "--manifest={tmp_path}/manifest"]) == 0
assert main(["evaluate", "--model=x"]) == 2
assert main(["evaluate", "--help"]) == 0
import kftune.training.page
assert "torch" not in sys.modules and "numpy" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


# -- the pipeline, by hand ---------------------------------------------------------------------------------------------


class ByHand:
    """Runs the steps of a pipeline one after the other, with the command lines that the plan gives."""

    def __init__(self, pipeline: Pipeline, folder: Path, parameters: dict[str, Any]) -> None:
        self.pipeline, self.folder = pipeline, folder
        self.parameters = {**{name: given.value for name, given in pipeline.run_parameters.items()}, **parameters}
        self.printed: dict[str, str] = {}

    def run(self) -> None:
        for name in self.pipeline.order:
            node = self.pipeline.node(name)
            if node.condition is None or node.condition.holds(
                self._value(node.condition.left), self._value(node.condition.right)
            ):
                self._run(node)

    def path(self, step: str, output: str) -> Path:
        return self.folder / step / output

    def _run(self, node: Node) -> None:
        values = {name: self._text(node, name) for name in node.argument_names}
        if isinstance(node.step, TuneStep):
            self._tune(node, values)
            return
        program, *arguments = node.command_line(values)
        assert program == "python"
        done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        self.printed[node.name] = done.stdout

    def _tune(self, node: Node, values: dict[str, str]) -> None:
        results = self.folder / "trials"
        run_study(node.trial_study(values), results)
        with open_results(results) as opened:
            best = opened.best()
        assert best is not None
        for name, text in best.assignment.items():
            write_text(self.path(node.name, f"best.{name}"), text)

    def _text(self, node: Node, name: str) -> str:
        if name not in node.arguments:
            return str(self.path(node.name, name))
        source = node.arguments[name].source
        if isinstance(source, OutputReference) and node.arguments[name].is_artifact:
            return str(self.path(source.step, source.output))
        return source.text if isinstance(source, FixedValue) else text_of(self._value(source))

    def _value(self, source: Any) -> Any:
        if isinstance(source, ParameterReference):
            return self.parameters[source.name]
        text = self.path(source.step, source.output).read_text(encoding="utf-8")
        wanted = self.pipeline.node(source.step).outputs[source.output].type
        return text if wanted == "str" else typed_value(json.loads(text), wanted)


@pytest.mark.nightly  # the tests above run each step
@pytest.mark.slow
def test_the_circuits_pipeline_runs_from_readings_to_a_registered_model(tmp_path: Path):
    pipeline = load_pipeline(CIRCUITS / "pipeline.yaml")
    run = ByHand(pipeline, tmp_path, {"revision": "4c7586e"})
    run.run()
    with open_results(tmp_path / "trials") as results:
        trials = results.trials()
    assert [trial.state for trial in trials] == ["Succeeded"] * 4
    hparams, _, _ = load_trained(run.path("register", "registered"))
    best = min(trials, key=lambda trial: trial.objective or 1e9)
    assert {name: str(hparams[name]) for name in best.assignment} == dict(best.assignment)
    manifest = read_json(run.path("register", "manifest"))
    assert manifest["revision"] == "4c7586e"
    # The trial's own training, repeated: same seed, same numbers.
    assert manifest["metrics"]["val_loss"] == best.objective
    assert manifest["metrics"]["val_loss"] < manifest["metrics"]["baseline_loss"]
    assert "val_loss=" in run.printed["train"]

"""A project's own models, trained by `kftune train` and by ``python -m kftune.training`` as kftune's own are."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from metric_parser import MetricParser
from places import ROOT

from kftune import Hparams
from kftune.hparams.as_config import blueprint, read_line
from kftune.hparams.models.training import RunHparams
from kftune.training.command_line import read_arguments

FILES = {
    "net_hparams.py": '''
from kftune import Choice, Hparam, Hparams, LogUniform


class NetHparams(Hparams):
    """A net."""

    learning_rate: float = Hparam(0.01, gt=0, search=LogUniform(1e-4, 1e-1))
    """Step size."""
    epochs: int = Hparam(2, ge=1)
    """Epochs. Passes over the data."""
    layers: str = Hparam("mlp", search=Choice("mlp", "cnn"))
    """Its layers."""


class OtherHparams(Hparams):
    """Not the class of the net."""
''',
    "net_training.py": """
import time
from pathlib import Path

from kftune import report
from net_hparams import NetHparams, OtherHparams


def train(hparams: NetHparams, data: Path | None = None, output: Path | None = None) -> dict[str, float]:
    (output or Path()).mkdir(exist_ok=True)
    (output or Path()).joinpath("seen.txt").write_text(f"{hparams.layers} {data}")
    for epoch in range(hparams.epochs):
        report(val_loss=hparams.learning_rate / (epoch + 1), step=epoch)
    return {"epoch": hparams.epochs, "val_loss": hparams.learning_rate / hparams.epochs}


def sleep(hparams: NetHparams) -> None:
    try:
        print("started", flush=True)
        time.sleep(60)
    finally:
        print("cleaned up", flush=True)


def fail(hparams: NetHparams) -> int:
    return 3


def crash(hparams: NetHparams) -> None:
    1 / 0


def nothing(hparams: NetHparams) -> None:
    pass


def other(hparams: OtherHparams) -> None:
    pass


def confuse(hparams: NetHparams) -> str:
    return "done"


def nobody() -> None:
    pass


def wants(hparams: NetHparams, epochs: int, *, output: Path) -> None:
    pass
""",
    "classes.py": """
from kftune import HPARAMS_REGISTRY

HPARAMS_REGISTRY["NetHparams"] = {
    "class_name": "NetHparams",
    "module_path": "net_hparams",
    "model_type": "net",
    "description": "A net of the project",
    "trainer": "net_training:train",
}
""",
    "project.yaml": "name: nets\nnamespace: nets\nregistry: [classes]\n",
    "study.yaml": """
name: net
hparams: net
objective: {metric: val_loss, direction: minimize}
algorithm: {name: random, seed: 1}
budget: {max_trials: 2, parallel: 1}
step: {module: kftune.training, args: [net], image: "registry.example/net:1"}
""",
    "pipeline.yaml": """
name: nets
steps:
  train:
    kind: train
    module: kftune.training
    args: [net]
    hparams: net
    image: registry.example/net:1
    outputs: {model: model, metrics: metrics, val_loss: float}
""",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def run(folder: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "KFTUNE_DEVICE": "cpu", "OMP_NUM_THREADS": "1", **variables}
    arguments = [sys.executable, "-m", *command]
    return subprocess.run(
        arguments, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def registered(folder: Path, trainer: str) -> None:
    text = (folder / "classes.py").read_text()
    (folder / "classes.py").write_text(text.replace("net_training:train", trainer))


@pytest.mark.parametrize(
    ("program", "model"),
    [
        (["kftune", "train"], "net"),
        (["kftune.training"], "NetHparams"),
        (["kftune", "train"], "net_hparams:NetHparams"),
    ],
)
def test_a_model_of_the_project_is_trained_by_the_function_that_its_entry_names(project: Path, program, model: str):
    done = run(project, *program, model, "--learning_rate=0.5", "layers=cnn")
    parser = MetricParser(["val_loss"])
    seen = [*parser.feed(done.stdout.encode()), *parser.close()]
    assert (done.returncode, done.stderr) == (0, "")
    assert [(item.value, item.step) for item in seen] == [(0.5, 0), (0.25, 1)]


def test_its_outputs_are_those_of_a_pipeline_step(project: Path):
    paths = [f"--{name}={project / name}.out" for name in ("metrics", "executor-output", "val_loss", "report")]
    done = run(project, "kftune.training", "net", "--data=rows.csv", "--model=made", "--layers=cnn", *paths)
    assert (done.returncode, done.stderr) == (0, "")
    assert (project / "made" / "seen.txt").read_text() == "cnn rows.csv"
    assert json.loads((project / "metrics.out").read_text()) == {"val_loss": 0.005}
    shown = json.loads((project / "executor-output.out").read_text())["artifacts"]["metrics"]["artifacts"][0]
    assert shown == {"metadata": {"val_loss": 0.005}}
    assert (project / "val_loss.out").read_text() == "0.005"
    assert "Training of NetHparams" in (project / "report.out").read_text()


def test_a_study_tunes_it_here_from_another_folder(project: Path, tmp_path_factory: pytest.TempPathFactory):
    done = run(tmp_path_factory.mktemp("elsewhere"), "kftune", "run", str(project / "study.yaml"))
    assert done.returncode == 0, done.stderr
    assert "2 Succeeded" in done.stdout


def test_a_cluster_gets_the_same_command_line(project: Path):
    for file in ("study.yaml", "pipeline.yaml"):
        assert run(project, "kftune", "render", file, "--out", "rendered").returncode == 0
    texts = {path.name: path.read_text() for path in (project / "rendered").rglob("*.yaml")}
    starts = {name: re.search(r"kftune\.training(\s|args:|[\"'-])+net\b", text) for name, text in texts.items()}
    assert {name for name, found in starts.items() if found} >= {
        *("study.katib.yaml", "pipeline.argo.yaml", "pipeline.kfp.yaml", "pipeline.kfp-objects.yaml")
    }


@pytest.mark.parametrize(
    "program", [["kftune", "train"], pytest.param(["kftune.training"], marks=pytest.mark.nightly)], ids=" ".join
)
def test_sigterm_ends_it_with_143_after_its_own_cleaning_up(project: Path, program: list[str]):
    registered(project, "net_training:sleep")
    command = [sys.executable, "-m", *program, "net"]
    with subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 143
        assert process.stdout.read() == "cleaned up\n"


def test_only_the_first_of_several_processes_reports_and_writes(project: Path):
    done = run(project, "kftune.training", "net", "--metrics=m.json", RANK="1", WORLD_SIZE="2")
    assert (done.returncode, done.stdout, (project / "m.json").exists()) == (0, "", False)


def test_its_outputs_may_be_in_two_tokens_as_the_hyperparameters_are(project: Path):
    done = run(project, "kftune.training", "net", "--data", "rows.csv", "--model", "made", "--layers", "cnn")
    assert (done.returncode, done.stderr) == (0, "")
    assert (project / "made" / "seen.txt").read_text() == "cnn rows.csv"


def test_its_exit_status_is_that_of_the_process(project: Path):
    registered(project, "net_training:fail")
    assert run(project, "kftune", "train", "net").returncode == 3


def test_an_error_in_its_code_shows_where(project: Path):
    registered(project, "net_training:crash")
    done = run(project, "kftune", "train", "net")
    assert done.returncode == 1
    assert "net_training.py" in done.stderr
    assert done.stderr.endswith("ZeroDivisionError: division by zero\n")


MISTAKES = {
    "another class": (["net_hparams:OtherHparams"], "", "has no function 'train'"),
    "no function": (["net"], "net_training:tarin", "net_training has no function 'tarin'"),
    "no module": (["net"], "net_trainig:train", "no module 'net_trainig'"),
    "another result": (["net"], "net_training:confuse", "must return metrics"),
    "data that it does not take": (["net", "--data=x"], "net_training:fail", "takes no argument data"),
    "a function without the hyperparameters": (["net"], "net_training:nobody", "it is nobody() -> None: too many"),
    "a function that needs more": (["net"], "net_training:wants", "missing a required argument: 'epochs'"),
    "a page of KFP without its metrics": (["net", "--executor-output=e"], "", "give --metrics=FILE too"),
    "a class that it does not take": (["net"], "net_training:other", "takes OtherHparams, but got NetHparams"),
    "a file in place of a model": (["study.yaml"], "", "MODEL -c study.yaml, for a study kftune run study.yaml"),
    "a misspelt model": (["nett"], "", "did you mean 'net'?"),
    "no metrics for a file": (["net", "--metrics=m"], "net_training:nothing", "output/summary.json is missing"),
}


@pytest.mark.parametrize(("argv", "trainer", "text"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_line_and_exit_status_2(project: Path, argv: list[str], trainer: str, text: str):
    registered(project, trainer or "net_training:train")
    done = run(project, "kftune", "train", *argv)
    assert (done.returncode, done.stdout) == (2, "")
    assert text in done.stderr
    assert done.stderr.startswith("kftune: ")
    assert done.stderr.count("\n") == 1


def test_a_file_that_cannot_be_written_is_named_as_it_was_given(project: Path):
    (project / "here").write_text("")
    done = run(project, "kftune", "train", "net", "--metrics=here/m.json")
    assert (done.returncode, done.stderr) == (1, "kftune: here: File exists\n")


class Clash(Hparams):
    """Has names that the command line has too."""

    model: str = "mlp"
    data: int = 1
    config: str = "none"
    print_config: bool = False


def test_a_name_of_the_class_is_a_hyperparameter_whatever_else_it_could_mean(tmp_path: Path):
    (tmp_path / "a.yaml").write_text("data: 2\n")
    argv = ["--model=cnn", "--config=some", "--print-config", "-c", str(tmp_path / "a.yaml"), "-o", "made"]
    line = read_arguments(argv, Clash)
    hparams, origin = read_line(Clash, line.hparams, line.config)
    assert (line.output, line.data, line.prints) == (Path("made"), None, False)
    assert hparams == Clash(model="cnn", data=2, config="some", print_config=True)
    assert (origin(("model",)), origin(("data",))) == ("command line", f"{tmp_path / 'a.yaml'}:1")


def test_help_and_mistakes_import_no_torch(project: Path):
    code = """
import sys
from kftune.cli import main
assert main(["train", "--help"]) == 0 and main(["train", "net", "--help"]) == 0 and main(["train", "net", "lr=1"]) == 2
assert main(["train", "net", "--print-config"]) == 0 and main(["init", "net", "-o", "-"]) == 0
assert "torch" not in sys.modules and "numpy" not in sys.modules
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project, capture_output=True, text=True, check=True, timeout=60
    )
    assert "A net of the project" in done.stdout
    assert "NetHparams, trained by net_training:train" in done.stdout


TYPED = {"PYTHONPATH": str(ROOT / "tests" / "support")}


@pytest.mark.nightly  # docs/guides/typed-models.md does the same
def test_a_typed_model_is_trained_with_its_blueprint(tmp_path: Path):
    (tmp_path / "config.yaml").write_text(blueprint(RunHparams))
    overrides = ["trainer.max_epochs=1", "model.optimizer.kwargs.lr=0.01", "--metrics=m.json"]
    done = run(
        tmp_path, "kftune", "train", "lightning_net:NetRun", "-c", "config.yaml", "-o", "made", *overrides, **TYPED
    )
    assert (done.returncode, done.stderr) == (0, "")
    metrics = json.loads((tmp_path / "m.json").read_text())
    assert f"validation/loss={metrics['validation/loss']}" in done.stdout
    assert json.loads((tmp_path / "made" / "hparams.json").read_text())["optimizer"]["kwargs"] == {"lr": 0.01}


@pytest.mark.nightly
def test_a_model_in_place_of_its_hyperparameters_is_answered_with_them(tmp_path: Path):
    done = run(tmp_path, "kftune", "train", "lightning_net:Net", **TYPED)
    assert done.returncode == 2
    assert "lightning_net:Net is a model" in done.stderr
    assert done.stderr.endswith("give lightning_net:NetRun\n")


@pytest.mark.nightly
def test_torchrun_starts_several_processes_of_a_typed_model(tmp_path: Path):
    torchrun = ["torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "kftune.training"]
    arguments = [
        "lightning_net:NetRun",
        "trainer.max_epochs=2",
        "data.batch_size=20",
        "--model=made",
        "--metrics=m.json",
    ]
    done = run(tmp_path, *torchrun, *arguments, **TYPED)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("validation/loss=") == 2
    assert json.loads((tmp_path / "made" / "summary.json").read_text())["processes"] == 2
    assert json.loads((tmp_path / "m.json").read_text()).keys() >= {"train/loss", "validation/loss"}


@pytest.mark.nightly
def test_a_stopped_typed_model_goes_on_with_the_same_command(tmp_path: Path):
    arguments = ["lightning_net:NetRun", "trainer.max_epochs=300", "trainer.loggers=[]"]
    command = [sys.executable, "-m", "kftune", "train", *arguments]
    environment = {**os.environ, **TYPED, "KFTUNE_DEVICE": "cpu", "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        next(line for line in process.stdout if "step=2" in line)
        process.send_signal(signal.SIGTERM)
        assert "goes on from" in process.stdout.read()
        assert process.wait(60) == 143
    done = run(tmp_path, "kftune", "train", *arguments[:1], "trainer.max_epochs=6", "trainer.loggers=[]", **TYPED)
    assert "going on from" in done.stdout
    assert "step=1 " not in done.stdout

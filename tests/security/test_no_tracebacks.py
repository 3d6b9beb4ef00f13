"""Files that are not what they should be, and a machine that is not as usual: a message, and no traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kftune import json_input
from kftune.cli import main
from kftune.errors import ContainerError, HparamsError, StudyError
from kftune.images.lock import read_lock
from kftune.pipeline.ports import typed_value
from kftune.runs import files_below
from kftune.spec.part import PartError
from kftune.study import load_study
from kftune.training.folder import read_json

STUDY = """\
name: small
hparams: lstm
objective: {metric: val_loss, direction: minimize}
budget: {max_trials: 1}
step: {command: [python, train.py]}
"""
PIPELINE = """\
name: made
steps:
  data:
    kind: data
    command: [python, write.py]
    outputs: {rows: dataset, made: TYPE}
"""
WRITE = """\
import os, sys
paths = dict(each.split("=", 1) for each in sys.argv[1:])
os.makedirs(paths["--rows"])
open(paths["--made"], "w").write(CONTENT)
"""
MANGLED = {
    "empty": b"",
    "binary": bytes(range(256)),
    "UTF-16": "name: small\n".encode("utf-16"),
    "cp1252": "name: é, x\n1,2\n".encode("cp1252"),
    "open lists": b"[" * 100_000,
    "open mappings": b'{"a":' * 5_000,
    "150 levels": b'{"a":' * 150 + b"1" + b"}" * 150,
    "5 000 digits": b"9" * 5_000,
    "nan": b'{"a": NaN, "b": [Infinity]}',
    "a key twice": b'{"a": 1, "a": 2}',
    "half of a pair": b'{"\\ud800": "\\udfff", "name": "\\ud800"}',
    "NUL": b'name: "a\\0b"\nhparams: lstm\n',
    "a raw NUL": b"name: a\0b",
    "a set": b"a: !!set {x, y}\n",
    "an object": b"a: !!python/object:os.system ls\n",
    "a list": b"[1, 2]",
    "null": b"null",
    "only a header": b"trial,val_loss,lr\n",
    "other types": b"name: {a: [1]}\nsteps: 3\nhparams: []\nversion: 1\nimages: 3\nall_results: 3\n",
    "results without trials": b'{"format": "kftune.results/2", "trials": 3}',
}
COMMANDS = [
    *(["lint", "in.yaml"], ["render", "in.yaml"], ["show", "in.yaml"], ["run", "in.yaml"], ["status", "in.yaml"]),
    *(["best", "in.json"], ["results", "in.json"], ["report", "in.json"], ["compare", "in.json", "in.csv"]),
    ["results", "in.csv", "--objective", "val_loss", "--direction", "minimize"],
    *(["pipeline", "run", "in.yaml"], ["experiments", "--config", "in.yaml"], ["export", "in.yaml", "--to", "optuna"]),
    *(["import", system, f"in.{end}"] for system, end in [("sagemaker", "json"), ("wandb", "yaml"), ("ray", "py")]),
    *(["import", system, f"in.{end}"] for system, end in [("azureml", "yaml"), ("optuna", "json"), ("katib", "yaml")]),
]


@pytest.mark.parametrize("name", MANGLED)
def test_no_command_ends_with_a_traceback_for_a_mangled_file(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for ending in ("yaml", "json", "csv", "py"):
        Path(f"in.{ending}").write_bytes(MANGLED[name])
    for command in COMMANDS:
        code = main(command)
        told = capsys.readouterr()
        assert code in (0, 1, 2), command
        assert len(told.out) + len(told.err) < 10_000, command


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("[" * 100_000, "more than 200 levels"),
        ('{"a":' * 250 + "1" + "}" * 250, "more than 200 levels"),
        ("9" * 5_000, "4300 digits"),
        (r'["\ud800"]', "surrogates not allowed"),
    ],
)
def test_json_has_bounds(text, rule):
    with pytest.raises(ValueError, match=rule):
        json_input.loads(text)


@pytest.mark.parametrize(
    "text", ["[" + "[]," * 1000 + "1]", r'"\ud83d\ude00"', r'"\udcff"', '"' + "[" * 500 + '"', "[" * 200 + "]" * 200]
)
def test_json_within_them_is_read(text):
    assert json_input.loads(text)


@pytest.mark.parametrize("content", ["[" * 100_000, '{"images":' * 300 + "1" + "}" * 300])
def test_locks_and_files_of_a_training_that_are_nested_deep_are_refused(content, tmp_path):
    file = tmp_path / "some.json"
    file.write_text(content)
    with pytest.raises(ContainerError, match="is not a lock of images"):
        read_lock(file)
    with pytest.raises(HparamsError, match="must contain JSON"):
        read_json(file)


def test_an_integer_that_no_float_holds_is_refused():
    with pytest.raises(PartError, match="has 4000 digits"):
        typed_value(int("9" * 4000), "float")


@pytest.mark.parametrize(
    ("kind", "content"), [("list", "'[' * 100_000"), ("float", "'9' * 4000"), ("list", r"'[\"\\ud800\"]'")]
)
def test_a_step_with_an_output_that_cannot_be_read_fails_and_the_run_goes_on(
    kind, content, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    Path("p.yaml").write_text(PIPELINE.replace("TYPE", kind).replace("python", sys.executable))
    Path("write.py").write_text(WRITE.replace("CONTENT", content))
    assert main(["pipeline", "run", "p.yaml"]) == 1
    assert "the output made" in "".join(capsys.readouterr())


def test_a_text_with_nul_is_refused_at_its_place(tmp_path):
    file = tmp_path / "study.yaml"
    file.write_text(STUDY + 'description: "a\\0b"\n')
    with pytest.raises(StudyError, match=r"study.yaml:6:\d+: description: a text cannot hold the character NUL"):
        load_study(file)


def test_a_folder_whose_name_is_not_utf_8_is_as_good_as_any(tmp_path, monkeypatch, capfdbinary):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/a\xff"))
    folder.mkdir()
    monkeypatch.chdir(folder)
    Path("study.yaml").write_text(STUDY.replace("python", sys.executable))
    Path("train.py").write_text("print('val_loss=0.5')")
    for command in (["run", "study.yaml"], ["best", "study.yaml"], ["results", "runs/small"], ["list", "."]):
        assert main(command) == 0


def test_a_folder_that_cannot_be_read_is_told(tmp_path, monkeypatch):
    def refused(folder, onerror):
        onerror(PermissionError(13, "Permission denied", str(folder)))
        return []

    monkeypatch.setattr(os, "walk", refused)  # root may read every folder
    with pytest.raises(PermissionError):
        files_below(tmp_path, {".yaml"})


@pytest.mark.parametrize(("closed", "code"), [(">&-", 0), (">&- 2>&-", 0), ("<&- >&- 2>&-", 0)])
def test_a_command_works_with_closed_streams(closed, code, tmp_path):
    (tmp_path / "study.yaml").write_text(STUDY)
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m kftune show study.yaml {closed}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (code, "")


def test_ctrl_c_while_a_command_is_imported_ends_it_quietly(tmp_path):
    code = "import sys, os, signal; sys.meta_path.insert(0, type('', (), {'find_spec': lambda name, *_: KILL})); KFTUNE"
    kill = "os.kill(os.getpid(), signal.SIGINT) if name == 'kftune.cli.call' else None"
    run = "from kftune.cli import main; sys.exit(main(['best', 'x.yaml']))"
    done = subprocess.run(
        [sys.executable, "-c", code.replace("KILL", kill).replace("KFTUNE", run)], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (128 + signal.SIGINT, "")


def peak_of(code: str, *arguments: str) -> float:
    """Returns the most memory that a process took, in MB."""
    told = "; import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    done = subprocess.run([sys.executable, "-c", code + told, *arguments], capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


SAMPLE = """
import sys
from kftune.lint.sampling import sample
from kftune.metrics.log_lines import LogLines
spec = {"objective": {"objectiveMetricName": "loss"}, "metricsCollectorSpec": {"collector": {"kind": "StdOut"}}}
sample(spec, LogLines(sys.argv[1]), "log")"""
TALLY = """
import sys
from kftune.katib.trial.collector import Row
from kftune.local.experiment.tally import Tally
tally = Tally(["loss"], lambda row: True, has_rules=False)
tally.take(Row("loss", f"0.{number}") for number in range(int(sys.argv[1])))"""


def test_the_memory_of_a_sample_log_does_not_grow_with_it(tmp_path):
    small, large = tmp_path / "small.log", tmp_path / "large.log"
    small.write_text("other text, and much of it\n" * 1000)
    large.write_text("other text, and much of it\n" * 400_000)
    assert peak_of(SAMPLE, str(large)) < peak_of(SAMPLE, str(small)) + large.stat().st_size / 2**20 / 4


def test_the_memory_of_a_trial_s_rows_does_not_grow_with_them():
    assert peak_of(TALLY, "20000") < peak_of(TALLY, "100") + 2

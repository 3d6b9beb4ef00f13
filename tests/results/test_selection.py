"""Trials are chosen by a condition, sorted, and ranked."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from memory_trials import a_trial

from kftune.cli import main
from kftune.cli.table import fitted
from kftune.results import TrackedMetric
from kftune.results.export import to_json, to_text
from kftune.results.trials import Recorded, plain_meta

_TRIALS = [
    (1, "Succeeded", "0.5", "0.7", {"lr": 0.1, "opt": "adam"}),
    (2, "Succeeded", "0.25", "0.6", {"lr": 0.2, "opt": "sgd"}),
    (3, "Failed", None, None, {"lr": 0.3, "opt": "adam"}),
    (4, "EarlyStopped", "0.75", "0.9", {"lr": 0.4, "opt": "adam"}),
]


@pytest.fixture
def file(tmp_path: Path) -> str:
    """Returns a file with the trials."""
    meta = plain_meta(
        "small",
        metrics=(TrackedMetric("val-loss", "min"), TrackedMetric("acc", "max"), TrackedMetric("last", "latest")),
        space={"lr": {}, "opt": {}},
    )
    results = Recorded(meta, [a_trial(*each) for each in _TRIALS], place="here")
    path = tmp_path / "saved.json"
    path.write_text(to_text(to_json(results)), encoding="utf-8")
    return str(path)


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[int]:
    """Returns the numbers of the trials that a command prints."""
    assert main([*arguments, "--format", "json"]) == 0
    data = json.loads(capsys.readouterr().out)
    return [trial["number"] for trial in data.get("trials") or data["top"]]


@pytest.mark.parametrize(
    ("arguments", "numbers"),
    [
        ((), [1, 2, 3, 4]),
        (("--where", "val_loss < 0.6"), [1, 2]),
        (("--where", 'opt == "adam" and lr > 0.1'), [3, 4]),
        (("--where", 'state in ["Failed", "EarlyStopped"]'), [3, 4]),
        (("--where", "val_loss == None"), [3]),
        (("--where", "acc / (lr - 0.1) > 1"), [2, 4]),
        (("--where", "hparams.lr * 10 > 2.5"), [3, 4]),
        (("--sort", "val-loss"), [2, 1, 4, 3]),
        (("--sort", "val-loss", "--reverse"), [4, 1, 2, 3]),
        (("--sort", "opt"), [1, 3, 4, 2]),
        (("--sort", "duration", "--top", "1"), [4]),
        (("--top", "2"), [2, 1]),
        (("--top", "9"), [2, 1, 4]),
        (("--top", "1", "--where", 'opt == "adam"'), [1]),
        (("--reverse",), [4, 3, 2, 1]),
    ],
    ids=lambda each: " ".join(map(str, each)),
)
def test_results_shows_the_trials_that_are_wanted_in_their_order(file, capsys, arguments, numbers):
    assert shown(capsys, "results", file, *arguments) == numbers


@pytest.mark.parametrize(
    ("arguments", "numbers"),
    [(("--top", "2"), [2, 1]), (("--top", "9"), [2, 1, 4]), (("--top", "2", "--metric", "acc"), [4, 1])],
    ids=lambda each: " ".join(map(str, each)),
)
def test_best_shows_the_best_ones_first(file, capsys, arguments, numbers):
    assert shown(capsys, "best", file, *arguments) == numbers
    assert main(["best", file, *arguments]) == 0
    assert capsys.readouterr().out.splitlines()[3].startswith(f"t-{numbers[0]}  ")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("results", "--where", "vall_loss < 1"), "unknown column 'vall_loss'; did you mean 'val-loss'?"),
        (("results", "--where", "lr <"), "--where: 'lr <' is not a comparison"),
        (("results", "--where", "lr = 1"), "write == for ="),
        (("results", "--where", "lr + 1"), "a condition is true or false, but 'lr + 1' is 1.1"),
        (("results", "--where", "opt < 1"), "compares values of different types"),
        (("results", "--where", "open('x')"), "is not allowed: a condition has"),
        (("results", "--sort", "los"), "unknown column 'los'"),
        (("results", "--top", "0"), "must be a whole number from 1, but is '0'"),
        (("results", "--format", "optuna"), "--out study.db"),
        (("best", "--top", "x"), "must be a whole number from 1"),
        (("best", "--top", "2", "--metric", "ac"), "unknown metric 'ac'; did you mean 'acc'?"),
        (("best", "--top", "2", "--metric", "last"), "which one is better is not known"),
        (("best", "--top", "2", "--format", "args"), "that of one trial"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, tuple) else "",
)
def test_mistakes_say_what_to_write(file, capsys, arguments, says):
    assert main([arguments[0], file, *arguments[1:]]) == 2
    assert says in capsys.readouterr().err


def test_a_table_fits_the_terminal_and_names_what_it_leaves_out(monkeypatch):
    header = ["trial", "loss", "empty", "note", "more"]
    rows = [["a", "0.123456789012345", "", "x" * 40, "1"], ["b", "12345e67890", "", "short", "2"]]
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False)
    monkeypatch.delenv("COLUMNS", raising=False)
    assert "x" * 40 in fitted(header, rows)
    monkeypatch.setenv("COLUMNS", "52")
    assert fitted(header, rows).splitlines() == [
        "trial  loss         note                      more",
        f"a      0.123457     {'x' * 23}…  1",
        "b      12345e67890  short                     2",
    ]
    monkeypatch.setenv("COLUMNS", "24")
    *lines, last = fitted(header, rows).splitlines()
    assert max(map(len, lines)) <= 24
    assert last == "no room for: note, more (--format csv has every column)"

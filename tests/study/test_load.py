"""Study files: read as people write them, changed from a command line, and wrong at a line and a column."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from study_examples import Toy

from kftune import Choice, IntUniform, LogUniform, Uniform, load_study
from kftune.errors import StudyError, UsageError, YamlError
from kftune.study import SecretKey

TEXT = """\
# A study with a bit of everything.
name: toy
hparams: study_examples:Toy
values:
  units: 32
  optimizer:
    momentum: 0.5
  tags: [a, b]
search:
  optimizer.lr: {loguniform: [1e-4, 1e-2]}
  note:
    choice: [yes, "no", on]
objective:
  metric: val_loss
  direction: minimize
  goal: 1e-3
metrics: [train_loss, {name: acc, reduce: max}]
algorithm: {name: tpe, seed: 7, settings: {gamma: 0.3}}
budget: {max_trials: 6, parallel: 2, trial_timeout: 30m}
step:
  name: train
  image: registry.example/toy:1
  command: [python, train.py]
  env: {MODE: fast}
  secrets:
    TOKEN: {name: tokens, key: wandb}
  resources:
    cpu: 1
    memory: 1Gi
points:
  - {kind: sgd, momentum: 0.5, optimizer.lr: 1e-3, note: "yes"}
  - kind: adam
    optimizer.lr: 0.0002
    note: on
targets:
  katib: {version: "0.19", namespace: team-a}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "study.yaml"
    file.write_text(TEXT, encoding="utf-8")
    return file


def changed(path: Path, old: str, new: str) -> Path:
    """The file with `old`, which stands there once, replaced."""
    assert TEXT.count(old) == 1, old
    path.write_text(TEXT.replace(old, new), encoding="utf-8")
    return path


def place_of(path: Path, mark: str) -> tuple[int, int]:
    """Line and column, from 1, of a text that the file has once."""
    text = path.read_text(encoding="utf-8")
    assert text.count(mark) == 1, mark
    before = text[: text.index(mark)]
    return before.count("\n") + 1, len(before) - before.rfind("\n")


# -- reading -----------------------------------------------------------------------------------------------------------


def test_a_file_is_read_as_people_write_it(path):
    study = load_study(path)
    assert study.hparams is Toy
    assert study.space["optimizer.lr"] == LogUniform(1e-4, 1e-2)
    assert study.space["note"] == Choice("yes", "no", "on")
    assert study.objective.goal == 1e-3
    assert study.fixed == {"units": "32", "optimizer.momentum": "0.5", "tags": '["a", "b"]'}
    assert study.budget.trial_timeout == 1800
    assert study.first_points()[1] == {"kind": "adam", "momentum": None, "optimizer.lr": 0.0002, "note": "on"}


@pytest.mark.parametrize("text", ["1e-4", "1.0e-4", "1E-4", "+1e-4", ".0001", "0.0001", "1e-04"])
def test_numbers_are_numbers_in_every_spelling(path, text):
    study = load_study(changed(path, "[1e-4, 1e-2]", f"[{text}, 1e-2]"))
    assert study.space["optimizer.lr"] == LogUniform(1e-4, 1e-2)


def test_words_that_yaml_1_1_takes_for_booleans_are_text(path):
    study = load_study(changed(path, "{MODE: fast}", "{MODE: yes, OTHER: off, REAL: true, NUMBER: 1.50, BIG: 10}"))
    assert study.step.env == {"MODE": "yes", "OTHER": "off", "REAL": "true", "NUMBER": "1.5", "BIG": "10"}


def test_secrets_are_named_and_never_held(path):
    study = load_study(path)
    assert study.step.secrets == {"TOKEN": SecretKey(name="tokens", key="wandb")}
    with pytest.raises(StudyError, match=r"secrets\.TOKEN\.value: SecretKey has no key 'value'"):
        load_study(changed(path, "{name: tokens, key: wandb}", "{name: tokens, key: wandb, value: hunter2}"))


def test_anchors_and_merge_keys_work(path):
    study = load_study(changed(path, "    cpu: 1\n    memory: 1Gi", "    <<: &half {cpu: 500m}\n    memory: 1Gi"))
    assert study.step.resources.cpu == "500m"


def test_a_study_is_found_from_anywhere(path):
    (path.parent / "hparams_beside_the_study.py").write_text(
        "from kftune import Hparam, Hparams, Uniform\n\n"
        "class Beside(Hparams):\n    lr: float = Hparam(0.5, search=Uniform(0, 1))\n",
        encoding="utf-8",
    )
    path.write_text(
        "name: beside\nhparams: hparams_beside_the_study:Beside\n"
        "objective: {metric: a, direction: minimize}\nstep: {module: train}\n",
        encoding="utf-8",
    )
    code = "import sys, kftune; print(kftune.load_study(sys.argv[1]).space)"
    done = subprocess.run([sys.executable, "-c", code, str(path)], cwd="/", capture_output=True, text=True, check=False)
    assert done.stdout == "{'lr': Uniform(low=0.0, high=1.0)}\n", done.stderr


def test_a_file_with_a_byte_order_mark_has_its_errors_in_the_right_place(path):
    path.write_text("\ufeffname: 3\n" + TEXT.split("\n", 2)[2], encoding="utf-8")
    with pytest.raises(StudyError) as caught:
        load_study(path)
    assert (caught.value.line, caught.value.column) == (1, 7)


def test_loading_twice_gives_equal_studies_of_one_identity(path):
    assert load_study(path) == load_study(str(path))
    assert load_study(path).identity() == load_study(path).identity()


# -- mistakes, with their places ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "mark", "text"),
    [
        ("name: toy\n", "nmae: toy\n", "nmae", "nmae: Study has no key 'nmae'; did you mean 'name'?"),
        ("name: toy\n", "name: [toy]\n", "[toy]", "name: must be text (put quotes around it), but got ['toy']"),
        ("name: toy\n", "", "hparams:", "name: Study needs 'name', which has no default"),
        (
            "hparams: study_examples:Toy",
            "hparams: study_examples:Tpy",
            "study_examples:Tpy",
            "hparams: unknown class in module",
        ),
        ("hparams: study_examples:Toy", "hparams: lstn", "lstn", "hparams: unknown hyperparameter class 'lstn'"),
        (
            "  units: 32",
            "  unitz: 32",
            "unitz",
            "values.unitz: Toy has no hyperparameter 'unitz'; did you mean 'units'?",
        ),
        ("  units: 32", "  units: many", "many", "values.units: must be a valid integer"),
        (
            "    momentum: 0.5\n",
            "    momentum: 5\n",
            "5\n  tags",
            "values.optimizer.momentum: must be less than 1, but got 5",
        ),
        (
            "    momentum: 0.5\n",
            "    momentun: 0.5\n",
            "momentun",
            "values.optimizer.momentun: Toy has no hyperparameter",
        ),
        ("[a, b]", "[a, 7]", "[a, 7]", "values.tags: must be text (put quotes around it), but got 7"),
        (
            "{loguniform: [1e-4, 1e-2]}",
            "{loguniform: [0, 1]}",
            "{loguniform",
            "search.optimizer.lr: LogUniform: 0 < low",
        ),
        ("optimizer.lr: {log", "optimizer.rl: {log", "optimizer.rl", "search.optimizer.rl: Toy has no hyperparameter"),
        (
            'choice: [yes, "no", on]',
            "choise: [a]",
            "choise",
            "search.note: unknown domain 'choise'; did you mean 'choice'?",
        ),
        ('choice: [yes, "no", on]', "choice: [yes, 1]", "choice", "search.note: a field must take every value"),
        (
            "direction: minimize",
            "direction: down",
            "down",
            "objective.direction: must be 'minimize' or 'maximize', but got 'down'",
        ),
        ("goal: 1e-3", "goal: low", "low\nmetrics", "objective.goal: must be a valid number"),
        (
            "goal: 1e-3",
            "regex: 'loss'",
            "'loss'",
            "objective.regex: the regex of the metric 'val_loss' must have one group",
        ),
        ("metric: val_loss", "metric: val loss", "val loss", "objective.metric: a metric name is"),
        (
            "{name: acc, reduce: max}",
            "{name: acc, reduce: mean}",
            "mean",
            "metrics.1.reduce: must be 'min', 'max' or 'latest'",
        ),
        ("{name: acc, reduce: max}", "train_loss", "train_loss]", "metrics.1: metric names must differ"),
        ("name: tpe", "name: tpee", "tpee", "algorithm.name: unknown algorithm 'tpee'; did you mean 'tpe'?"),
        ("{gamma: 0.3}", "{gama: 0.3}", "gama", "algorithm.settings.gama: algorithm tpe has no setting 'gama'"),
        ("{gamma: 0.3}", "{gamma: 3}", "3}}", "algorithm.settings.gamma: setting gamma of tpe must be"),
        ("seed: 7", "seed: seven", "seven", "algorithm.seed: must be a valid integer"),
        ("parallel: 2", "parallel: 0", "0,", "budget.parallel: must be greater than or equal to 1"),
        ("max_trials: 6", "max_trails: 6", "max_trails", "budget.max_trails: Budget has no key 'max_trails'"),
        ("30m", "30 minutes", "30 minutes", "budget.trial_timeout: a duration is seconds or text"),
        ("registry.example/toy:1", "Registry/Toy", "Registry/Toy", "step.image: an image is"),
        ("[python, train.py]", "python train.py", "python train.py", "step.command: must be a list"),
        ("[python, train.py]", "[python, 3]", "3]", "step.command.1: must be text"),
        ("{MODE: fast}", "{MO-DE: fast}", "MO-DE", "step.env.MO-DE: an environment variable is"),
        (
            "{MODE: fast}",
            "{TOKEN: fast}",
            "{name: tokens",
            "step.secrets.TOKEN: a variable is set once, in env, secrets or config_maps",
        ),
        ("{name: tokens, key: wandb}", "hunter2", "hunter2", "step.secrets.TOKEN: must be a mapping"),
        ("    memory: 1Gi", "    memory: 1GB", "1GB", "step.resources.memory: a quantity is a number"),
        ("    memory: 1Gi", "    memroy: 1Gi", "memroy", "step.resources.memroy: Resources has no key 'memroy'"),
        (
            "momentum: 0.5, optimizer.lr: 1e-3",
            "momentum: 0.5, optimizer.lr: 1",
            '1, note: "yes"',
            "points.0.optimizer.lr: a first point",
        ),
        ("  - kind: adam", "  - knid: adam", "knid", "points.1.knid: a first point sets searched values"),
        ("    note: on\n", "", "kind: adam", "points.1: a first point must set note, whose default is not in"),
        ('"0.19"', '"0.17"', '"0.17"', "targets.katib.version: must be '0.18', '0.19' or 'main'"),
        ("namespace: team-a", "namespace: Team_A", "Team_A", "targets.katib.namespace: a Kubernetes name"),
    ],
)
def test_a_mistake_is_told_with_file_line_and_column(path, old, new, mark, text):
    changed(path, old, new)
    with pytest.raises(StudyError) as caught:
        load_study(path)
    error = caught.value
    line, column = place_of(path, mark)
    assert error.file == str(path)
    assert error.message.startswith(text)
    assert (error.line, error.column) == (line, column)
    assert str(error).startswith(f"{path}:{line}:{column}: {text}")


def test_every_mistake_has_its_own_place(path):
    text = TEXT.replace("seed: 7", "seed: x").replace("max_trials: 6", "max_trials: y").replace("cpu: 1", "cpus: 1")
    path.write_text(text, encoding="utf-8")
    with pytest.raises(StudyError) as caught:
        load_study(path)
    told = [line.split(": ")[0] for line in str(caught.value).splitlines()]
    assert sorted(told) == sorted(
        f"{path}:{':'.join(map(str, place_of(path, mark)))}" for mark in ("x, settings", "y, parallel", "cpus")
    )


@pytest.mark.parametrize(
    ("text", "error", "place"),
    [
        ("name: [a", YamlError, ":2:1:"),
        ("name: a\nname: b", YamlError, ":2:1:"),
        ("a: 1\n\tb: 2", YamlError, ":2:"),
        ("- a\n- b", StudyError, ":1:1: a study file holds a mapping"),
        ("", StudyError, ":1:1: a study file holds a mapping"),
        ("just text", StudyError, ":1:1: a study file holds a mapping"),
        ("{}", StudyError, ":1:1: "),
    ],
)
def test_what_is_no_study_at_all_is_told_with_its_place(path, text, error, place):
    path.write_text(text, encoding="utf-8")
    with pytest.raises(error) as caught:
        load_study(path)
    assert f"{path}{place}" in str(caught.value)


def test_a_file_in_another_encoding_is_refused_by_name(path):
    path.write_bytes(TEXT.replace("everything", "été").encode("latin-1"))
    with pytest.raises(YamlError, match=r"study\.yaml:1:25: the byte 0xe9 here is not UTF-8; save the file as UTF-8"):
        load_study(path)


def test_a_file_that_is_not_there_is_pythons_own_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.yaml"):
        load_study(tmp_path / "none.yaml")


# -- overrides ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overrides", "ask", "expected"),
    [
        (["budget.max_trials=9"], lambda study: study.budget.max_trials, 9),
        (["budget.max_trials=9", "budget.max_trials=8"], lambda study: study.budget.max_trials, 8),
        (["objective.goal=1e-6"], lambda study: study.objective.goal, 1e-6),
        (["name=other study"], lambda study: study.name, "other study"),
        (["name='3'"], lambda study: study.name, "3"),
        (["values.units=7"], lambda study: study.fixed["units"], "7"),
        (["values.optimizer.momentum=0.25"], lambda study: study.fixed["optimizer.momentum"], "0.25"),
        (["values.optimizer={momentum: 0.125}"], lambda study: study.fixed["optimizer.momentum"], "0.125"),
        (["~values.optimizer.momentum"], lambda study: "optimizer.momentum" in study.fixed, False),
        (["values.table={a: [1, b]}"], lambda study: study.fixed["table"], '{"a": [1, "b"]}'),
        (
            ["search.units={int: [1, 4]}", "~values.units", "~points"],
            lambda study: study.space["units"],
            IntUniform(1, 4),
        ),
        (
            ["search.optimizer.lr={uniform: [0.0001, 0.1]}"],
            lambda study: study.space["optimizer.lr"],
            Uniform(1e-4, 0.1),
        ),
        (["search.optimizer.lr.loguniform=[1e-5, 1]"], lambda study: study.space["optimizer.lr"], LogUniform(1e-5, 1)),
        (["search.note=null", "~points"], lambda study: list(study.space), ["kind", "momentum", "optimizer.lr"]),
        (["~search.note", "~points"], lambda study: list(study.space), ["kind", "momentum", "optimizer.lr"]),
        (["step.env.MODE=slow", "step.env.NEW=1"], lambda study: study.step.env, {"MODE": "slow", "NEW": "1"}),
        (["step.command=[echo, a b]"], lambda study: study.step.command, ("echo", "a b")),
        (["~step.command", "step.module=toy.train"], lambda study: study.step.module, "toy.train"),
        (["points=[]"], lambda study: study.points, ()),
        (
            ["algorithm.settings.n_EI_candidates=5"],
            lambda study: study.algorithm.settings,
            {"gamma": 0.3, "n_EI_candidates": 5},
        ),
        (["step.data.path=data"], lambda study: study.step.data.path, "data"),
    ],
)
def test_an_override_changes_one_key(path, overrides, ask, expected):
    assert ask(load_study(path, overrides)) == expected
    assert path.read_text(encoding="utf-8") == TEXT


def test_an_override_with_an_empty_value_is_null(path):
    with pytest.raises(StudyError, match="description: must be text"):
        load_study(path, ["description="])


@pytest.mark.parametrize("override", ["budget", "", "=3", "~", "~budget=3", "~budget.max_trials=3"])
def test_an_override_has_one_of_two_forms(path, override):
    with pytest.raises(UsageError, match="an override is key=value or ~key, for example"):
        load_study(path, [override])


@pytest.mark.parametrize(
    ("override", "text"),
    [
        ("~pointz", "~pointz removes a key, but the study has no 'pointz'; did you mean 'points'?"),
        ("~serch", "~serch removes a key, but the study has no 'serch'; did you mean 'search'?"),
        ("~budget.max_failed", "~budget.max_failed removes a key, but budget has no 'max_failed'"),
        ("name.first=x", "name.first=x changes a key of name, but name is 'toy'; set name as a whole"),
        ("points.0.kind=sgd", "points.0.kind=sgd changes a key of points, but points is ["),
    ],
)
def test_an_override_of_what_is_not_there_is_wrong_use(path, override, text):
    with pytest.raises(UsageError) as caught:
        load_study(path, [override])
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize(
    ("override", "mark", "text"),
    [
        ("budget.max_trials=x", "6, parallel", "budget.max_trials: must be a valid integer"),
        ("values.units=0", "32\n", "values.units: must be greater than or equal to 1, but got 0"),
        ("search.optimizer.lr={loguniform: [0, 1]}", "{loguniform", "search.optimizer.lr: LogUniform: 0 < low"),
        ("budget.max_trails=1", "budget:", "budget.max_trails: Budget has no key 'max_trails'"),
    ],
)
def test_a_mistake_in_an_override_says_that_it_comes_from_there(path, override, mark, text):
    with pytest.raises(StudyError) as caught:
        load_study(path, [override])
    assert caught.value.message.startswith(text)
    assert caught.value.message.endswith(" (set by an override)")
    assert (caught.value.line, caught.value.column) == place_of(path, mark)


@pytest.mark.parametrize("text", ["null", "~", ""])
def test_an_override_with_null_is_answered_with_how_to_remove_the_key(path, text):
    with pytest.raises(
        StudyError, match=r"got None; its keys are .*\(set by an override; '~budget' removes the key\)$"
    ):
        load_study(path, [f"budget={text}"])


def test_a_key_that_is_missing_because_an_override_removes_it_is_not_answered_with_its_removal(path):
    with pytest.raises(StudyError) as caught:
        load_study(path, ["~objective"])
    assert "removes the key" not in caught.value.message


@pytest.mark.parametrize(
    ("override", "right"),
    [
        ("budgets.max_trials=1", "budget.max_trials=1"),
        ("n_trials=5", "budget.max_trials=5"),
        ("trials=5", "budget.max_trials=5"),
        ("parallel=2", "budget.parallel=2"),
        ("seed=3", "algorithm.seed=3"),
        ("random_state=3", "algorithm.seed=3"),
        ("algorithm_name=tpe", "algorithm.name=tpe"),
        ("image=toy:1", "step.image=toy:1"),
        ("namespace=team-a", "targets.katib.namespace=team-a"),
        ("units=32", "values.units=32"),
        ("Units=32", "values.units=32"),
    ],
)
def test_an_override_of_a_key_of_a_section_is_answered_with_the_whole_name(path, override, right):
    with pytest.raises(UsageError) as caught:
        load_study(path, [override])
    section = override.partition("=")[0].partition(".")[0]
    assert str(caught.value) == f"{override}: a study has no key {section!r}; did you mean {right}?"


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("seed: 7", "seed: Study has no key 'seed'; did you mean 'algorithm.seed'?"),
        ("units: 32", "units: Study has no key 'units'; did you mean 'values.units'?"),
        (
            "step.image: toy:1",
            "step.image: Study has no key 'step.image'; a file has one key inside the other: step: {",
        ),
    ],
)
def test_a_key_at_the_wrong_place_is_answered_with_its_place(path, line, hint):
    changed(path, "name: toy\n", f"name: toy\n{line}\n")
    with pytest.raises(StudyError) as caught:
        load_study(path)
    assert caught.value.message.startswith(hint)


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("max_trials: 6", "max_trials: true", "budget.max_trials"),
        ("parallel: 2", "parallel: true", "budget.parallel"),
        ("parallel: 2", "max_failed: false", "budget.max_failed"),
        ("seed: 7", "seed: true", "algorithm.seed"),
        ("goal: 1e-3", "goal: true", "objective.goal"),
        ("cpu: 1", "gpu: true", "step.resources.gpu"),
        ("cpu: 1", "nodes: true", "step.resources.nodes"),
    ],
)
def test_true_and_false_are_not_numbers(path, old, new, key):
    changed(path, old, new)
    with pytest.raises(StudyError, match=rf"{re.escape(key)}: must be a number, but got (true|false)"):
        load_study(path)


def test_an_override_within_what_is_no_mapping_is_wrong_use(path):
    path.write_text("name: toy\nvalues: 3\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"values\.units=1 changes a key of values, but values is 3"):
        load_study(path, ["values.units=1"])


def test_a_mistake_in_the_file_is_not_blamed_on_an_override(path):
    changed(path, "max_trials: 6", "max_trials: x")
    with pytest.raises(StudyError) as caught:
        load_study(path, ["budget.parallel=1", "name=other"])
    assert "override" not in str(caught.value)


def test_an_override_that_is_no_yaml_is_named(path):
    with pytest.raises(YamlError, match=r"override 'budget\.max_trials=\[1'"):
        load_study(path, ["budget.max_trials=[1"])


def test_a_value_given_in_both_spellings_is_refused(path):
    changed(path, "  units: 32", "  optimizer.momentum: 0.25")
    with pytest.raises(StudyError, match=r"values: optimizer\.momentum is set twice"):
        load_study(path)

"""Tables and Optuna's storages are read as trials."""

from __future__ import annotations

import math
from pathlib import Path

import optuna
import pytest
from local_study import python, run, study
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend

from kftune.errors import StoreError
from kftune.local.samplers.optuna_export import write_storage
from kftune.results import open_results
from kftune.results.export import to_csv
from kftune.results.sources.find import open_trials
from kftune.results.sources.hints import Hints
from kftune.results.sources.through_study import through_study
from kftune.study import study_from_dict

_LOSS = Hints("loss", "minimize")
_CSV = "name,lr,opt,amp,loss,state\na,0.1,sgd,true,3,finished\nb,0.2,adam,false,2,COMPLETE\nc,0.3,sgd,true,,failed\n"


def written(folder: Path, text: str, name: str = "saved.csv") -> Path:
    """Writes a file."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def storage_of(kind: str, folder: Path) -> tuple[Path, str | BaseStorage]:
    """Returns a file, and Optuna's storage in it."""
    if kind == "sqlite":
        return folder / "saved.db", f"sqlite:///{folder}/saved.db"
    return folder / "saved.log", JournalStorage(JournalFileBackend(str(folder / "saved.log")))


def an_objective(trial: optuna.Trial) -> float:
    """Succeeds, fails without a number, or is pruned."""
    x = trial.suggest_float("x", 0.001, 1, log=True)
    units = trial.suggest_int("units", 1, 64)
    option = trial.suggest_categorical("option", ["a", True, 2.5])
    for step in range(3):
        trial.report(x + step, step)
    if trial.number == 2:
        raise optuna.TrialPruned
    return math.nan if trial.number == 3 else x * units + (option == "a")


@pytest.mark.parametrize("kind", ["sqlite", "journal"])
def test_a_storage_of_optuna_gives_what_optuna_itself_reads(kind, tmp_path):
    path, storage = storage_of(kind, tmp_path)
    made = optuna.create_study(storage=storage, study_name="s", sampler=optuna.samplers.RandomSampler(seed=1))
    made.optimize(an_objective, 6)
    states = {"COMPLETE": "Succeeded", "PRUNED": "EarlyStopped", "FAIL": "Failed"}
    with open_trials(path, Hints("loss")) as read:
        trials = read.trials()
        assert [trial.point for trial in trials] == [trial.params for trial in made.trials]
        assert [trial.state for trial in trials] == [states[trial.state.name] for trial in made.trials]
        best = read.best()
        assert best is not None
        assert (best.number, best.objective) == (made.best_trial.number, made.best_value)
        assert read.meta.space["x"] == {"loguniform": [0.001, 1.0]}
        reported = {number: curve.values.tolist() for number, _, curve in read.all_curves("loss")}
        assert reported == {trial.number: [*trial.intermediate_values.values()] for trial in made.trials}


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("kind", ["sqlite", "journal"])
def test_of_several_studies_one_must_be_named(kind, tmp_path):
    path, storage = storage_of(kind, tmp_path)
    for name in ("one", "other"):
        made = optuna.create_study(storage=storage, study_name=name, directions=["minimize", "maximize"])
        made.set_metric_names(["loss", "speed"])
        made.add_trial(optuna.create_trial(values=[1.0, 2.0]))
    with pytest.raises(StoreError, match=r"2 studies: one, other; name one \(--study-name\)"):
        open_trials(path)
    with pytest.raises(StoreError, match="no study 'othe'; did you mean 'other'"):
        open_trials(path, Hints(study_name="othe"))
    with open_trials(path, Hints(study_name="other")) as read:
        assert [(each.name, each.direction) for each in read.meta.objectives] == [
            ("loss", "minimize"),
            ("speed", "maximize"),
        ]
        assert [trial.number for trial in read.pareto()] == [0]


def test_a_table_has_names_states_and_typed_columns(tmp_path):
    with open_trials(written(tmp_path, _CSV), _LOSS) as read:
        assert [trial.name for trial in read.trials()] == ["a", "b", "c"]
        assert [trial.state for trial in read.trials()] == ["Succeeded", "Succeeded", "Failed"]
        assert read.trials()[1].point == {"lr": 0.2, "opt": "adam", "amp": False}
        assert (best := read.best()) is not None
        assert best.name == "b"
        assert read.notes == [
            "hyperparameters are the columns lr, opt, amp; --metrics NAMES says which are metrics, or --study FILE "
            "decides it"
        ]


def test_the_table_that_kftune_writes_gives_back_the_trials_of_its_study(tmp_path):
    a_study = study(
        python("import sys\nprint(f'loss={len(sys.argv[1])} acc=0.5')"), trials=4, metrics=[{"name": "acc"}]
    )
    run(a_study, tmp_path / "here")
    with open_results(tmp_path / "here") as here:
        path = written(tmp_path, to_csv(here))
        expected = [(trial.name, trial.state, trial.point, trial.objective) for trial in here.trials()]
        assignments = [trial.assignment for trial in here.trials()]
    metric = a_study.objective.metric
    with open_trials(path, Hints(metric, a_study.objective.direction, None, tuple(a_study.reductions))) as table:
        read = through_study(table, a_study)
    assert [(trial.name, trial.state, trial.point, trial.objective) for trial in read.trials()] == expected
    assert [trial.assignment for trial in read.trials()] == assignments
    assert {*read.trials()[0].metrics} == {metric, "acc"}


def test_the_table_of_an_optuna_study_has_its_parameters_only(tmp_path):
    text = "number,value,datetime_start,params_x,user_attrs_a,state\n0,1.5,2026-01-01,3,z,COMPLETE\n1,0.5,,4,z,PRUNED\n"
    with open_trials(written(tmp_path, text), Hints("value", "minimize")) as read:
        assert [trial.point for trial in read.trials()] == [{"x": 3}, {"x": 4}]
        assert [trial.state for trial in read.trials()] == ["Succeeded", "EarlyStopped"]


@pytest.mark.parametrize(
    ("name", "text", "hints", "says"),
    [
        ("a.csv", _CSV, Hints(), "give --objective and --direction"),
        ("a.csv", _CSV, Hints("los", "minimize"), "no column 'los'; did you mean 'loss'"),
        ("a.csv", _CSV, Hints("loss", "minimize", columns=("lrr",)), "no column 'lrr'; did you mean 'lr'"),
        ("a.csv", "", _LOSS, "this file is empty"),
        ("a.csv", "loss,loss\n1,2\n", _LOSS, "'loss' is there twice"),
        ("a.csv", "loss,lr\n1\n", _LOSS, "a.csv:2: every row has 2 cells, like the first one, but this has 1"),
        ("a.csv", "loss,state\n1,finishd\n", _LOSS, "state 'finishd' is not known; did you mean 'finished'"),
        ("a.csv", '"loss', _LOSS, "this is not CSV"),
        ("a.db", "text", Hints(), "not a storage of Optuna 3 or newer"),
        ("a.log", "text", Hints(), "not a journal of Optuna"),
        ("a.log", '{"op_code": 5, "trial_id": 3}', Hints(), "not a journal of Optuna"),
        ("trials.db", "text", Hints(), "trials.db"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path, name, text, hints, says):
    with pytest.raises(StoreError, match=says):
        open_trials(written(tmp_path, text, name), hints)


def test_a_storage_that_kftune_writes_has_the_trials_for_optuna_and_for_itself(tmp_path):
    script = python("import sys\nfor step in range(3): print(f'{step=} loss={step + len(sys.argv[2])}')\n")
    run(study(script, trials=4), tmp_path / "here")
    with open_results(tmp_path / "here") as here:
        assert write_storage(here, tmp_path / "saved.db") == []
        expected = [(trial.point, trial.objective, trial.duration) for trial in here.trials()]
        space, best = here.meta.space, here.best()
    loaded = optuna.load_study(study_name=None, storage=f"sqlite:///{tmp_path}/saved.db")
    assert best is not None
    assert loaded.best_trial.user_attrs["kftune:trial"] == best.name
    assert [(trial.params, trial.value) for trial in loaded.trials] == [each[:2] for each in expected]
    with open_trials(tmp_path / "saved.db") as read:
        assert [(trial.point, trial.objective) for trial in read.trials()] == [each[:2] for each in expected]
        assert [trial.duration for trial in read.trials()] == pytest.approx([each[2] for each in expected], abs=0.1)
        assert [*read.meta.space] == [*space]
        assert sum(1 for _ in read.all_curves()) == 4
        with pytest.raises(StoreError, match="the file exists"):
            write_storage(read, tmp_path / "saved.db")


def test_the_database_of_kftune_is_read_as_its_folder(tmp_path):
    run(study(python("print('loss=1')"), trials=1), tmp_path)
    with open_trials(tmp_path / "trials.db") as read:
        assert len(read.trials()) == 1


def test_a_column_of_numbers_gives_the_texts_of_a_text_field(tmp_path, monkeypatch):
    source = "from kftune import Hparams\n\n\nclass Net(Hparams):\n    version: str = '1'\n    lr: float = 0.1\n"
    written(tmp_path, source, "net_of_texts.py")
    monkeypatch.syspath_prepend(tmp_path)
    table = written(tmp_path, "loss,version,lr\n1,10,0.5\n2,2,fast\n")
    a_study = study_from_dict(
        {
            "name": "net",
            "hparams": "net_of_texts:Net",
            "search": {"version": {"choice": ["10", "2"]}, "lr": {"uniform": [0, 1]}},
            "objective": {"metric": "loss", "direction": "minimize"},
            "step": {"command": ["true"]},
        }
    )
    with open_trials(table, _LOSS) as read:
        typed = through_study(read, a_study)
    assert [trial.point for trial in typed.trials()] == [{"version": "10", "lr": 0.5}, {"version": "2", "lr": "fast"}]
    assert "trial 2: lr: must be a valid number" in typed.notes[-1]


def test_columns_that_are_named_as_metrics_are_no_hyperparameters(tmp_path):
    text = "trial,loss,acc,lr\na,0.5,0.75,0.1\nb,0.25,,0.2\n"
    with open_trials(written(tmp_path, text), Hints("loss", "minimize", columns=("acc",))) as read:
        assert [metric.name for metric in read.meta.metrics] == ["loss", "acc"]
        assert [trial.point for trial in read.trials()] == [{"lr": 0.1}, {"lr": 0.2}]
        assert [trial.metrics.keys() for trial in read.trials()] == [{"loss": 0, "acc": 0}.keys(), {"loss": 0}.keys()]

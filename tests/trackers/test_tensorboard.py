"""TensorBoard's own readers find every trial with its values, curves, times and state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tracked_study import BEGIN, saved, trials

from kftune.cli import main

pytest.importorskip("tensorboard", reason="it is in the extra tensorboard, which `make setup` does not install")
pytestmark = pytest.mark.filterwarnings("ignore")  # those of TensorBoard and protobuf


def groups(folder: Path) -> tuple[Any, Any]:
    """Returns what the HParams dashboard asks its plugin for: the experiment, and its trials."""
    from tensorboard import context
    from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
    from tensorboard.plugins import base_plugin
    from tensorboard.plugins.hparams import api_pb2, backend_context, get_experiment, list_session_groups

    events = plugin_event_multiplexer.EventMultiplexer()
    events.AddRunsFromDirectory(str(folder))
    events.Reload()
    provider = data_provider.MultiplexerDataProvider(events, str(folder))
    plugin = backend_context.Context(base_plugin.TBContext(multiplexer=events, data_provider=provider))
    asked = (context.RequestContext(), plugin, "")
    experiment = get_experiment.Handler(*asked, api_pb2.GetExperimentRequest()).run()
    request = api_pb2.ListSessionGroupsRequest(start_index=0, slice_size=100, allowed_statuses=[0, 1, 2, 3])
    for metric in experiment.metric_infos:
        request.col_params.add(metric=metric.name)
    for hparam in experiment.hparam_infos:
        request.col_params.add(hparam=hparam.name)
    return experiment, list_session_groups.Handler(*asked, request).run().session_groups


def plain(value: Any) -> Any:
    return getattr(value, value.WhichOneof("kind"))


def test_the_hparams_dashboard_has_each_trial_with_typed_values(tmp_path: Path, capsys):
    from tensorboard.plugins.hparams import api_pb2

    file = saved(tmp_path / "saved.json")
    assert main(["export", file, "--to", "tensorboard", "-o", str(tmp_path / "logs")]) == 0
    assert "note: left out, because they have not ended: 1 of 4 trials" in capsys.readouterr().err
    experiment, found = groups(tmp_path / "logs")
    assert experiment.name == "small nets"
    kinds = {each.name: api_pb2.DataType.Name(each.type) for each in experiment.hparam_infos}
    numbers = dict.fromkeys(("epochs", "lr", "units"), "DATA_TYPE_FLOAT64")
    assert kinds == {
        **numbers,
        "bias": "DATA_TYPE_BOOL",
        "opt": "DATA_TYPE_STRING",
        "layers": "DATA_TYPE_STRING",
    }
    assert {each.name: {name: plain(value) for name, value in each.hparams.items()} for each in found} == {
        "t-1": {"epochs": 3, "lr": 0.1, "units": 4, "opt": "adam", "bias": True, "layers": "[1, 2]"},
        "t-2": {"epochs": 3, "lr": 0.25, "units": 8, "bias": False, "layers": "[3]"},
        "../up": {"epochs": 3, "lr": 0.5, "opt": "sgd"},
    }
    values = {each.name: {value.name.tag: value.value for value in each.metric_values} for each in found}
    assert values == {"t-1": {"val-loss/min": 0.5, "acc": 0.75}, "t-2": {"val-loss/min": 0.25}, "../up": {}}
    states = {each.name: [api_pb2.Status.Name(one.status) for one in each.sessions] for each in found}
    assert states == {"t-1": ["STATUS_SUCCESS"], "t-2": ["STATUS_SUCCESS"], "../up": ["STATUS_FAILURE"]}
    assert {(one.start_time_secs, one.end_time_secs) for each in found for one in each.sessions} == {
        (BEGIN, BEGIN + 9.75)
    }


def test_curves_have_their_steps_and_wall_times(tmp_path: Path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    file = saved(tmp_path / "saved.json")
    assert main(["export", file, "--to", "tensorboard", "-o", str(tmp_path / "logs")]) == 0
    folder = tmp_path / "logs" / "small-nets"
    events = EventAccumulator(str(folder / "t-1"))
    events.Reload()
    assert [(each.step, each.value, each.wall_time) for each in events.Scalars("val-loss")] == [
        (1, 0.75, BEGIN + 0.5),
        (5, 0.5, BEGIN + 1),
        (5, 0.625, BEGIN + 1.5),
    ]
    assert events.Tensors("kftune.state")[0].tensor_proto.string_val == [b"Succeeded"]
    # No trial's name leads out of the folder.
    assert {path.name for path in tmp_path.iterdir()} == {"saved.json", "logs"}
    assert {path.name for path in folder.iterdir() if path.is_dir()} == {"t-1", "t-2", "__up"}


def test_what_is_written_twice_is_there_once(tmp_path: Path, capsys):
    command = ["export", saved(tmp_path / "saved.json"), "--to", "tensorboard", "-o", str(tmp_path / "logs")]
    assert main(command) == 0
    before = {path: path.read_bytes() for path in (tmp_path / "logs").rglob("*") if path.is_file()}
    saved(tmp_path / "saved.json", [*trials()[:3], trials()[3]._replace(state="Failed")])
    capsys.readouterr()
    assert main(command) == 0
    assert "wrote 1 run to" in (printed := capsys.readouterr().out)
    assert "(3 were there already)" in printed
    after = {path: path.read_bytes() for path in (tmp_path / "logs").rglob("*") if path.is_file()}
    assert {path: after[path] for path in before if path.parent.name != "small-nets"} == {
        path: content for path, content in before.items() if path.parent.name != "small-nets"
    }
    assert len(groups(tmp_path / "logs")[1]) == 4


def test_another_study_of_that_name_is_left_alone(tmp_path: Path, capsys):
    logs = tmp_path / "logs"
    assert main(["export", saved(tmp_path / "a.json"), "--to", "tensorboard", "-o", str(logs)]) == 0
    other = saved(tmp_path / "b.json", created="2027-01-01T00:00:00Z")
    assert main(["export", other, "--to", "tensorboard", "-o", str(logs)]) == 2
    assert "has the runs of another study of that name; give another folder: -o" in capsys.readouterr().err
    (logs / "small-nets" / "kftune.json").unlink()
    assert main(["export", other, "--to", "tensorboard", "-o", str(logs)]) == 2
    assert "is not empty, and kftune export did not write it" in capsys.readouterr().err


def test_the_trials_of_all_entities_are_exported_at_once(tmp_path: Path, capsys):
    study = """\
name: pumps
hparams: LstmHparams
objective: {metric: loss, direction: minimize}
search: {learning_rate: {loguniform: [0.001, 0.1]}}
algorithm: {name: random, seed: 1}
budget: {max_trials: 2}
step: {command: [sh, -c, "echo loss=1", "${entity}"]}
for_each: [north, south]
"""
    (file := tmp_path / "study.yaml").write_text(study)
    assert main(["run", str(file)]) == 0
    export = ["export", str(file), "--to", "tensorboard", "-o", str(tmp_path / "logs")]
    for text in ("wrote 4 runs to 2 folders in ", "wrote 0 runs to 2 folders in "):
        capsys.readouterr()
        assert main(export) == 0
        assert text in capsys.readouterr().out
    assert {folder.name for folder in (tmp_path / "logs").iterdir()} == {"pumps-north", "pumps-south"}

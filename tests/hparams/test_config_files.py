"""A script's command line with config files, the environment and overrides."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ConfigDict

from kftune import Hparam, Hparams, LogUniform
from kftune.domains.encoding import encode_value
from kftune.errors import HparamsError, KftuneError


class Optimizer(Hparams):
    """How the weights are updated."""

    lr: float = Hparam(1e-3, gt=0)
    kwargs: dict[str, float] = Hparam(default_factory=dict)


class Toy(Hparams):
    """A toy."""

    units: int = Hparam(64, ge=1)
    name: str = "toy"
    amp: bool = False
    layers: tuple[int, ...] = (64, 32)
    optimizer: Optimizer = Optimizer()


class Configured(Hparams):
    """Has a field of the flag's name."""

    config: str = "none"
    units: int = 1


class Open(Hparams):
    """Takes any name."""

    model_config = ConfigDict(extra="allow")
    units: int = 1


def files(folder: Path, **texts: str) -> list[str]:
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text)
    return [f"--config={folder / name}.yaml" for name in texts]


def test_later_files_win_and_flags_win_over_files(tmp_path):
    config = files(tmp_path, a="units: 1\nname: a\noptimizer: {lr: 0.1}\n", b="units: 2\noptimizer: {kwargs: {x: 1}}\n")
    made = Toy.from_args(["--name=flag", *config])
    assert made == Toy(units=2, name="flag", optimizer=Optimizer(lr=0.1, kwargs={"x": 1}))


def test_a_file_may_be_the_next_token_and_have_dotted_names(tmp_path):
    files(tmp_path, a="optimizer.lr: 0.5\n")
    assert Toy.from_args(["--config", str(tmp_path / "a.yaml")]).optimizer.lr == 0.5


def test_an_empty_file_changes_nothing(tmp_path):
    assert Toy.from_args(files(tmp_path, a="# nothing yet\n")) == Toy()


def test_a_mapping_field_is_replaced_as_a_whole_and_a_group_key_by_key(tmp_path):
    config = files(tmp_path, a="optimizer: {lr: 0.1, kwargs: {x: 1}}\n", b="optimizer: {kwargs: {y: 2}}\n")
    assert Toy.from_args(config).optimizer.to_dict() == {"lr": 0.1, "kwargs": {"y": 2.0}}


def test_a_file_that_is_laid_over_does_not_change_the_one_below(tmp_path):
    config = files(tmp_path, a="optimizer: {lr: 0.1}\n")
    assert Toy.from_args([*config, "optimizer.lr=0.2", *config]).optimizer.lr == 0.2


@pytest.mark.parametrize(
    ("argv", "changed"),
    [
        (["units=3"], {"units": 3}),
        (["optimizer.lr=0.5", "--units=2"], {"optimizer": {"lr": 0.5}, "units": 2}),
        (["--units=2", "units=3"], {"units": 3}),
        (["units=3", "--units=2"], {"units": 2}),
        (["layers=[1]", "amp=true"], {"layers": (1,), "amp": True}),
        (["+optimizer.kwargs.x=1"], {"optimizer": {"kwargs": {"x": 1}}}),
        (["--units=2", "~units"], {}),
        (["name=a=b"], {"name": "a=b"}),
        (["--amp", "units=3"], {"amp": True, "units": 3}),
    ],
)
def test_overrides_stand_among_the_flags_and_the_last_one_counts(argv: list[str], changed: dict[str, Any]):
    assert Toy.from_args(argv) == Toy(**changed)


def test_an_override_restores_the_default_and_not_the_value_of_a_file(tmp_path):
    assert Toy.from_args([*files(tmp_path, a="units: 9\nname: a\n"), "~units"]) == Toy(name="a")


def test_an_encoded_value_in_an_override_is_decoded():
    text = encode_value("quantile", LogUniform(1e-3, 1e-1), "0.5")
    assert Toy.from_args([f"optimizer.lr={text}"]).optimizer.lr == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("units: 1\nunts: 2\n", "a.yaml:2:1: unts: Toy has no key 'unts'; did you mean 'units'?"),
        ("optimizer:\n  lr: 0\n", "a.yaml:2:7: optimizer.lr: "),
        ("optimizer:\n  rl: 1\n", "a.yaml:2:3: optimizer.rl: "),
        ("units: many\n", "a.yaml:1:8: units: "),
        ("units: true\n", "a.yaml:1:8: units: must be a number, not true or false"),
        ("layers: [1, two]\n", "a.yaml:1:13: layers.1: "),
        ("- a\n", "a.yaml: a config file holds a mapping of hyperparameters, but this one holds ['a']"),
        ("units: [1\n", "a.yaml:"),
    ],
)
def test_a_mistake_in_a_file_has_its_place(tmp_path, text, message):
    with pytest.raises(KftuneError) as caught:
        Toy.from_args(files(tmp_path, a=text))
    assert message in str(caught.value)


def test_a_mistake_is_placed_in_the_file_that_counts(tmp_path):
    with pytest.raises(HparamsError, match=r"b\.yaml:2:8: units"):
        Toy.from_args(files(tmp_path, a="units: 1\n", b="name: b\nunits: -1\n"))


def test_a_mistake_of_a_flag_is_not_placed_in_a_file(tmp_path):
    with pytest.raises(HparamsError) as caught:
        Toy.from_args([*files(tmp_path, a="units: 1\n"), "--units=-1"])
    assert "yaml" not in str(caught.value)


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(HparamsError, match=r"nowhere\.yaml: cannot be read: No such file or directory"):
        Toy.from_args(["--config=nowhere.yaml"])


def test_a_field_of_the_name_of_the_flag_keeps_it(tmp_path):
    assert Configured.from_args(["--config=a.yaml"]).config == "a.yaml"
    file = files(tmp_path, a="config: from-file\n")[0].removeprefix("--config=")
    assert Configured.from_args([f"--settings={file}"], config="settings").config == "from-file"


def test_a_class_that_takes_any_name_reads_its_own_command_line():
    made = Open.from_dict({"config": "a", "other": 1})
    assert Open.from_args(made.to_args()) == made


def test_the_environment_counts_more_than_files_and_less_than_flags(tmp_path, monkeypatch):
    config = files(tmp_path, a="units: 1\nname: a\noptimizer: {lr: 0.1}\n")
    monkeypatch.setenv("APP_UNITS", "2")
    monkeypatch.setenv("APP_OPTIMIZER__LR", "0.2")
    monkeypatch.setenv("APP_LAYERS", "[1]")
    made = Toy.from_args([*config, "--optimizer.lr=0.3"], env_prefix="APP_")
    assert made == Toy(units=2, name="a", optimizer=Optimizer(lr=0.3), layers=(1,))
    assert Toy.from_args(config).units == 1


def test_a_variable_that_is_nearly_a_hyperparameter_is_an_error_and_another_is_ignored(monkeypatch):
    # Kubernetes sets such variables for a service "app".
    for name in ("PORT", "PORT_80_TCP", "PORT_80_TCP_ADDR", "SERVICE_HOST", "SERVICE_PORT_HTTP"):
        monkeypatch.setenv(f"APP_{name}", "tcp://10.0.0.1:80")
    assert Toy.from_args([], env_prefix="APP_") == Toy()
    monkeypatch.setenv("APP_UNIT", "3")
    with pytest.raises(HparamsError, match="APP_UNIT is no hyperparameter of Toy; did you mean 'APP_UNITS'"):
        Toy.from_args([], env_prefix="APP_")


def test_a_long_prefix_makes_no_variable_nearly_a_hyperparameter(monkeypatch):
    monkeypatch.setenv("A_LONG_PREFIX_OF_VARIABLES_HOME", "x")
    assert Toy.from_args([], env_prefix="A_LONG_PREFIX_OF_VARIABLES_") == Toy()


@pytest.mark.parametrize("arguments", [["--config="], ["--config", ""]])
def test_an_empty_name_of_a_file_is_an_error(arguments):
    with pytest.raises(HparamsError, match="--config names a file, but it is empty; write --config=FILE"):
        Toy.from_args(arguments)


@given(
    st.builds(
        Toy,
        units=st.integers(1, 999),
        name=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20),
        amp=st.booleans(),
        layers=st.lists(st.integers(), max_size=3).map(tuple),
    )
)
def test_every_form_gives_the_same_instance(tmp_path_factory, made: Toy):
    file = tmp_path_factory.mktemp("config") / "a.yaml"
    file.write_text(made.to_yaml(), encoding="utf-8")
    overrides = [token.removeprefix("--") for token in made.to_args()]
    assert Toy.from_args(made.to_args()) == Toy.from_args([f"--config={file}"]) == Toy.from_args(overrides) == made


def test_a_script_ends_with_one_line_for_a_mistake_in_a_file(tmp_path):
    (tmp_path / "a.yaml").write_text("units: 1\nunts: 2\n")
    code = "from kftune import Hparams\nclass Toy(Hparams):\n    units: int = 1\nprint(Toy.from_args().units)"
    (tmp_path / "train.py").write_text(code)
    run = [sys.executable, "train.py", "--config=a.yaml"]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "train.py: a.yaml:2:1: unts: Toy has no key 'unts'; did you mean 'units'?\n"

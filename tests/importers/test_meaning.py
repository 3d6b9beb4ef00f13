"""A domain of another system draws the values that its documentation says."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import pytest
from mistake_texts import printed

from kftune.domains import Domain, domain_from_spec
from kftune.errors import ForeignFileError
from kftune.importers import Options, read_foreign
from kftune.importers.hydra_grammar import read_sweep
from kftune.importers.sagemaker_ranges import AUTO_RATIO
from kftune.study import load_study


def domain(system: str, content: Any, folder: Path, name: str = "x", **options: Any) -> Domain:
    path = folder / "search.json"
    path.write_text(json.dumps(content))
    return domain_from_spec(read_foreign(system, path, Options(**options)).study["search"][name])


def azure(expression: dict[str, Any], folder: Path, **options: Any) -> Domain:
    return domain("azureml", {"search_space": {"x": expression}}, folder, **options)


def wandb(parameter: dict[str, Any], folder: Path, **options: Any) -> Domain:
    return domain("wandb", {"method": "random", "parameters": {"x": parameter}}, folder, **options)


def ray(function: dict[str, Any], folder: Path) -> Domain:
    return domain("ray", {"x": function}, folder)


def ends(found: Domain) -> tuple[float, float]:
    return found.quantile(0), found.quantile(1)


# -- exponents ---------------------------------------------------------------------------------------------------------


def test_azure_s_logarithmic_bounds_are_natural_exponents(tmp_path: Path):
    found = azure({"type": "loguniform", "min_value": -9.21034, "max_value": -4.60517}, tmp_path)
    assert ends(found) == pytest.approx((1e-4, 1e-2), rel=1e-5)


def test_bounds_that_are_given_as_values_stay(tmp_path: Path):
    expression = {"type": "loguniform", "min_value": 0.0001, "max_value": 0.01}
    assert ends(azure(expression, tmp_path, log_bounds="values")) == (0.0001, 0.01)
    assert ends(azure(expression, tmp_path)) == pytest.approx((1.0001, 1.01005), rel=1e-5)


@pytest.mark.parametrize(
    ("bounds", "flagged"),
    [((0.0001, 0.01), True), ((16, 64), True), ((-9, -2), False), ((0, 3), False), ((1, 5), False)],
)
def test_bounds_that_look_like_values_are_flagged(bounds: tuple[float, float], flagged: bool, tmp_path: Path):
    path = tmp_path / "sweep.json"
    expression = {"type": "loguniform", "min_value": bounds[0], "max_value": bounds[1]}
    path.write_text(json.dumps({"search_space": {"x": expression}}))
    found = read_foreign("azureml", path)
    assert any(each.key == "search.x" for each in found.open) == flagged
    assert all("as exponents of e" in each.text for each in found.notes if "log_bounds" in each.text)


def test_inverse_logarithms_of_wandb_are_logarithmic(tmp_path: Path):
    found = wandb({"distribution": "inv_log_uniform", "min": 1.0, "max": 4.0}, tmp_path)
    assert ends(found) == pytest.approx((math.exp(-4), math.exp(-1)), rel=1e-5)
    found = wandb({"distribution": "inv_log_uniform_values", "min": 0.01, "max": 0.5}, tmp_path)
    assert ends(found) == (0.01, 0.5)


# -- steps -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("low", "high", "q"), [(0, 1, 0.25), (0.1, 0.9, 0.2), (1, 10, 3), (-3, 4, 2), (0.5, 7.5, 1), (10, 100, 7)]
)
def test_rounded_draws_have_the_same_values(low: float, high: float, q: float, tmp_path: Path):
    draws = random.Random(7)
    rounded = {round(round(draws.uniform(low, high) / q) * q, 9) for _ in range(20_000)}
    found = azure({"type": "quniform", "min_value": low, "max_value": high, "q": q}, tmp_path)
    assert {round(float(each), 9) for each in found.grid()} == rounded
    assert {round(float(each), 9) for each in ray({"quniform": [low, high, q]}, tmp_path).grid()} == rounded


def test_whole_steps_become_integers(tmp_path: Path):
    path = tmp_path / "sweep.json"
    parameters = {"x": {"distribution": "q_log_uniform_values", "min": 16, "max": 512, "q": 16}}
    path.write_text(json.dumps({"method": "random", "parameters": parameters}))
    found = read_foreign("wandb", path)
    assert found.fields["x"].annotation == "int"
    assert domain_from_spec(found.study["search"]["x"]).quantile(1) == 512


# -- bounds ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ({"randint": [1, 5]}, (1, 4)),
        ({"lograndint": [1, 5]}, (1, 4)),
        ({"qrandint": [2, 10, 2]}, (2, 10)),
        ({"uniform": {"lower": 0.5, "upper": 1.5}}, (0.5, 1.5)),
        ({"loguniform": [1e-4, 1e-1, 10]}, (1e-4, 1e-1)),
    ],
)
def test_ray_s_bounds_are_kept_and_randint_leaves_out_the_upper_one(
    function: dict[str, Any], expected: tuple[float, float], tmp_path: Path
):
    assert ends(ray(function, tmp_path)) == expected


def test_azure_s_randint_begins_at_0_and_leaves_out_the_upper_bound(tmp_path: Path):
    assert azure({"type": "randint", "upper": 10}, tmp_path).grid() == tuple(range(10))


def test_wandb_infers_integers_from_integer_bounds_only(tmp_path: Path):
    assert wandb({"min": 1, "max": 3}, tmp_path).grid() == (1, 2, 3)
    assert wandb({"min": 1.0, "max": 3}, tmp_path).size == math.inf


@pytest.mark.parametrize(
    ("low", "high", "is_logarithmic"),
    [
        ("0.001", "1", True),
        ("0.0011", "1", False),
        ("1", str(AUTO_RATIO), True),
        ("0", "1000000", False),
        ("-5", "5000", False),
    ],
)
def test_sagemaker_s_auto_is_logarithmic_from_three_orders_of_magnitude_on(
    low: str, high: str, is_logarithmic: bool, tmp_path: Path
):
    ranges = {"ContinuousParameterRanges": [{"Name": "x", "MinValue": low, "MaxValue": high, "ScalingType": "Auto"}]}
    found = domain("sagemaker", {"ParameterRanges": ranges}, tmp_path)
    middle = (float(low) + float(high)) / 2
    assert (found.quantile(0.5) < 0.9 * middle) == is_logarithmic


@pytest.mark.parametrize(
    ("text", "inclusive", "expected"),
    [
        ("interval(1, 5)", True, (1, 2, 3, 4, 5)),
        ("int(interval(1.0, 3.0))", True, (1, 2, 3)),
        ("range(1, 4)", True, (1, 2, 3, 4)),
        ("range(1, 4)", False, (1, 2, 3)),
        ("range(4)", False, (0, 1, 2, 3)),
        ("range(0, 10, step=5)", False, (0, 5)),
        ("range(start=1, stop=2, step=0.5)", True, (1.0, 1.5, 2.0)),
        ("choice(a, 'b, c', true, 3)", True, ("a", "b, c", "true", "3")),
        ("shuffle(range(3))", False, (0, 1, 2)),
        ("sort(3, 1, 2)", True, (3, 1, 2)),
        ("mysql, postgresql", True, ("mysql", "postgresql")),
        ("tag(log, interval(1, 3))", True, (1, 2, 3)),
        ("float(choice(1, 2))", True, (1.0, 2.0)),
    ],
)
def test_a_sweep_of_hydra_has_its_values(text: str, inclusive: bool, expected: tuple[Any, ...]):
    space = read_sweep(text, inclusive=inclusive).space
    assert space is not None
    assert domain_from_spec(space.spec).grid() == expected


# -- names and values ------------------------------------------------------------------------------------------------


def test_a_name_that_a_field_cannot_have_is_reported(tmp_path: Path):
    path = tmp_path / "xgb.json"
    path.write_text(
        json.dumps({"lambda": {"uniform": [0, 1]}, "max-depth": {"randint": [1, 9]}, "2nd": {"choice": [1, 2]}})
    )
    found = read_foreign("ray", path)
    assert set(found.fields) == {"lambda_", "max_depth", "p2nd"}
    lost = {note.where for note in found.notes if note.kind == "lost"}
    assert lost >= {"lambda", "2nd"}
    assert "max-depth" not in lost


def test_python_text_is_read_and_never_run(tmp_path: Path):
    path = tmp_path / "sweep.py"
    path.write_text(
        "import os\nos.mkdir('made')\nraise SystemExit(3)\n"
        "config = {'x': tune.uniform(0, 1), 'y': os.environ['HOME'], 'z': tune.sample_from(lambda spec: 1)}\n"
    )
    assert printed(["import", "ray", "sweep.py", "-o", "study.yaml"], tmp_path).startswith("exit 0\n")
    assert not (tmp_path / "made").exists()
    assert [*load_study(tmp_path / "study.yaml").space] == ["x"]


@pytest.mark.parametrize("name", ['"""\nraise SystemExit(3)\n"""', "\\", "a`b\nc: d", "}\n- x"])
def test_no_text_of_a_file_becomes_code_of_the_class(name: str, tmp_path: Path):
    sweep = {"name": name, "method": "random", "parameters": {f"x{name}": {"values": [f"y{name}", "z"]}}}
    file = 'swe"""ep.json'
    (tmp_path / file).write_text(json.dumps(sweep))
    assert printed(["import", "wandb", file, "-o", "study.yaml"], tmp_path).startswith("exit 0\n")
    study = load_study(tmp_path / "study.yaml")
    assert study.name == name
    assert [domain.grid() for domain in study.space.values()] == [(f"y{name}", "z")]


def test_a_component_beside_the_sweep_gives_the_command(tmp_path: Path):
    (tmp_path / "train.yml").write_text(
        "type: command\ncode: src\ncommand: python train.py --lr ${{inputs.rate}} $[[--data ${{inputs.data}}]]\n"
    )
    sweep = {"trial": "./train.yml", "search_space": {"rate": {"type": "uniform", "min_value": 0, "max_value": 1}}}
    path = tmp_path / "sweep.json"
    path.write_text(json.dumps(sweep))
    found = read_foreign("azureml", path)
    assert found.study["step"]["command"][:2] == ["python", "src/train.py"]
    assert set(found.fields) == {"lr"}


def test_a_list_of_one_experiment_is_a_study_of_one_trial(tmp_path: Path):
    path = tmp_path / "list.json"
    path.write_text(json.dumps({"experiments": {"only": {"training": {"lr": 0.1, "epochs": 3}}}}))
    found = read_foreign("experiments", path).study
    assert found["search"] == {"training.lr": {"constant": 0.1}}
    assert found["values"] == {"training.epochs": 3}
    assert found["budget"] == {"max_trials": 1}


def test_a_file_cannot_make_the_import_compute_for_long(tmp_path: Path):
    path = tmp_path / "long.py"
    nested = "[[[k for k in range(9999)] for j in range(9999)] for i in range(9999)]"
    path.write_text(f"space = {{'x': tune.uniform(0, 1), 'y': tune.choice({nested}), 'z': 9 ** 9 ** 9}}\n")
    with pytest.raises(ForeignFileError, match="must be a list"):
        read_foreign("ray", path)
    sweep = {"type": "loguniform", "min_value": 1, "max_value": 10**30}
    with pytest.raises(ForeignFileError, match="too large for a number"):
        azure(sweep, tmp_path)
    content = {"sampling_algorithm": {"type": "random", "logbase": 10}, "search_space": {"x": sweep}}
    with pytest.raises(ForeignFileError, match="too large for a number"):
        domain("azureml", content, tmp_path)

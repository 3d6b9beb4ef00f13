"""What many entities have in common is found, and what they do not have in common is not."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import pytest
from entity_studies import BEST, LR, ODD, SPACE, X, entities, height, saved
from local_study import run, sh, study
from report_studies import recorded

from kftune import yaml_text
from kftune.cli import main
from kftune.domains import Conditional, IntUniform, LogUniform, domain_from_spec
from kftune.errors import UnknownNameError, UsageError
from kftune.results.across import summarise
from kftune.results.across.coordinates import Coordinate, common_of
from kftune.results.across.entities import ranks
from kftune.results.across.surface import fitted, solved
from kftune.study import load_study


@pytest.fixture(scope="module")
def many() -> dict[str, Any]:
    """Returns the summary of 200 entities with 3 trials each."""
    return summarise(entities(200, 3))


@pytest.fixture(scope="module")
def some() -> dict[str, Any]:
    """Returns the summary of 30 entities with 20 trials each, the first 3 of them odd."""
    return summarise(entities(30, 20, odd=3))


# -- a known optimum ---------------------------------------------------------------------------------------------


def test_three_trials_each_of_two_hundred_entities_show_the_best_values(many):
    found = many["defaults"]["values"]
    assert found["x"] == pytest.approx(X, abs=0.1)
    assert math.log10(found["lr"]) == pytest.approx(-2.5, abs=0.3)
    assert found["optimizer"] == BEST["optimizer"]


@pytest.mark.parametrize(("count", "seed", "most"), [(200, 2, 0.05), (30, 2, 0.4), (30, 3, 0.4)])
def test_the_shared_defaults_are_better_than_what_most_entities_have_found(count, seed, most):
    given = entities(count, 3, seed=seed)
    reached = sorted(min(height(trial.point) for trial in each.trials()) for each in given)
    found = height(summarise(given)["defaults"]["values"])
    assert found < min(reached[count // 4], most)


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_the_direction_counts(direction):
    given = entities(40, 3, direction=direction)
    found = summarise(given)["defaults"]["values"]
    assert (height(found) < 0.15) == (direction == "minimize")


def test_levels_and_scales_of_entities_change_nothing():
    given = entities(20, 3)
    other = [
        recorded(
            [trial.point for trial in each.trials()],
            [math.exp((trial.objective or 0.0) / 1000) * 7 - 3 for trial in each.trials()],
            name=each.meta.name,
            space=SPACE,
        )
        for each in given
    ]
    one, changed = summarise(given), summarise(other)
    assert (changed["defaults"], changed["ranges"]) == (one["defaults"], one["ranges"])


def test_an_entity_with_many_trials_counts_as_much_as_one_with_few():
    given = [*entities(40, 3), *entities(1, 400, odd=1, seed=9, prefix="odd")]
    assert summarise(given)["defaults"]["values"]["x"] == pytest.approx(X, abs=0.15)


def test_points_that_all_entities_have_tried_are_judged_by_what_they_reached():
    rng = random.Random(1)
    points = [{"x": x} for x in (0.1, 0.5, 0.9)]
    given = [
        recorded(points, [1.0, 0.0 + rng.random() / 10, 2.0], name=f"e{number}", space={"x": SPACE["x"]})
        for number in range(8)
    ]
    found = summarise(given)["defaults"]
    assert (found["values"], found["entities"], found["own_rank"]) == ({"x": 0.5}, 8, 0.0)


# -- ranges and the narrowed space -------------------------------------------------------------------------------


def test_good_ranges_have_the_best_values_and_the_space_is_narrowed_to_them(some):
    by_name = {each["name"]: each for each in some["ranges"]}
    assert by_name["x"]["low"] < X < by_name["x"]["high"]
    assert by_name["lr"]["low"] < LR < by_name["lr"]["high"]
    assert by_name["optimizer"]["values"] == ["adam", "sgd"]
    assert some["narrowed"] == ["x", "lr", "optimizer"]
    for name in some["narrowed"]:
        narrow, wide = domain_from_spec(some["space"][name]), domain_from_spec(SPACE[name])
        assert narrow.contains(some["defaults"]["values"][name])
        assert wide.contains(narrow.quantile(0))
        assert wide.contains(narrow.quantile(1))
    assert some["space"]["units"] == SPACE["units"]


def test_best_trials_are_in_a_range_more_often_than_all_trials(some):
    for each in some["ranges"]:
        assert each["agree"] / each["of"] >= each["tried"]


def test_values_without_an_effect_are_rarely_called_good():
    rng = random.Random(5)
    chances = []
    for seed in range(12):
        given = [
            recorded(
                [{"x": rng.random()} for _ in range(6)], [rng.random() for _ in range(6)], name=f"e{number}-{seed}"
            )
            for number in range(12)
        ]
        chances += [each["chance"] for each in summarise(given)["ranges"]]
    assert sum(chance <= 0.05 for chance in chances) <= 3


def test_what_does_not_matter_is_said_to_be_chance():
    rng = random.Random(3)
    given = [
        recorded(
            [{"x": rng.random()} for _ in range(4)],
            [rng.random() for _ in range(4)],
            name=f"e{number}",
            space={"x": SPACE["x"]},
        )
        for number in range(30)
    ]
    found = summarise(given)
    assert found["narrowed"] == []
    assert any("so these trials show no values that are good for all" in caution for caution in found["cautions"])


@pytest.mark.parametrize(
    ("spec", "values"),
    [
        ({"uniform": [0.0, 1.0]}, [0.1, 0.3, 0.5, 0.7, 0.9]),
        ({"int": [1, 1000], "log": True}, [1, 10, 30, 100, 1000]),
        ({"quniform": [0.0, 10.0], "q": 0.5}, [0.5, 3.0, 5.0, 7.0, 9.5]),
        ({"reverse_loguniform": [0.5, 0.999]}, [0.6, 0.9, 0.95, 0.99, 0.995]),
        ({"normal": [0.0, 1.0]}, [-2.0, -0.5, 0.0, 0.5, 2.0]),
        ({"choice": ["a", "b", [1, 2], None, True]}, ["a", "b", [1, 2], None, True]),
        ({"ordinal": [1, 2, 4, 8, 16]}, [1, 2, 4, 8, 16]),
        ({"uniform": [0.0, 1.0], "when": {"other": [1]}}, [0.1, 0.3, 0.5, 0.7, 0.9]),
    ],
)
def test_every_kind_of_domain_is_narrowed_inside_itself_or_stays(spec, values):
    losses = [1.0, 0.5, 0.0, 0.5, 1.0]
    space = {"a": spec, "other": {"choice": [1, 2]}}
    given = [
        recorded([{"a": value, "other": 1} for value in values], losses, name=f"e{number}", space=space)
        for number in range(12)
    ]
    found = summarise(given)
    domain, whole = domain_from_spec(found["space"]["a"]), domain_from_spec(spec)
    assert domain.contains(values[2])
    assert all(whole.contains(domain.quantile(u)) for u in (0.01, 0.5, 0.99))
    assert isinstance(domain, Conditional) == isinstance(whole, Conditional)
    assert found["narrowed"] == ([] if "normal" in spec else ["a"])


# -- entities of their own ---------------------------------------------------------------------------------------


def test_entities_with_another_optimum_are_worth_tuning_on_their_own(some):
    odd = {f"e{number:03}" for number in range(3)} & {*some["own"]}
    assert len(odd) >= 2
    assert len(some["own"]) <= len(odd) + 2
    gains = {each["label"]: each["gain"] for each in some["entities"]}
    for label in odd:
        low, high = gains[label]["interval"]
        assert 0 < low <= gains[label]["over_defaults"] <= high
    assert abs(ODD - some["defaults"]["values"]["x"]) > 0.3


def test_entities_that_are_like_the_others_are_not(many):
    assert len(many["own"]) <= 200 * 0.05
    assert any("few trials show little of what one gains" in caution for caution in many["cautions"])


def test_the_gain_over_tried_defaults_is_what_was_measured():
    points = [{"x": x} for x in (0.1, 0.3, 0.5, 0.7, 0.9)]
    losses = [[0.5, 0.0, 0.5, 1.0, 2.0]] * 9 + [[5.0, 4.0, 3.0, 2.0, 0.0]]
    given = [
        recorded(points, values, name=f"e{number}", space={"x": SPACE["x"]}) for number, values in enumerate(losses)
    ]
    found = summarise(given)
    assert found["defaults"]["values"] == {"x": 0.3}
    last = found["entities"][-1]["gain"]
    assert (last["over_defaults"], last["tried_defaults"]) == (pytest.approx(4.0), True)
    assert found["own"] == ["e9"]


# -- few and damaged results -------------------------------------------------------------------------------------


def test_failed_trials_count_as_the_worst_and_entities_without_results_are_named():
    points = [{"x": x} for x in (0.1, 0.5, 0.9)]
    given = [
        recorded(points, [None, 0.0, 1.0], name="a", space={"x": SPACE["x"]}),
        recorded(points, [None, 0.0, 1.0], name="b", space={"x": SPACE["x"]}),
        recorded(points, [None] * 3, name="c", space={"x": SPACE["x"]}),
        recorded([], [], name="d", space={"x": SPACE["x"]}),
    ]
    found = summarise(given)
    assert found["defaults"]["values"] == {"x": 0.5}
    assert found["cautions"][0] == "with fewer than two trials that have a result, these do not count: c, d"
    assert found["cautions"][1] == "2 entities are few: what they have in common may be chance"
    assert [each["best"] for each in found["entities"][2:]] == [None, None]


def test_without_results_there_is_nothing_in_common():
    found = summarise([recorded([], [], name=name, space={"x": SPACE["x"]}) for name in "ab"])
    assert (found["defaults"], found["ranges"], found["own"]) == (None, [], [])


def test_hyperparameters_that_not_all_search_are_left_out_and_named():
    given = [
        recorded(
            [{"x": 0.1, "y": 1.0}, {"x": 0.2, "y": 2.0}],
            [0.0, 1.0],
            name="a",
            space={"x": SPACE["x"], "y": {"uniform": [0, 9]}},
        ),
        recorded([{"x": 0.1}, {"x": 0.2}], [0.0, 1.0], name="b", space={"x": {"uniform": [0.0, 2.0]}}),
    ]
    found = summarise(given)
    assert [each["name"] for each in found["ranges"]] == ["x"]
    assert "only some of the 2 entities search y (1), so it is left out" in found["cautions"]
    assert "entities have different domains of x, so these are not narrowed" in found["cautions"]


def test_other_objectives_are_refused():
    given = [recorded([], [], name="a"), recorded([], [], name="b", direction="maximize")]
    with pytest.raises(UsageError, match="has minimize loss and memory has maximize loss; name a metric"):
        summarise(given)
    with pytest.raises(UnknownNameError, match="los"):
        summarise(given[:1] * 2, "los")
    with pytest.raises(UsageError, match="two or more; with one, use kftune report"):
        summarise(given[:1])


# -- the parts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "shares"),
    [([3.0, 1.0, 2.0], [1.0, 0.0, 0.5]), ([1.0, 1.0, 2.0], [0.25, 0.25, 1.0]), ([5.0], [0.5]), ([], [])],
)
def test_a_rank_is_the_share_of_better_trials(values, shares):
    assert ranks(values) == shares


@pytest.mark.parametrize("domain", [LogUniform(1e-4, 1.0), IntUniform(1, 9), IntUniform(1, 500, log=True)])
def test_a_share_is_where_the_domain_has_the_value(domain):
    coordinate = Coordinate("a", domain, domain)
    for u in (0.05, 0.3, 0.5, 0.77, 0.95):
        value = domain.quantile(u)
        assert domain.quantile(coordinate.share(value)) == pytest.approx(value, rel=0.02)
    assert (coordinate.share(-1), coordinate.share(1e9)) == (0, 1)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([0.1, 0.5, 0.9], "uniform"),
        ([1e-4, 1e-2, 0.5], "loguniform"),
        ([1, 2, 9], "int"),
        (["a", 1, None], "choice"),
        ([True, False], "choice"),
    ],
)
def test_values_without_a_domain_get_one_around_them(values, kind):
    (found,) = common_of([{"a": {}}], [{"a": value} for value in values]).coordinates
    assert found.domain.kind == kind
    assert found.declared is None
    assert all(found.domain.contains(value) for value in values)


def test_equations_are_solved():
    matrix, right = [[4.0, 1.0, 0.0], [1.0, 3.0, 0.5], [0.0, 0.5, 2.0]], [1.0, 2.0, 3.0]
    found = solved(matrix, right, 1.0)
    for place, row in enumerate(matrix):
        assert sum(a * b for a, b in zip(row, found, strict=True)) + found[place] == pytest.approx(right[place])


def test_a_surface_has_the_differences_within_groups_and_not_between_them():
    groups = [[([x, x * x], level + (x - 0.3) ** 2) for x in (-1.0, 0.0, 0.5, 1.0)] for level in (0.0, 1e6, -50.0)]
    fit = fitted(groups)
    assert fit is not None
    assert fit.surface.at([0.3, 0.09]) < min(fit.surface.at([x, x * x]) for x in (-0.5, 0.0, 0.7))
    assert fit.right == fit.pairs


# -- the command -------------------------------------------------------------------------------------------------


def printed(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main([*arguments]) == code
    return capsys.readouterr().out


def test_the_table_fits_the_terminal(tmp_path, capsys, monkeypatch):
    paths = saved(tmp_path, entities(12, 8, odd=1))
    monkeypatch.setenv("COLUMNS", "80")
    lines = printed(capsys, "summarise", "--across", *map(str, paths)).splitlines()
    assert lines[0] == "minimize loss: 96 trials of 12 entities"
    assert max(map(len, [line for line in lines if not line.startswith("caution")])) <= 80


def test_a_pattern_and_a_list_give_the_same(tmp_path, capsys):
    paths = saved(tmp_path, entities(5, 4))
    listed = printed(capsys, "summarise", "--across", *map(str, paths), "--format", "json")
    assert printed(capsys, "summarise", "--across", str(tmp_path / "*.json"), "--format", "json") == listed
    assert json.loads(listed)["format"] == "kftune.across/1"


COMMAND = sh('awk "BEGIN { d = ${0#--lr=} - 0.01; print \\"loss=\\" (d < 0 ? -d : d) }"')


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder with a study and the results of three entities, which differ in a fixed value."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "nets.py").write_text("from local_study import Net\n")
    parts = {**study(COMMAND, 5).to_dict(), "name": "nets", "hparams": "nets:Net"}
    (folder / "nets.yaml").write_text(yaml_text.dump(parts))
    for number, name in enumerate(["north", "south", "east"]):
        a_study = study(COMMAND, 5, name="nets", values={"units": 16 + number}, algorithm={"seed": number})
        run(a_study, folder / "runs" / "nets" / name)
    return folder


def test_a_folder_stands_for_the_folders_in_it_and_a_study_for_its_results(project, capsys, monkeypatch):
    monkeypatch.chdir(project)
    found = json.loads(printed(capsys, "summarise", "--across", "runs/nets", "--format", "json"))
    assert [each["label"] for each in found["entities"]] == ["east", "north", "south"]
    of_study = json.loads(printed(capsys, "summarise", "--across", "nets.yaml", "--format", "json"))
    assert of_study == found


def test_the_written_study_starts_with_the_defaults_and_keeps_what_entities_share(project, capsys, monkeypatch):
    monkeypatch.chdir(project)
    out = printed(capsys, "summarise", "--across", "runs/nets", "-o", "all.yaml")
    assert "entities have different values of units, so the study does not set them" in out
    assert out.endswith("wrote all.yaml\n")
    written = load_study("all.yaml")
    assert written.hparams.__name__ == "Net"
    assert written.objective.metric == "loss"
    assert written.step.command == COMMAND
    assert written.points[0].keys() == {"lr", "optimizer"}
    assert main(["run", "all.yaml", "--plain", "budget.max_trials=1"]) == 0


def test_a_given_study_is_narrowed_and_keeps_the_rest(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    saved(tmp_path / "e", entities(30, 12, metrics=["loss"]))
    (tmp_path / "space.py").write_text(
        "from kftune import Hparam, Hparams\n\n\nclass Space(Hparams):\n    x: float = 0.5\n    lr: float = 0.01\n"
        "    units: int = 16\n    optimizer: str = 'adam'\n"
    )
    base: dict[str, Any] = {
        "name": "base",
        "hparams": "space:Space",
        "values": {"units": 32},
        "search": {name: spec for name, spec in SPACE.items() if name != "units"},
        "objective": {"metric": "loss", "direction": "minimize"},
        "budget": {"max_trials": 7},
        "step": {"image": "registry.example/base:1", "command": ["python", "train.py"]},
    }
    (tmp_path / "base.yaml").write_text(yaml_text.dump(base))
    printed(capsys, "summarise", "--across", "e/*.json", "--study", "base.yaml", "-o", "narrow.yaml")
    written: Any = yaml_text.load_file(tmp_path / "narrow.yaml")
    kept = ("name", "hparams", "values", "objective", "budget", "step")
    assert {key: written[key] for key in kept} == {key: base[key] for key in kept}
    assert written["search"]["lr"] != SPACE["lr"]
    assert written["search"].keys() == base["search"].keys()
    assert "units" not in written["points"][0]
    assert load_study("narrow.yaml").step.image == "registry.example/base:1"

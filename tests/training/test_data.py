"""Readings and their windows (the windows need torch)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta
from importlib import resources
from pathlib import Path

import pytest
from places import ROOT

from kftune.errors import HparamsError
from kftune.training.data import (
    MEASURED,
    Circuit,
    Scale,
    generate_circuit,
    load_circuit,
)
from kftune.training.windows import Split, baselines, split_windows

HOUR = timedelta(hours=1)


def split(circuit: Circuit, *, window_hours: int = 24, horizon_hours: int = 6, val_fraction: float = 0.2) -> Split:
    return split_windows(circuit, window_hours=window_hours, horizon_hours=horizon_hours, val_fraction=val_fraction)


def test_the_measured_file_is_the_documented_one():
    data = (resources.files("kftune.training") / "water-flow.csv").read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    documented = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    assert digest in documented
    assert f"{len(data):,}".replace(",", " ") in documented


def test_the_licence_of_the_measured_readings_comes_with_them():
    text = (resources.files("kftune.training") / "water-flow.LICENSE.txt").read_text(encoding="utf-8")
    assert "BSD 3-Clause License" in text
    assert "Copyright (c) 2020, the river developers" in text


def test_the_measured_circuit_has_its_documented_size():
    circuit = load_circuit(MEASURED)
    assert len(circuit.flow) == len(circuit.times) == 1268
    assert (min(circuit.flow), max(circuit.flow)) == (24.24, 109.68)
    assert str(circuit.times[0]) == "2022-03-20 11:00:00+01:00"
    assert str(circuit.times[-1]) == "2022-05-16 22:00:00+02:00"


def test_the_scale_is_that_of_normal_operation_whatever_the_outages():
    circuit = load_circuit(MEASURED)
    scale = Scale.of(circuit.flow)
    faults = [flow for flow in circuit.flow if scale.is_fault(flow)]
    assert 1 < scale.spread < 2
    assert len(faults) == 44
    assert max(faults) < 95


def test_a_generated_circuit_depends_on_its_name_and_seed_only():
    first = generate_circuit("PLANT001/CIRCUIT02")
    assert first == generate_circuit("PLANT001/CIRCUIT02")
    assert first.flow != generate_circuit("PLANT001/CIRCUIT02", seed=1).flow
    assert first.flow != generate_circuit("PLANT001/CIRCUIT03").flow


def test_a_generated_circuit_stays_what_it_was():
    circuit = generate_circuit("PLANT001/CIRCUIT02")
    assert circuit.flow[:6] == (84.0, 84.49, 84.75, 84.35, 83.77, 84.38)
    assert len(circuit.flow) == 1339


@pytest.mark.parametrize("number", range(1, 30))
def test_a_generated_circuit_has_gaps_and_outages_and_enough_normal_hours(number: int):
    circuit = generate_circuit(f"PLANT{number:03d}/CIRCUIT{number:02d}")
    scale = Scale.of(circuit.flow)
    steps = {later - earlier for earlier, later in zip(circuit.times, circuit.times[1:], strict=False)}
    assert HOUR in steps
    assert max(steps) > HOUR
    assert 0 < sum(map(scale.is_fault, circuit.flow)) < 60
    assert min(circuit.flow) > 0
    assert len(split(circuit).val) > 50


def test_circuits_of_one_plant_share_their_level():
    same = [Scale.of(generate_circuit(f"PLANT004/CIRCUIT0{number}").flow).center for number in (1, 2, 3)]
    other = Scale.of(generate_circuit("PLANT005/CIRCUIT01").flow).center
    assert max(same) - min(same) < 0.05 * same[0]
    assert abs(other - same[0]) > 0.05 * same[0]


@pytest.mark.parametrize("name", ["", "PLANT1/CIRCUIT02", "PLANT001", "PLANT001/CIRCUIT02/..", "PLANT001/CIRCUIT02\n"])
def test_a_name_that_is_no_circuit_is_refused(name: str):
    with pytest.raises(HparamsError, match="a name must be like PLANT001/CIRCUIT01"):
        load_circuit(name)


def test_own_readings_come_from_the_folder(tmp_path: Path):
    (tmp_path / "WELL").mkdir()
    (tmp_path / "WELL" / "PUMP-3.csv").write_text("time,flow\n2024-01-01T00:00:00+00:00,1.5\n", encoding="utf-8")
    circuit = load_circuit("WELL/PUMP-3", tmp_path)
    assert circuit.flow == (1.5,)


def test_a_folder_has_no_way_out(tmp_path: Path):
    with pytest.raises(HparamsError, match="a name must be like"):
        load_circuit("../secret", tmp_path)


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("2024-01-01T00:00:00+00:00", "must be a time and a reading"),
        ("yesterday,1.5", "must be a time and a reading"),
        ("2024-01-01T00:00:00+00:00,much", "must be a time and a reading"),
        ("2024-01-01T00:00:00,1.5", "must have a time with an offset"),
        ("2024-01-01T00:00:00+00:00,nan", "a finite reading"),
        ("2023-01-01T00:00:00+00:00,1.5", "later than the line above"),
    ],
)
def test_a_wrong_line_of_own_readings_is_named(tmp_path: Path, line: str, rule: str):
    text = f"time,flow\n2023-12-31T00:00:00+00:00,1.0\n{line}\n"
    (tmp_path / "A.csv").write_text(text, encoding="utf-8")
    with pytest.raises(HparamsError, match=f"A.csv:3 .*{rule}"):
        load_circuit("A", tmp_path)


def test_own_readings_that_are_not_there_are_named(tmp_path: Path):
    with pytest.raises(HparamsError, match=r"No such file.*PLANT001/CIRCUIT01\.csv"):
        load_circuit(MEASURED, tmp_path)


def test_windows_have_the_declared_shapes():
    parts = split(load_circuit(MEASURED), window_hours=48, horizon_hours=3)
    assert parts.train.seen_BWF.shape == (len(parts.train), 48, 3)
    assert parts.train.next_BH.shape == (len(parts.train), 3)
    assert parts.val.seen_BWF.shape == (len(parts.val), 48, 3)


def test_the_measured_circuit_gives_the_documented_number_of_windows():
    parts = split(load_circuit(MEASURED))
    assert (len(parts.train), len(parts.val)) == (782, 207)


def hours(count: int, flow: Callable[[int], float]) -> Circuit:
    start = load_circuit(MEASURED).times[0]
    return Circuit("T", tuple(start + hour * HOUR for hour in range(count)), tuple(map(flow, range(count))))


def test_windows_follow_one_another_and_no_hour_to_predict_is_in_both_parts():
    circuit = hours(100, float)
    parts = split(circuit, window_hours=4, horizon_hours=2, val_fraction=0.2)
    train_flow = parts.train.next_BH * parts.scale.spread + parts.scale.center
    val_flow = parts.val.next_BH * parts.scale.spread + parts.scale.center
    assert train_flow[0].round().tolist() == [4, 5]
    assert train_flow[-1].round().tolist() == [78, 79]
    assert val_flow[0].round().tolist() == [80, 81]
    assert len(parts.train) == 75
    assert len(parts.val) == 19


def test_no_window_crosses_a_gap():
    whole = hours(100, lambda hour: float(hour % 7))
    times, flow = list(whole.times), list(whole.flow)
    del times[50], flow[50]
    gapped = Circuit("T", tuple(times), tuple(flow))
    lost = len(split(whole, window_hours=4, horizon_hours=2).train) - len(
        split(gapped, window_hours=4, horizon_hours=2).train
    )
    # The 6 windows that held the hour, less the one that moved from validation to training.
    assert lost in (5, 6, 7)


def test_no_window_holds_a_fault():
    circuit = hours(100, lambda hour: 1000.0 if hour == 50 else float(hour % 7))
    parts = split(circuit, window_hours=4, horizon_hours=2)
    assert len(parts.train) == 75 - 6
    assert parts.train.seen_BWF.abs().max() < 8


def test_a_circuit_without_variation_can_still_be_scaled():
    parts = split(hours(100, lambda _: 5.0))
    assert parts.val.next_BH.abs().max() == 0


@pytest.mark.parametrize("window_hours", [30, 90, 500])
def test_too_few_readings_are_refused_with_the_numbers(window_hours: int):
    with pytest.raises(HparamsError, match="shorten window_hours or change val_fraction"):
        split(hours(40, float), window_hours=window_hours)


def test_baselines_are_those_of_the_documentation():
    parts = split(load_circuit(MEASURED))
    found = baselines(parts.val, parts.scale)
    assert found["last_reading"].loss == pytest.approx(0.3218, abs=5e-5)
    assert found["last_reading"].mae == pytest.approx(0.533, abs=5e-4)
    assert found["day_before"].loss == pytest.approx(0.1486, abs=5e-5)
    assert found["day_before"].mae == pytest.approx(0.384, abs=5e-4)


def test_a_rhythm_of_a_day_is_predicted_by_the_day_before():
    parts = split(hours(24 * 20, lambda hour: float(hour % 24)), window_hours=36)
    found = baselines(parts.val, parts.scale)
    assert found["day_before"].mae == pytest.approx(0, abs=1e-5)
    assert found["last_reading"].mae > 1


def test_windows_shorter_than_a_day_have_no_day_before():
    assert "day_before" not in baselines(*_val_and_scale(window_hours=12))


def _val_and_scale(window_hours: int):
    parts = split(load_circuit(MEASURED), window_hours=window_hours)
    return parts.val, parts.scale

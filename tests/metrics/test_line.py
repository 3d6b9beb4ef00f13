from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import re2
import torch
from hypothesis import given
from hypothesis import strategies as st
from metric_lines import HOSTILE_LINES

from kftune.errors import MetricError
from kftune.metrics import METRIC_FORMAT, check_metric_name, format_line, report

FORMAT = re.compile(METRIC_FORMAT)


def is_accepted(name: str) -> bool:
    try:
        check_metric_name(name)
    except MetricError:
        return False
    return True


NAMES = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20).filter(is_accepted)
FINITE = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    "name",
    ["loss", "val_loss", "val/loss", "val.loss", "yolo:mAP_0.5", "loss@1", "f1-score", "acc%", "loss[0]", "a" * 255],
)
def test_names_that_frameworks_use_can_be_metrics(name):
    check_metric_name(name)
    assert FORMAT.findall(f"{name}=0.5") == [(name, "0.5")]


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("val loss", "'val_loss'"),
        ("loss=x", "'loss_x'"),
        ("a;b", "'a_b'"),
        ('say "hi"', "'say_hi'"),
        ("a\\b", "'a_b'"),
        ("${x}", "'{x}'"),
        ("a`b`", "'a_b'"),
        ("a|b", "'a_b'"),
        ("perte_é", "'perte'"),
        ("損失", "'val_loss'"),
        ("a\nb", "'a_b'"),
        ("", "'val_loss'"),
        ("a" * 256, repr("a" * 255)),
        ("step", "'steps'"),
    ],
)
def test_a_name_that_no_line_can_carry_is_refused_with_one_that_can(name, remedy):
    with pytest.raises(MetricError, match=re.escape(remedy)):
        check_metric_name(name)


def test_the_error_for_a_name_has_the_rule_and_the_name():
    with pytest.raises(MetricError) as caught:
        check_metric_name("val loss")
    assert str(caught.value) == (
        "a metric name is 1 to 255 printable ASCII characters without spaces, quotes and any of = ; | \\ $ `; "
        "given 'val loss'; try 'val_loss'"
    )


def test_katib_can_carry_the_format():
    assert ";" not in METRIC_FORMAT  # filters are joined by it
    assert re.search(r".*\(.*\).*\(.*\).*", METRIC_FORMAT)  # the webhook asks for two groups
    assert "$(" not in METRIC_FORMAT  # the kubelet would replace it
    assert "$$" not in METRIC_FORMAT
    assert re2.compile(METRIC_FORMAT).groups == FORMAT.groups == 2


@pytest.mark.parametrize(
    ("line", "pairs"),
    [
        ("loss=0.5", [("loss", "0.5")]),
        ("epoch=3 train_loss=0.5 val_loss=0.31", [("epoch", "3"), ("train_loss", "0.5"), ("val_loss", "0.31")]),
        ("  loss=1e-05\r", [("loss", "1e-05")]),
        ("loss=+.5\tacc=5.", [("loss", "+.5"), ("acc", "5.")]),
        ("yolo:mAP_0.5=0.7 val/loss=-1E+3", [("yolo:mAP_0.5", "0.7"), ("val/loss", "-1E+3")]),
        ("x=loss=0.5", [("x=loss", "0.5")]),
        ("loss==0.5", [("loss=", "0.5")]),
        ("loss=nan", []),
        ("loss=inf loss=-Infinity", []),
        ("loss= acc=0.9", [("acc", "0.9")]),
        ("loss=1,000 loss=98% loss=0x10 loss=1_000 loss=0.5, loss=٣ loss=1e", []),
        ("(loss=0.5)", []),
        ("loss = 0.5", []),
        ("=0.5", []),
        ("损失=0.25", []),
    ],
)
def test_a_line_is_read_token_by_token(line, pairs):
    assert FORMAT.findall(line) == pairs
    assert re2.findall(METRIC_FORMAT, line) == pairs


@given(HOSTILE_LINES)
def test_python_and_re2_read_the_format_alike(line):
    assert FORMAT.findall(line) == re2.findall(METRIC_FORMAT, line)


@given(st.dictionaries(NAMES, FINITE | st.integers(-(10**30), 10**30), min_size=1), st.none() | st.integers(0, 10**12))
def test_what_is_written_is_read_back_exactly(values, step):
    pairs = FORMAT.findall(format_line(values, step))
    written = {name: repr(value) for name, value in values.items()}
    assert dict(pairs) == ({} if step is None else {"step": str(step)}) | written


def test_a_line_keeps_the_order_of_its_metrics_behind_the_step():
    assert format_line({"val_loss": 0.31, "acc": 1}, step=3) == "step=3 val_loss=0.31 acc=1"


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"),
        (1e-05, "1e-05"),
        (np.float32(0.5), "0.5"),
        (np.float64(0.1), "0.1"),
        (np.int64(3), "3.0"),
        (np.array(0.25), "0.25"),
        (torch.tensor(0.5), "0.5"),
        (torch.tensor(0.5, requires_grad=True), "0.5"),
        (torch.tensor([2]), "2.0"),
        (Fraction(1, 4), "0.25"),
        (Decimal("0.1"), "0.1"),
    ],
    ids=lambda value: repr(value),
)
def test_any_single_number_can_be_reported(value, text):
    assert format_line({"loss": value}) == f"loss={text}"


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (math.nan, "must be a finite number; given nan at step 2; stop the training"),
        (-math.inf, "must be a finite number; given -inf at step 2"),
        (np.float32("nan"), "must be a finite number; given nan"),
        (torch.tensor(math.inf), "must be a finite number; given inf"),
        (10**400, "must be a finite number; given inf"),
        (True, "must be a number; given True; write int"),
        (np.True_, "must be a number; given "),
        ("0.5", "must be a number; given '0.5'; convert it"),
        (None, "must be a number; given None"),
        ([0.5], "must be a number; given"),
        (torch.zeros(2), "must be one number; only one element"),
        (np.zeros(2), "must be one number; only"),
        (1j, "must be a number; given 1j"),
        (
            [0.5] * 10**6,
            "must be a number; given [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5,; convert",
        ),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_is_no_finite_number_is_refused_by_the_name_of_its_metric(value, rule):
    with pytest.raises(MetricError, match=re.escape(f"the metric 'val_loss' {rule}")):
        format_line({"val_loss": value}, step=2)


@pytest.mark.parametrize("step", [-1, 1.0, True, "3"])
def test_a_step_is_a_whole_number_from_0(step):
    with pytest.raises(MetricError, match="a step is a whole number from 0"):
        format_line({"loss": 0.5}, step)


def test_a_step_may_be_a_numpy_integer():
    assert format_line({"loss": 0.5}, np.int64(3)) == "step=3 loss=0.5"


def test_a_report_needs_a_metric():
    with pytest.raises(MetricError, match="at least one metric"):
        report(step=3)


def test_a_metric_is_reported_once():
    with pytest.raises(MetricError, match="'loss' is given twice"):
        report({"loss": 0.5}, loss=0.25)


def test_report_prints_one_line_that_nothing_is_glued_to(capfd, monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    sys.stdout.write("33%|███  | 1/3")
    report({"val/loss": 0.25}, step=3, values=1)
    out = capfd.readouterr().out
    assert out == "33%|███  | 1/3 step=3 val/loss=0.25 values=1\n"


@pytest.mark.parametrize(("rank", "lines"), [("0", 1), ("", 1), ("1", 0), ("13", 0)])
def test_only_the_first_process_of_a_distributed_run_prints(rank, lines, capfd, monkeypatch):
    monkeypatch.setenv("RANK", rank)
    report(loss=0.5)
    assert capfd.readouterr().out.count("\n") == lines


def test_lines_of_two_processes_do_not_mix():
    script = "from kftune.metrics import report\nfor step in range(500): report(step=step, loss=0.5, acc=0.25)"
    reader, writer = os.pipe()
    both = [subprocess.Popen([sys.executable, "-u", "-c", script], stdout=writer) for _ in range(2)]
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        lines = pipe.read().splitlines()
    assert [process.wait() for process in both] == [0, 0]
    expected = [f" step={step} loss=0.5 acc=0.25".encode() for step in range(500)]
    assert sorted(lines) == sorted(expected * 2)


def test_importing_metrics_loads_nothing_heavy():
    script = "import sys, kftune.metrics; print(*sys.modules)"
    loaded = set(
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    )
    assert loaded.isdisjoint({"pydantic", "yaml", "numpy", "torch", "dataclasses", "inspect", "json"})


@pytest.mark.parametrize(
    ("given", "form"),
    [
        ((0.5,), "given 0.5; write report(val_loss=0.31)"),
        (("val_loss", 0.5), "given 'val_loss', 0.5; write report({'val_loss': 0.5})"),
        (({"a": 1}, 3), "given {'a': 1}, 3; write report(val_loss=0.31)"),
        ((["a", 1],), "given ['a', 1]; write report(val_loss=0.31)"),
    ],
)
def test_values_without_names_are_answered_with_the_form(given, form):
    with pytest.raises(MetricError) as caught:
        report(*given)
    assert str(caught.value) == f"report() takes metrics by name; {form}"

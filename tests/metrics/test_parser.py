from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
import tracemalloc
from collections import Counter
from typing import Any

import pytest
from growth import is_linear
from hypothesis import given
from hypothesis import strategies as st
from metric_lines import HOSTILE_LINES
from metric_parser import MetricParser, Observation, parse_file, reduced
from places import DATA

from kftune.errors import MetricError
from kftune.metrics import METRIC_FORMAT
from kftune.metrics.definition import MetricDefinition
from kftune.metrics.reduction import Reducer, reduce_file

NAMES = ["loss", "val_loss", "val/loss"]
FORMAT = re.compile(METRIC_FORMAT.encode())
# what Go's strings.TrimSpace takes off
GO_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))

LOGS = st.lists(HOSTILE_LINES, max_size=6).map(lambda lines: "\n".join(lines).encode())
BYTES = st.lists(HOSTILE_LINES.map(str.encode) | st.binary(max_size=6), max_size=6).map(b"\n".join)


def collector_rows(log: bytes, names: list[str]) -> list[tuple[str, str]]:
    """What Katib's collector stores with METRIC_FORMAT, but for numbers that overflow."""
    rows = []
    for line in log.split(b"\n"):
        for match in FORMAT.finditer(line):
            name = match[1].decode("utf-8", "replace").strip(GO_SPACE)
            if name in names and math.isfinite(float(match[2])):
                rows.append((name, match[2].decode()))
    return rows


def parse(log: bytes, names: list[str], definitions=(), cuts=()) -> tuple[list[Observation], Counter[tuple[str, str]]]:
    parser = MetricParser(names, definitions)
    found = []
    for begin, end in zip([0, *cuts], [*cuts, len(log)], strict=True):
        found += parser.feed(log[begin:end])
    return found + parser.close(), parser.refused


def lines_of(file: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / file).read_text().splitlines()[1:]]


RECORDED = lines_of("katib_collector_rows.jsonl")


@pytest.mark.parametrize("case", [c for c in RECORDED if c["kind"] == "same"], ids=lambda case: repr(case["log"])[:40])
def test_good_lines_are_read_as_katib_recorded_them(case):
    found, refused = parse(case["log"].encode(), case["metrics"])
    assert [[o.name, o.text] for o in found] == case["rows"]
    assert not refused


@pytest.mark.parametrize("case", [c for c in RECORDED if c["kind"] == "junk"], ids=lambda case: repr(case["log"])[:40])
def test_junk_that_katib_stores_by_default_is_refused(case):
    found, refused = parse(case["log"].encode(), case["metrics"])
    assert case["rows"]
    assert not found
    assert refused.total() == 1


@given(LOGS | BYTES)
def test_a_log_is_read_as_the_collector_reads_it(log):
    found, _ = parse(log, NAMES)
    assert [(o.name, o.text) for o in found] == collector_rows(log, NAMES)
    assert all(o.value == float(o.text) for o in found)


@given(LOGS | BYTES, st.data())
def test_it_does_not_matter_how_a_log_is_cut(log, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(log)), max_size=5)))
    definitions = [MetricDefinition("acc", "acc=([^ ]+)")]
    assert parse(log, NAMES, definitions, cuts) == parse(log, NAMES, definitions)


@given(LOGS | BYTES)
def test_a_reducer_reads_what_the_parser_reads(log):
    definitions = [MetricDefinition("acc", "acc=([^ ]+)")]
    found, refused = parse(log, NAMES, definitions)
    reducer = Reducer(NAMES, definitions)
    news = reducer.feed(log) + reducer.close()
    assert reducer.results == reduced(found)
    assert reducer.refused == refused
    assert set(news) == set(reducer.results)


def test_observations_carry_the_step_before_them_on_their_line():
    log = b"loss=1\nstep=3 loss=2 global_step=9 loss=3 step=4 loss=5\nstep=x loss=6\nstep=7\nloss=8\nloss=9 step=1\n"
    found, _ = parse(log, ["loss"])
    assert [(o.value, o.step) for o in found] == [(1, None), (2, 3), (3, 3), (5, 4), (6, None), (8, None), (9, None)]


def test_observations_of_several_metrics_come_in_the_order_of_the_log():
    log = b"acc=1 loss=2\nloss=3\nval loss: 4, loss=5 acc=6\nacc=7\n"
    found, _ = parse(log, ["loss", "acc"], [MetricDefinition("val", "val loss: ([0-9.]+)")])
    assert [o.value for o in found] == [1, 2, 3, 4, 5, 6, 7]


def test_what_is_no_finite_number_is_counted_and_never_observed():
    log = b"loss=nan loss=nan\nloss= acc=1e400\nloss=0.5,\nval_loss=nan\n"
    found, refused = parse(log, ["loss", "acc"])
    assert found == []
    assert refused == {("loss", "nan"): 2, ("loss", ""): 1, ("acc", "1e400"): 1, ("loss", "0.5,"): 1}


@pytest.mark.parametrize("text", ["nan", "-inf", "1_000", "\v0.5", "0x10", "", "+", ".", "1e", "0.5,", "٣", "1e400"])
def test_no_text_that_python_alone_takes_for_a_number_is_a_value(text):
    log = f"loss={text}\nacc={text} \nacc=1\n".encode()
    found, refused = parse(log, ["loss", "acc"])
    assert [o.text for o in found] == ["1"]
    assert refused == {("loss", text): 1, ("acc", text): 1}
    reducer = Reducer(["loss", "acc"])
    assert reducer.feed(log) == ("acc",)
    assert reducer.refused == refused


@pytest.mark.parametrize("space", [*GO_SPACE.replace("\n", ""), "\xa0\u2003", " \v"])
def test_space_of_any_kind_before_a_name_does_not_hide_it(space):
    log = f"acc=1{space}{space}loss=0.5 x\n{space}loss=0.25\n".encode()
    assert [(o.name, o.text) for o in parse(log, ["loss"])[0]] == collector_rows(log, ["loss"])
    assert parse(f"{space}loss=0.25".encode(), ["loss"])[0] == [Observation("loss", "0.25", 0.25, None)]


@pytest.mark.parametrize("glued", ["x", "é", "à", "\ufeff", "\x1c", "\0", "val_", "x=", "\x1b[32m", "損"])
def test_anything_else_before_a_name_makes_it_another(glued):
    found, refused = parse(f"{glued}loss=0.5\n{glued}loss=nan\n".encode(), ["loss"])
    assert not found
    assert not refused


def test_refused_reports_take_bounded_memory():
    log = b"".join(b"loss=x%d%s\n" % (number, b"y" * 100) for number in range(1000))
    _, refused = parse(log, ["loss"])
    assert refused.total() == 1000
    assert len(refused) == 101
    assert max(len(text) for _, text in refused) == 40


def test_a_definition_is_searched_for_line_by_line():
    definitions = [MetricDefinition("val", r"loss:\s*(\S+)"), MetricDefinition("plain", r"^(\d+)$")]
    log = "é loss: 0.5 loss:\t1e-05\nloss:\n0.25\nloss: nan\n42\n".encode()
    found, refused = parse(log, [], definitions)
    assert [(o.name, o.text, o.step) for o in found] == [
        ("val", "0.5", None),
        ("val", "1e-05", None),
        ("plain", "42", None),
    ]
    assert refused == {("val", "nan"): 1}


def test_a_metric_with_a_definition_is_found_by_that_only():
    found, _ = parse(b"loss=1\nLoss is 2\n", ["loss"], [MetricDefinition("loss", "Loss is ([0-9]+)")])
    assert [o.value for o in found] == [2]


def test_digits_and_words_are_ascii_as_in_re2():
    found, refused = parse("loss: ٣\nloss: 3\n".encode(), [], [MetricDefinition("loss", r"loss: (\d+)")])
    assert [o.text for o in found] == ["3"]
    assert not refused


def test_a_last_line_without_its_end_is_read_at_close():
    parser = MetricParser(["loss"])
    assert parser.feed(b"loss=0.") == []
    assert parser.feed(b"5") == []
    assert parser.close() == [Observation("loss", "0.5", 0.5, None)]
    assert parser.close() == []


@pytest.mark.parametrize("filler", [b"x", b"x ", b"\r 10%|#   "], ids=["one token", "tokens", "progress bar"])
def test_a_line_without_end_costs_neither_time_nor_memory(filler):
    chunk = filler * (100_000 // len(filler))

    def read(chunks: int) -> list[float]:
        parser = MetricParser(["loss"])
        found = [observation for _ in range(chunks) for observation in parser.feed(chunk)]
        found += parser.feed(b" loss=0.25 \nloss=0.5\n")
        return [observation.value for observation in found]

    tracemalloc.start()
    found = read(200)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == [0.25, 0.5]
    assert is_linear(read, 100, 200)
    assert peak < 8 << 20


def test_the_rest_of_an_overlong_token_is_no_report():
    parser = MetricParser(["loss"])
    assert parser.feed(b"x" * (1 << 20)) == []
    assert parser.feed(b"y") == []
    assert parser.feed(b"loss=0.25\nloss=0.5\n") == [Observation("loss", "0.5", 0.5, None)]


def test_a_name_that_no_line_can_carry_is_refused():
    with pytest.raises(MetricError, match="try 'val_loss'"):
        MetricParser(["val loss"])


def test_a_file_is_read_like_a_pipe(tmp_path):
    log = b"".join(b"step=%d loss=%d.5 val_loss=nan\n" % (step, step) for step in range(20_000))
    path = tmp_path / "trial log.txt"
    path.write_bytes(log)
    found = list(parse_file(path, ["loss"]))
    assert found == parse(log, ["loss"])[0]
    assert reduce_file(path, ["loss"]).result("loss") == ("0.5", "19999.5", "19999.5", 20_000, 19_999)


def test_lines_are_seen_while_the_trial_still_runs():
    script = "import sys\nfrom kftune.metrics import report\nreport(step=0, loss=0.5)\nsys.stdin.read()"
    trial = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert trial.stdout
    found = MetricParser(["loss"]).feed(os.read(trial.stdout.fileno(), 65536))
    assert trial.poll() is None
    assert found == [Observation("loss", "0.5", 0.5, 0)]
    trial.communicate()

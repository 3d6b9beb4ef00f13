"""Event files written by TensorBoard's own writers, some of them damaged."""

from __future__ import annotations

import json
import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from places import DATA

from kftune.katib.trial.event_files import _masked, rows, scalars
from kftune.katib.trial.protobuf import WireError, delimited, fields, packed

RECORDED = DATA / "recorded_events"
ROWS = json.loads((RECORDED / "rows.json").read_text())
DATA = DATA / "events"
TRAIN = DATA / "train" / "events.out.tfevents"


def framed(record: bytes) -> bytes:
    header = struct.pack("<Q", len(record))
    return header + struct.pack("<I", _masked(header)) + record + struct.pack("<I", _masked(record))


def event(tag: str, value: bytes, wall_time: float = 1.5) -> bytes:
    summary = delimited(1, delimited(1, tag) + value)
    return framed(b"\x09" + struct.pack("<d", wall_time) + b"\x10\x07" + delimited(5, summary))


def tensor(dtype: int, *parts: bytes) -> bytes:
    return delimited(8, bytes([0x08, dtype]) + b"".join(parts))


@pytest.mark.parametrize(("writer", "metric"), [(writer, metric) for writer in ROWS for metric in ROWS[writer]])
def test_values_are_those_that_katibs_collector_stored(writer, metric):
    found = [text for _, text, _ in rows(RECORDED / writer, [metric])]
    stored = ROWS[writer][metric]
    assert found == ["[...]" if text in {"[1.5 2.5]", "[1.5]", "b'abc'", "True"} else text for text in stored]


def test_only_the_names_that_tensorboard_knows_are_read(tmp_path):
    for name in ("events", "x.tfevents.1", "x.tfevents.1.profile-empty"):
        (tmp_path / name).write_bytes(event("loss", b"\x15" + struct.pack("<f", len(name))))
    assert [row[1] for row in rows(tmp_path, ["loss"])] == ["12.0"]


def test_values_are_read_as_they_were_written():
    found = [(scalar.tag, scalar.text, scalar.step) for scalar in scalars(TRAIN)]
    assert found == [("loss", "0.5", 0), ("loss", "0.25", 1), ("loss", "0.125", 2), ("note/text_summary", "[...]", 0)]


def test_a_folder_in_a_metrics_name_selects_the_files():
    assert [row[:2] for row in rows(DATA, ["train/loss"])] == [
        ("train/loss", text) for text in ("0.5", "0.25", "0.125")
    ]
    assert {row[1] for row in rows(DATA, ["loss"])} == {"0.5", "0.25", "0.125", "9.0"}
    assert rows(DATA, ["test/loss"]) == []


def test_a_tag_that_only_begins_with_the_name_counts_as_in_katib():
    assert {row[:2] for row in rows(DATA / "eval", ["acc"])} == {
        ("acc", "0.10000000149011612"),
        ("acc", "0.8999999761581421"),
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"\x15" + struct.pack("<f", 0.3), "0.30000001192092896"),
        (b"\x15" + struct.pack("<f", 1e-5), "9.999999747378752e-06"),
        (b"\x15" + struct.pack("<f", float("nan")), "nan"),
        (tensor(1, delimited(4, struct.pack("<f", 0.1))), "0.1"),
        (tensor(1, delimited(5, struct.pack("<f", 0.1))), "0.1"),
        (tensor(2, delimited(4, struct.pack("<d", 0.1))), "0.1"),
        (tensor(3, b"\x38\x2a"), "42"),
        (tensor(9, delimited(4, struct.pack("<q", -3))), "-3"),
    ],
)
def test_every_kind_of_number_is_read(tmp_path, value, text):
    (tmp_path / "tfevents").write_bytes(event("loss", value))
    assert rows(tmp_path, ["loss"]) == [("loss", text, "1970-01-01T00:00:01Z")]


def test_values_that_are_not_a_single_number_are_stored_as_no_number(tmp_path):
    vector = tensor(1, delimited(2, delimited(2, b"\x08\x02")), delimited(4, struct.pack("<ff", 1, 2)))
    words = tensor(7, delimited(8, b"hello"))
    zero = b"\x15\0\0\0\0"
    (tmp_path / "tfevents").write_bytes(event("loss", zero) + event("loss", vector) + event("loss", words))
    assert [row[1] for row in rows(tmp_path, ["loss"])] == ["[...]", "[...]", "0.0"], "tensors come first, as in Katib"


def test_a_damaged_or_unfinished_record_ends_the_file_there(tmp_path):
    records = [event("loss", b"\x15" + struct.pack("<f", value)) for value in (1, 2, 3)]
    damaged = bytearray(b"".join(records))
    damaged[len(records[0]) + 20] ^= 1
    (tmp_path / "damaged").write_bytes(damaged)
    assert [scalar.text for scalar in scalars(tmp_path / "damaged")] == ["1.0"]
    (tmp_path / "cut").write_bytes(b"".join(records)[:-3])
    assert [scalar.text for scalar in scalars(tmp_path / "cut")] == ["1.0", "2.0"]
    (tmp_path / "other").write_bytes(b"hello" * 10)
    assert list(scalars(tmp_path / "other")) == []


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(data):
    with suppress(WireError):
        list(fields(data))
    with suppress(WireError):
        packed(data)

"""The property that everything rests on: a class reads back exactly what its instance wrote."""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
from datetime import timedelta, timezone
from enum import Enum
from pathlib import Path
from typing import Any

import hparams_examples
import pytest
from hparams_examples import Colour, Everything, Hostile, Level, Mixed, Optimizer, Schedule, Size
from hypothesis import example, given
from hypothesis import strategies as st
from places import SUPPORT

from kftune import Choice, Hparam, Hparams, yaml_text
from kftune.errors import HparamsError

HOSTILE = [
    *("", " ", "null", "true", "1", "1e-05", "-3", "--", "--flag=1", "=", "a=b", "'", '"', '"null"', '""', "\\", "\\n"),
    *("\n", "a\nb\r\n\tc", "$HOME", "${trialParameters.lr}", "`id`", "$(id)", "a;b|c&d>e<f", "*", "~", "#", "!", "%41"),
    *(
        "kftune:",
        "kftune:text:a",
        "kftune:quantile:x:0.5",
        "NaN",
        "None",
        "{}",
        "[1]",
        "é",
        "\u2028",
        "\ufeff",
        "\U0001f600",
    ),
    *("\0", "a\0b", "\x01", "\x7f", "\x85", "a b  c ", "yes", "012", "0x1F", "-", "+", "\u202etxet", "e\u0301"),
]
TEXTS = st.text() | st.sampled_from(HOSTILE) | st.text(alphabet="\"'\\ =-\n\0$nulkfte:1")
INTEGERS = st.integers() | st.sampled_from([10**400, -(10**400), 2**63, -(2**63) - 1])
TINY = [5e-324, -5e-324, 2.2250738585072014e-308, -1e-310, 1e-05, -0.0, 1e16, 1e22, 1.7976931348623157e308, 1 / 3]
REALS = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(TINY)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | INTEGERS | REALS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
ZONES = st.none() | st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
PATHS = TEXTS.map(Path)


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Values for some of the fields, often for few of them."""
    return st.fixed_dictionaries({}, optional=fields)


OPTIMIZERS = some(
    lr=REALS, name=TEXTS, betas=st.tuples(REALS, REALS), kwargs=st.dictionaries(TEXTS, JSON_VALUES, max_size=2)
).map(lambda values: Optimizer(**values))
SCHEDULES = some(
    optimizer=OPTIMIZERS,
    warmup=st.none() | OPTIMIZERS,
    cooldown=st.none() | OPTIMIZERS,
    steps=st.none() | INTEGERS,
).map(lambda values: Schedule(**values))
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "flag": st.booleans(),
    "number": INTEGERS,
    "real": REALS,
    "text": TEXTS,
    "maybe_flag": st.none() | st.booleans(),
    "maybe_number": st.none() | INTEGERS,
    "maybe_real": st.none() | REALS,
    "maybe_text": st.none() | TEXTS,
    "word": st.sampled_from(["a", "null", "--b", 'c"']),
    "digit": st.sampled_from([1, 2]),
    "odd": st.sampled_from([1, "1", True, None]),
    "maybe_word": st.sampled_from(["a", "null", None]),
    "word_or_none": st.sampled_from(["a", "null", None]),
    "colour": st.sampled_from(Colour),
    "maybe_colour": st.none() | st.sampled_from(Colour),
    "size": st.sampled_from(Size),
    "level": st.sampled_from(Level),
    "mixed": st.sampled_from(Mixed),
    "numbers": st.lists(INTEGERS, max_size=3),
    "texts": st.lists(TEXTS, max_size=3),
    "table": st.dictionaries(TEXTS, st.none() | REALS, max_size=3),
    "by_number": st.dictionaries(INTEGERS, st.lists(st.booleans(), max_size=2), max_size=3),
    "pair": st.tuples(INTEGERS, TEXTS),
    "row": st.lists(REALS, max_size=3).map(tuple),
    "members": st.sets(INTEGERS, max_size=4),
    "words": st.frozensets(TEXTS, max_size=4),
    "number_or_text": INTEGERS | TEXTS,
    "number_text_or_none": st.none() | INTEGERS | TEXTS,
    "number_or_real": INTEGERS | REALS,
    "path": PATHS,
    "maybe_path": st.none() | PATHS,
    "moment": st.datetimes(timezones=ZONES),
    "day": st.dates(),
    "span": st.timedeltas(),
    "identifier": st.uuids(),
    "anything": JSON_VALUES,
    "schedule": SCHEDULES,
    "maybe_schedule": st.none() | SCHEDULES,
    "optimizers": st.lists(OPTIMIZERS, max_size=2),
}
EVERYTHING = some(**FIELDS).map(lambda values: Everything(**values))


def test_every_field_of_the_example_is_drawn():
    assert set(FIELDS) == set(Everything.model_fields)


def is_same(one: Hparams, other: Hparams) -> bool:
    """Equality in which 1, 1.0 and true are three values."""
    return one == other and one.content_hash() == other.content_hash()


@given(EVERYTHING)
def test_a_class_reads_back_what_its_instance_wrote(values):
    argv = values.to_args()
    assert is_same(Everything.from_args(argv), values)
    assert all(token.startswith("--") and "=" in token and "\0" not in token for token in argv)


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_reads_back_each_of_its_values(name):
    @given(FIELDS[name])
    def check(value):
        made = Everything(**{name: value})
        again = Everything.from_args(made.to_args())
        assert is_same(again, made)
        assert type(again[name]) is type(made[name])

    check()


@pytest.mark.parametrize("text", HOSTILE, ids=repr)
@pytest.mark.parametrize(
    "make",
    [
        lambda text: Everything(text=text),
        lambda text: Everything(maybe_text=text),
        lambda text: Everything(texts=[text, text]),
        lambda text: Everything(table={text: 1.0}),
        lambda text: Everything(pair=(1, text)),
        lambda text: Everything(words=frozenset([text])),
        lambda text: Everything(number_or_text=text),
        lambda text: Everything(number_text_or_none=text),
        lambda text: Everything(path=Path(text)),
        lambda text: Everything(anything=text),
        lambda text: Everything(anything={text: [text]}),
        lambda text: Everything(schedule=Schedule(optimizer=Optimizer(name=text))),
        lambda text: Everything(maybe_schedule=Schedule(warmup=Optimizer(name=text, kwargs={text: text}))),
        lambda text: Everything(optimizers=[Optimizer(name=text)]),
    ],
)
def test_hostile_texts_come_back_from_any_field(text, make):
    values = make(text)
    assert is_same(Everything.from_args(values.to_args()), values)


@given(EVERYTHING)
def test_assignments_dicts_and_yaml_read_back_too(values):
    assert is_same(Everything.from_assignments(values.to_assignments()), values)
    assert is_same(Everything.from_dict(values.to_dict()), values)
    assert is_same(Everything.from_dict(json.loads(json.dumps(values.to_dict()))), values)
    assert is_same(Everything.from_dict(yaml_text.load(values.to_yaml())), values)  # type: ignore[arg-type]


@given(EVERYTHING)
def test_a_flag_and_its_value_may_be_two_tokens_and_dashes_may_be_underscores(values):
    pairs = [token.split("=", 1) for token in values.to_args()]  # in two tokens, a value that is a flag is a mistake
    tokens = [part for pair in pairs for part in (["=".join(pair)] if pair[1].startswith("--") else pair)]
    dashed = [token.partition("=") for token in values.to_args()]
    assert is_same(Everything.from_args(tokens), values)
    assert is_same(Everything.from_args([f"{flag.replace('_', '-')}={text}" for flag, _, text in dashed]), values)


@given(EVERYTHING)
@example(Everything(text="--"))  # argparse takes it for the mark that ends the options
def test_a_hand_written_parser_reads_the_same(values):
    parser = argparse.ArgumentParser()
    Everything.add_to_argparse(parser)
    namespace = parser.parse_args(values.to_args())
    assert is_same(Everything.from_namespace(namespace), values)
    assert namespace.text == values.text
    assert vars(namespace)["schedule.optimizer.lr"] == values.schedule.optimizer.lr


@given(EVERYTHING, EVERYTHING)
def test_only_equal_values_share_command_line_hash_and_diff(one, other):
    assert (one.to_args() == other.to_args()) == (one.content_hash() == other.content_hash())
    assert one.to_args() != other.to_args() or (one == other and hash(one) == hash(other))
    assert bool(one.diff(other)) == (one.to_flat() != other.to_flat())


@given(JSON_VALUES, st.dictionaries(st.text(st.characters(codec="ascii", categories=["L"]), min_size=1), JSON_VALUES))
@example(1.0, {"a.b": "1"})
def test_what_a_class_takes_beyond_its_fields_reads_back_too(value, extras):
    class Open(Hparams, extra="allow"):
        known: int = 1

    class Outer(Hparams):
        inner: Open = Open()

    free = {name: value for name, value in extras.items() if name != "known" and not hasattr(Hparams, name)}
    made = Open(**free, other=value)  # type: ignore[call-arg]
    assert is_same(Open.from_args(made.to_args()), made)
    outer = Outer(inner=made)
    assert is_same(Outer.from_args(outer.to_args()), outer)


# -- through a real process --------------------------------------------------------------------------------------------

CHUNKS = [HOSTILE[start : start + 20] for start in range(0, len(HOSTILE), 20)]


@pytest.mark.parametrize("texts", CHUNKS, ids=["first", "second", "third"])
def test_hostile_texts_reach_a_real_process_byte_for_byte(texts):
    names = [f"{letter}{number:02}" for letter in "tn" for number in range(10)]
    values = Hostile(**dict(zip(names, texts, strict=False)), plain={text: text for text in texts}, listed=texts)
    argv = values.to_args()
    command = [sys.executable, hparams_examples.__file__, *argv]
    answer = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert answer["bytes"] == [list(os.fsencode(token)) for token in argv]
    assert Hostile(**answer["values"]) == values


def test_a_real_process_reports_a_mistake_in_one_line_and_exit_2():
    command = [sys.executable, hparams_examples.__file__, "--t00=a", "--t1=b"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == f"{hparams_examples.__file__}: Hostile has no hyperparameter 't1'; did you mean 't01'?\n"


def test_a_real_process_shows_its_hyperparameters_on_help():
    command = [sys.executable, hparams_examples.__file__, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stdout.startswith(
        "Text fields of three forms, for values that must survive a real process border.\n\nhyper"
    )
    assert "  --n09\n        (default null)\n" in done.stdout


def test_hashes_and_command_lines_are_the_same_in_every_process():
    code = (
        "from hparams_examples import Everything\n"
        "h = Everything(words=frozenset('abcdefgh'), members={3, 1, 20}, number_or_real=1.0, maybe_text='é')\n"
        "print(h.content_hash(), hash(h.content_hash()) is not None, h.to_args())"
    )
    answers = set()
    for seed in ("0", "1", "2"):
        environment = {**os.environ, "PYTHONPATH": str(SUPPORT), "PYTHONHASHSEED": seed}
        answers.add(
            subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True).stdout
        )
    assert len(answers) == 1
    assert b'--words=["a", "b", "c", "d", "e", "f", "g", "h"]' in answers.pop()


# -- forms -------------------------------------------------------------------------------------------------------------


def test_texts_look_as_people_would_write_them():
    values = Everything(
        flag=True,
        real=1e-5,
        text="two words",
        maybe_text="null",
        colour=Colour.NULL,
        size=Size.LARGE,
        level=Level.HIGH,
        numbers=[1, 2],
        table={"é": None},
        members={20, 3, 100},
        path=Path("a/b"),
    )
    texts = values.to_assignments()
    shown = {name: texts[name] for name in Everything.model_fields if name in texts}
    assert (
        shown
        | {
            "flag": "true",
            "real": "1e-05",
            "text": "two words",
            "maybe_text": '"null"',
            "maybe_flag": "null",
            "colour": "null",
            "size": "large",
            "level": "2",
            "numbers": "[1, 2]",
            "table": '{"é": null}',
            "members": "[3, 20, 100]",
            "path": "a/b",
            "maybe_schedule": "null",
        }
        == shown
    )
    assert texts["schedule.optimizer.lr"] == "0.5"
    assert texts["schedule.warmup"] == "null"
    assert "schedule" not in texts
    assert Everything(text="a\0b").to_assignments()["text"] == "kftune:text:a%00b"


class Tone(str, Enum):  # noqa: UP042  # older code mixes str in by hand, and its str() differs
    LOUD = "loud"
    SOFT = "soft"


class Sounding(Hparams):
    tone: Tone = Hparam(Tone.LOUD, search=Choice(Tone.LOUD, Tone.SOFT))


def test_members_of_any_enum_are_written_as_their_values():
    assert Sounding(tone=Tone.SOFT).to_args() == ["--tone=soft"]
    assert Sounding.leaf("tone").encode(Tone.SOFT) == "soft"
    assert Sounding.space()["tone"].quantile(0) == "loud"
    assert type(Sounding.leaf("tone").encode(Sounding.space()["tone"].quantile(0))) is str


@pytest.mark.parametrize("value", [math.nan, math.inf, [1.0, -math.inf]], ids=repr)
def test_a_number_that_is_not_finite_is_never_written(value):
    made = Everything(anything=value)
    with pytest.raises(HparamsError, match="anything: numbers must be finite, but got"):
        made.to_args()

"""Values are set in YAML text, and no other byte changes."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from yaml_documents import NEW_VALUES, Document, Writer

from kftune import yaml_text
from kftune.applying import Target, plan
from kftune.errors import KftuneError, UsageError, YamlError

SEEDS = st.integers(0, 2**32)


def changed(text: str, at: str, values: dict[str, Any], folder: Path, **options: bool) -> str:
    """Returns the text with values set."""
    path = folder / "config.yaml"
    path.write_bytes(text.encode())
    return plan(values, Target(path, at), None, **options).content.decode()


def inner(value: Any, at: str) -> Any:
    """Returns the value at a path."""
    for key in filter(None, at.split("/")):
        value = value[key]
    return value


def check(seed: int, folder: Path) -> None:
    document: Document = Writer(seed).document()
    rng = random.Random(seed)
    values = {name: rng.choice(NEW_VALUES[name]) for name in document.names}
    before: Any = yaml_text.load(document.text)
    text = changed(document.text, document.at, values, folder)
    replaced = document.replaced_in(text)
    assert replaced is not None, text
    after: Any = yaml_text.load(text)
    found = dict(inner(after, document.at))
    # Quotes around a number stay.
    wanted = {name: found[name] if replaced[name][:1] in ("'", '"') else value for name, value in values.items()}
    assert {name: found[name] for name in values} == wanted
    assert all(
        str(found[name]).lower() == str(value).lower() or yaml_text.load(str(found[name])) == value
        for name, value in values.items()
    )
    for each in (before, after):
        inner(each, document.at).update(values)
    assert before == after
    older: Any = yaml.load(text, yaml.CSafeLoader)
    assert {name: inner(older, document.at)[name] for name in values} == {name: found[name] for name in values}
    assert changed(text, document.at, values, folder) == text


@given(SEEDS)
@settings(max_examples=60, deadline=None)
def test_only_the_values_that_are_set_change(tmp_path_factory: pytest.TempPathFactory, seed: int):
    check(seed, tmp_path_factory.mktemp("document"))


@pytest.mark.nightly
@given(SEEDS)
@settings(max_examples=1000, deadline=None)
def test_only_the_values_that_are_set_change_in_1000_documents(tmp_path_factory: pytest.TempPathFactory, seed: int):
    check(seed, tmp_path_factory.mktemp("document"))


def is_part_of(old: str, new: str) -> bool:
    """Whether all characters of a text are in another one, in their order."""
    rest = iter(new)
    return all(sign in rest for sign in old)


@given(SEEDS)
@settings(max_examples=60, deadline=None)
def test_keys_that_are_added_leave_the_rest_as_it_is(tmp_path_factory: pytest.TempPathFactory, seed: int):
    document: Document = Writer(seed).document()
    values = {
        "new": 1e-05,
        "group": {"inner": "yes", "other": [1, 2]},
        "text": random.Random(seed).choice(NEW_VALUES["name"]),
    }
    text = changed(document.text, document.at, values, tmp_path_factory.mktemp("document"), add=True)
    assert is_part_of(document.text, text)
    before: Any = yaml_text.load(document.text)
    inner(before, document.at).update(values)
    assert yaml_text.load(text) == before
    assert ("\r\n" in document.text) == ("\r\n" in text)
    assert changed(text, document.at, values, tmp_path_factory.mktemp("again")) == text


A = {"a.lr": 0.003}

SET = {
    "a comment beside it": ("a:\n  lr: 0.1  # c\n", "a:\n  lr: 0.003  # c\n"),
    "no line break at the end": ("a: {lr: 0.1}", "a: {lr: 0.003}"),
    "a byte order mark": ("\ufeffa:\n  lr: 0.1\n", "\ufeffa:\n  lr: 0.003\n"),
    "Windows line breaks": ("a:\r\n  lr: 0.1\r\n", "a:\r\n  lr: 0.003\r\n"),
    "a tab before a comment": ("a:\n  lr: 0.1\t# c\n", "a:\n  lr: 0.003\t# c\n"),
    "an anchor that nothing uses": ("a:\n  lr: &x 0.1\n", "a:\n  lr: &x 0.003\n"),
    "a key in quotes": ("'a':\n  \"lr\": 0.1\n", "'a':\n  \"lr\": 0.003\n"),
    "a key with a dot": ("a.lr: 0.1\n", "a.lr: 0.003\n"),
    "nothing behind the colon": ("a:\n  lr: # soon\n  b: 1\n", "a:\n  lr: 0.003 # soon\n  b: 1\n"),
    "nothing behind the colon, in brackets": ("a: {lr: , b: 1}\n", "a: {lr: 0.003 , b: 1}\n"),
    "null": ("a:\n  lr: ~\n", "a:\n  lr: 0.003\n"),
    "an alias": ("x: &x 0.1\na:\n  lr: *x\n", "x: &x 0.1\na:\n  lr: 0.003\n"),
    "an alias in brackets": ("x: &x 0.1\na: {lr: *x , b: 1}\n", "x: &x 0.1\na: {lr: 0.003 , b: 1}\n"),
    "JSON": ('{"a":{"lr":0.1,"b":[1,2]}}\n', '{"a":{"lr":0.003,"b":[1,2]}}\n'),
    "another document": ("b: 1\n---\na: {lr: 0.1}\n", "b: 1\n---\na: {lr: 0.003}\n"),
    "a tag elsewhere": ("b: !env X\na: {lr: 0.1}\n", "b: !env X\na: {lr: 0.003}\n"),
    "a key twice elsewhere": ("b: {c: 1, c: 2}\na: {lr: 0.1}\n", "b: {c: 1, c: 2}\na: {lr: 0.003}\n"),
    "another case": ("A:\n  Lr: 0.1\n", "A:\n  Lr: 0.003\n"),
    "the same value in another form": ("a:\n  lr: 3e-3\n", "a:\n  lr: 3e-3\n"),
}


@pytest.mark.parametrize(("text", "wanted"), SET.values(), ids=SET)
def test_a_value_is_set_in_its_place(tmp_path: Path, text: str, wanted: str):
    at = "a" if "---" in text else ""
    values = {"lr": 0.003} if at else A
    assert changed(text, at, values, tmp_path) == wanted


@pytest.mark.parametrize(
    ("present", "value", "wanted"),
    [
        ("1", 1e-05, "1.0e-05"),  # to readers of YAML 1.1, 1e-05 is text
        ("1", 1e22, "1.0e+22"),
        ("a", "1e-5", '"1e-5"'),
        ("a", "yes", '"yes"'),
        ("'a'", "it's", "'it''s'"),
        ('"a"', 'say "x"', '"say \\"x\\""'),
        ("a", "two\nlines", '"two\\nlines"'),
        ("'8'", 16, "'16'"),
        ("'auto'", 16, "16"),
        ("1", None, "null"),
        ("1", [1, "x, y"], '[1, "x, y"]'),
        ("[1, 2]", [1, 3], "[1, 3]"),
        ("[1, 2]", [3], "[3]"),
        ("[1, 2]", None, "null"),
        ("{a: 1, b: [2]}", {"b": [3], "a": 1}, "{a: 1, b: [3]}"),
        ("\n  - 1 # first\n  - 2", [1, 5], "\n  - 1 # first\n  - 5"),
    ],
)
def test_a_value_is_written_so_that_all_readers_agree_and_in_its_quotes(tmp_path: Path, present, value, wanted):
    assert changed(f"x: {present}\n", "", {"x": value}, tmp_path) == f"x: {wanted}\n"


ADDED = {
    "lines": ("a:\n   b: 1 # c\n# d\ne: 1\n", "a:\n   b: 1 # c\n   lr: 0.003\n# d\ne: 1\n"),
    "lines without a break at the end": ("a:\n  b: 1", "a:\n  b: 1\n  lr: 0.003"),
    "lines after a deeper mapping": ("a:\n  b:\n    c: [1]\nd: 1\n", "a:\n  b:\n    c: [1]\n  lr: 0.003\nd: 1\n"),
    "lines after text": ("a:\n  b: |\n    x\n\nd: 1\n", "a:\n  b: |\n    x\n\n  lr: 0.003\nd: 1\n"),
    "lines after nothing": ("a:\n  b:\nd: 1\n", "a:\n  b:\n  lr: 0.003\nd: 1\n"),
    "brackets": ("a: {b: 1}\n", "a: {b: 1, lr: 0.003}\n"),
    "brackets with a last comma": ("a: {b: 1,}\n", "a: {b: 1, lr: 0.003}\n"),
    "empty brackets": ("a: {}\n", "a: {lr: 0.003}\n"),
    "brackets over lines": ("a: {\n  b: 1 # c\n}\n", "a: {\n  b: 1, # c\n  lr: 0.003\n}\n"),
    "JSON over lines": ('{"a": {\n  "b": 1\n}}\n', '{"a": {\n  "b": 1,\n  "lr": 0.003\n}}\n'),
    "no value": ("a: # c\nd: 1\n", "a: # c\n  lr: 0.003\nd: 1\n"),
    "no mapping": ("d: 1\n", "d: 1\na:\n  lr: 0.003\n"),
    "a merged value": ("x: &x {lr: 1}\na:\n  <<: *x\n", "x: &x {lr: 1}\na:\n  <<: *x\n  lr: 0.003\n"),
}


@pytest.mark.parametrize(("text", "wanted"), ADDED.values(), ids=ADDED)
def test_a_key_is_added_in_the_style_of_its_mapping(tmp_path: Path, text: str, wanted: str):
    assert changed(text, "", A, tmp_path, add=True) == wanted


PATHS = {
    "a/b": "a: {b: {lr: 1}}\n",
    "/a/b": "a: {b: {lr: 1}}\n",
    "a.b": "a: {b: {lr: 1}}\n",
    "a/v1.2": "a: {v1.2: {lr: 1}}\n",
    r"a.v1\.2": "a: {v1.2: {lr: 1}}\n",
    r"a/x\/y": "a: {x/y: {lr: 1}}\n",
    "a/1": "a: [{n: x}, {lr: 1}]\n",
    "a/name=C2": "a:\n- name: C1\n  lr: 2\n- {name: C2, lr: 1}\n",
    "2024": "2024: {lr: 1}\n",
    "": "lr: 1\n",
}


@pytest.mark.parametrize(("at", "text"), PATHS.items(), ids=PATHS)
def test_a_path_leads_to_a_mapping(tmp_path: Path, at: str, text: str):
    assert changed(text, at, {"lr": 7}, tmp_path) == text.replace("lr: 1", "lr: 7")


REFUSED = {
    "text": ("lr: |\n  1\n", "is a block of text", 1, 5),
    "a text over lines": ('b: 1\nlr: "1\n  2"\n', "over several lines", 2, 5),
    "a tag": ("lr: !!float 1\n", "has the tag !!float", 1, 5),
    "a list over lines": ("lr:\n- 1\n- 2\n", "list or mapping on several lines", 2, 1),
    "a key twice": ("lr: 1\nlr: 2\n", "is already given at line 1, column 1", 2, 1),
    "an anchor that is used": ("lr: &x 1\nb: *x\n", "which line 2 uses too", 1, 5),
    "an anchor alone": ("lr: &x\n", "is an anchor alone", 1, 5),
    "a mapping that merges itself": ("a: &a {<<: *a}\n", "needs a value &a that ends before it", 1, 12),
    "two keys alike": ("l-r: 1\nL_R: 2\n", "could be 'l-r' or 'L_R'", 1, 1),
}


@pytest.mark.parametrize(("text", "problem", "line", "column"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_changed_safely_is_refused_with_its_place(tmp_path: Path, text, problem, line, column):
    with pytest.raises(YamlError, match=problem) as raised:
        changed(text, "", {"lr": 7}, tmp_path)
    assert (raised.value.line, raised.value.column) == (line, column)


WHERE = {
    "an unknown key": ("a: {b: {lr: 1}}\n", "a/c", "a has no 'c'"),
    "a list": ("a: [{lr: 1}]\n", "a", "must be a mapping of values, but is a list"),
    "a number": ("a: 1\n", "a", "must be a mapping of values, but is '1'"),
    "an alias": ("x: &x {lr: 1}\na: *x\n", "a", r"a is \*x, the mapping of line 1"),
    "through an alias": ("x: &x {b: {lr: 1}}\na: *x\n", "a/b", r"a is \*x, the mapping of line 1"),
    "two documents": ("a: {lr: 1}\n---\na: {lr: 1}\n", "a", "is in 2 documents"),
    "an empty file": ("", "a", "the file is empty"),
    "a mapping that others merge": ("a: &a {lr: 1}\nb: {<<: *a}\n", "a", "which line 2 uses too"),
    "a broken file": ("a: {lr: 1\n", "a", "expected ',' or '}'"),
}


@pytest.mark.parametrize(("text", "at", "problem"), WHERE.values(), ids=WHERE)
def test_a_path_that_leads_to_no_mapping_of_its_own_is_refused(tmp_path: Path, text: str, at: str, problem: str):
    with pytest.raises(YamlError, match=problem):
        changed(text, at, {"lr": 7}, tmp_path)


def test_a_value_that_others_use_changes_when_that_is_wanted(tmp_path: Path):
    text = "a: &a {lr: 1}\nb: {<<: *a}\n"
    assert changed(text, "a", {"lr": 7}, tmp_path, shared=True) == text.replace("1", "7")


def test_an_item_of_a_list_that_others_use_is_refused(tmp_path: Path):
    with pytest.raises(YamlError, match="is &x, which line 2 uses too"):
        changed("lr: [&x 1, 2]\nb: *x\n", "", {"lr": [7, 2]}, tmp_path)


def test_keys_are_added_to_items_of_lists(tmp_path: Path):
    text = "a:\n- b: 1\n- {c: 1}\n-\n  - d: 1\n"
    text = changed(text, "a/0", {"lr": 7}, tmp_path, add=True)
    text = changed(text, "a/c=1", {"lr": 7}, tmp_path, add=True)
    text = changed(text, "a/2/0", {"lr": 7}, tmp_path, add=True)
    assert text == "a:\n- b: 1\n  lr: 7\n- {c: 1, lr: 7}\n-\n  - d: 1\n    lr: 7\n"


def test_a_missing_key_is_named_with_near_ones(tmp_path: Path):
    with pytest.raises(UsageError, match=r"no key for learning_rate \(did you mean 'learning_rat'\?\)"):
        changed("learning_rat: 1\n", "", {"learning_rate": 7}, tmp_path)


def test_another_encoding_is_refused(tmp_path: Path):
    (tmp_path / "config.yaml").write_bytes("lr: 1 # é\n".encode("latin-1"))
    with pytest.raises(KftuneError, match="must be UTF-8"):
        Target(tmp_path / "config.yaml", "")

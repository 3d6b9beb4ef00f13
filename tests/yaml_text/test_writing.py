"""YAML text that every reader reads the same way."""

from __future__ import annotations

import contextlib
import enum
import io
import json
import math
import re
import shutil
import subprocess
import sys
import textwrap
import tracemalloc
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from recorded import cases
from ruamel.yaml import YAML

from kftune.errors import KftuneError, YamlError
from kftune.yaml_text import dump, dump_all, load, load_all, write_all

RECORDED = cases("scalars")
SCALARS = [case["plain"] for case in RECORDED]
MISREAD = [case for case in RECORDED if {case["kubectl"], case["pyyaml"]} != {"string"}]

KUBECTL = shutil.which("kubectl")
needs_kubectl = pytest.mark.skipif(KUBECTL is None, reason="kubectl, the Go reader, is not installed")

# Text that YAML could trip over: its signs beside letters and digits, and all that Unicode has.
texts = st.one_of(
    st.text(max_size=20),
    st.text(alphabet="ab01yn eE+-._:#,?!&*|>@`%'\"[]{}=~<\\/$\n\t\r", max_size=12),
    st.sampled_from(SCALARS),
)
finite_scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False), texts
)
scalars = st.one_of(finite_scalars, st.floats(), st.integers())


def nested(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves,
        lambda values: st.one_of(st.lists(values, max_size=4), st.dictionaries(texts, values, max_size=4)),
        max_leaves=12,
    )


def read_by_ruamel(text: str, version: tuple[int, int]) -> Any:
    reader = YAML(typ="safe", pure=True)
    reader.version = version
    return reader.load(text)


READERS = {
    "PyYAML": yaml.safe_load,
    "PyYAML with libyaml": lambda text: yaml.load(text, Loader=yaml.CSafeLoader),
    "ruamel, YAML 1.1": lambda text: read_by_ruamel(text, (1, 1)),
    "ruamel, YAML 1.2": lambda text: read_by_ruamel(text, (1, 2)),
    "kftune": load,
}
every_reader = pytest.mark.parametrize("read", READERS.values(), ids=READERS.keys())


def read_by_kubectl(value: Any, folder: Path) -> Any:
    """Returns the value as kubectl reads it in the spec of a custom resource, without a cluster."""
    manifest = folder / "manifest.yaml"
    resource = {"apiVersion": "kftune.test/v1", "kind": "Any", "metadata": {"name": "any"}, "spec": {"value": value}}
    manifest.write_text(dump(resource), encoding="utf-8", newline="\n")
    done = subprocess.run(
        [str(KUBECTL), "annotate", "--local", "-f", str(manifest), "-o", "json", "kftune.test/read=yes"],
        capture_output=True,
        check=True,
    )
    # kubectl writes a large float without a dot; all numbers here fit a float.
    return json.loads(done.stdout, parse_int=float)["spec"]["value"]


@every_reader
def test_every_reader_gives_back_the_recorded_scalars_as_text(read):
    assert read(dump(SCALARS)) == SCALARS
    assert read(dump({"values": {text: text for text in SCALARS}})) == {"values": {text: text for text in SCALARS}}
    assert [read(dump(text)) for text in SCALARS] == SCALARS


@pytest.mark.parametrize("case", MISREAD, ids=lambda case: case["plain"])
def test_a_string_that_a_recorded_reader_took_for_something_else_is_never_bare(case):
    assert dump(case["plain"]) == json.dumps(case["plain"], ensure_ascii=False) + "\n"


@pytest.mark.parametrize(
    "text",
    [
        "kubeflow.org/v1beta1",
        "registry.example/circuits:1",
        "/bin/sh",
        "circuits-lstm",
        "val_loss",
        "python -m circuits.train",
        "--lr=${trialParameters.lr}",
        "team=plant,kind=lstm",
        "_",
        "y1",
        "nothing",
        "e1",
    ],
)
def test_everyday_text_stays_bare(text):
    assert dump({text: text}) == f"{text}: {text}\n"


@pytest.mark.parametrize("text", ["y", "Y", "n", "oFF", "NuLL", "None", "NaN", "Infinity", "=", "<<", "", "1e3", "a:"])
def test_a_doubtful_string_is_quoted_as_value_and_as_key(text):
    assert dump({text: [text]}) == f'"{text}":\n- "{text}"\n'


def test_the_layout_is_that_of_kubernetes_manifests():
    value = {
        "spec": {
            "containers": [{"name": "train", "args": ["--lr=0.1", "x: y"]}, {}],
            "replicas": 2,
            "goal": 1e-5,
            "suspend": False,
            "selector": None,
            "volumes": [],
            "grid": [[1, 2], [["a"]], []],
            "script": "set -e\n\nif x; then\n  y\nfi\n",
            "steps": ["a\n# b", ["c\nd"]],
        },
        "a b\nc": "\t",
    }
    assert dump(value) == textwrap.dedent(
        r"""
        spec:
          containers:
          - name: train
            args:
            - --lr=0.1
            - "x: y"
          - {}
          replicas: 2
          goal: 1.0e-05
          suspend: false
          selector: null
          volumes: []
          grid:
          - - 1
            - 2
          - - - a
          - []
          script: |
            set -e

            if x; then
              y
            fi
          steps:
          - |-
            a
            # b
          - - |-
              c
              d
        "a b\nc": "\t"
        """
    ).removeprefix("\n")


@every_reader
@given(value=nested(scalars))
@example(value={"k" * 900: ["x" * 5000, "\x7f\x85\u2028\u2029\ufeff\uffff\U0001f600\U000e0001\x00\x1b"]})
@example(value=["a\n b\n\nc", "a\n\n", "\na", " a\nb", "a\nb ", "a\tb\nc", "#a\n#b\n", "a\n---\n...\nb", "é\n日本\n"])
def test_what_is_written_is_read_back(read, value):
    back = read(dump(value))
    assert repr(back) == repr(value)


@every_reader
@given(number=st.floats())
@example(number=1e-05)
@example(number=1e16)
@example(number=5e-324)
@example(number=-0.0)
@example(number=math.inf)
def test_a_float_is_the_same_float_to_every_reader(read, number):
    assert repr(read(dump([number]))) == repr([number])


@needs_kubectl
@given(value=nested(finite_scalars))
@example(value=SCALARS)
@example(value={text: text for text in SCALARS})
@example(
    value=["a\n b\n\nc\n", "#a\n#b", "a\n---\n...\nb", "\x7f\x85\u2028\ufeff\U0001f600\x00", "é\n日本", 1e-05, 1e22]
)
def test_kubectl_reads_what_is_written(value, tmp_path_factory):
    assert read_by_kubectl(value, tmp_path_factory.mktemp("kubectl")) == value


def test_equal_values_give_equal_text_and_keys_keep_their_order():
    assert dump({"b": 1, "a": (1, 2)}) == dump({"b": 1, "a": [1, 2]}) == "b: 1\na:\n- 1\n- 2\n"


def test_a_subclass_is_written_as_its_base_type():
    class Kind(enum.StrEnum):
        JOB = "y"

    class Level(enum.IntEnum):
        HIGH = 3

    class Grams(float):
        def __repr__(self) -> str:
            return "grams"

    value = {Kind.JOB: Kind.JOB, "level": Level.HIGH, "mass": Grams(2.5), "map": OrderedDict(a=(Kind.JOB,))}
    assert dump(value) == '"y": "y"\nlevel: 3\nmass: 2.5\nmap:\n  a:\n  - "y"\n'
    assert dump(()) == "[]\n"
    assert dump((Kind.JOB,)) == '- "y"\n'


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"spec": [1, {"tags": {1}}]}, "at spec[1].tags: a value must be a dict"),
        ({"spec": {"x": ("a", object())}}, "at spec.x[1]: "),
        (b"bytes", "bytes"),
        ({"spec": {1: "a"}}, "at spec: a key must be a string, and 1 is an int"),
        ({None: 1}, "None is a NoneType"),
        ({"spec": ["\ud800"]}, "at spec[0]: text must be Unicode, and U+D800"),
        ({"\udfff": 1}, "U+DFFF"),
        ({"n": 10**5000}, "at n: an integer has more digits"),
        ({"k" * 1001: 1}, "a key may take 1000 characters"),
    ],
)
def test_what_yaml_cannot_express_is_refused_with_its_place(value, words):
    with pytest.raises(YamlError, match=re.escape(words)) as refused:
        dump(value)
    assert isinstance(refused.value, KftuneError)
    str(refused.value).encode()


def test_a_value_that_contains_itself_is_refused():
    loop: list[Any] = [{}]
    loop[0]["again"] = loop
    with pytest.raises(YamlError, match="contains itself"):
        dump(loop)


def test_a_hundred_and_ninety_levels_are_written_and_read():
    value: Any = "deep"
    for _ in range(95):
        value = {"a": [value]}
    assert load(dump(value)) == value


def test_documents_are_separated_by_three_dashes():
    documents: list[Any] = [{"a": 1}, "y", []]
    assert dump_all(documents) == 'a: 1\n---\n"y"\n---\n[]\n'
    assert dump_all([]) == ""
    file = io.StringIO()
    write_all(iter(documents), file)
    assert file.getvalue() == dump_all(documents)
    assert list(load_all(dump_all(documents))) == documents


def test_memory_stays_flat_however_many_documents_are_written():
    class Nowhere:
        written = 0

        def write(self, text: str) -> None:
            self.written += len(text)

    def peak(count: int) -> int:
        sink = Nowhere()
        documents = ({f"key{i}-{j}": f"{i} é {j}" for j in range(20)} | {"script": f"{i}" * 4000} for i in range(count))
        tracemalloc.start()
        with contextlib.ExitStack() as stack:
            stack.callback(tracemalloc.stop)
            write_all(documents, sink)
            assert sink.written > count * 4000
            return tracemalloc.get_traced_memory()[1]

    assert peak(2000) < peak(20) + 3 * 2**20


def test_writing_imports_no_pyyaml():
    code = "import sys, kftune.yaml_text as y; y.dump({'a': 1}); sys.exit('yaml' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0

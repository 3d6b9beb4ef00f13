"""kftune's own regular expressions take linear time, whatever text they are given."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from pumped import texts

from kftune.katib.trial import kubelet
from kftune.scripts import prints

SOURCE = Path(__file__).parents[2] / "src" / "kftune"
FILES = {path: text for path in sorted(SOURCE.rglob("*.py")) if "re." in (text := path.read_text())}
METHODS = ("search", "match", "fullmatch", "finditer", "findall", "sub", "split", "subn")
MANY = ("findall", "sub", "split", "subn")

CALLS = re.compile(rf"(\b\w+)\.({'|'.join(METHODS)})\b")
CALLED: dict[str, set[str]] = {}
for name, method in (found for text in FILES.values() for found in CALLS.findall(text)):
    CALLED.setdefault(name, set()).add(method)

# Patterns that are used under another name.
USED = {"_ONE_WORD": {"fullmatch"}, "_WORDS": {"fullmatch"}}
USED |= {name: {"match"} for name in ("_DOLLAR_QUOTED", "_UNTIL_QUOTE", "_UNTIL_BACKTICK")}
# The first runs only on what fulfils `_DURATION`, where its matches follow each other; the second on 300 characters,
# and the third up to the last bracket.
EXCEPT = {"([0-9.]+)([smhd])", prints._NAMED.pattern, kubelet._REFERENCE.pattern}


def in_file(path: Path, text: str) -> Iterator[tuple[str, re.Pattern[Any], set[str]]]:
    """Yields the patterns of a module, and how they are used."""
    name = ".".join(("kftune", *path.relative_to(SOURCE).with_suffix("").parts)).removesuffix(".__init__")
    tree = ast.parse(text)
    if re.search(r"^\w+\b[^=\n]*= .*\bre\.compile|^    .*re\.compile", text, re.MULTILINE):
        for variable, value in vars(importlib.import_module(name)).items():
            for pattern in patterns_in(value):
                yield f"{name}.{variable}", pattern, USED.get(variable) or CALLED.get(variable) or {"finditer"}
    for node in ast.walk(tree):
        match node:
            case ast.Call(ast.Attribute(ast.Name("re"), method), [ast.Constant(str() as source), *_]) if (
                method in METHODS
            ):
                flags = re.DOTALL if "re.DOTALL" in ast.unparse(node) else 0
                yield f"{name}:{node.lineno}", re.compile(source, flags), {method}


def patterns_in(value: object) -> list[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        return [value]
    inner = list(value.values()) if isinstance(value, dict) else value
    parts = inner if isinstance(inner, (list, tuple)) else ()
    return [found for part in parts for found in patterns_in(part)]


def seconds(pattern: re.Pattern[Any], method: str, parts: tuple[str, str, str], size: int) -> float:
    head, part, end = parts
    text: Any = head + part * (size // len(part) + 1) + end
    given = text if isinstance(pattern.pattern, str) else text.encode()
    run: Callable[[Any], Any] = getattr(pattern, "finditer" if method in MANY else method)
    begin = perf_counter()
    found = run(given)
    if method in MANY or method == "finditer":
        for _ in found:
            pass
    return perf_counter() - begin


def grows(pattern: re.Pattern[Any], method: str, parts: tuple[str, str, str]) -> bool:
    """Whether four times the text takes more than eight times as long; measured only if it takes long at all."""
    if seconds(pattern, method, parts, 800) < 0.001:
        return False

    def best(size: int) -> float:
        return min(seconds(pattern, method, parts, size) for _ in range(3))

    return best(800) > 0.0005 and best(3200) > 8 * best(800)


@pytest.mark.parametrize(("source", "bad"), [("(?:ab|a)+x", True), (r"(?<!a)a++b", False)])
def test_a_pattern_that_takes_quadratic_time_is_found(source, bad):
    pattern = re.compile(source)
    assert any(grows(pattern, "search", each) for each in texts(pattern)) == bad


def slow_ones(files: dict[Path, str], least: int) -> list[tuple[str, str, tuple[str, str, str]]]:
    found = {
        (pattern, "finditer" if method in MANY else method): where
        for path, text in files.items()
        for where, pattern, methods in in_file(path, text)
        for method in methods
        if pattern.pattern not in EXCEPT
    }
    assert len(found) >= least
    return [
        (where, method, each)
        for (pattern, method), where in found.items()
        for each in texts(pattern)
        if grows(pattern, method, each)
    ]


def test_no_pattern_that_reads_logs_and_command_lines_takes_more_than_linear_time():
    folders = {SOURCE / "metrics", SOURCE / "shell", SOURCE / "katib" / "trial"}
    assert slow_ones({path: text for path, text in FILES.items() if path.parent in folders}, 20) == []


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_no_pattern_of_kftune_takes_more_than_linear_time():
    assert slow_ones(FILES, 150) == []

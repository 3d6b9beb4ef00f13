"""Mangled YAML: manifests with parts cut, doubled, moved and inserted, and texts that are hostile from the start."""

from __future__ import annotations

import random
from collections.abc import Callable

from lint_examples import EXAMPLE, example_text

from kftune.lint.rules.all import RULES

CONFIG_MAP = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: templates, namespace: default}
data:
  t.yaml: |
    apiVersion: batch/v1
    kind: Job
    spec: {template: {spec: {containers: [{name: main, image: "r.example/in:1", args: ["${trialParameters.lr}"]}]}}}
"""
FROM_CONFIG_MAP = (
    "spec: {trialTemplate: {trialSpec: null, successCondition: a, failureCondition: b, trialParameters: ["
    "{name: lr, reference: learning_rate}], configMap: {configMapName: templates, configMapNamespace: default, "
    "templatePath: t.yaml}}}"
)
SEEDS = (
    EXAMPLE,
    example_text(RULES["KT274"].passes),
    example_text(RULES["KT225"].passes),
    f"{CONFIG_MAP}---\n{example_text(FROM_CONFIG_MAP)}",
    "apiVersion: v1\nkind: List\nitems:\n- " + EXAMPLE.replace("\n", "\n  ").rstrip() + "\n",
)
SIGNS = (
    *[
        "\t",
        "\x00",
        "\ufeff",
        "\r\n",
        "\u2028",
        "\x85",
        "\ud800",
        "é",
        "\U0001f600",
        "{",
        "}",
        "[",
        "]",
        "&a ",
        "*a",
        "|",
    ],
    *[
        ">",
        "'",
        '"',
        "%",
        "@",
        "`",
        "- ",
        ": ",
        "? ",
        "\n",
        "---\n",
        "...\n",
        "<<: ",
        "!!python/object:os.system ",
        "!x ",
    ],
    *["!!binary ", "!!int ", "!!set ", "~", ".inf", ".nan", "-.inf", "0x1F", "1e400", "9" * 400, "-0", "0o7", "1_000"],
    *["=", "y", "no", "null", "2024-01-01", "12:30:45", "|+\n", ">-\n", "%YAML 9.9\n", "#", " #", "\\", "$(x)", "${"],
    *["${trialParameters.lr}", "{{x}}", "; ", "&& ", "<<EOF\n", "((", "`", "$(("],
)


def mangled(chance: random.Random) -> str:
    """Returns a mangled manifest."""
    text = chance.choice(SEEDS)
    for _ in range(chance.randint(1, 8)):
        text = chance.choice(_CHANGES)(chance, text)
    return text


def _put_in(chance: random.Random, text: str) -> str:
    start = chance.randrange(len(text) + 1)
    cut = chance.choice([0, 0, 0, 1, 5, 40])
    return text[:start] + chance.choice(SIGNS) * chance.choice([1, 1, 1, 3, 50]) + text[start + cut :]


def _cut(chance: random.Random, text: str) -> str:
    start = chance.randrange(len(text) + 1)
    return text[:start] + text[start + chance.choice([1, 10, 200]) :]


def _lines(chance: random.Random, text: str) -> str:
    """Doubles, moves, indents or removes lines: duplicate keys and lost parents."""
    lines = text.split("\n")
    at, to = chance.randrange(len(lines)), chance.randrange(len(lines))
    block = lines[at : at + chance.choice([1, 1, 3, 10])]
    kind = chance.randrange(4)
    if kind == 0:
        lines[to:to] = block
    elif kind == 1:
        lines[at : at + len(block)] = [chance.choice(["  ", "\t", "- ", "    "]) + line for line in block]
    elif kind == 2:
        lines[at : at + len(block)] = [line[chance.choice([1, 2]) :] for line in block]
    else:
        del lines[at : at + len(block)]
    return "\n".join(lines)


def _value(chance: random.Random, text: str) -> str:
    """Replaces a value after a colon."""
    lines = text.split("\n")
    at = chance.randrange(len(lines))
    key, colon, _ = lines[at].partition(": ")
    if colon:
        lines[at] = f"{key}: {chance.choice(SIGNS)}{chance.choice(SIGNS)}"
    return "\n".join(lines)


def _anchors(chance: random.Random, text: str) -> str:
    """Inserts an alias to something above, or many nested ones."""
    depth = chance.choice([1, 3, 9, 30])
    bomb = "x0: &x0 [a, a, a, a, a, a, a, a, a]\n"
    bomb += "".join(f"x{level}: &x{level} [{', '.join([f'*x{level - 1}'] * 9)}]\n" for level in range(1, depth))
    return bomb + text.replace("32", f"*x{depth - 1}", 1)


def _nested(chance: random.Random, text: str) -> str:
    deep = chance.choice([10, 100, 5000])
    opened, closed = chance.choice([("[", "]"), ("{a: ", "}"), ("- ", ""), ("? ", "")])
    return text + "\nextra: " + opened * deep + "x" + closed * chance.choice([deep, 0])


def _documents(chance: random.Random, text: str) -> str:
    return text + "\n---\n" + chance.choice(SEEDS) + chance.choice(["", "---\n", "...\n", "--- |\n", "---x\n"])


def _bytes(chance: random.Random, text: str) -> str:
    raw = bytearray(text.encode("utf-8", "surrogatepass"))
    for _ in range(chance.choice([1, 5, 50])):
        raw[chance.randrange(len(raw))] = chance.randrange(256)
    return raw.decode("utf-8", "surrogateescape")


_CHANGES: tuple[Callable[[random.Random, str], str], ...] = (
    *[_put_in, _put_in, _put_in, _cut, _lines, _lines, _lines, _value, _value, _value],
    *[_anchors, _nested, _documents, _bytes],
)

# Texts by name; `LARGE[name](1000)` is about 1 MB long, `LARGE[name](500)` half of that.
LARGE: dict[str, Callable[[int], str]] = {
    "open lists": lambda size: "[" * (1000 * size),
    "open maps": lambda size: "{a: " * (250 * size),
    "a list in a list": lambda size: "- " * (500 * size),
    "keys of keys": lambda size: "? " * (500 * size),
    "a huge integer": lambda size: "a: " + "9" * (1000 * size),
    "a huge float": lambda size: "a: 1." + "9" * (1000 * size) + "e9",
    "a huge text": lambda size: EXAMPLE + 'x: "' + "y" * (1000 * size) + '"\n',
    "a huge quote": lambda size: EXAMPLE + 'x: "' + '\\"' * (500 * size),
    "tabs": lambda size: "\t" * (1000 * size),
    "blanks": lambda size: " " * (1000 * size),
    "tags": lambda size: "!" * (1000 * size),
    "anchors": lambda size: "".join(f"a{n}: &a{n} x\n" for n in range(60 * size)),
    "aliases": lambda size: "a: &a [x]\n" + "".join(f"b{n}: *a\n" for n in range(80 * size)),
    "an alias in itself": lambda size: "a: &a [*a, *a]",
    "merges": lambda size: "a: &a {x: 1}\n" + "".join(f"b{n}: {{<<: *a}}\n" for n in range(50 * size)),
    "duplicate keys": lambda size: "k: v\n" * (200 * size),
    "many keys": lambda size: "".join(f"k{n}: v\n" for n in range(100 * size)),
    "many documents": lambda size: "---\na: b\n" * (100 * size),
    "empty documents": lambda size: "---\n" * (250 * size),
    "a block": lambda size: "x: |\n" + "  y\n" * (250 * size),
    "comments": lambda size: "# x\n" * (250 * size),
    "not text": lambda size: "".join(map(chr, range(256))) * (4 * size),
    "a long parameter list": lambda size: EXAMPLE.replace(
        "  trialTemplate:",
        "".join(f"  - {{name: p{n}, parameterType: int}}\n" for n in range(20 * size)) + "  trialTemplate:",
    ),
    "a long choice": lambda size: EXAMPLE.replace(
        '["32", "64"]', "[" + ", ".join(f'"{n}"' for n in range(100 * size)) + "]"
    ),
    "many containers": lambda size: (
        EXAMPLE + "            - {name: a, image: b, command: [c], args: [d]}\n" * (18 * size)
    ),
    "a long script": lambda size: EXAMPLE.replace("python train.py", "python train.py; " * (50 * size)),
    "many arguments": lambda size: EXAMPLE.replace("args: [", "args: [" + ", ".join(["'a;b'"] * (100 * size)) + ", "),
    "many Experiments": lambda size: "\n---\n".join([EXAMPLE] * (600 * size // 1000)),
}

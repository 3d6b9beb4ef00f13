"""What is read of a script's arguments and metrics, from its source alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kftune.scripts.module import Module
from kftune.scripts.prints import printed_metrics
from kftune.scripts.reading import read_script
from kftune.scripts.script import UNKNOWN, Script

PARSER = "import argparse\nparser = argparse.ArgumentParser()\n"


def read(folder: Path, code: str, command: str = "") -> Script:
    file = folder / "train.py"
    file.write_text(code)
    return read_script(file, [folder], command)


def defaults(script: Script) -> dict[str, Any]:
    return {argument.name: argument.default for argument in script.arguments}


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("for name in ('a', 'b'):\n    parser.add_argument(f'--{name}', type=int, default=1)", {"--a": 1, "--b": 1}),
        (
            "for n, value in {'a': 1, 'b': 2}.items():\n    parser.add_argument('--' + n, type=int, default=value)",
            {"--a": 1, "--b": 2},
        ),
        (
            "for spec in [{'n': '--a', 'd': 1}]:\n    parser.add_argument(spec['n'], type=int, default=spec['d'])",
            {"--a": 1},
        ),
        ("for g in ('x', 'y'):\n    for n in 'ab', 'cd':\n        parser.add_argument(f'--{g}-{n}')", None),
        (
            "def add(p, name, default=3, **more):\n    p.add_argument('--' + name, type=int, default=default, **more)\n"
            "add(parser, 'a', help='x')\nadd(parser, name='b', default=4)",
            {"--a": 3, "--b": 4},
        ),
        ("add = parser.add_argument\nadd('--a', type=int, default=2 * 8)", {"--a": 16}),
        ("D = dict(type=int, default=5)\nparser.add_argument('--a', **D)", {"--a": 5}),
        ("class C:\n    lr = 0.5\nparser.add_argument('--a', type=float, default=C.lr)", {"--a": 0.5}),
        ("parser.add_argument('--a', type=float, default=float('inf'))", {"--a": float("inf")}),
        ("import os\nparser.add_argument('--a', default=os.environ.get('A', 'x'))", {"--a": UNKNOWN}),
        ("import random\nparser.add_argument('--a', type=int, default=random.randint(1, 9))", {"--a": UNKNOWN}),
        ("parser.add_argument('--a', type=int, default=9 ** 9 ** 9)", {"--a": UNKNOWN}),
        ("parser.add_argument('--a', default='x' * 10 ** 9)", {"--a": UNKNOWN}),
    ],
)
def test_arguments_are_followed_through_loops_helpers_and_constants(code, found, tmp_path):
    script = read(tmp_path, f"{PARSER}{code}\nparser.parse_args()")
    expected = found or dict.fromkeys(("--x-ab", "--x-cd", "--y-ab", "--y-cd"))
    assert (defaults(script), script.unclear) == (expected, ())


@pytest.mark.parametrize(
    "code",
    [
        "import names\nfor name in names.ALL:\n    parser.add_argument('--' + name)",
        "def add(p, name):\n    p.add_argument('--' + name)\n    add(p, name + 'x')\nadd(parser, 'a')",
        "def add(p, name):\n    p.add_argument('--' + name)\nadd(parser, 'a')\nx = add(parser, 'b')",
        "def add(p, name, *rest):\n    p.add_argument('--' + name)\nadd(parser, 'a', 1)",
        "for name in ('a', 'b'):\n    if name == 'a':\n        break\n    parser.add_argument('--' + name)",
    ],
)
def test_what_a_source_does_not_show_is_named(code, tmp_path):
    assert read(tmp_path, f"{PARSER}{code}\nparser.parse_args()").unclear


def test_a_variable_that_holds_one_subcommand_after_another_is_told_apart(tmp_path):
    code = (
        "subs = parser.add_subparsers()\np = subs.add_parser('train')\np.add_argument('--lr', default=1)\n"
        "p = subs.add_parser('test')\np.add_argument('--ckpt', default=2)\nparser.parse_args()"
    )
    assert defaults(read(tmp_path, PARSER + code, "train")) == {"--lr": 1}
    assert defaults(read(tmp_path, PARSER + code, "test")) == {"--ckpt": 2}
    assert read(tmp_path, PARSER + code).commands == ("train", "test")


@pytest.mark.parametrize(
    ("code", "name", "regex"),
    [
        ("print(f'val_loss={x}')", "val_loss", ""),
        ("print(f'epoch {e} val_loss={x:.4f} lr={r}')", "val_loss", ""),
        ("print(f'val_loss={x},')", "val_loss", "val_loss= *([0-9.eE+-]+)"),
        ("print('val_loss=%.4f' % x)", "val_loss", ""),
        ("print('Val Acc: {:.2f}%'.format(x))", "Val_Acc", "Val Acc: *([0-9.eE+-]+)"),
        ("print('test accuracy:', x)", "test_accuracy", "test accuracy: *([0-9.eE+-]+)"),
        ("logger.info('valid loss %.3f (%d)', x, n)", "valid_loss", "valid loss *([0-9.eE+-]+)"),
        ("print(f'step {i}: train loss {a:.4f}, val loss {b:.4f}')", "val_loss", "val loss *([0-9.eE+-]+)"),
        ("print(f'f1 = {x}')", "f1", "f1 *= *([0-9.eE+-]+)"),
        ("print({'eval_loss': x})", "eval_loss", "eval_loss': *([0-9.eE+-]+)"),
        ("import kftune\nkftune.report(step=1, val_mae=x)", "val_mae", ""),
        ("print(f'{x=} loss={y}')", "loss", ""),
        ("tqdm.write(f'val/mAP_0.5: {x}')", "val/mAP_0.5", r"val/mAP_0\.5: *([0-9.eE+-]+)"),
    ],
)
def test_the_likeliest_objective_is_found_with_its_pattern(code, name, regex, tmp_path):
    (tmp_path / "train.py").write_text(code)
    [first, *_], _ = printed_metrics(Module(tmp_path / "train.py", []))
    assert (first.name, first.regex) == (name, regex)


@pytest.mark.parametrize("code", ["print(f'epoch {e} of {n}')", "print('loss is low')", "print(x)", "log(y)"])
def test_other_output_is_no_metric(code, tmp_path):
    (tmp_path / "train.py").write_text(code)
    assert printed_metrics(Module(tmp_path / "train.py", [])) == ([], [])


def test_a_metric_that_is_only_stored_is_told_apart(tmp_path):
    (tmp_path / "train.py").write_text(
        "wandb.log({'val/loss': x})\nself.log('val_acc', y)\nwriter.add_scalar('seed', 1)"
    )
    printed, stored = printed_metrics(Module(tmp_path / "train.py", []))
    assert (printed, [each.name for each in stored]) == ([], ["val/loss", "val_acc"])

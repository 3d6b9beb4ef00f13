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
        ("parser.add_argument('--a', default='%999999999d' % 1)", {"--a": UNKNOWN}),
        ("D = {'a': 1}\nD['a'] = 2\nparser.add_argument('--a', default=D['a'])", {"--a": UNKNOWN}),
    ],
)
def test_arguments_are_followed_through_loops_helpers_and_constants(code, found, tmp_path):
    script = read(tmp_path, f"{PARSER}{code}\nparser.parse_args()")
    expected = found or dict.fromkeys(("--x-ab", "--x-cd", "--y-ab", "--y-cd"))
    assert (defaults(script), script.unclear) == (expected, ())


@pytest.mark.parametrize(
    "code",
    [
        "NAMES = ['a']\nNAMES.append('b')\nfor name in NAMES:\n    parser.add_argument('--' + name)",
        "D = dict(a=1)\nD.update(more())\nfor name in D:\n    parser.add_argument('--' + name)",
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


SUBCOMMANDS = (
    "base = argparse.ArgumentParser(add_help=False)\nbase.add_argument('--lr', default=1)\n"
    "def common(parser):\n    parser.add_argument('--wd', default=2)\n"
    "parser.add_argument('--seed', default=3)\nparser.add_argument_group('g').add_argument('--log', default=4)\n"
    "subs = parser.add_subparsers()\ntrain = subs.add_parser('train', parents=[base])\n"
    "train.add_argument('--bs', default=5)\ncommon(train)\nparser.parse_args()"
)


def test_arguments_before_a_subcommand_are_told_apart(tmp_path):
    script = read(tmp_path, PARSER + SUBCOMMANDS, "train")
    early = {argument.name: argument.early for argument in script.arguments}
    assert early == {"--lr": False, "--wd": False, "--seed": True, "--log": True, "--bs": False}


@pytest.mark.parametrize(
    ("code", "name", "default", "choices"),
    [
        ("parser.add_argument('--a', default=argparse.SUPPRESS)", "--a", None, None),
        ("if x:\n    parser.set_defaults(**load())\nparser.add_argument('--a', default=1)", "--a", 1, None),
        ("parser.set_defaults(**load())\nparser.add_argument('--a', default=1)", "--a", UNKNOWN, None),
        ("M = {'x': 1, 'y': 2}\nparser.add_argument('--a', choices=M.keys())", "--a", None, ("x", "y")),
        ("M = {'y': 1, 'x': 2}\nparser.add_argument('--a', choices=sorted(M))", "--a", None, ("x", "y")),
        ("M = ('x',)\nparser.add_argument('--a', choices=M + ('y',))", "--a", None, ("x", "y")),
        ("parser.add_argument('--a', type=int, choices=range(1, 4))", "--a", None, (1, 2, 3)),
        ("parser.add_argument('--a', choices=[2 ** i for i in x])", "--a", None, (UNKNOWN,)),
        ("M = ['x', 'y']\nparser.add_argument('--a', default=list(M)[1])", "--a", "y", None),
        ("for i in range(1):\n    parser.add_argument(f'--w{i}', default=i * 2)", "--w0", 0, None),
        ("for i in range(1):\n    parser.add_argument('--w%d' % i, default=i)", "--w0", 0, None),
    ],
)
def test_defaults_and_choices_are_computed_as_far_as_the_source_shows_them(code, name, default, choices, tmp_path):
    script = read(tmp_path, f"{PARSER}{code}\nparser.parse_args()")
    [found] = script.arguments
    assert (found.name, found.default, found.reading.choices, script.unclear) == (name, default, choices, ())


def test_a_parser_without_defaults_leaves_out_what_is_not_given(tmp_path):
    code = "import argparse\nparser = argparse.ArgumentParser(argument_default=argparse.SUPPRESS)\n"
    assert defaults(read(tmp_path, f"{code}parser.add_argument('--a', type=int)\nparser.parse_args()")) == {"--a": None}


def test_the_parents_that_a_function_makes_are_read(tmp_path):
    (tmp_path / "parents.py").write_text(
        "import argparse\ndef made():\n    p = argparse.ArgumentParser(add_help=False)\n"
        "    p.add_argument('--lr', default=1)\n    return p\n"
    )
    code = "import argparse\nfrom parents import made\nparser = argparse.ArgumentParser(parents=[made()])\n"
    script = read(tmp_path, f"{code}parser.parse_args()")
    assert (defaults(script), script.unclear) == ({"--lr": 1}, ())


@pytest.mark.parametrize("name", ["configargparse.ArgumentParser", "configargparse.ArgParser"])
def test_configargparse_is_read_as_argparse(name, tmp_path):
    code = f"import configargparse\np = {name}()\np.add_argument('--lr', type=float, default=1.0)\np.parse_args()"
    assert defaults(read(tmp_path, code)) == {"--lr": 1.0}


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("Opt()", (0.1, "sgd")),
        ("field(default_factory=Opt)", (0.1, "sgd")),
        ("Opt(lr=0.5)", (0.5, "sgd")),
        ("field(default_factory=lambda: Opt(kind='adam'))", (0.1, "adam")),
        ("Opt(0.5)", (UNKNOWN, UNKNOWN)),
        ("Opt(**CHANGES)", (UNKNOWN, UNKNOWN)),
    ],
)
def test_the_fields_of_an_inner_class_have_the_defaults_of_the_outer_one(value, found, tmp_path):
    code = (
        "import tyro\nfrom dataclasses import dataclass, field\n@dataclass\nclass Opt:\n    lr: float = 0.1\n"
        f"    kind: str = 'sgd'\n@dataclass\nclass Args:\n    opt: Opt = {value}\ntyro.cli(Args)\n"
    )
    assert defaults(read(tmp_path, code)) == dict(zip(("--opt.lr", "--opt.kind"), found, strict=True))


def test_a_field_that_is_missing_in_a_structured_config_must_be_given(tmp_path):
    code = (
        "import hydra\nfrom omegaconf import MISSING\nfrom hydra.core.config_store import ConfigStore\n"
        "class C:\n    data: str = MISSING\nConfigStore.instance().store(name='c', node=C)\n"
        "@hydra.main(config_path=None, config_name='c')\ndef main(cfg): ...\n"
    )
    [argument] = read(tmp_path, code).arguments
    assert (argument.name, argument.required) == ("data", True)


ABSL = "from absl import app, flags\n"


def test_flags_of_absl_are_required_and_bounded_as_declared(tmp_path):
    code = (
        f"{ABSL}flags.DEFINE_string('out', None, 'o')\nflags.DEFINE_string('data', None, 'd', required=True)\n"
        "flags.DEFINE_float('lr', 0.1, 's', lower_bound=0.0, upper_bound=1)\nflags.mark_flags_as_required(['out'])\n"
    )
    script = read(tmp_path, code)
    found = {each.name: (each.required, each.bounds) for each in script.arguments}
    assert found == {"--out": (True, ()), "--data": (True, ()), "--lr": (False, (("ge", 0.0), ("le", 1)))}


def test_the_keys_of_a_config_file_of_flags_are_named_as_unknown(tmp_path):
    code = (
        "from absl import app\nfrom ml_collections import config_flags\nconfig_flags.DEFINE_config_file('c', 'x.py')\n"
    )
    assert any("--c.KEY" in why for why in read(tmp_path, code).unclear)


def test_flags_of_tensorflow_are_read_as_those_of_absl(tmp_path):
    code = "import tensorflow as tf\nflags = tf.app.flags\nflags.DEFINE_float('lr', 0.01, 'step')\ntf.app.run()\n"
    assert defaults(read(tmp_path, code)) == {"--lr": 0.01}


@pytest.mark.parametrize("settings", ["{'show_default': True}", "dict(help_option_names=['-h', '--help'])"])
def test_settings_of_a_click_command_that_change_no_option_raise_no_doubt(settings, tmp_path):
    head = f"import click\n@click.command(context_settings={settings})\n"
    code = f"{head}@click.option('--lr', default=0.1)\ndef main(lr): ...\n"
    script = read(tmp_path, code)
    assert (defaults(script), script.unclear) == ({"--lr": 0.1}, ())


def test_an_optional_file_of_a_hydra_config_may_be_missing(tmp_path):
    (tmp_path / "c.yaml").write_text("defaults:\n  - optional local: default\n  - _self_\nlr: 0.1\n")
    code = "import hydra\n@hydra.main(config_path='.', config_name='c')\ndef main(cfg): ...\n"
    script = read(tmp_path, code)
    assert (defaults(script), script.unclear) == ({"lr": 0.1}, ())


def test_a_source_that_is_not_python_is_named_with_its_line(tmp_path):
    assert read(tmp_path, "x = 1\nprint 'x'\n").unclear == (
        f"{tmp_path / 'train.py'}:2: not Python: Missing parentheses in call to 'print'. Did you mean print(...)?",
    )

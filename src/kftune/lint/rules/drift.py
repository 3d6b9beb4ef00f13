"""Rules for differences between a study, its hyperparameter class and its training script."""

from __future__ import annotations

from kftune.lint.rules.rule import Rule, family

_ARGUMENTS = "recorded runs of argparse, click, typer and tyro"


RULES = family(
    _ARGUMENTS,
    Rule(
        code="KT400",
        severity="refused",
        title="An invalid study",
        explanation="The study file refers to something that does not exist, or its parts do not fit together, so "
        "kftune cannot create an Experiment from it.",
        remedy="fix the study; kftune show FILE reports the same errors",
        source="kftune, study files",
    ),
    Rule(
        code="KT401",
        severity="fails",
        title="A hyperparameter that the script does not accept",
        explanation="Each hyperparameter that a study searches or fixes is passed to the script as an argument. If "
        "the script does not declare it, the script stops with an error. With parse_known_args the argument is "
        "ignored, and all trials train with the same value. argparse also accepts an abbreviation of a longer option.",
        remedy="declare the argument in the script, remove the hyperparameter from the study, or read all arguments "
        "with CLASS.from_args()",
    ),
    Rule(
        code="KT402",
        severity="fails",
        title="A name with dashes instead of underscores",
        explanation="argparse and click treat --learning_rate and --learning-rate as two names, and typer turns the "
        "underscores of a function's parameters into dashes. Trials get the name of the class, with underscores.",
        remedy="accept both spellings in the script, as in add_argument('--learning-rate', '--learning_rate')",
    ),
    Rule(
        code="KT403",
        severity="fails",
        title="A value that the script rejects",
        explanation="The script's type or choices do not allow a value that a trial may get. Or the argument is a "
        "switch: a bool is passed as --flag=true, which store_true, BooleanOptionalAction and typer reject.",
        remedy="use the type and choices of the class in the script, or narrow the search; read a bool with "
        "CLASS.from_args()",
    ),
    Rule(
        code="KT404",
        severity="wrong",
        title="A value that the script misreads",
        explanation="argparse's type=bool is true for every text, even 'false', and an argument without a type stays "
        "a string.",
        remedy="give the argument the type of the class; read a bool with CLASS.from_args()",
    ),
    Rule(
        code="KT405",
        severity="wrong",
        title="Different defaults for one hyperparameter",
        explanation="For a hyperparameter that a study neither searches nor fixes, the script uses its own default, "
        "while the class, reports and comparisons show another one.",
        remedy="use the same default in both, or fix the value under the study's values",
    ),
    Rule(
        code="KT406",
        severity="fails",
        title="A required argument that is not passed",
        explanation="The script stops with an error if a required argument is missing.",
        remedy="add it to step.args, or make it a hyperparameter",
    ),
    Rule(
        code="KT407",
        severity="fails",
        title="An encoded value that the script cannot read",
        explanation="Some values are passed as a number or token that the hyperparameter class decodes: reverse and "
        "quantised logarithms, weights, conditions, and texts that a shell would change. A script with its own parser "
        "gets kftune:... instead. Local runs do not show this problem.",
        remedy="read the arguments with CLASS.from_args() or CLASS.add_to_argparse(parser), or use a domain that "
        "Katib supports",
        source="kftune, encoding of domains",
    ),
)

_UNITS = '"--units", type=int, default=64'
_RATE = '"--learning_rate", type=float, default=0.001'


def _parser(*arguments: str) -> str:
    return "\n".join(f"parser.add_argument({each})" for each in arguments)


# Code -> the part of a script that the rule reports, and a part that passes. Both belong to the study below, and
# `script_text` adds the rest of the script.
EXAMPLES: dict[str, tuple[str, str]] = {
    "KT401": (_parser(_UNITS), _parser(_UNITS, _RATE)),
    "KT402": (
        _parser(_UNITS, '"--learning-rate", type=float, default=0.001'),
        _parser(_UNITS, '"--learning-rate", "--learning_rate", type=float, default=0.001'),
    ),
    "KT403": (
        _parser('"--units", type=int, choices=[32, 64]', _RATE),
        _parser('"--units", type=int, choices=[32, 64, 128]', _RATE),
    ),
    "KT404": (_parser(_UNITS, '"--learning_rate", default=0.001'), _parser(_UNITS, _RATE)),
    "KT405": (
        _parser(_UNITS, _RATE, '"--epochs", type=int, default=100'),
        _parser(_UNITS, _RATE, '"--epochs", type=int, default=10'),
    ),
    "KT406": (
        _parser(_UNITS, _RATE, '"--data", required=True'),
        _parser(_UNITS, _RATE, '"--data", default="data"'),
    ),
}

EXAMPLE_HPARAMS = '''\
from kftune import Choice, Hparam, Hparams, LogUniform


class ToyHparams(Hparams):
    """A toy."""

    learning_rate: float = Hparam(1e-3, gt=0, search=LogUniform(1e-4, 1e-2))
    """Step size."""
    units: int = Hparam(64, ge=1, search=Choice(32, 64, 128))
    """Width."""
    epochs: int = 10
    """Passes over the data."""
'''

EXAMPLE_STUDY = """\
name: toy
hparams: toy_hparams:ToyHparams
objective: {metric: val_loss, direction: minimize}
budget: {max_trials: 4}
step: {command: [python, train.py], image: registry.example/toy:1}
"""


def script_text(part: str) -> str:
    """Returns a training script that contains a part of a parser."""
    return f"import argparse\n\nparser = argparse.ArgumentParser()\n{part}\narguments = parser.parse_args()\n"

"""Rules for what a study, its hyperparameter class and its training script say differently."""

from __future__ import annotations

from kftune.lint.rules.rule import Rule, Severity

_ARGUMENTS = "recorded runs of argparse, click, typer and tyro"


def _rule(code: str, severity: Severity, title: str, explanation: str, remedy: str, source: str = _ARGUMENTS) -> Rule:
    return Rule(code, severity, title, explanation, remedy, "", "", source)


RULES = (
    _rule(
        "KT400",
        "refused",
        "A study that kftune refuses",
        "The study file names what is not there, or its parts do not fit each other: no Experiment can be made of it.",
        "mend the study; kftune show FILE tells the same",
        "kftune, study files",
    ),
    _rule(
        "KT401",
        "fails",
        "A hyperparameter that the script does not take",
        "Every hyperparameter that a study searches or fixes is an argument of the script. One that the script does "
        "not declare ends it with an error. With parse_known_args it is ignored, and all trials train alike; and "
        "argparse takes a name for a longer one that begins so.",
        "declare the argument in the script, or take the hyperparameter out of the study; or read all of them with "
        "CLASS.from_args()",
    ),
    _rule(
        "KT402",
        "fails",
        "A name with other dashes",
        "--learning_rate and --learning-rate are two names to argparse and click, and typer makes dashes of a "
        "function's underscores. Trials get the name of the class, with underscores.",
        "give the script both spellings, as in add_argument('--learning-rate', '--learning_rate')",
    ),
    _rule(
        "KT403",
        "fails",
        "A value that the script refuses",
        "The script's type or choices do not take a value that a trial may get, or the argument is a switch: a "
        "bool arrives as --flag=true, which store_true, BooleanOptionalAction and typer refuse.",
        "make the script's type and choices those of the class, or the search narrower; read a bool with "
        "CLASS.from_args()",
    ),
    _rule(
        "KT404",
        "wrong",
        "A value that the script misreads",
        "argparse's type=bool is true for every text, 'false' too, and an argument without a type stays text.",
        "give the argument the type of the class; read a bool with CLASS.from_args()",
    ),
    _rule(
        "KT405",
        "wrong",
        "Two defaults for one hyperparameter",
        "What a study neither searches nor fixes, the script takes from its own default, while the class, reports and "
        "comparisons show another one.",
        "write the same default in both, or fix the value in the study's values",
    ),
    _rule(
        "KT406",
        "fails",
        "An argument that nobody gives",
        "The script ends with an error when a required argument is missing.",
        "give it in step.args, or as a hyperparameter",
    ),
    _rule(
        "KT407",
        "fails",
        "A value in disguise that the script cannot read",
        "What Katib's engines draw wrongly goes out as a number, or a token, that the hyperparameter class turns into "
        "the value: reverse and quantised logarithms, weights, conditions, and texts that a shell would change. "
        "A script with a parser of its own gets kftune:... instead. Runs on this machine do not show it.",
        "read the arguments with CLASS.from_args() or CLASS.add_to_argparse(parser), or use a domain that Katib has",
        "kftune, encoding of domains",
    ),
)

# Code -> the part of a script that makes the rule speak, and the part that it has nothing against. The study is the
# one below; what stands around the part is `script_text`.
EXAMPLES: dict[str, tuple[str, str]] = {
    "KT401": (
        'parser.add_argument("--units", type=int, default=64)',
        'parser.add_argument("--units", type=int, default=64)\n'
        'parser.add_argument("--learning_rate", type=float, default=0.001)',
    ),
    "KT402": (
        'parser.add_argument("--units", type=int, default=64)\n'
        'parser.add_argument("--learning-rate", type=float, default=0.001)',
        'parser.add_argument("--units", type=int, default=64)\n'
        'parser.add_argument("--learning-rate", "--learning_rate", type=float, default=0.001)',
    ),
    "KT403": (
        'parser.add_argument("--units", type=int, choices=[32, 64])\n'
        'parser.add_argument("--learning_rate", type=float, default=0.001)',
        'parser.add_argument("--units", type=int, choices=[32, 64, 128])\n'
        'parser.add_argument("--learning_rate", type=float, default=0.001)',
    ),
    "KT404": (
        'parser.add_argument("--units", type=int, default=64)\nparser.add_argument("--learning_rate", default=0.001)',
        'parser.add_argument("--units", type=int, default=64)\n'
        'parser.add_argument("--learning_rate", type=float, default=0.001)',
    ),
    "KT405": (
        'parser.add_argument("--units", type=int, default=64)\n'
        'parser.add_argument("--learning_rate", type=float, default=0.001)\n'
        'parser.add_argument("--epochs", type=int, default=100)',
        'parser.add_argument("--units", type=int, default=64)\n'
        'parser.add_argument("--learning_rate", type=float, default=0.001)\n'
        'parser.add_argument("--epochs", type=int, default=10)',
    ),
    "KT406": (
        'parser.add_argument("--units", type=int, default=64)\n'
        'parser.add_argument("--learning_rate", type=float, default=0.001)\n'
        'parser.add_argument("--data", required=True)',
        'parser.add_argument("--units", type=int, default=64)\n'
        'parser.add_argument("--learning_rate", type=float, default=0.001)\n'
        'parser.add_argument("--data", default="data")',
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
    """A training script with a part of a parser in it."""
    return f"import argparse\n\nparser = argparse.ArgumentParser()\n{part}\narguments = parser.parse_args()\n"

"""Rules for differences between a study, its hyperparameter class and its training script."""

from __future__ import annotations

from kftune.lint.rules.rule import Rule

SOURCE = "recorded runs of argparse, click, typer and tyro"


_UNITS = '"--units", type=int, default=64'
_RATE = '"--learning_rate", type=float, default=0.001'


def _parser(*arguments: str) -> str:
    return "\n".join(f"parser.add_argument({each})" for each in arguments)


RULES = (
    Rule(
        code="KT400",
        severity="refused",
        title="An invalid study",
        explanation="The file refers to something missing, or its parts do not fit, so it cannot be rendered.",
        remedy="fix the study; kftune render FILE reports the same error",
        source="kftune, study files",
    ),
    Rule(
        code="KT401",
        severity="fails",
        title="A hyperparameter that the script does not accept",
        explanation="Each hyperparameter of a study is passed as an argument, and the script stops at an unknown one. "
        "With parse_known_args it is ignored, and all trials train with the same value. argparse also accepts "
        "abbreviations.",
        remedy="declare the argument, remove the hyperparameter, or read the arguments with CLASS.from_args()",
        fails=_parser(_UNITS),
        passes=_parser(_UNITS, _RATE),
    ),
    Rule(
        code="KT402",
        severity="fails",
        title="A name with dashes instead of underscores",
        explanation="argparse and click treat --learning_rate and --learning-rate as two names, and typer turns "
        "underscores into dashes. Trials get the name of the class, with underscores.",
        remedy="write the key of step.arguments in the study, or accept both spellings in the script, as in "
        "add_argument('--learning-rate', '--learning_rate')",
        fails=_parser(_UNITS, '"--learning-rate", type=float, default=0.001'),
        passes=_parser(_UNITS, '"--learning-rate", "--learning_rate", type=float, default=0.001'),
    ),
    Rule(
        code="KT403",
        severity="fails",
        title="A value that the script rejects",
        explanation="The script's type or choices do not allow a value that a trial may get. Or the argument is a "
        "switch: a bool is passed as --flag=true, which store_true, BooleanOptionalAction and typer reject; "
        "step.arguments.booleans passes it as a flag.",
        remedy="use the type and choices of the class, or narrow the search; for a switch, write "
        "step.arguments.booleans: flag (or flag-no)",
        fails=_parser('"--units", type=int, choices=[32, 64]', _RATE),
        passes=_parser('"--units", type=int, choices=[32, 64, 128]', _RATE),
    ),
    Rule(
        code="KT404",
        severity="wrong",
        title="A value that the script misreads",
        explanation="argparse's type=bool is true even for 'false', and an argument without a type stays a string.",
        remedy="give the argument the type of the class; read a bool with CLASS.from_args()",
        fails=_parser(_UNITS, '"--learning_rate", default=0.001'),
        passes=_parser(_UNITS, _RATE),
    ),
    Rule(
        code="KT405",
        severity="wrong",
        title="Different defaults for one hyperparameter",
        explanation="If a study does not set the value, the script uses its own, but reports show that of the class.",
        remedy="use the same default in both, or fix the value under the study's values",
        fails=_parser(_UNITS, _RATE, '"--epochs", type=int, default=100'),
        passes=_parser(_UNITS, _RATE, '"--epochs", type=int, default=10'),
    ),
    Rule(
        code="KT406",
        severity="fails",
        title="A required argument that is not passed",
        explanation="The script stops with an error if a required argument is missing.",
        remedy="add it to step.args, or make it a hyperparameter",
        fails=_parser(_UNITS, _RATE, '"--data", required=True'),
        passes=_parser(_UNITS, _RATE, '"--data", default="data"'),
    ),
    Rule(
        code="KT407",
        severity="fails",
        title="An encoded value that the script cannot read",
        explanation="Some values (reverse and quantised logarithms, weights, conditions, texts that a shell would "
        "change) are passed as a number or token that only the class decodes. Other parsers get kftune:... instead. "
        "Local runs do not show this.",
        remedy="use CLASS.from_args() or CLASS.add_to_argparse(parser), or a domain that Katib supports",
        source="kftune, encoding of domains",
    ),
    Rule(
        code="KT408",
        severity="fails",
        title="A command in one text",
        explanation="Each item of a step's command is one argument, and no shell splits it: [python train.py] asks for "
        "a program of that name.",
        remedy="write each argument as an item of its own: [python, train.py]",
        source="kftune, study and pipeline files",
    ),
    Rule(
        code="KT409",
        severity="fails",
        title="Points that the class refuses",
        explanation="A validator of the class refuses some of the points that the domains allow, such as two values "
        "that do not fit together. Katib draws each value by itself and starts a trial with every point; a trial whose "
        "values are refused fails, and counts as failed. lint draws 200 points and counts those that are refused. "
        "kftune run passes over such points.",
        remedy="narrow the domains, search one choice whose values are the combinations, or raise budget.max_failed",
        source="kftune, study files",
    ),
    Rule(
        code="KT414",
        severity="fails",
        title="A model of another class than the study's",
        explanation="The first argument of kftune.training (or kftune train) names the model, and its class reads the "
        "other arguments. If it is unknown, or if its class lacks a hyperparameter of the study, each trial fails. If "
        "the class has all of them, trials still use its checks and defaults, not those of the study's class. A "
        "study's class may be derived from the model's. kftune run refuses an unknown model.",
        remedy="write the same class in hparams and in step.args, such as hparams: LstmHparams and args: [lstm]",
        source="kftune, study files",
    ),
)

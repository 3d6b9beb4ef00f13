"""Mistakes in the arguments of a step, for the test of what people get to read."""

ARGUMENTS = {
    "arguments: a style of no parser": "{style: /name=value}",
    "arguments: a misspelt key": "{name: dashes}",
    "arguments: one word": "dashes",
    "arguments: an unknown way": "{as: file}",
    "arguments: true as a boolean's form": "{booleans: true}",
    "arguments: flags in Hydra's style": "{style: name=value, booleans: flag}",
    "arguments: flags in variables": "{as: environment, booleans: flag}",
    "arguments: a prefix on the command line": "{prefix: HP_}",
    "arguments: the option of a file, without one": "{as: environment, option: config}",
    "arguments: a prefix that is no variable": '{as: environment, prefix: "my-"}',
    "arguments: an option with its dashes": "{as: json-file, option: --config}",
    "arguments: a variable with another meaning": "{as: environment}\n  secrets: {EPOCHS: {name: a, key: b}}",
}
"""Name -> what stands under ``step.arguments``."""

SWITCHED = """
from kftune import Choice, Conditional, Hparam, Hparams

class Switched(Hparams):
    kind: str = Hparam("a", search=Choice("a", "b"))
    amp: bool = Hparam(False, search=Conditional(Choice(True, False), when={"kind": "a"}))
"""
"""A class with a flag that has a condition."""

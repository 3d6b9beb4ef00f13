"""What is known about the command line of a training script without running it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, Literal, NamedTuple


class _Unknown:
    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = _Unknown()
"""A value that the source does not show."""

Kind = Literal[
    "int", "float", "bool", "truthy", "text", "flag", "json", "literal", "dict", "characters", "code", "unknown"
]
"""How the text of an argument is read. `truthy` is argparse's type=bool, which is true for every text except ''; `bool`
accepts true and false; `flag` takes no value; `dict` and `characters` are Python's own dict and list; `code` is a
function that does not use kftune."""


Switch = Literal["", "true", "false", "both", "other"]
"""What a flag without a value stores: true, false, both with two flags, or something else, such as a count."""


class Reading(NamedTuple):
    """How the text of an argument is read."""

    kind: Kind = "unknown"
    choices: tuple[Any, ...] | None = None
    """None if every value is accepted; with UNKNOWN in it if the source does not show them all."""
    many: bool = False
    """Whether it is a list of values."""


UNREAD: Final = Reading()


@dataclass(frozen=True, kw_only=True, slots=True)
class ScriptArgument:
    """One argument."""

    flags: tuple[str, ...] = ()
    """As the script writes them, such as `--lr`; empty for a positional argument."""
    place: str
    """File and line."""
    reading: Reading = UNREAD
    default: Any = UNKNOWN
    required: bool = False
    help: str = ""
    """What the script says about it."""
    bounds: tuple[tuple[str, float], ...] = ()
    """Limits of a number, such as `("ge", 0)`, by pydantic's names for them."""
    switch: Switch = ""
    """What an argument of kind `flag` does; empty if that is unknown, and for others."""
    position: str = ""
    """Its name, if it has a position and no flag."""
    alternative: str = ""
    """The place of the group of which exactly one argument must be given, if it is in one."""
    early: bool = False
    """Whether it has to come before the subcommand."""
    off: tuple[str, ...] = ()
    """The flags that set a switch to false, if it has both; they are among `flags` too."""

    def default_with(self, name: str) -> Any:
        """Returns the default as `--name=...` would give it: for a flag that stores false, the opposite."""
        spelled = {f"--{name}", f"--{name.replace('_', '-')}"}
        negates = self.switch == "false" or bool(spelled & set(self.off))
        return not self.default if negates and isinstance(self.default, bool) else self.default

    @property
    def name(self) -> str:
        """Its name in messages."""
        return next((flag for flag in self.flags if flag.startswith("--")), "".join(self.flags[:1]) or "a position")


@dataclass(frozen=True, kw_only=True, slots=True)
class Script:
    """The command line of a script."""

    file: str
    arguments: tuple[ScriptArgument, ...] = ()
    unclear: tuple[str, ...] = ()
    """Why there may be more arguments than these."""
    ignores_unknown: bool = False
    """Whether it ignores arguments that it does not declare."""
    abbreviates: bool = False
    """Whether it accepts the start of a name for the whole name."""
    swaps_dashes: bool = False
    """Whether it accepts - and _ for each other."""
    hparams: str = ""
    """The hyperparameter class that reads the command line, by its name in the script."""
    library: str = ""
    """What reads the command line, by its name."""
    form: Literal["--name=value", "name=value"] = "--name=value"
    """How an argument is written."""
    start: tuple[str, ...] = ()
    """Arguments that come before these, such as the name of a subcommand."""
    commands: tuple[str, ...] = ()
    """The subcommands of which one has to be chosen before its arguments are known."""

    def doubted(self, why: str) -> Script:
        """Returns the script with one more reason why it may take more arguments."""
        return replace(self, unclear=(*self.unclear, why))

    def exact(self, name: str, option: str = "") -> ScriptArgument | None:
        """Returns the argument that a hyperparameter sets.

        Args:
            name: The hyperparameter.
            option: What it is on the command line; default: `--name`.
        """
        if self.swaps_dashes:
            return self.respelled(name)
        option = option or f"--{name}"
        return next((argument for argument in self.arguments if option in argument.flags), None)

    def respelled(self, name: str) -> ScriptArgument | None:
        """Returns the argument of that name, with any dashes and underscores."""
        flag = _plain(name)
        return next((argument for argument in self.arguments if flag in map(_plain, argument.flags)), None)

    def abbreviated(self, flag: str) -> list[ScriptArgument]:
        """Returns the arguments with names that start with this one, if the script accepts that."""
        begins = (argument for argument in self.arguments if any(each.startswith(flag) for each in argument.flags))
        return list(begins) if self.abbreviates else []


def _plain(flag: str) -> str:
    return flag.removeprefix("--").replace("-", "_")

"""What a training script takes on its command line, as far as its source tells."""

from __future__ import annotations

from typing import Any, Final, Literal, NamedTuple


class _Unknown:
    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = _Unknown()
"""In the place of what the source does not tell."""

Kind = Literal["int", "float", "bool", "truthy", "text", "flag", "unknown"]
"""What becomes of an argument's text. `truthy` is argparse's type=bool, for which every text but '' is true; `bool`
reads true and false; `flag` takes no value at all."""


class Argument(NamedTuple):
    """One argument."""

    flags: tuple[str, ...]
    """As the script spells them, such as `--lr`; empty for one that is told by its position."""
    file: str
    line: int
    kind: Kind = "unknown"
    default: Any = UNKNOWN
    choices: tuple[Any, ...] | None = None
    """None where any value, or an unknown set of values, is taken."""
    required: bool = False
    many: bool = False
    """Whether it is a list of values."""

    @property
    def name(self) -> str:
        """How messages call it."""
        return next((flag for flag in self.flags if flag.startswith("--")), "".join(self.flags[:1]) or "a position")

    @property
    def place(self) -> str:
        """File and line."""
        return f"{self.file}:{self.line}"


class Script(NamedTuple):
    """The command line of a script."""

    file: str
    style: str
    """argparse, click, typer, tyro, pydantic or kftune; empty where nothing was found."""
    arguments: tuple[Argument, ...] = ()
    unclear: tuple[str, ...] = ()
    """Why there may be more arguments than these."""
    ignores_unknown: bool = False
    """Whether it goes on when it is given what it does not know."""
    abbreviates: bool = False
    """Whether the beginning of a name stands for it."""
    swaps_dashes: bool = False
    """Whether it takes - and _ for one another."""
    hparams: str = ""
    """The hyperparameter class that reads the command line, by its name in the script."""

    def exact(self, name: str) -> Argument | None:
        """The argument that `--name=...` gives a value to."""
        flag = f"--{name}"
        for argument in self.arguments:
            if flag in argument.flags or (self.swaps_dashes and _plain(flag) in map(_plain, argument.flags)):
                return argument
        return None

    def respelled(self, name: str) -> Argument | None:
        """The argument of that name with other dashes or underscores."""
        flag = _plain(f"--{name}")
        return next((argument for argument in self.arguments if flag in map(_plain, argument.flags)), None)

    def abbreviated(self, name: str) -> list[Argument]:
        """The arguments of whose names this is the beginning."""
        flag = f"--{name}"
        begins = (argument for argument in self.arguments if any(each.startswith(flag) for each in argument.flags))
        return list(begins) if self.abbreviates else []


def _plain(flag: str) -> str:
    return flag[:2] + flag[2:].replace("-", "_")

"""How a step's program takes its hyperparameters: the key `arguments` of a step."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from pydantic import Field, create_model

from kftune.argv import Booleans, Form, Names, Nulls, Style
from kftune.spec.derived import derived
from kftune.spec.labels import matching
from kftune.spec.part import Part, PartError

Way = Literal["command-line", "environment", "json-file"]

HPARAMS_FILE = "KFTUNE_HPARAMS_FILE"
"""The environment variable with the path of the JSON file."""

# Variables that shells, Python, Kubernetes and the programs of a container read.
_OWN_VARIABLES = frozenset(
    {
        *("HOME", "HOSTNAME", "IFS", "LANG", "LANGUAGE", "LOGNAME", "PATH", "PWD", "SHELL", "TERM", "TMPDIR", "TZ"),
        *("USER", "LD_LIBRARY_PATH", "LD_PRELOAD", "PYTHONHOME", "PYTHONPATH", "PYTHONUNBUFFERED", "RANK"),
        *("LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS"),
    }
)

# The settings that have no meaning in the other ways.
_OF_FILES = ("option",)
_OF_VARIABLES = ("prefix",)


class _Arguments(Part):
    """How a program takes its arguments."""

    names: Names = "underscores"
    """How names with several words are spelled: ``--batch_size`` or ``--batch-size``."""
    style: Form = "--name=value"
    """The form of an argument: one token, two tokens, or one without dashes as Hydra takes it."""
    booleans: Booleans = "value"
    """``--amp=true``; or a flag: ``--amp`` or nothing; with ``flag-no``, ``--amp`` or ``--no-amp``."""
    nulls: Nulls = "omit"
    """Whether an argument whose value is null is left out, or written as the text ``null``."""
    prefix: Annotated[str, matching(r"([A-Za-z_][A-Za-z0-9_]*)?", "a variable is letters, digits and '_'")] = ""
    """With ``as: environment``, the start of each variable's name, such as ``SM_HP_``."""
    option: (
        Annotated[str, matching(r"[A-Za-z_][A-Za-z0-9_.-]*", "an option is its name without dashes in front")] | None
    ) = "config"
    """With ``as: json-file``, the argument with the file's path; ``null`` for none, only the variable."""

    def model_post_init(self, context: object, /) -> None:
        """Checks rules that concern several fields."""
        if self.booleans != "value" and self.style == "name=value":
            raise PartError(
                f"an argument of the style name=value is no flag, but booleans={self.booleans}; set booleans to value, "
                f"or style to --name=value",
                ("booleans",),
            )
        if self.booleans != "value" and self.way != "command-line":
            raise PartError(
                f"flags are on a command line, but as={self.way} and booleans={self.booleans}; leave out booleans",
                ("booleans",),
            )
        for way, fields in (("json-file", _OF_FILES), ("environment", _OF_VARIABLES)):
            for field in fields:
                if field in self.model_fields_set and self.way != way:
                    raise PartError(f"{field} goes with as: {way}, but as is {self.way}; leave it out", (field,))

    def check_names(self, hparams: Iterable[str], others: Iterable[str], variables: Container[str]) -> None:
        """Checks that no two values have the same place.

        Args:
            hparams: The hyperparameters that the program gets, by dotted name.
            others: Its other arguments.
            variables: The environment variables that it has already.

        Raises:
            PartError: Two of them have.
        """
        if self.way == "json-file" and self.option in {*others}:
            raise PartError(
                f"--{self.option} can have one meaning only, but it is the path of the file and an argument of the "
                f"step; set option to another name",
                ("option",),
            )
        if self.way != "environment":
            return
        known: dict[str, str] = {}
        for name in hparams:
            variable = self.variable(name)
            other = known.setdefault(variable, name)
            if other != name:
                raise PartError(f"{other} and {name} would both be the variable {variable}; rename one of them", ())
            if variable in variables or variable in _OWN_VARIABLES or variable.startswith("KFTUNE_"):
                raise PartError(
                    f"{name} would be the variable {variable}, which has another meaning already; set prefix, for "
                    f"example to HP_",
                    ("prefix",) if self.prefix else (),
                )

    def check_for_class(self, program: str) -> None:
        """Checks that a hyperparameter class, which kftune's own programs use, reads the arguments.

        Args:
            program: The module or the command.

        Raises:
            PartError: It does not.
        """
        if self.way != "command-line" or self.style == "name=value":
            key = "as" if self.way != "command-line" else "style"
            given = self.way if self.way != "command-line" else self.style
            raise PartError(
                f"{program} reads its command line, --name=value or --name value, but {key} is {given}; remove it",
                (key,),
            )

    @property
    def way(self) -> Way:
        """The value of the key ``as``, which is no name in Python."""
        return cast("Way", getattr(self, "as"))

    @derived
    def form(self) -> Style:
        """The form of the arguments."""
        return Style(self.names, self.style, self.booleans, self.nulls)

    def variable(self, name: str) -> str:
        """Returns the environment variable of a hyperparameter; a dot becomes two underscores."""
        return self.prefix + name.replace(".", "__").replace("-", "_").upper()


_AS: dict[str, Any] = {
    "as": (
        Way,
        Field(
            "command-line",
            description="Where the hyperparameters are: on the command line, in one environment variable each "
            "(``LEARNING_RATE``), or in a JSON file. Inputs and outputs of a pipeline's step are on the command line.",
        ),
    )
}

if TYPE_CHECKING:
    Arguments = _Arguments
else:
    Arguments = create_model("Arguments", __base__=_Arguments, __module__=__name__, __doc__=_Arguments.__doc__, **_AS)

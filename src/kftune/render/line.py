"""A command line of a target: which texts only the run knows, and what puts them where the program takes them.

A script with a parser of its own may get no argument for a value, get it in a variable, or in a file. Where the value
is known, the command line is written that way. Where only the run knows it, a shell's text or a short Python program
stands in front of the program, chooses the arguments, and then becomes it.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from typing import NamedTuple

from kftune.argv import CHOOSE, PLAIN, Kinds, chosen
from kftune.errors import RenderError
from kftune.spec.arguments import HPARAMS_FILE, Arguments
from kftune.spec.container import SHOWN_FILE, Command
from kftune.spec.program import PYTHON

# Its arguments: the option's form and name, whether null is left out, three for each hyperparameter (how, name, text),
# `run`, and the command line. No engine replaces a part of it.
WRITE = f"""\
import json, os, sys, tempfile
form, option, nulls, *given = sys.argv[1:]
values = {{}}
while given[0] != "run":
    how, name, text = given[:3]
    del given[:3]
    value = text
    if how != "text" and not (how == "text-null" and text != "null" and text[:1] != chr(34)):
        try:
            value = json.loads(text)
        except ValueError:
            pass
    if value is None and nulls == "omit" and how.endswith("-null"):
        continue
    *parents, last = name.split(".")
    inner = values
    for parent in parents:
        inner = inner.setdefault(parent, {{}})
    inner[last] = value
folder = os.environ.get("KFTUNE_OUTPUT_DIR") or tempfile.mkdtemp()
os.makedirs(folder, exist_ok=True)
path = os.path.join(folder, "{SHOWN_FILE}")
with open(path, "w", encoding="utf-8") as file:
    json.dump(values, file, ensure_ascii=False)
os.environ["{HPARAMS_FILE}"] = path
line = given[1:] + dict(join=[option + path], pair=[option, path], none=[])[form]
os.execvp(line[0], line)
"""


class Piece(NamedTuple):
    """One token of a command line."""

    text: str
    name: str = ""
    """The argument whose text it holds; empty for a token that is always the same."""


class Line(NamedTuple):
    """A command line apart from the program itself."""

    front: list[Piece]
    """What stands in front of the program and starts it; empty if nothing does."""
    rest: list[Piece]
    """The arguments behind those that are always the same."""


def line_of(
    step: Command,
    assignment: Mapping[str, str],
    kinds: Kinds,
    open_names: Container[str] = (),
    wholes: Container[str] = (),
) -> Line:
    """Returns how a program gets its arguments.

    Args:
        step: What runs.
        assignment: Name -> text, or the target's placeholder for it.
        kinds: What is known about each of them.
        open_names: The names whose texts only the run knows.
        wholes: The names whose text is the whole argument, or nothing.

    Raises:
        RenderError: The program is not Python, so nothing can write a file for it.
    """
    given, form = step.arguments, step.form
    if given is None:
        return Line([], [Piece(f"--{name}={text}", name) for name, text in assignment.items()])
    choice: list[Piece] = []
    variables: list[Piece] = []
    written: list[tuple[str, str]] = []
    rest: list[Piece] = []
    for name, text in assignment.items():
        kind = kinds.get(name, PLAIN)
        in_variable = given.way == "environment" and kind.is_hparam
        if given.way == "json-file" and kind.is_hparam:
            written.append((name, text))
        elif name in wholes:
            (variables if in_variable else rest).append(Piece(text, name))
        elif in_variable and name in open_names and kind.is_optional and form.nulls == "omit":
            choice += [Piece("env-omit"), Piece(text, name), Piece(f"{given.variable(name)}="), Piece("")]
        elif in_variable:
            variables += [Piece(f"{key}={value}", name) for key, value in step.variables({name: text}, kinds).items()]
        elif name in open_names and form.chooses(kind):
            how, value, option, off = chosen(name, text, form, kind)
            choice += [Piece(how), Piece(value, name), Piece(option), Piece(off)]
        else:
            tokens = form.tokens(name, text, kind)
            rest += [*map(Piece, tokens[:-1]), *(Piece(last, name) for last in tokens[-1:])]
    front = [*_writer(step, given, written, kinds)] if given.way == "json-file" else []
    if choice:
        front += [*map(Piece, ("sh", "-c", CHOOSE, "sh")), *choice, Piece("run")]
    if variables:
        front += [Piece("env"), *variables]
    return Line(front, rest)


def _writer(step: Command, given: Arguments, written: Sequence[tuple[str, str]], kinds: Kinds) -> Iterator[Piece]:
    start = step.start
    program = start[0]
    if PYTHON.fullmatch(program) is None:
        if not (program.endswith(".py") or program.rpartition("/")[2] in ("torchrun", "deepspeed")):
            raise RenderError(
                f"a short Python program writes the file of arguments.as: json-file in the container, but the step's "
                f"program is {program!r}; start it with python, or set arguments.as to command-line or environment"
            )
        program = "python"
    option = given.form.option(given.option) if given.option else ""
    form = "none" if not option else "pair" if given.style == "--name value" else "join"
    option += "=" if form == "join" else ""
    yield from map(Piece, (program, "-c", WRITE, form, option, given.nulls))
    for name, text in written:
        kind = kinds[name]
        how = f"{'text' if kind.is_text else 'json'}{'-null' if kind.is_optional else ''}"
        yield from (Piece(how), Piece(name), Piece(text, name))
    yield Piece("run")

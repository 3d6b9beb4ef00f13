"""Writes the text of a hyperparameter class for the arguments of a script."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

from kftune.scaffold.fields import Fields, WrittenField

_WIDTH = 120
_Tree = dict[str, "WrittenField | _Tree"]


def class_text(name: str, class_name: str, script: str, fields: Fields) -> str:
    """Returns a module with the class.

    Args:
        name: The model's name.
        class_name: The name of the class.
        script: The script, as messages call it.
        fields: What the class gets.
    """
    head = f"Hyperparameters of {name}, written by `kftune new` from the arguments of {script}, which stays as it is."
    return module_text(class_name, head, f"The arguments of {Path(script).name}.", fields)


def module_text(class_name: str, head: str, about: str, fields: Fields) -> str:
    """Returns a module with a class.

    Args:
        class_name: The name of the class.
        head: What the module is, and where it comes from.
        about: What the class is.
        fields: What the class gets.
    """
    tree: _Tree = {}
    for each in fields.fields:
        *parents, last = each.name.split(".")
        inner = tree
        for parent in parents:
            inner = inner.setdefault(parent, {})  # type: ignore[assignment]  # checked: a name is no group too
        inner[last] = each
    classes = _classes(tree, class_name, about, ())
    notes = _notes(fields)
    if notes:
        classes[-1] = f"{classes[-1].rstrip()}\n\n{notes}\n"
    body = "\n\n".join(classes)
    used = ["Hparam", "Hparams"] if " Hparam(" in body else ["Hparams"]
    literal = "from typing import Literal\n\n" if "Literal[" in body else ""
    more = "Change it as you like: a name here is the name of an argument there."
    return f'"""{head}\n\n{more}\n"""\n\n{literal}from kftune import {", ".join(used)}\n\n\n{body}'


def _classes(tree: _Tree, class_name: str, about: str, path: tuple[str, ...]) -> list[str]:
    """Returns the texts of a class and of the classes of its groups, the inner ones first."""
    found: list[str] = []
    lines = [f"class {class_name}(Hparams):", f'    """{about}"""', ""]
    for name, each in tree.items():
        if isinstance(each, WrittenField):
            lines += _field_lines(name, each)
        else:
            inner = (*path, name)
            group = f"{''.join(map(_camel, inner))}Group"
            found += _classes(each, group, f"The arguments that begin with {'.'.join(inner)}.", inner)
            lines.append(f"    {name}: {group} = {group}()" if _complete(each) else f"    {name}: {group}")
    return [*found, "\n".join(lines) + "\n"]


def _camel(name: str) -> str:
    return "".join(word[:1].upper() + word[1:] for word in name.split("_"))


def _complete(tree: _Tree) -> bool:
    return all(
        each.default is not None if isinstance(each, WrittenField) else _complete(each) for each in tree.values()
    )


def _field_lines(name: str, each: WrittenField) -> list[str]:
    bounds = "".join(f", {bound}={limit!r}" for bound, limit in each.argument.bounds)
    if bounds:
        value = f" = Hparam({each.default}{bounds})" if each.default is not None else f" = Hparam({bounds[2:]})"
    else:
        value = "" if each.default is None else f" = {each.default}"
    line = f"    {name}: {each.annotation}{value}"
    text = " ".join(each.argument.help.replace("\\", "/").replace('"', "'").split())
    about = [f'    """{_wrapped(text, "    ")}"""'] if text else []
    return [*(_split(line) if len(line) > _WIDTH else [line]), *about]


def _split(line: str) -> list[str]:
    """Returns a long line in several, as formatters do, if it is one of choices."""
    opened, closed = line.find("Literal["), line.find("]")
    if opened < 0 or closed < 0:
        return [f"{line}  # noqa: E501"]
    indent = " " * 8
    choices = textwrap.wrap(line[opened + 8 : closed] + ",", _WIDTH, initial_indent=indent, subsequent_indent=indent)
    return [line[: opened + 8], *choices, f"    {line[closed:]}"]


def _wrapped(text: str, indent: str) -> str:
    """Returns a text in lines that fit, with the quotes around it."""
    lines = textwrap.wrap(text, _WIDTH - len(indent) - 6, break_long_words=False) or [""]
    return f"\n{indent}".join(lines)


def _notes(fields: Fields) -> str:
    """Returns, as comments of the class, what the user has to complete and what is left out."""
    lines: list[str] = []
    if fields.open:
        lines.append("To search one of these too, write its default and take the # away:")
    for each in fields.open:
        where = f"{each.argument.name}, {each.argument.place}"
        lines.append(f"{each.name}: {each.annotation} = ...  ({where}: its default is computed)")
    if fields.left:
        lines += ["Not in the class:", *fields.left]
    return "\n".join(_comment(line) for line in lines)


def _comment(line: str) -> str:
    return lines_of([line], "    ").rstrip()


def lines_of(texts: Sequence[str], indent: str) -> str:
    """Returns texts as comments, one below the other.

    Args:
        texts: The texts.
        indent: What each line begins with.
    """
    first, further = f"{indent}# ", f"{indent}#   "
    made = [textwrap.wrap(text, _WIDTH, initial_indent=first, subsequent_indent=further) for text in texts]
    return "".join(f"{line}\n" for lines in made for line in lines)

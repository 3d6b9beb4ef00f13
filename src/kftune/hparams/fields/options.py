"""The fields on a command line: flags and their texts, options of a hand-written parser, the text of ``--help``."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kftune.errors import HparamsError, KftuneError
from kftune.hparams.fields.leaf import Leaf

if TYPE_CHECKING:
    import argparse

# The attribute of a namespace that keeps the texts which `add_options` had the parser read.
TEXTS = "_kftune_texts"


def flags_of(leaves: Mapping[str, Leaf]) -> dict[str, Leaf]:
    """Flag, with underscores or dashes -> field."""
    dashed = {f"--{name.replace('_', '-')}": leaf for name, leaf in leaves.items()}
    return {**dashed, **{f"--{name}": leaf for name, leaf in leaves.items()}}


def texts_by_name(argv: Sequence[str], flags: Mapping[str, Leaf]) -> Iterator[tuple[str, str]]:
    """Name and text of each flag; ``--name value`` in two tokens is taken as well.

    Raises:
        HparamsError: A token is no flag, or a flag has no value.
    """
    tokens = iter(argv)
    for token in tokens:
        if not token.startswith("--"):
            raise HparamsError(f"arguments are --name=value, but got {token!r}")
        flag, equals, text = token.partition("=")
        leaf = flags.get(flag)
        if not equals:
            following = next(tokens, None)
            if following is None:
                raise HparamsError(f"{flag} needs a value: {flag}=VALUE")
            text = following
        yield (leaf.name if leaf else flag[2:]), text


def help_text(about: str, leaves: Mapping[str, Leaf]) -> str:
    """The fields as a command line's ``--help`` shows them."""
    lines = [inspect.cleandoc(about), "", "hyperparameters (--name=value):"]
    for leaf in leaves.values():
        given = (
            f"default {leaf.encode(leaf.default)}" if leaf.has_default else f"required in {'.'.join(leaf.path[:-1])}"
        )
        notes = ["required" if leaf.is_required else given]
        if leaf.domain is not None:
            notes.append(f"searched {json.dumps(leaf.domain.to_spec())}")
        lines.append(f"  --{leaf.name}")
        lines.append(f"        {leaf.description} ({'; '.join(notes)})".replace("         (", "        ("))
    return "\n".join(lines) + "\n"


def add_options(parser: argparse.ArgumentParser, leaves: Mapping[str, Leaf]) -> None:
    """Gives a parser one option a field, which leaves a typed value and, under `TEXTS`, its text."""
    import argparse  # noqa: PLC0415  # so that using a class without a parser does not cost it

    class Store(argparse.Action):
        def __call__(
            self,
            parser: argparse.ArgumentParser,
            namespace: argparse.Namespace,
            values: Any,
            option_string: str | None = None,  # argparse passes it
        ) -> None:
            text = values if isinstance(values, str) else "--"  # until Python 3.13 argparse takes this one text out
            texts = {**getattr(namespace, TEXTS, {}), self.dest: text}
            try:
                setattr(namespace, self.dest, leaves[self.dest].validated(leaves[self.dest].decode(text)))
            except KftuneError as error:
                parser.error(str(error))
            setattr(namespace, TEXTS, texts)

    for leaf in leaves.values():
        flags = dict.fromkeys((f"--{leaf.name}", f"--{leaf.name.replace('_', '-')}"))
        default = leaf.validated(leaf.default) if leaf.has_default else None
        shown = f" (default: {leaf.encode(leaf.default)})" if leaf.has_default else ""
        parser.add_argument(
            *flags,
            dest=leaf.name,
            action=Store,
            default=default,
            required=leaf.is_required,
            metavar="VALUE",
            help=f"{leaf.description}{shown}".strip().replace("%", "%%"),
        )

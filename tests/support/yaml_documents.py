"""Random YAML documents with comments, anchors and odd quoting, in which the places of some values are known."""

from __future__ import annotations

import random
import re
from typing import NamedTuple

NEW_TEXTS = (
    *(
        "adam",
        "yes",
        "No",
        "null",
        "~",
        "1e-3",
        "0x1F",
        "12:30",
        "2024-01-01",
        "a: b",
        "a #b",
        "- x",
        "é",
        "🙂",
        "",
        " ",
    ),
    *(
        "it's",
        'say "x"',
        "{a}",
        "[1, 2]",
        "a, b",
        "*a",
        "&a",
        "!x",
        "%x",
        "@x",
        "`x`",
        "true",
        "1_000",
        ".5",
        "\\n",
        "a\tb",
    ),
)
NEW_VALUES: dict[str, tuple[object, ...]] = {
    "lr": (1e-05, 1e22, 0.003, 0.1, -2.5e-300, 1.0, 0.0),
    "units": (0, 1, 64, -3, 10**20, 8),
    "flag": (True, False),
    "name": NEW_TEXTS,
}

_PRESENT = {
    "lr": ("0.1", "1e-4", "1.0e-05", ".5", "'0.1'", '"0.10"', "1", "1.", "+0.1", "null", "~", ".inf"),
    "units": ("64", "'64'", '"64"', "0x40", "0o17", "1_000", "-1", "null"),
    "flag": ("true", "True", "FALSE", "'true'", '"no"', "yes", "off"),
    "name": (
        *(
            "adam",
            "'adam'",
            '"adam"',
            "'it''s'",
            '"a\\"b"',
            '"\\u00e9"',
            "a b c",
            "'#no'",
            "''",
            '""',
            "x#y",
            "é",
            "a:b",
        ),
        *("'a: b'", "null", "5", "'5'"),
    ),
}
_OTHERS = (
    *(
        "1",
        "'x'",
        '"y\\tz"',
        "[1,2 , 3]",
        "{a: 1,b: 'c'}",
        "plain text",
        "null",
        "~",
        "2024-01-01",
        "0x10",
        "yes",
        "''",
    ),
    *("{}", "[]", "!!str 5", "'it''s'", "a-b_c", "http://x.example/y", "[{a: 1}, [2]]"),
)
_KEYS = ("alpha", "'quoted key'", '"double"', "b-c", "D_E", "é", "12", "with space", "x.y")
_COMMENTS = ("# note", "#", "# lr: 9", "# 'quote", '# "quote', "#\ttab", "# é {", "# - x: [")


class Slot(NamedTuple):
    """A value that is to change.

    Attributes:
        name: Its key.
        text: Its present text, without an anchor.
    """

    name: str
    text: str


class Document(NamedTuple):
    """A document.

    Attributes:
        pieces: Its text, with the values that are to change as slots.
        at: The path of the mapping that has them.
    """

    pieces: tuple[str | Slot, ...]
    at: str

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(piece if isinstance(piece, str) else piece.text for piece in self.pieces)

    @property
    def names(self) -> list[str]:
        """The keys of the values that are to change."""
        return [piece.name for piece in self.pieces if isinstance(piece, Slot)]

    def replaced_in(self, changed: str) -> dict[str, str] | None:
        """Returns what stands in place of each slot; None if anything else has changed."""
        parts = [re.escape(piece) if isinstance(piece, str) else "(.*?)" for piece in self.pieces]
        found = re.fullmatch("".join(parts), changed, re.DOTALL)
        return None if found is None else dict(zip(self.names, found.groups(), strict=True))


class Writer:
    """Writes one document.

    Args:
        seed: Decides everything.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._pieces: list[str | Slot] = []
        self._anchors = 0
        self._defined: list[str] = []

    def document(self) -> Document:
        """Returns the document."""
        rng = self._random
        self._line_comments("")
        self._maybe(0.2, "---\n")
        path = [f"K{depth}" for depth in range(rng.randrange(3))]
        self._block(path, "")
        self._maybe(0.2, "# the end\n")
        self._maybe(0.1, "...\n")
        pieces = self._pieces
        if (
            rng.random() < 0.2
            and isinstance(pieces[-1], str)
            and pieces[-1].endswith("\n")
            and pieces[-1][-4:] not in ("...\n", "# x\n")
        ):
            pieces[-1] = pieces[-1][:-1]
        if rng.random() < 0.3:
            pieces = [piece.replace("\n", "\r\n") if isinstance(piece, str) else piece for piece in pieces]
        return Document(tuple(pieces), "/".join(path))

    def _block(self, path: list[str], indent: str) -> None:
        """Writes a mapping in lines that has the rest of the path, or the slots."""
        rng = self._random
        entries: list[str] = rng.sample(_KEYS, rng.randrange(4))
        entries += ["<path>"] if path else rng.sample(sorted(_PRESENT), rng.randint(1, 4))
        rng.shuffle(entries)
        for entry in entries:
            self._line_comments(indent)
            if entry == "<path>":
                self._inner(path, indent)
            elif entry in _PRESENT:
                key = rng.choice((entry, entry, f"'{entry}'", f'"{entry}"'))
                self._write(f"{indent}{key}:{rng.choice((' ', ' ', '   ', ' ' + self._anchor()))}")
                self._slot(entry)
                self._end_line()
            else:
                self._other(entry, indent)

    def _inner(self, path: list[str], indent: str) -> None:
        rng = self._random
        first, *rest = path
        self._write(f"{indent}{first}:")
        self._maybe(0.2, f" {self._anchor().strip()}")
        if not rest and rng.random() < 0.4:
            self._write(" ")
            self._flow(indent)
            self._end_line()
            return
        self._end_line()
        self._block(rest, indent + " " * rng.randint(1, 5))

    def _flow(self, indent: str) -> None:
        """Writes the mapping with the slots in brackets."""
        rng = self._random
        quote = rng.choice(("", "", '"'))
        lines = rng.random() < 0.4
        gap = f"\n{indent}    " if lines else rng.choice((" ", "", "  "))
        names = rng.sample(sorted(_PRESENT), rng.randint(1, 4))
        self._write("{" + (gap if lines else rng.choice(("", " "))))
        for index, name in enumerate(names):
            self._write(f"{quote}{name}{quote}: ")
            self._slot(name)
            if index < len(names) - 1:
                self._write(f",{gap}")
        self._write((f"\n{indent} " if lines else rng.choice(("", " "))) + "}")

    def _slot(self, name: str) -> None:
        self._pieces.append(Slot(name, self._random.choice(_PRESENT[name])))

    def _other(self, key: str, indent: str) -> None:
        rng = self._random
        kind = rng.random()
        if kind < 0.15:
            self._write(
                f"{indent}{key}: {rng.choice('|>')}{rng.choice(('', '-', '+'))}\n{indent}  lr: 1\n\n{indent}  # x\n"
            )
        elif kind < 0.25:
            self._write(f"{indent}{key}:\n{indent}- a # b\n{indent}- c: 1\n{indent}  lr: 0.1\n")
        elif kind < 0.35 and self._defined:
            self._write(f"{indent}{key}: *{rng.choice(self._defined)}")
            self._end_line()
        elif kind < 0.45:
            name = f"own{len(self._defined)}"
            self._write(f"{indent}{key}: &{name} {rng.choice(('{lr: 1}', 'x', chr(39) + 'y' + chr(39)))}")
            self._end_line()
            self._defined.append(name)
        elif kind < 0.5:
            self._write(f'{indent}{key}: "over\n{indent}  lines"\n')
        else:
            self._write(f"{indent}{key}: {rng.choice(_OTHERS)}")
            self._end_line()

    def _line_comments(self, indent: str) -> None:
        rng = self._random
        for _ in range(rng.choice((0, 0, 0, 1, 2))):
            self._write(rng.choice(("\n", f"{indent}{rng.choice(_COMMENTS)}\n", f"{rng.choice(_COMMENTS)}\n")))

    def _end_line(self) -> None:
        rng = self._random
        self._write(rng.choice(("", "", " ", f"  {rng.choice(_COMMENTS)}", f"\t{rng.choice(_COMMENTS)}")) + "\n")

    def _anchor(self) -> str:
        """Returns an anchor that no alias uses."""
        self._anchors += 1
        return f"&a{self._anchors} "

    def _maybe(self, share: float, text: str) -> None:
        if self._random.random() < share:
            self._write(text)

    def _write(self, text: str) -> None:
        self._pieces.append(text)

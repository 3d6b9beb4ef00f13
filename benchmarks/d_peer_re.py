"""Does what Katib's collector does with its default filter, line by line: FILE, or `-` for standard input."""

from __future__ import annotations

import re
import sys
from pathlib import Path

NAMES = ("loss", "accuracy")
PATTERN = re.compile(r"([\w|-]+)\s*=\s*([+-]?\d*(\.\d+)?([Ee][+-]?\d+)?)")


def main() -> None:
    found: dict[str, list[float]] = {name: [] for name in NAMES}
    with sys.stdin if sys.argv[1] == "-" else Path(sys.argv[1]).open(encoding="utf-8") as file:
        for line in file:
            for match in PATTERN.finditer(line):
                if match[1] in found:
                    found[match[1]].append(float(match[2]))
    for name, values in found.items():
        print(name, len(values), min(values), max(values), values[-1])


if __name__ == "__main__":
    main()

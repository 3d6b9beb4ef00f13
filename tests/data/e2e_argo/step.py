"""A step of the pipeline for the e2e suite: does what its name says, and writes down the arguments that it got."""

import json
import sys
from pathlib import Path

step = sys.argv[1]
given = dict(token[2:].split("=", 1) for token in sys.argv[2:])
outputs = {"data", "count", "square", "total", "seen"}
seen = {name: text for name, text in given.items() if name not in outputs}


def write(name: str, text: str) -> None:
    path = Path(given[name])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


if step == "make":
    folder = Path(given["data"])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "offset.txt").write_text("1")
    write("count", "3")
elif step == "each":
    offset = int((Path(seen.pop("readings")) / "offset.txt").read_text())
    write("square", json.dumps(float(seen["number"]) ** 2 + offset))
elif step == "gather":
    write("total", json.dumps(sum(json.loads(seen["squares"]))))
elif step == "fail":
    sys.exit(3)
write("seen", json.dumps(seen, sort_keys=True))

"""Writes needed/core.txt and needed/EXTRA.txt: what kftune and its extras need, as pyproject.toml says.

An image installs them before kftune itself, so that a change of the code leaves that layer as it is.
"""

import sys
import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
extras = project["optional-dependencies"]
for name, needed in {"core": project["dependencies"], **{extra: extras[extra] for extra in sys.argv[1:]}}.items():
    Path("needed", f"{name}.txt").write_text("\n".join(needed) + "\n", encoding="utf-8")

"""The command line: one module a command, imported only when that command is called.

Exit codes: 0 done, 1 findings or failed trials, 2 wrong use or input, 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from kftune._version import __version__

# Command -> what it does. The module of `run` is kftune.cli.run: `configure(parser)` and `run(arguments) -> exit code`.
COMMANDS = {
    "new": "write a hyperparameter class, its study and its test to start from",
    "show": "what a study or pipeline searches, runs and needs",
    "run": "run a study, or a Katib Experiment, on this machine",
    "pipeline": "run a whole pipeline on this machine",
    "status": "how far a study or an Experiment is",
    "lint": "what a cluster would refuse, and where it would hang",
    "render": "write the manifests that do the same on a cluster",
    "best": "the best trial of a study",
    "results": "all trials of a study as JSON or CSV",
    "logs": "what a trial printed",
    "images": "build the images of a project, and lock what was built",
    "registry": "list, show or check the registered hyperparameter classes",
    "schema": "the JSON Schema of a study, pipeline or project file, or of what lint prints",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        argv: Command and arguments; None takes the process's own.

    Returns:
        The exit code.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["--version"]:
        print(f"kftune {__version__}")
        return 0
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_overview())
        return 0 if arguments else 2
    if arguments[0] not in COMMANDS:
        return _unknown(arguments[0])
    from kftune.cli.call import call

    return call(arguments[0], COMMANDS[arguments[0]], arguments[1:])


def _overview() -> str:
    width = max(map(len, COMMANDS))
    listed = "\n".join(f"  {name:<{width}}  {summary}" for name, summary in COMMANDS.items())
    return (
        "usage: kftune COMMAND ...\n\n"
        "One typed declaration of hyperparameters, and everything that runs it.\n\n"
        f"commands:\n{listed}\n\n"
        "options:\n  -h, --help  this text; kftune COMMAND --help tells more\n  --version   kftune's version"
    )


def _unknown(name: str) -> int:
    from kftune.errors import suggestion

    print(f"kftune: unknown command {name!r}; {suggestion(name, COMMANDS)}", file=sys.stderr)
    return 2

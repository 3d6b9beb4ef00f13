"""The command line: one module for each command, imported when that command is called.

Exit codes: 0 done, 1 findings or failed trials, 2 wrong use or input, 130 interrupted, 141 the reader of the output has
ended. A run whose output cannot be written stops in order, with 130 (`kftune.local.views.view`).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from kftune._version import __version__

# Command -> its summary. Its module, such as kftune.cli.run, has `configure(parser)` and `run(arguments) -> exit code`,
# or `main(arguments) -> exit code` if it reads its arguments itself.
COMMANDS = {
    "new": "create a hyperparameter class with its study and its test",
    "init": "write a config file with every hyperparameter of a model, to start from",
    "train": "train a model on this machine, with config files and overrides",
    "import": "write a study from the search of another system",
    "show": "print what a study or pipeline searches, runs and needs",
    "cost": "print what a study or pipeline costs before it starts: hours, money, pods",
    "run": "run a study, a pipeline or a Katib Experiment on this machine",
    "experiments": "run a list of named experiments on this machine, or write it as a Katib Experiment",
    "pipeline": "run a pipeline on this machine, show the steps of its latest run, or the log of one",
    "status": "print the progress of a study or an Experiment",
    "lint": "find what a cluster would reject, and where it would hang",
    "render": "write the manifests that run a study or pipeline on a cluster",
    "best": "print the best trial of a study",
    "results": "print all trials of a study, also as JSON or CSV",
    "report": "write a page with plots of a study, or draw them in the terminal",
    "serve": "show the trials of a study in Optuna's dashboard",
    "compare": "compare studies: the best of each, what differs, and how sure that is",
    "summarise": "find the values that are good for many entities, and those that need values of their own",
    "apply": "write the best values of a study into a YAML file, or a git branch",
    "export": "write a study in the words of another system, or with its results as one file",
    "snippet": "print the best values of a study as YAML, to be pasted",
    "logs": "print the log of a trial",
    "list": "list the results below a folder: what ran, how it ended, its best, its size",
    "prune": "remove logs and outputs of trials and runs that are not needed any more",
    "images": "write, build and lock the images of a project",
    "registry": "list, show or check the registered hyperparameter classes",
    "schema": "print the JSON Schema of a study, pipeline, project, price table or experiment list, or of lint",
}

# What other tools call their commands -> what to write here.
_OTHER_WORDS = {
    **dict.fromkeys(("create", "add", "scaffold", "startproject"), "kftune new hparams NAME"),
    **dict.fromkeys(("tune", "start", "execute", "optimize", "search", "study", "sweep", "hpo"), "kftune run FILE"),
    "fit": "kftune train MODEL",
    **dict.fromkeys(("resume", "continue", "restart"), "kftune run FILE, which goes on where a run stopped"),
    "trials": "kftune results FILE",
    **dict.fromkeys(("ls", "find", "runs"), "kftune list FOLDER"),
    **dict.fromkeys(("clean", "gc", "rm", "remove", "delete", "purge", "cleanup"), "kftune prune FOLDER"),
    "dashboard": "kftune serve FILE",
    **dict.fromkeys(("plot", "plots", "visualize", "importances", "history"), "kftune report FILE"),
    **dict.fromkeys(("log", "tail", "output"), "kftune logs FILE TRIAL"),
    **dict.fromkeys(("progress", "watch", "ps", "get"), "kftune status FILE"),
    **dict.fromkeys(("describe", "inspect", "info", "explain", "print", "cat"), "kftune show FILE"),
    **dict.fromkeys(("diff", "versus", "vs"), "kftune compare FILE FILE"),
    **dict.fromkeys(("summarize", "summary", "across", "aggregate"), "kftune summarise --across FOLDER"),
    **dict.fromkeys(("check", "validate", "verify", "test"), "kftune lint FILE"),
    **dict.fromkeys(
        ("submit", "deploy", "compile", "template", "generate", "manifests"),
        "kftune render FILE --out DIR, and kubectl apply -f DIR",
    ),
    **dict.fromkeys(("update", "patch", "write", "promote"), "kftune apply STUDY --to FILE"),
    **dict.fromkeys(("build", "image"), "kftune images build"),
    **dict.fromkeys(("convert", "migrate", "from"), "kftune import SYSTEM FILE"),
    **dict.fromkeys(("bundle", "archive", "backup", "zip"), "kftune export STUDY --bundle FILE.zip"),
    **dict.fromkeys(("price", "prices", "costs", "estimate", "budget", "plan", "dry-run"), "kftune cost FILE"),
    **dict.fromkeys(("models", "classes"), "kftune registry list"),
    **dict.fromkeys(("stop", "cancel", "kill", "abort"), "Ctrl-C in the terminal of the run"),
    **dict.fromkeys(("version", "-v", "-V"), "kftune --version"),
}


# As of a program that SIGPIPE ends (`| head`); Python ignores that signal.
_READER_ENDED = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        argv: Command and arguments; None means those of the process.

    Returns:
        The exit code.
    """
    try:
        from kftune.cli.output import flush_or_drop, open_closed, shown_streams

        open_closed()
        with shown_streams():
            code = _main(list(sys.argv[1:] if argv is None else argv))
    except KeyboardInterrupt:  # while the modules of a command are imported
        return 130
    except BrokenPipeError:
        flush_or_drop(sys.stdout)
        return _READER_ENDED
    problem = flush_or_drop(sys.stdout)
    if isinstance(problem, BrokenPipeError):
        return _READER_ENDED
    if problem is not None:
        print(f"kftune: {problem.strerror}", file=sys.stderr)
        return 2
    return code


def _main(arguments: list[str]) -> int:
    if arguments[:1] == ["--version"]:
        print(f"kftune {__version__}")
        return 0
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_overview())
        return 0 if arguments else 2
    if arguments[0] not in COMMANDS:
        print(f"kftune: unknown command {arguments[0]!r}; {_meant(arguments[0])}", file=sys.stderr)
        return 2
    from kftune.cli.call import call

    return call(arguments[0], COMMANDS[arguments[0]], arguments[1:])


def _overview() -> str:
    width = max(map(len, COMMANDS))
    listed = "\n".join(f"  {name:<{width}}  {summary}" for name, summary in COMMANDS.items())
    return (
        "usage: kftune COMMAND ...\n\n"
        "One typed declaration of hyperparameters, and everything that runs it.\n\n"
        f"commands:\n{listed}\n\n"
        "options:\n  -h, --help  print this text; kftune COMMAND --help has more\n  --version   print the version"
    )


def _meant(name: str) -> str:
    from kftune.errors import suggestion
    from kftune.runs import YAML_SUFFIXES

    if name.endswith((*YAML_SUFFIXES, ".json")):
        return f"did you mean kftune run {name}?"
    other = _OTHER_WORDS.get(name) or _OTHER_WORDS.get(name.lower())
    return f"write {other}" if other else suggestion(name, COMMANDS)

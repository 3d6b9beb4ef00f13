"""Rules for what Katib's shell line makes of a trial's command."""

from __future__ import annotations

from kftune.lint.rules.example import PLAIN, container
from kftune.lint.rules.rule import Rule

_WRAPPER = "katib v0.19.0, pkg/webhook/v1beta1/pod; recorded runs in dash and bash"
_RUN = "python train.py --lr=${trialParameters.lr} --units=${trialParameters.units}"


def _script(text: str) -> str:
    return container(f'command: [sh, -c], args: ["{text}"]')


RULES = (
    Rule(
        "KT250",
        "wrong",
        "A shell that Katib does not recognise",
        "Katib knows sh and bash with -c, letter by letter. Of /bin/sh -c or bash -lc it runs the script's first word.",
        "write command: [sh, -c] and the script as the only argument",
        container(f'command: [/bin/sh, -c], args: ["{_RUN}"]'),
        "",
        _WRAPPER,
    ),
    Rule(
        "KT251",
        "wrong",
        "A script that ends in a newline",
        "Katib appends its redirection to the text, and behind a newline it redirects nothing. YAML's | keeps it.",
        "write |- for |, or take the newline off",
        _script(_RUN + "\\n"),
        _script(_RUN),
        _WRAPPER,
    ),
    Rule(
        "KT252",
        "habit",
        "Several commands in one script",
        "Only the last command's output goes into the metrics file, and only its exit code counts.",
        "put the training last, or all commands into braces: { a; b; }",
        _script(f"{_RUN}; echo done"),
        _script(_RUN),
        _WRAPPER,
    ),
    Rule(
        "KT253",
        "fails",
        "A script that ends before Katib's mark",
        "Behind the training Katib writes `completed` into a file. exec, exit and a comment keep it from that, and the "
        "collector takes the trial for failed.",
        "remove exec, exit and the comment",
        _script(f"exec {_RUN}"),
        _script(_RUN),
        _WRAPPER,
    ),
    Rule(
        "KT254",
        "wrong",
        "Arguments that the shell changes",
        "Katib joins command and args with blanks and without quotes: blanks, quotes, $, brackets and ; are read by "
        "the shell.",
        "use command: [sh, -c] and a script with quotes of its own",
        container(
            "command: [python, train.py], args: ['--lr=${trialParameters.lr}', '--name=a b', "
            "'--units=${trialParameters.units}']"
        ),
        container(PLAIN),
        _WRAPPER,
    ),
    Rule(
        "KT255",
        "wrong",
        "A shell without a script",
        "sh alone stops Katib's webhook; sh -c with nothing succeeds and measures nothing.",
        "give the script",
        "",
        "",
        _WRAPPER,
    ),
    Rule(
        "KT256",
        "hangs",
        "No command, and an image that cannot be looked up",
        "Without a command Katib asks the image's registry for its entrypoint, and wants registry and tag in full.",
        "give the command, or the image as registry/name:tag",
        "",
        "",
        _WRAPPER,
    ),
    Rule(
        "KT257",
        "fails",
        "A script whose quotes do not close",
        "The shell reads on to the end of what Katib appends, finds no end, and runs nothing.",
        "close the quote",
        _script(_RUN + " 'a"),
        _script(_RUN + " 'a'"),
        _WRAPPER,
    ),
    Rule(
        "KT258",
        "fails",
        "A script for bash that sh is to run",
        "What an image calls sh is often dash, which has no [[ ]], arrays, <<<, &> or set -o pipefail. Katib keeps "
        "bash where the command says so.",
        "write command: [bash, -c], or a script that every sh reads",
        _script(f"set -o pipefail; {_RUN}"),
        container(f'command: [bash, -c], args: ["set -o pipefail; {_RUN}"]'),
        _WRAPPER,
    ),
    Rule(
        "KT263",
        "wrong",
        "A value that the shell changes",
        "Values are put into the shell line as they are: blanks, quotes, ; and # in one are read by the shell.",
        "put the placeholder into quotes in the script, or use values without such signs",
        "spec: {parameters: [{name: learning_rate, parameterType: double, feasibleSpace: {min: '0.1', max: '1'}}, "
        "{name: units, parameterType: categorical, feasibleSpace: {list: ['a b']}}]}",
        "spec: {parameters: [{name: learning_rate, parameterType: double, feasibleSpace: {min: '0.1', max: '1'}}, "
        "{name: units, parameterType: categorical, feasibleSpace: {list: ['a_b']}}]}",
        _WRAPPER,
    ),
)

"""Rules for what Katib's shell line does to a trial's command."""

from __future__ import annotations

from kftune.lint.rules.example import PLAIN, container, parameters
from kftune.lint.rules.rule import WRAPPER, Rule

_RUN = "python train.py --lr=${trialParameters.lr} --units=${trialParameters.units}"


def _script(text: str) -> str:
    return container(f'command: [sh, -c], args: ["{text}"]')


def _unused(change: str) -> str:
    """Returns the change with the placeholders, which the webhook wants to see, in annotations."""
    annotations = "annotations: {lr: '${trialParameters.lr}', units: '${trialParameters.units}'}"
    return change.replace("template: {spec", f"template: {{metadata: {{{annotations}}}, spec")


SOURCE = WRAPPER

RULES = (
    Rule(
        code="KT250",
        severity="fails",
        title="A shell that Katib does not recognise",
        explanation="Katib recognises only sh -c and bash -c. To another shell it passes only the first word of the "
        "script: python without its arguments, so there are no metrics. What follows && or ; runs outside that shell, "
        "and a program that runs without its arguments counts as wrong.",
        remedy="write command: [sh, -c] and the script as the only argument",
        fails=container(f'command: [/bin/sh, -c], args: ["{_RUN}"]'),
    ),
    Rule(
        code="KT251",
        severity="fails",
        title="A script that ends in a newline",
        explanation="Katib appends its redirection, which has no effect after a newline, so no trial has metrics. "
        "YAML's | keeps a newline.",
        remedy="use |- instead of |, or remove the newline",
        fails=_script(_RUN + "\\n"),
        passes=_script(_RUN),
    ),
    Rule(
        code="KT252",
        severity="advice",
        title="Several commands in one script",
        explanation="Only the output of the last command goes into the metrics file, and only its exit code counts. "
        "If the training is not the last one, and what follows prints no metric, every trial fails.",
        remedy="run the training last, or group all commands with braces: { a; b; }",
        fails=_script(f"python prepare.py; {_RUN}"),
        passes=_script(_RUN),
    ),
    Rule(
        code="KT253",
        severity="fails",
        title="A script that ends before Katib's end marker",
        explanation="exec, exit and a comment prevent Katib's end marker, and the collector reports a failed trial.",
        remedy="remove exec, exit and the comment",
        fails=_script(f"exec {_RUN}"),
        passes=_script(_RUN),
    ),
    Rule(
        code="KT254",
        severity="wrong",
        title="Arguments that the shell changes",
        explanation="Katib joins command and args and gives the line to a shell, which interprets spaces, quotes, $, "
        'brackets and ;. Quotes around all of a value are for that shell: --name="a b" arrives as --name=a b.',
        remedy="put quotes for the shell around all of the value, without a backslash: '--name=\"a b\"'",
        fails=container(
            "command: [python, train.py], args: ['--lr=${trialParameters.lr}', '--name=a b', "
            "'--units=${trialParameters.units}']"
        ),
        passes=container(PLAIN),
    ),
    Rule(
        code="KT255",
        severity="hangs",
        title="A shell without a script",
        explanation="sh alone makes Katib's webhook panic, and no pod is created. sh -c with an empty script has no "
        "metrics, and every trial fails.",
        remedy="add the script",
        fails=_unused(container("command: [sh]")),
        passes=_unused(_script("python train.py")),
    ),
    Rule(
        code="KT256",
        severity="hangs",
        title="No command, and an image that cannot be looked up",
        explanation="Without a command Katib asks the registry for the entrypoint, and from 0.19 on needs the image's "
        "full name; 0.18 takes Docker Hub and latest for what is missing.",
        remedy="set the command, or write the image as registry.example/folder/name:tag",
        fails=container("args: ['--lr=${trialParameters.lr}', '--units=${trialParameters.units}']").replace(
            "registry.example/lstm:1", "lstm:1"
        ),
        passes=container(PLAIN),
    ),
    Rule(
        code="KT257",
        severity="fails",
        title="A script with an unclosed quote",
        explanation="The quote covers the text that Katib appends, so the shell reports an error and runs nothing.",
        remedy="close the quote",
        fails=_script(_RUN + " 'a"),
        passes=_script(_RUN + " 'a'"),
    ),
    Rule(
        code="KT258",
        severity="fails",
        title="A bash script that sh runs",
        explanation="sh is often dash, without [[ ]], arrays, <<<, &> or pipefail. Katib runs bash only by name.",
        remedy="use command: [bash, -c], or write a script that works in every sh",
        fails=_script(f"set -o pipefail; {_RUN}"),
        passes=container(f'command: [bash, -c], args: ["set -o pipefail; {_RUN}"]'),
    ),
    Rule(
        code="KT263",
        severity="wrong",
        title="A value that the shell changes",
        explanation="Values are inserted unquoted: the shell interprets spaces, quotes, ; and # in them. enas and "
        "darts give such values to every trial: JSON with single quotes.",
        remedy="put double quotes around the placeholder, inside the argument or script: "
        "'--name=\"${trialParameters.name}\"'",
        fails=parameters(units="'a b'"),
        passes=parameters(units="'a_b'"),
    ),
)

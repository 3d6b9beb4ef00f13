"""Changes of the example Experiment (`tools/lint_examples.py`) for the examples of the rules."""

from __future__ import annotations

PLAIN = "command: [python, train.py], args: ['--lr=${trialParameters.lr}', '--units=${trialParameters.units}']"
"""The fields of a container whose command uses no shell."""


UNPRIVILEGED = "securityContext: {runAsNonRoot: true}"
"""The field of a container that must not run as root."""


def container(inside: str, pod: str = "") -> str:
    """Returns the change that gives the example's pod one container with other fields.

    Args:
        inside: The fields other than name, image, resources and securityContext.
        pod: Fields of the pod before `containers`, with a comma at the end.
    """
    limits = "resources: {limits: {cpu: '1'}}"
    spec = (
        f"{{{pod}containers: [{{name: main, image: 'registry.example/lstm:1', {limits}, {UNPRIVILEGED}, {inside}}}]}}"
    )
    return f"spec: {{trialTemplate: {{trialSpec: {{spec: {{template: {{spec: {spec}}}}}}}}}}}"


def parameters(*, rate: str = "min: '0.1', max: '1'", kind: str = "double", units: str = "'32'", more: str = "") -> str:
    """Returns the change that gives the example other parameters.

    Args:
        rate: The feasible space of the first one, learning_rate.
        kind: Its type.
        units: The values of the second one, units.
        more: Further parameters, with a comma in front.
    """
    return (
        f"spec: {{parameters: [{{name: learning_rate, parameterType: {kind}, feasibleSpace: {{{rate}}}}}, "
        f"{{name: units, parameterType: categorical, feasibleSpace: {{list: [{units}]}}}}{more}]}}"
    )

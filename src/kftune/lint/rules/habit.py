"""Rules for what works and would be safer otherwise."""

from __future__ import annotations

from kftune.lint.rules.rule import Rule

_JOB = "Kubernetes, batch/v1 Job and core/v1 Pod"


def _pod(inside: str) -> str:
    return f"spec: {{trialTemplate: {{trialSpec: {{spec: {{template: {inside}}}}}}}}}"


def _container(inside: str) -> str:
    arguments = "args: ['python train.py --lr=${trialParameters.lr} --units=${trialParameters.units}']"
    return _pod(f"{{spec: {{containers: [{{name: main, command: [sh, -c], {arguments}, {inside}}}]}}}}")


_LIMITS = "resources: {limits: {cpu: '1'}}"

RULES = (
    Rule(
        "KT301",
        "habit",
        "A Job without backoffLimit",
        "A Job tries a failing pod six more times. Katib has its own maxFailedTrialCount, and a training that fails "
        "once mostly fails again.",
        "write backoffLimit: 0",
        "spec: {trialTemplate: {trialSpec: {spec: {backoffLimit: null}}}}",
        "",
        _JOB,
    ),
    Rule(
        "KT302",
        "habit",
        "A Job without a deadline",
        "A trial that hangs holds its place, and its GPU, until somebody notices.",
        "write activeDeadlineSeconds",
        "spec: {trialTemplate: {trialSpec: {spec: {activeDeadlineSeconds: null}}}}",
        "",
        _JOB,
    ),
    Rule(
        "KT303",
        "habit",
        "A container without resource limits",
        "Trials run beside one another; one without limits disturbs the measurements of the others.",
        "write resources.limits",
        _container("image: 'registry.example/lstm:1'"),
        "",
        _JOB,
    ),
    Rule(
        "KT304",
        "habit",
        "A container that may run as root",
        "Training needs no root.",
        "write securityContext: {runAsNonRoot: true}",
        _pod("{spec: {securityContext: null}}"),
        "",
        _JOB,
    ),
    Rule(
        "KT305",
        "habit",
        "An image that may change",
        "Without a tag, or with latest, two trials of one Experiment may run different programs.",
        "give a tag of one version, or a digest",
        _container(f"image: 'registry.example/lstm', {_LIMITS}"),
        "",
        _JOB,
    ),
    Rule(
        "KT306",
        "habit",
        "A secret in plain text",
        "Whoever may read the Experiment reads the value, in the manifest as in the cluster.",
        "take the value from a Secret with valueFrom.secretKeyRef",
        _container(f"image: 'registry.example/lstm:1', {_LIMITS}, env: [{{name: API_TOKEN, value: abc}}]"),
        "",
        _JOB,
    ),
    Rule(
        "KT307",
        "habit",
        "Istio's proxy is not switched off",
        "The collector waits until all processes of the pod have ended, and the proxy never does.",
        "annotate the pod template: sidecar.istio.io/inject: 'false'",
        _pod("{metadata: null}"),
        "",
        "katib issue 1638",
    ),
    Rule(
        "KT308",
        "habit",
        "Double braces in a template",
        "Where a step of Argo or of a KFP pipeline creates the Experiment, {{...}} is replaced, or refused, before "
        "Katib sees it.",
        "write the text without double braces, or pass it in from a file",
        _pod("{metadata: {annotations: {note: '{{x}}', sidecar.istio.io/inject: 'false'}}}"),
        "",
        "Argo Workflows, template tags",
    ),
)

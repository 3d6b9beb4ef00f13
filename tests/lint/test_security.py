"""Findings about the user that a trial's containers run as; the collector's image runs as root."""

from __future__ import annotations

import pytest
from lint_examples import example_text

from kftune.katib.admission.cluster import Cluster, KatibConfig, config_of
from kftune.lint.experiment import check_experiment
from kftune.lint.sources import SourceText, documents

RUN = "command: [python, t.py], args: ['${trialParameters.lr}', '${trialParameters.units}']"
ONLY_FLAG = "securityContext: {runAsNonRoot: true}"


def findings(text: str, config: KatibConfig) -> dict[str, str]:
    (found,) = documents(SourceText("x.yaml", text, named=True))
    checked = check_experiment(found, Cluster(config), "0.19")
    return {each.code: ".".join(map(str, each.path)) for each in checked.findings}


def codes(pod: str = "", container: str = "", *, spec: str = "", copies_context: bool = False) -> set[str]:
    containers = f"containers: [{{name: main, image: 'r.example/i:1', {RUN}, {container}}}]"
    inside = f"{{trialSpec: {{spec: {{template: {{spec: {{{pod + ', ' if pod else ''}{containers}}}}}}}}}}}"
    text = example_text(f"spec: {{{spec}trialTemplate: {inside}}}")
    return set(findings(text, KatibConfig(copies_context=copies_context))) & {"KT277", "KT279", "KT304"}


@pytest.mark.parametrize(
    ("pod", "container"),
    [
        (ONLY_FLAG, ""),
        (ONLY_FLAG, "securityContext: {runAsUser: 1000}"),
        ("securityContext: {runAsNonRoot: true, runAsUser: 0}", ""),
        ("securityContext: {runAsNonRoot: true, runAsGroup: 1000, fsGroup: 1000}", ""),
    ],
)
def test_a_pod_without_root_and_without_a_user_stops_the_collector(pod: str, container: str):
    assert "KT279" in codes(pod, container)


@pytest.mark.parametrize(
    ("pod", "container"),
    [
        ("", ONLY_FLAG),
        ("securityContext: {runAsNonRoot: true, runAsUser: 1000}", ""),
        ("securityContext: {runAsUser: 1000}", ""),
        ("securityContext: {fsGroup: 1000}", "securityContext: {runAsUser: 1000}"),
    ],
)
def test_a_container_without_root_and_a_pod_with_a_user_pass(pod: str, container: str):
    assert codes(pod, container) == set()


@pytest.mark.parametrize(
    "spec", ["metricsCollectorSpec: {collector: {kind: Push}}, ", "metricsCollectorSpec: {collector: {kind: None}}, "]
)
def test_a_pod_that_gets_no_collector_may_refuse_root(spec: str):
    assert "KT279" not in codes(ONLY_FLAG, spec=spec)


@pytest.mark.parametrize("context", ["", "securityContext: {runAsUser: 0}", "securityContext: {runAsNonRoot: false}"])
def test_a_container_that_may_be_root_is_advised(context: str):
    assert codes(container=context) == {"KT304"}


def test_a_copied_context_stops_the_collector_as_the_pods_does():
    assert codes(container=ONLY_FLAG, copies_context=True) == {"KT279"}
    assert codes(ONLY_FLAG, "securityContext: {runAsUser: 1000}", copies_context=True) == set()
    assert codes(ONLY_FLAG, "securityContext: {runAsNonRoot: false, runAsUser: 0}", copies_context=True) == {"KT304"}
    assert codes(container="securityContext: {runAsNonRoot: true, runAsUser: 7}", copies_context=True) == set()


def test_a_pod_without_the_primary_label_gets_no_collector():
    labels = "template: {metadata: {labels: {role: LABEL}}, spec: {securityContext: {runAsNonRoot: true}}}"
    text = f"spec: {{trialTemplate: {{primaryPodLabels: {{role: main}}, trialSpec: {{spec: {{{labels}}}}}}}}}"
    assert "KT279" in findings(example_text(text.replace("LABEL", "main")), KatibConfig())
    assert "KT279" not in findings(example_text(text.replace("LABEL", "other")), KatibConfig())


def test_a_pod_that_sees_the_hosts_processes_is_refused():
    assert codes("hostPID: true", ONLY_FLAG) == {"KT277"}


def test_a_worker_gets_no_collector():
    def replica(name: str, context: str) -> str:
        pod = f"{{containers: [{{name: pytorch, image: 'r.example/i:1', {RUN}, {ONLY_FLAG}}}], {context}}}"
        return f"{name}: {{template: {{spec: {pod}}}}}"

    def experiment(master: str, worker: str) -> str:
        replicas = f"{replica('Master', master)}, {replica('Worker', worker)}"
        spec = (
            f"{{template: null, backoffLimit: null, activeDeadlineSeconds: null, pytorchReplicaSpecs: {{{replicas}}}}}"
        )
        kind = f"apiVersion: kubeflow.org/v1, kind: PyTorchJob, spec: {spec}"
        return example_text(f"spec: {{trialTemplate: {{primaryContainerName: pytorch, trialSpec: {{{kind}}}}}}}")

    assert "KT279" not in findings(experiment("", ONLY_FLAG), KatibConfig())
    path = findings(experiment(ONLY_FLAG, ""), KatibConfig())["KT279"]
    assert path.endswith("pytorchReplicaSpecs.Master.template.spec.securityContext.runAsNonRoot")


def test_katibs_configuration_says_whether_the_context_is_copied():
    text = "init: {controller: {injectSecurityContext: true}}\nruntime: {suggestions: []}\n"
    assert config_of(text, "c.yaml").copies_context
    assert not config_of("runtime: {suggestions: []}\n", "c.yaml").copies_context


@pytest.mark.parametrize(("policy", "severity"), [("restartPolicy: Always", "hangs"), ("tty: true", None)])
def test_an_init_container_that_never_ends_hangs_the_trial(policy: str, severity: str | None):
    sidecar = f"initContainers: [{{name: side, image: 'r.example/i:1', {ONLY_FLAG}, {policy}}}]"
    text = example_text(f"spec: {{trialTemplate: {{trialSpec: {{spec: {{template: {{spec: {{{sidecar}}}}}}}}}}}}}")
    (found,) = documents(SourceText("x.yaml", text, named=True))
    found_findings = check_experiment(found, Cluster(), "0.19").findings
    assert {each.severity for each in found_findings if each.code == "KT236"} == {severity} - {None}


def dns(pod: str, *, spec: str = "") -> dict[str, str]:
    inside = f"{{trialSpec: {{spec: {{template: {{spec: {{{pod}}}}}}}}}}}"
    found = findings(example_text(f"spec: {{{spec}trialTemplate: {inside}}}"), KatibConfig())
    return {code: path.rpartition(".")[2] for code, path in found.items() if code == "KT282"}


@pytest.mark.parametrize(
    ("pod", "place"),
    [
        ("hostNetwork: true", "hostNetwork"),
        ("hostNetwork: true, dnsPolicy: ClusterFirst", "hostNetwork"),
        ("hostNetwork: true, dnsPolicy: Default", "dnsPolicy"),
        ("dnsPolicy: Default", "dnsPolicy"),
    ],
)
def test_a_collector_needs_the_names_of_the_cluster(pod: str, place: str):
    assert dns(pod) == {"KT282": place}
    assert dns(pod, spec="metricsCollectorSpec: {collector: {kind: None}}, ") == {}


@pytest.mark.parametrize(
    "pod", ["hostNetwork: true, dnsPolicy: ClusterFirstWithHostNet", "dnsPolicy: ClusterFirst", "hostIPC: true"]
)
def test_a_pod_that_asks_the_cluster_for_names_passes(pod: str):
    assert dns(pod) == {}

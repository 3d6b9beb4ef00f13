"""What people get to read when a study's pods are wrong: each text stands in tests/snapshots/pod_mistakes.txt.

mistake_texts.py says how it is written anew.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from mistake_texts import REMEDY, printed, record, recorded

SNAPSHOTS = "pod_mistakes.txt"
STUDY = """\
name: pods
hparams: LstmHparams
objective: {metric: val_loss, direction: minimize}
budget: {max_trials: 2, parallel: 1}
step:
  image: registry.example/pods:1
  module: pods.train
  resources: {cpu: 1, memory: 1Gi}
"""
# The lines that are added to the step.
STEPS = {
    # Kubernetes' own words
    "pod: a misspelt field": "pod: {hostNetwrok: true}",
    "pod: a field in the style of kftune": "pod: {host_network: true}",
    "pod: a field of a container": "pod: {imagePullPolicy: Always}",
    "pod: text for a boolean": 'pod: {hostNetwork: "yes"}',
    "pod: a number for a text": "pod: {priorityClassName: 3}",
    "pod: a mapping for a list": "pod: {tolerations: {key: gpu}}",
    "pod: a list for a mapping": "pod: {nodeSelector: [gpu]}",
    "pod: an unknown choice": "pod: {dnsPolicy: none}",
    "pod: a choice of an item": (
        "pod: {topologySpreadConstraints: [{topologyKey: zone, maxSkew: 1, whenUnsatisfiable: Wait}]}"
    ),
    "pod: a choice that other fields have otherwise": "pod: {tolerations: [{key: gpu, operator: In}]}",
    "pod: a choice in a security context": "pod: {securityContext: {seccompProfile: {type: runtimeDefault}}}",
    "pod: a choice in a list": (
        "pod: {volumes: [{name: a, ephemeral: {volumeClaimTemplate: {spec: {accessModes: [RWO]}}}}]}"
    ),
    "pod: an item without its key": "pod: {volumes: [{emptyDir: {}}]}",
    "pod: two items of one key": "pod: {imagePullSecrets: [{name: a}, {name: a}]}",
    "pod: a misspelt field far down": "pod: {affinity: {nodeAffinity: {preferredDuringScheduling: []}}}",
    "pod: a number that is too large": "pod: {priority: 3000000000}",
    "pod: no quantity": "pod: {overhead: {cpu: two}}",
    "pod: containers": "pod: {containers: [{name: helper, image: a}]}",
    "pod: restartPolicy": "pod: {restartPolicy: Always}",
    "pod: a deadline": "pod: {activeDeadlineSeconds: 60}",
    "pod: a debug container": "pod: {ephemeralContainers: []}",
    "pod: a directive": 'pod: {hostAliases: [{ip: 10.0.0.1, "$patch": delete}]}',
    "pod: a list": "pod: [hostNetwork]",
    "pod: a volume of the study": (
        "pod: {volumes: [{name: data, emptyDir: {}}]}\nvolumes: [{name: data, mount: /data, claim: data}]"
    ),
    "pod: a volume of kftune": "pod: {volumes: [{name: kftune-shared-memory, emptyDir: {}}]}",
    "pod: a placeholder of Katib": 'pod: {hostname: "${trialParameters.x}"}',
    "pod: the processes of the node": "pod: {hostPID: true}",
    "pod: a helper that never ends": "pod: {initContainers: [{name: proxy, image: a, restartPolicy: Always}]}",
    "pod: no container may be root": "pod: {securityContext: {runAsNonRoot: true}}",
    "container: a misspelt field": "container: {liveness: {}}",
    "container: command": "container: {command: [sh]}",
    "container: args": "container: {args: [a]}",
    "container: image": "container: {image: a}",
    "container: name": "container: {name: main}",
    "container: a misspelt field of a security context": "container: {securityContext: {runAsRoot: true}}",
    "container: an unknown choice": "container: {imagePullPolicy: Sometimes}",
    # settings
    "security: root that must not be root": "security: {run_as_user: 0}",
    "security: a misspelt key": "security: {run_as_users: 1}",
    "security: a capability with CAP_": "security: {capabilities: {add: [cap_ipc_lock]}}",
    "security: a negative user": "security: {run_as_user: -1}",
    "queue: twice": "queue: a\nlabels: {kueue.x-k8s.io/queue-name: b}",
    "labels: an invalid value": "labels: {team: Vision Team}",
    "labels: an invalid key": "labels: {-team: a}",
    "shared_memory: as large as the limit": "shared_memory: 1Gi",
    "shared_memory: and a volume there": (
        "shared_memory: 64Mi\nvolumes: [{name: shm, mount: /dev/shm, empty_dir: true}]"
    ),
    "affinity: both": "affinity: {same_node: true, spread: true}",
    "affinity: no value": "affinity: {require: {zone: []}}",
    "topology_spread: a skew of 0": "topology_spread: [{max_skew: 0}]",
    "preemption: an unknown provider": "preemption: {spot: gce}",
    "image_pull_policy: an unknown word": "image_pull_policy: always",
    "priority_class: no name": "priority_class: High Priority",
    "resources: extra of what has its own key": "resources: {extra: {nvidia.com/gpu: 1}}",
    "resources: a limit that is no quantity": "resources: {cpu_limit: unlimited}",
    "volume: two sources": "volumes: [{name: a, mount: /a, claim: a, csi: {driver: b}}]",
    "volume: a way out": "volumes: [{name: a, mount: /a, claim: a, sub_path: ../b}]",
    "volume: ephemeral without size": "volumes: [{name: a, mount: /a, ephemeral: {}}]",
}
# What only a target refuses: the setting and the override that chooses the target.
TARGETS = {
    "TrainJob: priority_class": ("priority_class: high", "targets.katib.trial_kind=TrainJob"),
    "TrainJob: pod": ("pod: {hostUsers: false}", "targets.katib.trial_kind=TrainJob"),
    "TrainJob: container": ("container: {lifecycle: {}}", "targets.katib.trial_kind=TrainJob"),
    "TrainJob: image_pull_policy": ("image_pull_policy: Always", "targets.katib.trial_kind=TrainJob"),
}


def text_of(lines: str, folder: Path, *overrides: str) -> str:
    indented = "".join(f"  {line}\n" for line in lines.splitlines())
    base = STUDY.replace("  resources: {cpu: 1, memory: 1Gi}\n", "") if lines.startswith("resources") else STUDY
    (folder / "study.yaml").write_text(base + indented)
    return printed(["render", "study.yaml", "--out", "out", *overrides], folder)


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("pods")
    found = {name: text_of(lines, folder) for name, lines in STEPS.items()}
    found |= {name: text_of(lines, folder, override) for name, (lines, override) in TARGETS.items()}
    record(SNAPSHOTS, found)
    return found


@pytest.mark.parametrize("name", [*STEPS, *TARGETS])
def test_a_mistake_is_answered_with_its_recorded_text(name: str, texts: dict[str, str]):
    assert texts[name] == recorded(SNAPSHOTS).get(name), REMEDY


def test_every_mistake_is_refused_and_names_the_file(texts: dict[str, str]):
    assert [name for name, text in texts.items() if not text.startswith("exit 2\nkftune: study.yaml")] == []

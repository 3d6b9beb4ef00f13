"""The programs of the node: their settings, their command lines, and how each says that it is ready."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from cluster.certificates import certificate, key, login
from cluster.components import ETCD, Component
from cluster.layout import (
    API_PORT,
    CERTIFICATES,
    CGROUP,
    DATA,
    DNS_ADDRESS,
    DOMAIN,
    NODE,
    NODE_ADDRESS,
    POD_RANGE,
    SERVICE_RANGE,
    SETTINGS,
    program_image,
)
from cluster.machine import PLUGINS

CONTAINERD_SOCKET = "/run/containerd/containerd.sock"


class Process(NamedTuple):
    """A program that the supervisor keeps running."""

    name: str
    argv: list[str]
    ready: list[str]
    """A command that succeeds when the program serves; empty for one that need not be waited for."""


def write_settings() -> None:
    """Writes the files that the node's programs read."""
    for name, content in (("kubelet.json", _KUBELET), ("proxy.json", _PROXY)):
        _write(name, json.dumps(content, indent=1))
    _write("containerd.toml", _CONTAINERD)
    _write("cni/10-kftune.conflist", json.dumps(_POD_NETWORK, indent=1))
    _write("resolv.conf", "")  # no name server outside: pods ask CoreDNS only


def processes(kubernetes: Component) -> list[Process]:
    """Returns the programs of the node, in the order in which they start.

    Args:
        kubernetes: The component with Kubernetes' programs.
    """
    kubectl = [str(kubernetes.program("kubectl")), f"--kubeconfig={login('admin')}"]
    healthy = [*kubectl, "get", "--raw"]
    return [
        Process("etcd", [str(ETCD.program("etcd")), *_etcd()], ["curl", "--fail", "http://127.0.0.1:2379/readyz"]),
        Process("containerd", ["containerd", f"--config={SETTINGS / 'containerd.toml'}"],
                ["ctr", f"--address={CONTAINERD_SOCKET}", "version"]),
        Process("kube-apiserver", [str(kubernetes.program("kube-apiserver")), *_api_server()], [*healthy, "/readyz"]),
        Process("kube-controller-manager",
                [str(kubernetes.program("kube-controller-manager")), *_controller_manager()],
                [*kubectl, "get", "serviceaccount", "default"]),
        Process("kube-scheduler", [str(kubernetes.program("kube-scheduler")), *_scheduler()], []),
        Process("kubelet", [str(kubernetes.program("kubelet")), *_kubelet()],
                [*healthy, f"/api/v1/nodes/{NODE}/proxy/healthz"]),
        Process("kube-proxy", [str(kubernetes.program("kube-proxy")), f"--config={SETTINGS / 'proxy.json'}"],
                ["curl", "--fail", "http://127.0.0.1:10256/livez"]),
    ]  # fmt: skip


def _write(name: str, text: str) -> None:
    path = SETTINGS / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _etcd() -> list[str]:
    return [
        f"--data-dir={DATA / 'etcd'}",
        "--listen-client-urls=http://127.0.0.1:2379",
        "--advertise-client-urls=http://127.0.0.1:2379",
        "--listen-peer-urls=http://127.0.0.1:2380",
        "--unsafe-no-fsync",  # the data lives as long as the cluster
        "--log-level=warn",
    ]


def _api_server() -> list[str]:
    return [
        "--etcd-servers=http://127.0.0.1:2379",
        f"--bind-address={NODE_ADDRESS}",
        f"--advertise-address={NODE_ADDRESS}",
        f"--secure-port={API_PORT}",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        f"--client-ca-file={certificate('ca')}",
        f"--tls-cert-file={certificate('apiserver')}",
        f"--tls-private-key-file={key('apiserver')}",
        f"--kubelet-certificate-authority={certificate('ca')}",
        f"--kubelet-client-certificate={certificate('apiserver-to-kubelet')}",
        f"--kubelet-client-key={key('apiserver-to-kubelet')}",
        "--kubelet-preferred-address-types=InternalIP",
        f"--service-account-issuer=https://kubernetes.default.svc.{DOMAIN}",
        f"--service-account-key-file={CERTIFICATES / 'service-accounts.pub'}",
        f"--service-account-signing-key-file={key('service-accounts')}",
    ]


def _controller_manager() -> list[str]:
    return [
        f"--kubeconfig={login('controller-manager')}",
        "--bind-address=127.0.0.1",
        "--leader-elect=false",
        "--use-service-account-credentials",
        f"--root-ca-file={certificate('ca')}",
        f"--service-account-private-key-file={key('service-accounts')}",
        f"--cluster-cidr={POD_RANGE}",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
    ]


def _scheduler() -> list[str]:
    return [f"--kubeconfig={login('scheduler')}", "--bind-address=127.0.0.1", "--leader-elect=false"]


def _kubelet() -> list[str]:
    return [
        f"--config={SETTINGS / 'kubelet.json'}",
        f"--kubeconfig={login('kubelet')}",
        f"--hostname-override={NODE}",
        f"--node-ip={NODE_ADDRESS}",
        f"--root-dir={DATA / 'kubelet'}",
    ]


_KUBELET: dict[str, Any] = {
    "apiVersion": "kubelet.config.k8s.io/v1beta1",
    "kind": "KubeletConfiguration",
    "address": NODE_ADDRESS,
    "healthzBindAddress": "127.0.0.1",
    "authentication": {
        "anonymous": {"enabled": False},
        "webhook": {"enabled": True},
        "x509": {"clientCAFile": str(certificate("ca"))},
    },
    "authorization": {"mode": "Webhook"},
    "tlsCertFile": str(certificate("kubelet")),
    "tlsPrivateKeyFile": str(key("kubelet")),
    "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
    "cgroupDriver": "cgroupfs",
    "cgroupRoot": f"/{CGROUP}",
    "failCgroupV1": False,
    "failSwapOn": False,
    "oomScoreAdj": 0,  # a lower one needs CAP_SYS_RESOURCE
    "clusterDNS": [DNS_ADDRESS],
    "clusterDomain": DOMAIN,
    "resolvConf": str(SETTINGS / "resolv.conf"),
    "makeIPTablesUtilChains": False,
    "protectKernelDefaults": False,
    # A disk that is nearly full is the developer's business: without these, every pod is evicted.
    "evictionHard": {"memory.available": "100Mi", "nodefs.available": "0%", "imagefs.available": "0%"},
    "imageGCHighThresholdPercent": 100,  # images come from this machine only: never remove one
    "imageGCLowThresholdPercent": 99,
    "serializeImagePulls": False,
    "podPidsLimit": 4096,
    "podLogsDir": str(DATA / "pod-logs"),
    # cAdvisor may not find the file system of the state folder; the node's capacity is set by hand (addons.py).
    "localStorageCapacityIsolation": False,
    "nodeStatusUpdateFrequency": "5s",
    "syncFrequency": "10s",
    "shutdownGracePeriod": "0s",
}

_PROXY: dict[str, Any] = {
    "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
    "kind": "KubeProxyConfiguration",
    "clientConnection": {"kubeconfig": str(login("proxy"))},
    "hostnameOverride": NODE,
    "mode": "iptables",
    "clusterCIDR": POD_RANGE,
    "bindAddress": NODE_ADDRESS,
    "healthzBindAddress": "127.0.0.1:10256",
    "metricsBindAddress": "127.0.0.1:10249",
    "oomScoreAdj": 0,
    # Kernel settings that would hold for the whole machine stay as they are.
    "conntrack": {"maxPerCore": 0, "min": 0},
}

# Each pod has a link of its own to the node, so all that it sends passes the node's rules, those of the services too.
_POD_NETWORK: dict[str, Any] = {
    "cniVersion": "1.0.0",
    "name": "kftune",
    "plugins": [
        {
            "type": "ptp",
            "ipMasq": False,
            "ipam": {
                "type": "host-local",
                "ranges": [[{"subnet": POD_RANGE}]],
                "routes": [{"dst": "0.0.0.0/0"}],
                "dataDir": str(DATA / "cni"),
            },
        },
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ],
}

_CONTAINERD = f"""\
version = 2
root = "{DATA / "containerd"}"
state = "/run/containerd"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.devmapper"]

[grpc]
address = "{CONTAINERD_SOCKET}"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{program_image("pause")}"
restrict_oom_score_adj = true

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{PLUGINS}"
conf_dir = "{SETTINGS / "cni"}"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
"""

"""Makes the certificates of the cluster, and the files that let its programs log in."""

from __future__ import annotations

from pathlib import Path

from cluster.commands import run
from cluster.layout import (
    API_PORT,
    API_SERVICE_ADDRESS,
    CERTIFICATES,
    DOMAIN,
    KUBECONFIG,
    NODE,
    NODE_ADDRESS,
)

_DAYS = "30"
_API_NAMES = (
    "DNS:kubernetes",
    "DNS:kubernetes.default",
    "DNS:kubernetes.default.svc",
    f"DNS:kubernetes.default.svc.{DOMAIN}",
    f"IP:{API_SERVICE_ADDRESS}",
    f"IP:{NODE_ADDRESS}",
    "IP:127.0.0.1",
)

# File name -> common name, organisation, names of the server. The first two are a user and its group for Kubernetes.
_ISSUED: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "admin": ("kftune-admin", "system:masters", ()),
    "controller-manager": ("system:kube-controller-manager", "kubernetes", ()),
    "scheduler": ("system:kube-scheduler", "kubernetes", ()),
    "proxy": ("system:kube-proxy", "kubernetes", ()),
    "apiserver": ("kube-apiserver", "kubernetes", _API_NAMES),
    "apiserver-to-kubelet": ("kube-apiserver-kubelet-client", "system:masters", ()),
    "kubelet": (f"system:node:{NODE}", "system:nodes", (f"DNS:{NODE}", f"IP:{NODE_ADDRESS}")),
}


def certificate(name: str) -> Path:
    return CERTIFICATES / f"{name}.crt"


def key(name: str) -> Path:
    return CERTIFICATES / f"{name}.key"


def login(name: str) -> Path:
    """Returns the kubeconfig of a program."""
    return CERTIFICATES / f"{name}.kubeconfig"


def make_certificates() -> None:
    """Makes an authority, the certificates that it signs, the key of the service accounts, and kubeconfig files."""
    CERTIFICATES.mkdir(parents=True, exist_ok=True, mode=0o700)
    _key("ca")
    run("openssl", "req", "-x509", "-new", "-key", key("ca"), "-days", _DAYS, "-subj", "/CN=kftune-cluster",
        "-out", certificate("ca"))  # fmt: skip
    _key("service-accounts")
    run("openssl", "rsa", "-in", key("service-accounts"), "-pubout", "-out", CERTIFICATES / "service-accounts.pub")
    for name in _ISSUED:
        _issue(name)
        login(name).write_text(_kubeconfig(name), encoding="utf-8")
        login(name).chmod(0o600)
    KUBECONFIG.write_text(_kubeconfig("admin"), encoding="utf-8")
    KUBECONFIG.chmod(0o600)


def _key(name: str) -> None:
    run("openssl", "genrsa", "-out", key(name), "2048")
    key(name).chmod(0o600)


def _issue(name: str) -> None:
    common_name, organisation, server_names = _ISSUED[name]
    _key(name)
    request = CERTIFICATES / f"{name}.csr"
    run("openssl", "req", "-new", "-key", key(name), "-subj", f"/O={organisation}/CN={common_name}", "-out", request)
    lines = ["extendedKeyUsage=clientAuth,serverAuth", "keyUsage=digitalSignature,keyEncipherment"]
    if server_names:
        lines.append(f"subjectAltName={','.join(server_names)}")
    extensions = CERTIFICATES / f"{name}.ext"
    extensions.write_text("\n".join(lines) + "\n", encoding="utf-8")
    run("openssl", "x509", "-req", "-in", request, "-CA", certificate("ca"), "-CAkey", key("ca"), "-CAcreateserial",
        "-days", _DAYS, "-extfile", extensions, "-out", certificate(name))  # fmt: skip


def _kubeconfig(name: str) -> str:
    return f"""\
apiVersion: v1
kind: Config
current-context: kftune
clusters:
  - name: kftune
    cluster: {{server: "https://{NODE_ADDRESS}:{API_PORT}", certificate-authority: "{certificate("ca")}"}}
users:
  - name: {name}
    user: {{client-certificate: "{certificate(name)}", client-key: "{key(name)}"}}
contexts:
  - name: kftune
    context: {{cluster: kftune, user: {name}}}
"""

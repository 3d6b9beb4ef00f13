"""Kubernetes' rules for names, labels, keys and images, and how large an object may be.

Source: k8s.io/apimachinery, pkg/util/validation and pkg/api/validation; etcd (--max-request-bytes);
github.com/distribution/reference (regexp.go).
"""

from __future__ import annotations

import re

MOST_BYTES = 1_572_864
"""The size of an object, which etcd limits to 1.5 MiB."""
MOST_ANNOTATION_BYTES = 262_144
"""The size of all annotations of an object together."""

_LOWER = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_PART = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"

SUBDOMAIN = re.compile(rf"{_LOWER}(?:\.{_LOWER})*")
"""DNS-1123 subdomain; at most 253 characters."""
DNS_LABEL = re.compile(_LOWER)
"""DNS-1123 label; at most 63 characters."""
DNS_1035 = re.compile(r"[a-z](?:[-a-z0-9]*[a-z0-9])?")
"""DNS-1035 label, which Services need; at most 63 characters."""
QUALIFIED = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?")
"""The name of a label's or annotation's key, after its prefix; at most 63 characters."""
LABEL_VALUE = re.compile(rf"(?:{QUALIFIED.pattern})?")
"""The value of a label; at most 63 characters."""
CONFIG_KEY = re.compile(r"(?!\.(?:\.|\Z))[-._a-zA-Z0-9]{1,253}")
"""A key of a ConfigMap or Secret."""
IMAGE = (
    rf"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]+)?/)?{_PART}(?:/{_PART})*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?"
)
"""The text of a regex for an image's registry, name and tag, without a digest; compiling it takes long."""


def is_config_key(name: str) -> bool:
    """Returns whether a ConfigMap or Secret can have the key."""
    return CONFIG_KEY.fullmatch(name) is not None


def is_dns_label(name: str) -> bool:
    """Returns whether a pod, a container or a volume can have the name."""
    return len(name) <= 63 and DNS_LABEL.fullmatch(name) is not None

"""The values of some fields of pods that the schema only calls texts.

Source: k8s.io/kubernetes v1.36, pkg/apis/core/validation.
"""

from __future__ import annotations

from collections.abc import Mapping

_PROFILES = ("RuntimeDefault", "Localhost", "Unconfined")
_PULLS = ("Always", "IfNotPresent", "Never")
_POLICIES = ("Honor", "Ignore")
VALUES: Mapping[str, tuple[str, ...]] = {
    "accessModes": ("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"),
    "appArmorProfile.type": _PROFILES,
    "dnsPolicy": ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"),
    "effect": ("NoSchedule", "PreferNoSchedule", "NoExecute"),
    "fsGroupChangePolicy": ("Always", "OnRootMismatch"),
    "hostPath.type": (
        "",
        "BlockDevice",
        "CharDevice",
        "Directory",
        "DirectoryOrCreate",
        "File",
        "FileOrCreate",
        "Socket",
    ),
    "imagePullPolicy": _PULLS,
    "matchExpressions.operator": ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"),
    "matchFields.operator": ("In", "NotIn"),
    "mountPropagation": ("None", "HostToContainer", "Bidirectional"),
    "nodeAffinityPolicy": _POLICIES,
    "nodeTaintsPolicy": _POLICIES,
    "os.name": ("linux", "windows"),
    "preemptionPolicy": ("Never", "PreemptLowerPriority"),
    "procMount": ("Default", "Unmasked"),
    "protocol": ("TCP", "UDP", "SCTP"),
    "pullPolicy": _PULLS,
    "recursiveReadOnly": ("Disabled", "Enabled", "IfPossible"),
    "resizePolicy.restartPolicy": ("NotRequired", "RestartContainer"),
    "scheme": ("HTTP", "HTTPS"),
    "seLinuxChangePolicy": ("MountOption", "Recursive"),
    "seccompProfile.type": _PROFILES,
    "supplementalGroupsPolicy": ("Merge", "Strict"),
    "terminationMessagePolicy": ("File", "FallbackToLogsOnError"),
    "tolerations.operator": ("Equal", "Exists", "Gt", "Lt"),
    "volumeMode": ("Block", "Filesystem"),
    "whenUnsatisfiable": ("DoNotSchedule", "ScheduleAnyway"),
}
"""Field, or the one above it and it (``tolerations.operator``) -> its values."""

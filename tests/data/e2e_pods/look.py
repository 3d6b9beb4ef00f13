"""What a pod is from inside: the script of the e2e suite's trials and steps that have every setting a CPU allows.

Usage: ``python -c TEXT_OF_THIS_FILE [--name=value ...]``. It prints what it sees as hexadecimal JSON, so that no reader
of metrics finds anything in it, and works in images without kftune.
"""

import json
import os
import sys
import time
from pathlib import Path

FOLDERS = ("/claim", "/scratch", "/empty", "/dev/shm", "/tmp")  # the folders of the study's volumes


def status() -> dict[str, str]:
    """What the kernel says of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    found = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    return {name: found[name] for name in ("CapBnd", "CapEff", "NoNewPrivs", "Seccomp")}


def writable(folder: str) -> bool:
    """Whether a file can be made in a folder."""
    file = Path(folder) / f"made-by-{os.getpid()}"
    try:
        file.write_text("x")
    except OSError:
        return False
    file.unlink()
    return True


def group_of(folder: str) -> int:
    """The group that owns a folder."""
    return Path(folder).stat().st_gid


def lines_of(file: str) -> list[str]:
    """The lines of a file of the downward API; none where there is no such file."""
    path = Path(file)
    return sorted(path.read_text().splitlines()) if path.exists() else []


def look() -> dict[str, object]:
    """What is seen."""
    there = [folder for folder in FOLDERS if Path(folder).exists()]
    return {
        "user": [os.getuid(), os.getgid(), sorted(os.getgroups())],
        **status(),
        "shm": os.statvfs("/dev/shm").f_blocks * os.statvfs("/dev/shm").f_frsize,
        "writable": [folder for folder in ("/", *there) if writable(folder)],
        "groups": {folder: group_of(folder) for folder in there},
        "notes": sorted(path.name for path in Path("/notes").glob("[!.]*")),
        "labels": lines_of("/info/labels"),
        "annotations": lines_of("/info/annotations"),
        "hosts": [line.split() for line in lines_of("/etc/hosts") if "license-server" in line],
        "token": Path("/var/run/secrets/kubernetes.io/serviceaccount/token").exists(),
        "node": os.uname().nodename,
        "env": {name: text for name, text in os.environ.items() if name.startswith("E2E_")},
    }


if __name__ == "__main__":
    sys.stdout.write(f"given {json.dumps(look()).encode().hex()}\n")
    sys.stdout.flush()
    time.sleep(float(os.environ.get("E2E_SECONDS", "0")))  # Katib's collector fails a trial that ended before it looked
    sys.stdout.write("loss=0.5\n")

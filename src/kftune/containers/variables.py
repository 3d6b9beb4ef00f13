"""How a container gets its variables: from a file that only the engine's client can read, never by its command line.

Every user of a machine sees the command lines of all. The client's own environment would be hidden too, but a variable
there can change what the client does (LD_PRELOAD, DOCKER_HOST, CONTAINERS_CONF), and manifests choose names freely. So
most variables go through a file without a name. A value that such a file cannot hold to the character goes through the
environment, if no part of an engine reads a variable of that name.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import NamedTuple

from kftune.errors import ContainerError

# The engines read a line of 64 KiB at most. Versions of podman differ in what they make of quotes, # and $.
_PLAIN = re.compile(r"(?:[^\s\"'`\\#$\0](?:[^\n\r\v\f\x1c-\x1e\x85\u2028\u2029\"'`\\#$\0]*[^\s\"'`\\#$\0])?)?")
_LONGEST_LINE = 60_000
# Variables that the dynamic linker, Go, a shell, or a part of docker and podman reads.
_OF_ENGINES = re.compile(
    r"(?i)(?:_?LD_|GLIBC_|MALLOC_|DYLD_|GCONV_|LC_|XDG_|GO|SSL_|GIT_|SSH_|GPG|GNUPG|DBUS_|SYSTEMD_|LISTEN_|NOTIFY_|RUST|BASH"
    r"|PYTHON|PERL|_?CONTAINER|_?DOCKER|COMPOSE_|BUILD|MOBY|PODMAN|REGISTRY_|STORAGE_|LIBPOD|_?OCI_|CONMON|CRUN|RUNC|CNI_"
    r"|NETAVARK|AARDVARK|NVIDIA_|CDI_|FUSE|KUBE|WINDIR|SYSTEM|RESOLV|RES_OPTIONS|LOCALDOMAIN|HOSTALIASES|NLSPATH|LOCPATH"
    r"|PATH$|HOME$|USER$|LOGNAME$|SHELL$|TMP|TEMP|TERM|TZ|LANG|ENV$|IFS$|PS4$|CDPATH$|EDITOR$|PAGER$|PWD$|OLDPWD$"
    r"|.*_PROXY$).*"
)


class Variables(NamedTuple):
    """The variables of a container, as an engine gets them."""

    file: bytes
    """Lines ``NAME=value`` for --env-file."""
    environment: Mapping[str, str]
    """The others, for the environment of the engine's client, with --env=NAME."""


def split(variables: Mapping[str, str]) -> Variables:
    """Returns how an engine gets variables, without their values on its command line.

    Args:
        variables: Name -> value. The names are checked by `ContainerRun.check`.

    Raises:
        ContainerError: A value cannot be passed on.
    """
    lines, others = [], {}
    for name, value in variables.items():
        line = _line(name, value)
        if line:
            lines.append(line)
        elif _OF_ENGINES.fullmatch(name):
            raise ContainerError(
                f"the container engine itself reads a variable {name}, so its value for a container must be one line "
                f"of UTF-8 without quotes, '\\', '#' and '$', and without blanks at its ends; give it another name"
            )
        else:
            others[name] = value
    return Variables(b"".join(lines), others)


def _line(name: str, value: str) -> bytes:
    """Returns a line of the file; none if the engines would not read back the same value."""
    if len(value) > _LONGEST_LINE or not _PLAIN.fullmatch(value):
        return b""
    with suppress(UnicodeEncodeError):
        line = f"{name}={value}\n".encode()
        return line if len(line) <= _LONGEST_LINE else b""
    return b""


@contextmanager
def unnamed_file(content: bytes) -> Iterator[tuple[int, str]]:
    """Makes a file that only processes with its descriptor can read; yields the descriptor, and its path for them.

    Args:
        content: What is in it.
    """
    with tempfile.TemporaryFile() as on_disk:
        in_memory = os.memfd_create("variables") if hasattr(os, "memfd_create") else None
        descriptor = on_disk.fileno() if in_memory is None else in_memory
        try:
            view = memoryview(content)
            while view:
                view = view[os.write(descriptor, view) :]
            os.lseek(descriptor, 0, os.SEEK_SET)
            yield descriptor, f"/dev/fd/{descriptor}"
        finally:
            if in_memory is not None:
                os.close(in_memory)

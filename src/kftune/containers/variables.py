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
# Variables that the dynamic linker, the C library, Go, a shell, or a part of docker and podman reads.
_OF_ENGINES = re.compile(
    r"(?i)(?:_?LD_|DYLD_|GLIBC_|MALLOC_|GCONV_|LC_|BASH|PYTHON|PERL|RUST_|XDG_|DBUS_|SYSTEMD_|FUSE_|NVIDIA_|CDI_|CNI_"
    r"|_?CONTAINER|_?DOCKER|_?OCI_|BUILDAH|BUILDKIT|MOBY|PODMAN|LIBPOD|CONMON|CRUN|RUNC|NETAVARK|AARDVARK).*"
    r"|GO(?:DEBUG|GC|MAXPROCS|MEMLIMIT|TRACEBACK|ROOT|COVERDIR|EXPERIMENT|FIPS140)|SSL_CERT_(?:FILE|DIR)|GNUPGHOME"
    r"|SSH_(?:ASKPASS|AUTH_SOCK).*|REGISTR(?:Y_AUTH_FILE|IES_CONFIG_PATH)|STORAGE_(?:DRIVER|OPTS|CONF)|LISTEN_(?:FD|PID).*"
    r"|NOTIFY_SOCKET|KUBECONFIG|RES_OPTIONS|LOCALDOMAIN|HOSTALIASES|NLSPATH|LOCPATH|(?:OLD)?PWD|PATH|HOME|USER|LOGNAME"
    r"|SHELL|ENV|IFS|PS4|CDPATH|EDITOR|PAGER|TMP|TEMP|TMPDIR|TERM|TERMINFO|TERMCAP|TZ|TZDIR|LANG|LANGUAGE|.*_PROXY"
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
    in_memory = hasattr(os, "memfd_create")
    with os.fdopen(os.memfd_create("variables"), "w+b") if in_memory else tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        file.seek(0)
        yield file.fileno(), f"/dev/fd/{file.fileno()}"

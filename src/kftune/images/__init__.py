"""The images of a project: one folder an image below ``images/``, built here, and a lock file of what was built.

A study or a pipeline names such an image by its folder, ``image: images/train``. `resolve` says through the lock what
that is now: by digest in the registry for a cluster, by tag for this machine. `kftune.images.build` makes them.
"""

from __future__ import annotations

from kftune.images.lock import LOCK_FILE, PREFIX, Lock, LockedImage, find_lock, lock_of, read_lock, resolve

__all__ = ["LOCK_FILE", "PREFIX", "Lock", "LockedImage", "find_lock", "lock_of", "read_lock", "resolve"]

"""What the API server refuses in the spec of a pod or a Job, beyond what its schema says.

Source: Kubernetes 1.36, pkg/apis/core/validation; each rule was tried on its API server.
"""

from __future__ import annotations

from kftune.katib.pod.checks import Problem
from kftune.katib.pod.job import job_problems
from kftune.katib.pod.resources import resource_problems
from kftune.katib.pod.spec import creation_problems, spec_problems

__all__ = ["Problem", "creation_problems", "job_problems", "resource_problems", "spec_problems"]

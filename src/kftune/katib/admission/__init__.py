"""Would the cluster take this Experiment? The API server's and Katib's answer, without either."""

from kftune.katib.admission.verdict import Stage, Verdict, admit, not_yaml

__all__ = ["Stage", "Verdict", "admit", "not_yaml"]

"""A model in Python of what Katib's own code does with an Experiment.

`go` reads texts as the API machinery does. `admission` and `crd` answer as the API server and the webhooks do.
`engines` describes the suggestion services. `trial` follows a trial: `substitution` makes its object, `wrapper` its
command, `kubelet` expands that, `collector` reads its log, `stopping` and `medianstop` may end it, `aggregation`
reduces its rows, and `status` computes the Experiment's status. `make conformance` compares all of it with recorded
runs.
"""

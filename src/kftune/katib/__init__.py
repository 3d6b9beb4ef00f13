"""What Katib's own code makes of an Experiment, said again in Python.

`go` reads texts as the API machinery does, `admission` answers as the API server and the webhooks do. Then, in the
order of a trial's life: `substitution` makes its object, `wrapper` its command, `kubelet` expands that, `collector`
reads its log, `stopping` and `medianstop` may end it, `aggregation` reduces its rows, `status` draws the conclusions.
`make conformance` holds all of it against recorded runs.
"""

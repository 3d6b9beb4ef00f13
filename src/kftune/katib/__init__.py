"""What Katib's own code makes of an Experiment, said again in Python.

`go` reads texts as the API machinery does, `admission` answers as the API server and the webhooks do.
"""

"""Typed models on Lightning: `Model`, `Data` and `fit`, which `kftune.training` offers.

Modules: `targets` finds optimizers and schedulers, `model` and `data` are what a script writes, `fitting` trains them.
`epochs` reports and keeps what an epoch gave, `loggers` sends it elsewhere, `resuming` goes on after a stop, `fallback`
after memory ran out, `system` measures the process, and `output` writes the folder of results.
"""

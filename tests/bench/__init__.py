"""The benchmark: the cost and the speed of the operator with many mappings. `make bench` runs it.

It uses the control plane and the AWS server of the tests. The operator runs as in a cluster: with the command ``run``,
its own ServiceAccount and its default settings. Each *world* is a fresh set of these. A world has *phases*, and the
benchmark measures each phase.
"""

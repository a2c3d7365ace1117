"""The benchmark: what the operator costs, and how fast it is, with many mappings; `make bench`.

On the control plane and the AWS server of the tests, with the operator as people run it: the plain command, under its
own ServiceAccount, at its defaults. Each *world* is a fresh set of these; a world has *phases*, and each is measured.
"""

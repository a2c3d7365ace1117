"""All code that depends on internals or undocumented behaviour of kopf, aiohttp, kubernetes.aio, botocore and urllib3.

README.md lists these behaviours. ``tests/contracts`` has a test for each behaviour, which fails when a library changes
it. This package imports only ``api``, ``ratelimit`` and ``clock``. Callers pass in the rest.
"""

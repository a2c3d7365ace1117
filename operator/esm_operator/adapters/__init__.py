"""All code that depends on internals or undocumented behaviour of kopf, aiohttp, kubernetes.aio, botocore and urllib3.

README.md lists these behaviours. ``tests/contracts`` has a test for each, which fails when a library changes it. This
package imports ``api``, ``ratelimit``, ``clock`` and ``tasks``; the rest is passed in.
"""

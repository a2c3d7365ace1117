"""All code that depends on internals of kopf, aiohttp and botocore."""

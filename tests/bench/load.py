"""How many requests a second the AWS server could answer, so that what is measured is the operator and not the server.

Creates over plain HTTP, without boto3, because a client that signs costs more than the server; by several threads.
"""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http.client import HTTPConnection
from urllib.parse import urlsplit

from tests.bench.errors import BenchError
from tests.e2e.manifests import HERE
from tests.operator_process import REGION

THREADS = 4
PATH = "/2015-03-31/event-source-mappings"


def load(endpoint: str, seconds: float) -> int:
    """Create mappings for a while, as fast as possible. Returns how many were made."""
    with ThreadPoolExecutor(THREADS, thread_name_prefix="load") as threads:
        return sum(threads.map(lambda thread: _creates(endpoint, thread, seconds), range(THREADS)))


def _creates(endpoint: str, thread: int, seconds: float) -> int:
    connection = HTTPConnection(urlsplit(endpoint).netloc, timeout=30)
    day = datetime.now(UTC).strftime("%Y%m%d")
    headers = {
        "Content-Type": "application/json",
        "Authorization": f"AWS4-HMAC-SHA256 Credential=testing/{day}/{REGION}/lambda/aws4_request, Signature=0",
    }
    made, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        name = f"load-{thread}-{made}"
        body = {
            "FunctionName": name,
            "EventSourceArn": f"arn:aws:sqs:{HERE}:{name}",
            "BatchSize": 10,
            "Tags": {"team": "load", "stage": "test", "cost-center": "1"},
        }
        connection.request("POST", PATH, json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise BenchError(f"The AWS server refused a Create: {answer.status} {text.decode()}")
        made += 1
    connection.close()
    return made

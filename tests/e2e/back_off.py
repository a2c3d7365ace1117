"""How a test distinguishes an immediate attempt from one that a back-off delays.

AWS sends a long Retry-After, which the operator adds to its own back-off. An attempt within this time was not delayed,
even on a busy machine.
"""

#: The Retry-After of AWS in seconds. It is the longest that the operator obeys.
RETRY_AFTER = "120"
#: The seconds within which an attempt without a delay is made.
NOT_DELAYED = 100.0

"""How a test distinguishes an immediate attempt from one that a back-off has delayed.

AWS asks for a long wait (the header Retry-After), which the operator adds to its own back-off. What happens before
that is over was not delayed, and a busy machine has much time to do it.
"""

#: Seconds that AWS asks to wait for before the next attempt: the most that the operator obeys.
RETRY_AFTER = "120"
#: Seconds within which an attempt that is not delayed is made.
NOT_DELAYED = 100.0

"""The name of the session in which the operator uses a role: the cluster and the ProviderConfig that names the role.

AWS shows the name in CloudTrail, in the ARN of the caller. Trust policies can require it (``sts:RoleSessionName``).
"""

import re
from base64 import b32encode
from hashlib import sha256

#: The first part of each name, and the whole name of commands that use a role without a ProviderConfig.
PREFIX = "esm-operator"
#: The longest name, and the characters that are not allowed in it (AWS STS API Reference, AssumeRole).
LONGEST = 64
_OTHERS = re.compile(r"[^A-Za-z0-9_+=,.@-]")
#: The characters of the cluster, of the ProviderConfig and of the hash in a name that was cut.
_CLUSTER, _CONFIG, _HASH = 16, 17, 16


def session_name(cluster: str, config: str) -> str:
    """``esm-operator,CLUSTER,PROVIDERCONFIG``. If one of them is empty: ``esm-operator``.

    If the name is longer than AWS allows, or has other characters, both parts are cut, other characters become ``_``,
    and a hash follows. The hash follows ``=``, which no name of a ProviderConfig contains. So two ProviderConfigs do
    not share a session name.
    """
    if not (cluster and config):
        return PREFIX
    name = f"{PREFIX},{cluster},{config}"
    if len(name) <= LONGEST and not _OTHERS.search(name):
        return name
    digest = b32encode(sha256(f"{cluster},{config}".encode()).digest()).decode().lower()[:_HASH]
    return f"{PREFIX},{_OTHERS.sub('_', cluster)[:_CLUSTER]},{_OTHERS.sub('_', config)[:_CONFIG]}={digest}"

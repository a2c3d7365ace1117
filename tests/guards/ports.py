"""Guards of the ports of the probes and the metrics. Everybody in the pod's network can connect to them."""

from tests.guards.guard import Guard, unit

_SERVER = "metrics/http_server.py"
_MANY = unit("http_server", "a_client_with_many_connections_displaces_only_its_own")
_CLIENTS = unit("metrics_clients", "clients_are_authenticated_and_authorized")

GUARDS = (
    Guard(
        name="limit-on-connections",
        harm="A client with a thousand idle connections takes all file descriptors of the process.",
        file=_SERVER,
        text="if len(self._connections) >= CONNECTIONS:",
        without="if False:",
        tests=_MANY,
    ),
    Guard(
        name="displaced-client",
        harm="A client with many connections displaces the connection of the kubelet, so the pod is killed.",
        file=_SERVER,
        text="key=lambda item: (-counts[item[1].client], item[1].rank)",
        without="key=lambda item: item[1].rank",
        tests=_MANY,
    ),
    Guard(
        name="account-of-metrics",
        harm="Everybody who can reach the port reads the IDs of the AWS accounts.",
        file="metrics/accounts.py",
        text="return account if _shown and _ID.fullmatch(account) else alias(account)",
        without="return account",
        tests=unit("metrics", "the_alias_of_an_account_is_the_one_in_the_documentation"),
    ),
    Guard(
        name="refused-client-of-metrics",
        harm="A client whose token Kubernetes refuses reads the metrics.",
        file="cluster/metrics_clients.py",
        text="return None if status is HTTPStatus.OK else _refusal(status)",
        without="return None",
        tests=_CLIENTS,
    ),
    Guard(
        name="known-client-of-metrics",
        harm="Clients with invented tokens from many addresses displace the connection of Prometheus.",
        file=_SERVER,
        text="return Rank.KNOWN if client in self._known else Rank.UNKNOWN",
        without="return Rank.KNOWN",
        tests=unit("metrics_clients", "invented_tokens_from_many_addresses_do_not_displace_a_known_client"),
    ),
    Guard(
        name="known-address-of-metrics",
        harm="Idle connections from many addresses displace Prometheus when it sends a renewed token.",
        file=_SERVER,
        text="return Rank.KNOWN if client in self._known else Rank.UNKNOWN",
        without="return Rank.KNOWN if self._knows(request) else Rank.UNKNOWN",
        tests=unit("metrics_clients", "idle_connections_do_not_displace_a_known_client_that_has_a_new_token"),
    ),
    Guard(
        name="unread-answers",
        harm="Clients that do not read their answers keep others from the metrics for half a minute.",
        file=_SERVER,
        text="asyncio.get_running_loop().call_later(READING, connection.give_up_answer)",
        without="pass",
        tests=unit("http_server", "clients_that_do_not_read_are_closed_before_a_new_one"),
    ),
    Guard(
        name="user-of-a-token",
        harm="A client with a token that is not valid is authorized as a user without a name.",
        file="cluster/kubernetes.py",
        text='return user if answer.get("authenticated") is True and is_object(user) else None',
        without="return user or {}",
        tests=_CLIENTS,
    ),
)

"""The tables of docs/how-to/migrating/: where each field of another tool's resource is in ours."""

from collections.abc import Mapping

from tools.generated import DOCS, Files, with_part
from tools.peers import ack, crossplane, terraform
from tools.peers.peer import Peer

#: By the name of the page, which is that of the marked part too.
PEERS: Mapping[str, Peer] = {"terraform": terraform.PEER, "ack": ack.PEER, "crossplane": crossplane.PEER}


def files() -> Files:
    """The pages of docs/how-to/migrating/ that have such a table."""
    pages = {name: DOCS / "how-to" / "migrating" / f"{name}.md" for name in PEERS}
    return {page: with_part(page.read_text(), name, PEERS[name].markdown()) for name, page in pages.items()}

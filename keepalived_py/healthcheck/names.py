"""How virtual and real servers are called in log lines, FIFO lines, mails and dumps."""

from keepalived_py.addresses import Address
from keepalived_py.config.lvs import FwmarkTarget, GroupTarget, Lvs, ServerKey, Target


def service_names(lvs: Lvs) -> dict[Target, str]:
    """Return the name of every virtual server.

    ``[addr]:proto:port``, ``FWM mark``, and for a group ``[name]:N``, where N counts the virtual servers of that group.
    """
    names: dict[Target, str] = {}
    members: dict[str, int] = {}
    for service in lvs.virtual_servers:
        target = service.target
        if isinstance(target, GroupTarget):
            number = members.get(target.name, 0)
            members[target.name] = number + 1
            names.setdefault(target, f"[{target.name}]:{number}")
        else:
            names.setdefault(target, str(target))
    return names


def server_name(target: Target, address: Address, port: int) -> str:
    """Return ``[addr]:proto:port``: the protocol is the virtual server's, and ``none`` behind a firewall mark."""
    protocol = "none" if isinstance(target, FwmarkTarget) else target.protocol.name.lower()
    return f"[{address}]:{protocol}:{port}"


def key_name(target: Target, key: ServerKey) -> str:
    """Return the name of the real server `key`."""
    return server_name(target, key.address, key.port)

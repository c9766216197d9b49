"""No connection leaves the machine: sockets to other hosts are refused, with a message that says why."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from typing import Any

from freezelint.live.hermetic.errors import HermeticError
from freezelint.live.hermetic.session import Session


def refuse(session: Session) -> None:
    """Loopback, Unix sockets and this machine's own name stay: process groups and data loader workers need
    them.
    """

    def connect(real: Callable[..., Any], sock: socket.socket, address: Any) -> Any:
        if sock.family in (socket.AF_INET, socket.AF_INET6) and not _is_local(address[0]):
            raise _refusal(address[0])
        return real(sock, address)

    def resolve(real: Callable[..., Any], host: Any, *args: Any, **kwargs: Any) -> Any:
        if not _is_local(host):
            raise _refusal(host)
        return real(host, *args, **kwargs)

    session.replace(socket.socket, "connect", connect)
    session.replace(socket.socket, "connect_ex", connect)
    session.replace(socket, "getaddrinfo", resolve)
    session.replace(socket, "gethostbyname", resolve)


def _refusal(host: object) -> HermeticError:
    name = host.decode(errors="replace") if isinstance(host, bytes) else host
    return HermeticError(
        f"the script wants to connect to {name}, and --hermetic refuses the network: load this from a local "
        "file, or run freezelint without --hermetic"
    )


def _is_local(host: object) -> bool:
    if host is None:
        return True
    name = host.decode(errors="replace") if isinstance(host, bytes) else str(host)
    if name in ("", "localhost", "ip6-localhost", "<broadcast>", socket.gethostname(), socket.getfqdn("")):
        return True
    try:
        address = ipaddress.ip_address(name.split("%")[0])
    except ValueError:
        return name.endswith(".localhost")
    return address.is_loopback or address.is_unspecified

"""Keeps every socket of the actor system on one address: 127.0.0.1, unless told otherwise.

Thespian listens on all interfaces and unpickles what arrives, so anyone who reaches the port runs code as the trader
(THESPIAN.md). Each process of the system receives its transport class by pickle reference; naming the subclass below
makes every one of them import this module, spawned or forked, before it binds its first socket.
"""

import os
from typing import Any

from thespian.system import multiprocTCPBase
from thespian.system.transport import IPBase
from thespian.system.transport.TCPTransport import TCPTransport

BIND_VARIABLE = "THESPIAN_BASE_IPADDR"
LOOPBACK = "127.0.0.1"

os.environ.setdefault(BIND_VARIABLE, LOOPBACK)

_address_init = IPBase.IPActorAddress.__init__


def _bound_init(self: Any, *args: Any, **kwargs: Any) -> None:
    """An address listens where it is reached, not everywhere."""
    _address_init(self, *args, **kwargs)
    self.bindname = self.sockname


class LoopbackTCPTransport(TCPTransport):  # type: ignore[misc]
    """TCPTransport, unchanged; that its module is imported is what counts."""


def install() -> None:
    """Make `multiprocTCPBase` use the transport above. Call before the first ActorSystem of the process."""
    multiprocTCPBase.ActorSystemBase.transportType = LoopbackTCPTransport


IPBase.IPActorAddress.__init__ = _bound_init

"""Thespian's TCP transport as this machine needs it: on the loopback only, and with fewer steps a message.

**Loopback.** Thespian listens on all interfaces and unpickles what arrives, so anyone who reaches the port runs code as
the trader (THESPIAN.md). Here an address listens where it is reached: 127.0.0.1, unless told otherwise.

**Steps.** One message costs its sender four turns of a select loop and its receiver two, each with an epoll object of
its own. Below, the sender waits for the acknowledgement as soon as it has sent and reads it in one piece, the receiver
reads a message in one piece, and the loop polls. What is on the wire stays the same.

Each process of the system receives its transport class by pickle reference; naming the subclass below makes every one
of them import this module, spawned or forked, before it binds its first socket. Written against Thespian 4.0.1, which
is pinned; the shell's and the system tests run on it.
"""

import os
import selectors
from types import SimpleNamespace
from typing import Any

from thespian.system import multiprocTCPBase
from thespian.system.transport import IPBase, TCPTransport
from thespian.system.transport.streamBuffer import ReceiveBuffer, ackMsg

BIND_VARIABLE = "THESPIAN_BASE_IPADDR"
LOOPBACK = "127.0.0.1"
READ_BYTES = 65_536

os.environ.setdefault(BIND_VARIABLE, LOOPBACK)

_address_init = IPBase.IPActorAddress.__init__


def _bound_init(self: Any, *args: Any, **kwargs: Any) -> None:
    """An address listens where it is reached, not everywhere."""
    _address_init(self, *args, **kwargs)
    self.bindname = self.sockname


class MessageBuffer(ReceiveBuffer):  # type: ignore[misc]
    """Reads a whole message at once. Its sender sends no other before the acknowledgement, so nothing else is read."""

    def remainingAmount(self) -> int:
        return READ_BYTES if self._size is None else super().remainingAmount()


class AcknowledgementBuffer(ReceiveBuffer):  # type: ignore[misc]
    """Reads as many bytes as an acknowledgement has, and so never into the message that may follow it."""

    def remainingAmount(self) -> int:
        return len(ackMsg) if self._size is None else super().remainingAmount()


class LoopbackTCPTransport(TCPTransport.TCPTransport):  # type: ignore[misc]
    def _next_XMIT_2(self, intent: Any) -> Any:
        """Sent: wait for the acknowledgement at once, without a turn of the loop in between."""
        goes_on = super()._next_XMIT_2(intent)
        if goes_on and intent.stage == self._XMITStepShutdownWrite:
            return self._next_XMIT_3(intent)
        return goes_on

    def _next_XMIT_3(self, intent: Any) -> Any:
        goes_on = super()._next_XMIT_3(intent)
        if intent.stage == self._XMITStepWaitForAck:
            intent.ackbuf = AcknowledgementBuffer(intent.ackbuf._deserialize)
        return goes_on


_incoming_init = TCPTransport.TCPIncoming_Common.__init__


def _whole_message_init(self: Any, address: Any, line: Any, buffer: Any = None) -> None:
    _incoming_init(self, address, line, buffer or MessageBuffer(TCPTransport.serializer.loads))


def install() -> None:
    """Make `multiprocTCPBase` use the transport above. Call before the first ActorSystem of the process."""
    multiprocTCPBase.ActorSystemBase.transportType = LoopbackTCPTransport


IPBase.IPActorAddress.__init__ = _bound_init
TCPTransport.TCPIncoming_Common.__init__ = _whole_message_init
TCPTransport.selectors = SimpleNamespace(
    DefaultSelector=getattr(selectors, "PollSelector", selectors.SelectSelector),
    EVENT_READ=selectors.EVENT_READ,
    EVENT_WRITE=selectors.EVENT_WRITE,
)

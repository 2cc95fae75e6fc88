"""
The browser relay: hands a visitor's mailbox to the shop's own page, which alone can carry the commands out.

A small script on the page (``relay.js``) asks for the visitor's commands, pushes each to the vendor's tag and
says what became of it. The relay leases and notes; it never claims a delivery nobody has seen. It serves the
origins a source lists and no others, since a visitor's id opens that visitor's commands.
"""

from crossdock.relay.desk import Box, Desk
from crossdock.relay.routes import add_routes

__all__ = ["Box", "Desk", "add_routes"]

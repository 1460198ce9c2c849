"""Where webhooks may lead: public addresses only, unless the installation says otherwise."""

from __future__ import annotations

import ipaddress
import socket
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


class AddressRefused(OSError):
    """A host that leads inside: webhooks may not reach what only we can reach."""


class Guard(AbstractResolver):
    """Resolves names for webhooks; what it answers is what is connected to."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Resolve, and refuse a name with any address that is not public."""
        found = await self._resolver.resolve(host, port, family)
        for each in found:
            self.check(each["host"])
        return found

    def check(self, address: str) -> None:
        """Refuse an address that is not public.

        Raises:
            AddressRefused: it is loopback, private, link-local or reserved.

        """
        if not self._allow_private and not _is_public(ipaddress.ip_address(address)):
            raise AddressRefused("not a public address")

    def check_url(self, url: str) -> None:
        """Refuse addresses that are written as such, which nobody resolves.

        The host is read as it is connected to: another reader sees a name where that one finds an
        address, as in full-width digits.

        Raises:
            AddressRefused: it is an address inside, or looks like one and is none.
            ValueError: it cannot be read.

        """
        host = URL(url).raw_host or ""
        if ":" not in host and not host.replace(".", "").isdigit():
            return  # a name: `resolve` is asked
        try:
            self.check(host)
        except ValueError:
            raise AddressRefused("not a public address") from None

    async def close(self) -> None:
        """Let the resolver go."""
        await self._resolver.close()


def _is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Tell whether an address is a server's in the internet, and not one of ours in disguise."""
    if not address.is_global or address.is_multicast:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return True
    # What carries an IPv4 address inside (RFC 4291, 3056, 4380, 6052) leads wherever that does.
    inside = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in NAT64:
        inside.append(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
    return all(each is None or _is_public(each) for each in inside)

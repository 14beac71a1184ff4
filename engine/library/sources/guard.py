"""Which addresses a link may lead to, and connections that go to the very one that was looked at.

    host ─→ all its addresses ─→ every one public? ─→ a socket to one of these, by number

A name is resolved once, here. Who looks at a name and hands it on lets it be resolved again, and
the second answer may be another (DNS rebinding). `127.1`, `0x7f.1` or `2130706433` are what the
system's resolver makes of them, before they are looked at.

Not followed: schemes other than http and https; user names in a link; ports below 1024 but 80 and
443, where servers of other protocols listen (mail, SSH, SMB …) which a request could be made to
speak to; and whatever is not a public unicast address. `SHAZAM_TRUSTED_HOSTS` names what may be
followed all the same. Proxies of the environment are not used: they would resolve names themselves.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterable
from ssl import SSLContext
from typing import Any
from urllib.parse import urlsplit

import httpcore

from engine.base.errors import LinkFailed, LinkRefused, LinkTimeout
from engine.library.sources.source import Deadline

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], list[str]]

CONNECT_S, IDLE_S = 10.0, 30.0
# So often somebody looks whether a link is still wanted.
SLICE_S = 0.5
# Less than that for so long is no download: a song of 5 MB has 40 minutes at it.
LEAST_BYTES_S, SLOW_S = 2_048, 30.0
MOST_ADDRESSES = 4
LONGEST_URL = 2_000
# Readers of links leave some of these out, each its own: two would see two servers.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
WEB_PORTS = {80, 443}
FIRST_FREE_PORT = 1_024

# https://www.iana.org/assignments/iana-ipv4-special-registry, and what is beside it.
_NOT_PUBLIC_4 = [
    ipaddress.ip_network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24"),
        *("192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15"),
        *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        "168.63.129.16/32",  # Azure's own, inside every virtual machine
    )
]
# Global unicast is 2000::/3; inside it, iana-ipv6-special-registry: protocols' own (Teredo and
# ORCHID among them), documentation, 6to4.
_PUBLIC_6 = ipaddress.ip_network("2000::/3")
_NOT_PUBLIC_6 = [
    ipaddress.ip_network(network)
    for network in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
]
# What a network with IPv6 alone calls IPv4 addresses (RFC 6052): public where they are.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Whether an address, as a number, is one that anybody may be sent to."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.scope_id is not None:
            return False
        if parsed in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)))
        return parsed in _PUBLIC_6 and not any(parsed in network for network in _NOT_PUBLIC_6)
    return not any(parsed in network for network in _NOT_PUBLIC_4)


def system_addresses(host: str, port: int) -> list[str]:
    """What the system's resolver says, each address once."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(row[4][0]) for row in found))


class Guard:
    """`trusted`: hosts (`media.internal`) or hosts with a port (`media.internal:8080`, `[::1]:80`)
    that may be followed whatever their address."""

    def __init__(self, trusted: Collection[str] = (), resolve: Resolve | None = None) -> None:
        self._trusted = {host.lower() for host in trusted}
        self._resolve = resolve or system_addresses

    def trusting(self, *urls: str) -> Guard:
        """A guard that trusts the servers of these URLs too: those of an API, as configured."""
        hosts = (urlsplit(url) for url in urls)
        named = {f"{_shown(h.hostname or '')}:{_port(h.scheme, h.port)}" for h in hosts}
        return Guard(self._trusted | named, self._resolve)

    def admit(self, url: str) -> None:
        """Refuse a link for what it says, before anything is resolved or connected."""
        if len(url) > LONGEST_URL:
            raise LinkRefused(f"A link has at most {LONGEST_URL:,} characters.")
        if _CONTROL.search(url):
            raise LinkRefused("A link with a line break or another control in it is not followed.")
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise LinkRefused("This is not a link. Send one that begins with https://.") from error
        if parts.scheme.lower() not in ("http", "https") or not host or "\\" in url:
            raise LinkRefused(
                "Only links that begin with https:// or http:// and name a server are followed."
            )
        if parts.username is not None or parts.password is not None:
            raise LinkRefused("A link with a user name or password in it is not followed.")
        self.admit_port(host, _port(parts.scheme.lower(), port))
        if _is_number(host) and not self.is_trusted(host, _port(parts.scheme, port)):
            _refuse_private(host, [host.strip("[]")])

    def admit_port(self, host: str, port: int) -> None:
        allowed = port in WEB_PORTS or FIRST_FREE_PORT <= port <= 65_535
        if not allowed and not self.is_trusted(host, port):
            raise LinkRefused(
                f"Port {port} is not one of the web's. Links may name 80, 443, or 1024 and above."
            )

    def is_trusted(self, host: str, port: int) -> bool:
        shown = _shown(host)
        return shown in self._trusted or f"{shown}:{port}" in self._trusted

    def addresses(self, host: str, port: int, deadline: Deadline) -> list[str]:
        """Addresses to connect to, by number, all of them looked at."""
        self.admit_port(host, port)
        found = self._resolved(host, port, deadline)
        if not self.is_trusted(host, port):
            _refuse_private(host, found)
        return found[:MOST_ADDRESSES]

    def _resolved(self, host: str, port: int, deadline: Deadline) -> list[str]:
        """In a thread of its own: nobody can tell the system's resolver when to end."""
        found: list[str] = []
        failed: list[Exception] = []

        def resolve() -> None:
            try:
                found.extend(self._resolve(host, port))
            except (OSError, UnicodeError) as error:
                failed.append(error)

        thread = threading.Thread(target=resolve, name="resolve", daemon=True)
        thread.start()
        while thread.is_alive():
            thread.join(min(SLICE_S, deadline.left_s))
        if failed and getattr(failed[0], "errno", None) == socket.EAI_AGAIN:
            raise httpcore.ConnectError("the resolver does not answer") from failed[0]
        if failed or not found:
            raise LinkFailed(f"There is no server called {_shortened(host)}. Check the link.")
        return found


def _refuse_private(host: str, addresses: list[str]) -> None:
    # All must be public: of two, nobody knows which is connected to.
    if not all(is_public(address) for address in addresses):
        raise LinkRefused(
            f"{_shortened(host)} is not on the public internet, and links are followed only there. "
            "Upload the file instead, or have whoever runs this service name the host in "
            "SHAZAM_TRUSTED_HOSTS, as the link writes it."
        )


class GuardedBackend(httpcore.NetworkBackend):
    """Sockets for httpcore: to addresses a guard has looked at, until a deadline."""

    def __init__(self, guard: Guard, deadline: Deadline) -> None:
        self._guard, self._deadline = guard, deadline
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        failure: Exception = httpcore.ConnectError("no address")
        for address in self._guard.addresses(host, port, self._deadline):
            within = min(CONNECT_S, self._deadline.left_s)
            try:
                stream = self._sockets.connect_tcp(address, port, within, None, socket_options)
                return _Stream(stream, self._deadline)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore.NetworkStream:
        raise LinkRefused("A socket of this machine is not a link.")

    def sleep(self, seconds: float) -> None:
        self._deadline.sleep(seconds)


class _Stream(httpcore.NetworkStream):
    """A stream that ends at a deadline: a server that sends a byte a second, in its headers or
    after them, never runs into a timeout of reading."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream, self._deadline = stream, deadline
        self._began, self._came = 0.0, 0  # since the first byte

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        idle_ends = time.monotonic() + IDLE_S
        while True:
            try:
                came = self._stream.read(max_bytes, min(SLICE_S, self._deadline.left_s))
            except httpcore.ReadTimeout:
                if time.monotonic() >= idle_ends:
                    raise
            else:
                self._refuse_slow(len(came))
                return came

    def _refuse_slow(self, size: int) -> None:
        """Who drips holds a worker's place that others wait for."""
        now = time.monotonic()
        self._began, self._came = self._began or now, self._came + size
        within = now - self._began
        if size and within > SLOW_S and self._came < LEAST_BYTES_S * within:
            raise LinkTimeout(
                f"What lies behind the link did not come within {within:.0f} s. Try again, or "
                "upload the file."
            )

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, min(IDLE_S, self._deadline.left_s))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        within = min(CONNECT_S, self._deadline.left_s)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, within), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _port(scheme: str, port: int | None) -> int:
    return port if port is not None else (443 if scheme == "https" else 80)


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _shown(host: str) -> str:
    """A host as settings write it: small letters, IPv6 in brackets."""
    host = host.strip("[]").lower()
    return f"[{host}]" if ":" in host else host


def _shortened(host: str) -> str:
    return repr(host[:100])

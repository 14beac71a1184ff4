"""`engine/library/sources/guard.py`: what is public, and connections to what was looked at."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import httpcore
import pytest
from link_server import LinkServer

from engine.base.errors import LinkFailed, LinkRefused, LinkTimeout
from engine.library.sources.direct import Direct
from engine.library.sources.guard import Guard, GuardedBackend, Resolve, is_public
from engine.library.sources.source import Deadline, Limits
from engine.library.sources.web import Web

PUBLIC = "93.184.215.14"


@pytest.mark.parametrize(
    "address",
    [
        *(PUBLIC, "1.1.1.1", "8.8.8.8", "172.15.0.1", "172.32.0.1", "100.63.0.1", "100.128.0.1"),
        *("11.0.0.1", "169.253.0.1", "192.0.1.1", "198.17.0.1", "198.20.0.1", "223.255.255.255"),
        *("2606:4700::1111", "2a00:1450:4001:81b::200e", "2001:4860:4860::8888"),
        "64:ff9b::5db8:d70e",  # 93.184.215.14 on a network without IPv4
    ],
)
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        # IPv4: this network, private, carriers', loopback, link-local, protocols', benchmarks,
        # documentation, 6to4 relays, multicast, reserved, broadcast.
        *("0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255"),
        *("127.0.0.1", "127.255.255.254", "169.254.0.1", "172.16.0.1", "172.31.255.255"),
        *("192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.19.255.255"),
        *("198.51.100.7", "203.0.113.7", "224.0.0.1", "239.255.255.255", "240.0.0.1"),
        "255.255.255.255",
        # What clouds tell to whoever asks from inside: AWS, Google and Azure; Alibaba; Oracle;
        # Azure's other; AWS over IPv6.
        *("169.254.169.254", "100.100.100.200", "192.0.0.192", "168.63.129.16", "fd00:ec2::254"),
        # IPv6: unspecified, loopback, private, link-local, site-local, multicast, documentation,
        # discard, segment routing.
        *("::", "::1", "fc00::1", "fdff::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1"),
        *("2001:db8::1", "3fff::1", "100::1", "5f00::1", "2001:10::1", "2001:20::1", "2001:2::1"),
        # IPv4 inside IPv6: mapped, compatible, 6to4, Teredo, NAT64 of here, ISATAP, translated.
        *("::ffff:127.0.0.1", "::ffff:169.254.169.254", f"::ffff:{PUBLIC}", "::127.0.0.1"),
        *("2002:7f00:1::1", "2002:a9fe:a9fe::", "2001:0:4136:e378:8000:63bf:80ff:fffe"),
        *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::5db8:d70e", "::ffff:0:127.0.0.1"),
        "fe80::5efe:7f00:1",
        # No numbers.
        *("", "localhost", "127.1", "0x7f.1", "2130706433"),
    ],
)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    ("link", "why"),
    [
        *((link, "Only links") for link in ("ftp://example.com/x", "file:///etc/passwd", "x", "")),
        *((link, "Only links") for link in ("javascript:alert(1)", "data:audio/wav,x", "//a/b")),
        *((link, "Only links") for link in ("http://", "http:///x", "http://a\\@b/", "gopher://x")),
        ("https://me:secret@example.com/", "user name"),
        ("https://me@example.com/", "user name"),
        ("https://@example.com/", "user name"),
        *((f"http://example.com:{port}/", "Port") for port in (0, 21, 22, 25, 81, 445, 1023)),
        *((f"http://127.0.0.1{odd}.example.com/", "control") for odd in "\0\n\t\x7f"),
        ("\x01http://example.com/", "control"),
        ("http://example.com:99999/", "not a link"),
        ("http://[::1/", "not a link"),
        ("http://example.com/" + "x" * 2_000, "characters"),
        *((link, "public") for link in ("http://127.0.0.1/", "http://[::1]/", "http://0.0.0.0/")),
        ("http://[::ffff:127.0.0.1]/", "public"),
        ("http://169.254.169.254/latest/meta-data/", "public"),
    ],
)
def test_what_a_link_says_is_refused_before_anything_is_asked(link: str, why: str) -> None:
    def resolve(host: str, port: int) -> list[str]:
        raise AssertionError(host)

    with pytest.raises(LinkRefused, match=why):
        Guard(resolve=resolve).admit(link)


@pytest.mark.parametrize(
    "link",
    [
        *("https://example.com/a.mp3", "HTTP://EXAMPLE.COM", "http://example.com:80/"),
        *(
            "https://example.com:8443/x?y=z#t",
            f"http://{PUBLIC}/",
            "http://[2606:4700::1111]:1024/",
        ),
        "https://exämple.com/ü.mp3",
    ],
)
def test_links_that_are_admitted(link: str) -> None:
    Guard().admit(link)


def test_a_trusted_host_is_followed_by_its_name_alone() -> None:
    guard = Guard(["media.internal", "127.0.0.1:99", "[::1]:8080"])
    for link in (
        *("http://media.internal:22/", "http://MEDIA.internal/", "http://127.0.0.1:99/"),
        "http://[::1]:8080/",
    ):
        guard.admit(link)
    for link in (
        *("http://127.0.0.1:98/", "http://127.0.0.1/", "http://[::1]/", "http://x.internal:22/"),
    ):
        with pytest.raises(LinkRefused):
            guard.admit(link)


def test_the_servers_of_an_api_are_trusted_at_their_ports() -> None:
    guard = Guard().trusting("http://127.0.0.1:4010/v3.0", "https://api.internal")
    assert guard.is_trusted("127.0.0.1", 4010)
    assert guard.is_trusted("api.internal", 443)
    assert not guard.is_trusted("127.0.0.1", 80)
    assert not Guard().is_trusted("127.0.0.1", 4010)


# Connections


def saying(**names: list[str]) -> Resolve:
    """A resolver that knows these names (with `_` for `.`)."""

    def resolve(host: str, port: int) -> list[str]:
        known = {name.replace("_", "."): addresses for name, addresses in names.items()}
        if host not in known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return known[host]

    return resolve


def test_who_is_refused_a_private_address_is_told_how_it_is_permitted() -> None:
    with pytest.raises(LinkRefused, match="name the host in SHAZAM_TRUSTED_HOSTS"):
        Guard().admit("http://10.0.0.5/a.wav")
    Guard(["10.0.0.5"]).admit("http://10.0.0.5/a.wav")


@pytest.mark.parametrize(
    "host",
    ["localtest.me", "0x7f.1", "127.1", "2130706433", "0177.0.0.1", "localhost", "127.0.0.1"],
)
def test_a_name_that_leads_inside_is_never_connected_to(
    inside: LinkServer, host: str, tmp_path: Path, limits: Limits
) -> None:
    # Names as they are; ways to write a number by the system's own resolver.
    resolve = saying(localtest_me=["127.0.0.1"]) if host == "localtest.me" else None
    with pytest.raises(LinkRefused, match=r"not on the public internet|not a link"):
        Direct(Web(Guard(resolve=resolve))).fetch(
            f"http://{host}:{inside.port}/secret.wav", tmp_path, limits
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "addresses", [[PUBLIC, "127.0.0.1"], ["127.0.0.1", PUBLIC], [PUBLIC, "::ffff:127.0.0.1"]]
)
def test_one_private_address_among_public_ones_is_enough_to_refuse(addresses: list[str]) -> None:
    guard = Guard(resolve=saying(mixed_example=addresses))
    with pytest.raises(LinkRefused):
        guard.addresses("mixed.example", 80, Deadline(5))


class Sockets(httpcore.SyncBackend):
    """Connects to one server of the test instead, and keeps what was asked for."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.port, self.asked = port, list[tuple[str, int]]()

    def connect_tcp(self, host: str, port: int, *_: object, **__: object) -> httpcore.NetworkStream:
        self.asked.append((host, port))
        return super().connect_tcp("127.0.0.1", self.port)


@pytest.fixture
def sockets(server: LinkServer, monkeypatch: pytest.MonkeyPatch) -> Sockets:
    made = Sockets(server.port)
    monkeypatch.setattr("engine.library.sources.guard.httpcore.SyncBackend", lambda: made)
    return made


def test_the_address_that_was_looked_at_is_the_one_connected_to(
    server: LinkServer, sockets: Sockets, tmp_path: Path, limits: Limits
) -> None:
    answers = [[PUBLIC], ["127.0.0.1"]]  # rebinding: who asks twice is sent elsewhere
    guard = Guard(resolve=lambda host, port: answers.pop(0))
    Direct(Web(guard)).fetch("http://rebinding.example/tone.wav", tmp_path, limits)
    assert sockets.asked == [(PUBLIC, 80)]
    assert len(answers) == 1
    assert server.asked[0].headers["host"] == "rebinding.example"


def test_the_second_address_is_tried_where_the_first_is_silent(
    server: LinkServer, sockets: Sockets, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = sockets.connect_tcp

    def first_is_down(host: str, port: int, *more: object) -> httpcore.NetworkStream:
        if host == "1.1.1.1":
            sockets.asked.append((host, port))
            raise httpcore.ConnectError("refused")
        return real(host, port, *more)

    monkeypatch.setattr(sockets, "connect_tcp", first_is_down)
    guard = Guard(resolve=saying(two_example=["1.1.1.1", PUBLIC]))
    GuardedBackend(guard, Deadline(5)).connect_tcp("two.example", 80).close()
    assert sockets.asked == [("1.1.1.1", 80), (PUBLIC, 80)]


def test_a_name_without_a_server_is_told() -> None:
    with pytest.raises(LinkFailed, match=r"no server called 'nowhere\.example'"):
        Guard(resolve=saying()).addresses("nowhere.example", 80, Deadline(5))


def test_a_resolver_that_says_nothing_is_waited_for_until_the_deadline() -> None:
    never = threading.Event()

    def silent(host: str, port: int) -> list[str]:
        never.wait(20)
        return [PUBLIC]

    with pytest.raises(LinkTimeout):
        Guard(resolve=silent).addresses("slow.example", 80, Deadline(0.3))
    never.set()


def test_a_deadline_tells_its_seconds_as_one_says_them() -> None:
    over = Deadline(0.012345678)
    with pytest.raises(LinkTimeout, match=r"within 0\.0123 s"):
        over.sleep(1.0)


def test_proxies_of_the_environment_are_not_asked(
    inside: LinkServer,
    server: LinkServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    limits: Limits,
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, inside.url)
    Direct(Web(Guard([server.host]))).fetch(f"{server.url}/tone.wav", tmp_path, limits)
    assert server.paths() == ["/tone.wav"]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that nobody vouches for, with its key."""
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "secure.example")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def secure(certificate: Path) -> Iterator[tuple[int, list[str | None]]]:
    """A TLS server's port, and the names it is asked for."""
    named: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.sni_callback = lambda _socket, name, _context: named.append(name)
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                accepted, _ = listening.accept()
            except OSError:
                return
            with accepted, contextlib.suppress(OSError):
                context.wrap_socket(accepted, server_side=True).close()

    threading.Thread(target=serve, daemon=True).start()
    yield listening.getsockname()[1], named
    listening.close()


def test_a_server_is_asked_for_by_its_name_and_has_to_prove_it(
    secure: tuple[int, list[str | None]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    limits: Limits,
) -> None:
    sockets = Sockets(secure[0])
    monkeypatch.setattr("engine.library.sources.guard.httpcore.SyncBackend", lambda: sockets)
    guard = Guard(resolve=saying(secure_example=[PUBLIC]))
    with pytest.raises(LinkFailed, match="certificate"):
        Direct(Web(guard)).fetch("https://secure.example/tone.wav", tmp_path, limits)
    assert secure[1] == ["secure.example"]
    assert sockets.asked == [(PUBLIC, 443)]

"""TLS of probes, over memory, so that the socket stays ours; and the contexts that it needs, made once for equal wishes.

Certificates are not verified unless a check asks for it (keepalived cannot), and everything that OpenSSL can still speak is spoken,
because a check asks whether a server serves, not whether it is modern.

The only I/O here is reading the files of certificates, when a check that needs them runs for the first time after a start or
reload.  A file that cannot be read makes its checks say so instead of running: it says nothing about their servers.
"""

import ssl
from typing import Final

from keepalived_py.config.checkers import TlsOptions
from keepalived_py.config.model import SslContext
from keepalived_py.errors import ConfigError

_CHUNK: Final = 64 * 1024


class TlsContexts:
    """Contexts for every SSL_GET; `root` is the root `SSL` block, whose files count where a check names none of its own."""

    def __init__(self, root: SslContext | None = None) -> None:
        self._root = root or SslContext()
        self._made: dict[TlsOptions, ssl.SSLContext | ConfigError] = {}

    def replace(self, root: SslContext | None) -> None:
        """Go by a root block that was read again; all files are read again, too, when they are needed."""
        self._root = root or SslContext()
        self._made.clear()

    def get(self, options: TlsOptions) -> ssl.SSLContext:
        """Return the context for `options`; raise `ConfigError` when a file cannot be used."""
        made = self._made.get(options)
        if made is None:
            try:
                made = _make(options, self._root)
            except ConfigError as error:
                made = error
            self._made[options] = made
        if isinstance(made, ConfigError):
            raise made
        return made


def _make(options: TlsOptions, root: SslContext) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("DEFAULT")
    _load_authorities(context, options, root)
    certificate, key, password = (
        (root.certificate, root.key, root.password) if options.certificate is None else (options.certificate, options.key, None)
    )
    if certificate is not None:
        try:
            context.load_cert_chain(certificate, key, password or "")
        except (OSError, ValueError) as error:
            raise ConfigError(f"certificate {certificate}: {error}") from None
    return context


def _load_authorities(context: ssl.SSLContext, options: TlsOptions, root: SslContext) -> None:
    """Load whom to trust, if anybody asks: the check's own file, else the root block's, else the system's."""
    if not options.verify:
        return
    authorities = options.ca or root.ca
    try:
        if authorities is not None:
            context.load_verify_locations(authorities)
        else:
            context.load_default_certs()
    except (OSError, ValueError) as error:
        raise ConfigError(f"certificate authorities {authorities}: {error}") from None
    context.check_hostname = True
    context.verify_mode = ssl.CERT_REQUIRED


class TlsSession:
    """TLS of one connection, over memory: ciphertext goes in by `put` and out by `take`.

    Everything but `put` and `take` raises `ssl.SSLError` (also for what a hostile peer sends).
    """

    __slots__ = ("_in", "_object", "_out", "established")

    def __init__(self, context: ssl.SSLContext, server_name: str | None) -> None:
        """Prepare a session; raise `ValueError` (`UnicodeError` is one) for a name that cannot go into SNI."""
        if server_name is not None and "\0" in server_name:
            raise ValueError("it contains a NUL byte")
        self._in = ssl.MemoryBIO()
        self._out = ssl.MemoryBIO()
        self._object = context.wrap_bio(self._in, self._out, server_hostname=server_name)
        self.established = False

    def put(self, ciphertext: bytes) -> None:
        """Take what the peer sent; empty means that it sends no more."""
        if ciphertext:
            self._in.write(ciphertext)
        else:
            self._in.write_eof()

    def take(self) -> bytes:
        """Return what is to be sent to the peer."""
        return self._out.read()

    def handshake(self) -> bool:
        """Go on with the handshake; return whether it is complete."""
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        self.established = True
        return True

    def read(self) -> bytes | None:
        """Return plaintext, empty at the peer's end, None when more ciphertext is needed."""
        try:
            return self._object.read(_CHUNK)
        except ssl.SSLWantReadError:
            return None
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""

    def write(self, plaintext: bytes) -> None:
        """Encrypt."""
        self._object.write(plaintext)

    def end(self) -> None:
        """Say goodbye (close_notify) without waiting for an answer."""
        try:
            self._object.unwrap()
        except ssl.SSLError:
            return

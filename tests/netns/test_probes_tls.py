"""SSL_GET against nginx, with certificates that are good and bad in one way each, and with certificates of our own."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from keepalived_py.config.checkers import Endpoint, HttpCheck, StatusRange, TlsOptions, Url
from keepalived_py.config.model import SslContext
from keepalived_py.healthcheck.driver import ProbeDriver
from keepalived_py.healthcheck.outcome import Reason
from keepalived_py.healthcheck.tls import TlsContexts
from tests.helpers.servers import nginx
from tests.netns import probing
from tests.netns.probing import AMPLE, LOOPBACK, SLACK, probe, seconds


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    yield from probing.nothing_is_left()


@dataclass(frozen=True)
class Authority:
    """A certificate authority in a folder, and what it has signed."""

    folder: Path

    @property
    def certificate(self) -> str:
        return str(self.folder / "ca.pem")

    def make(self) -> None:
        words = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", "/CN=CA")
        self._openssl(*words, "-keyout", "ca.key", "-out", "ca.pem")

    def sign(self, name: str, names: str, days: int = 30) -> tuple[str, str]:
        """Return certificate and key for `names` (``DNS:a.example,IP:127.0.0.1``)."""
        (self.folder / f"{name}.ext").write_text(f"subjectAltName={names}\nbasicConstraints=CA:FALSE\n")
        words = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}")
        self._openssl(*words, "-keyout", f"{name}.key", "-out", f"{name}.csr")
        issuer = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", str(days), "-extfile", f"{name}.ext")
        self._openssl("x509", "-req", "-in", f"{name}.csr", *issuer, "-out", f"{name}.pem")
        return str(self.folder / f"{name}.pem"), str(self.folder / f"{name}.key")

    def _openssl(self, *words: str) -> None:
        subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=self.folder)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = Authority(tmp_path_factory.mktemp("ca"))
    made.make()
    return made


def server(certificate: tuple[str, str], more: str = "") -> str:
    files = f"ssl_certificate {certificate[0]}; ssl_certificate_key {certificate[1]};"
    return f"listen PORT ssl; {files} {more} location / {{ return 200 yes; }}"


@pytest.fixture(scope="module")
def good(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a server with a certificate for shop.example and 127.0.0.1."""
    with nginx(tmp_path_factory.mktemp("good"), server(authority.sign("good", "DNS:shop.example,IP:127.0.0.1"))) as port:
        yield port


def check(port: int, options: TlsOptions, virtualhost: str | None = None) -> HttpCheck:
    endpoint = Endpoint(LOOPBACK, port, connect_timeout=AMPLE)
    return HttpCheck(endpoint, tls=True, urls=(Url("/"),), virtualhost=virtualhost, ssl=options)


def result(check: HttpCheck, contexts: TlsContexts | None = None) -> tuple[Reason, str]:
    driver = ProbeDriver(limit=10, contexts=contexts or TlsContexts())
    try:
        outcome = probe(driver, check)
    finally:
        driver.close()
    assert seconds(outcome) < SLACK
    assert outcome.ok == (outcome.reason is Reason.PASSED)
    return outcome.reason, outcome.detail


def test_a_good_certificate_for_the_address_or_the_virtual_host(authority: Authority, good: int) -> None:
    options = TlsOptions(verify=True, ca=authority.certificate)
    assert result(check(good, options)) == (Reason.PASSED, "")
    assert result(check(good, options, "shop.example")) == (Reason.PASSED, "")
    assert result(replace(check(good, options, "else.example"), sni_name="shop.example"))[0] is Reason.PASSED


def test_the_authority_of_the_ssl_block_counts_where_the_check_names_none(authority: Authority, good: int) -> None:
    contexts = TlsContexts(SslContext(ca=authority.certificate))
    assert result(check(good, TlsOptions(verify=True)), contexts)[0] is Reason.PASSED


@pytest.mark.parametrize(
    ("names", "days", "virtualhost", "says"),
    [
        ("DNS:shop.example", -1, "shop.example", "certificate has expired"),
        ("DNS:else.example", 30, "shop.example", "Hostname mismatch, certificate is not valid for 'shop.example'."),
        ("IP:127.0.0.2", 30, None, "IP address mismatch, certificate is not valid for '127.0.0.1'."),
    ],
    ids=["expired", "name", "address"],
)
def test_a_bad_certificate(authority: Authority, tmp_path: Path, names: str, days: int, virtualhost: str | None, says: str) -> None:
    certificate = authority.sign(f"bad{abs(hash(names))}", names, days)
    with nginx(tmp_path, server(certificate)) as port:
        options = TlsOptions(verify=True, ca=authority.certificate)
        assert result(check(port, options, virtualhost)) == (Reason.BAD_CERTIFICATE, says)
        assert result(check(port, TlsOptions(), virtualhost))[0] is Reason.PASSED, "nobody asked to verify it"


def test_an_authority_that_is_not_known(good: int) -> None:
    assert result(check(good, TlsOptions(verify=True))) == (Reason.BAD_CERTIFICATE, "unable to get local issuer certificate")


def test_certificates_of_our_own_one_for_each_check(authority: Authority, tmp_path: Path) -> None:
    more = f"ssl_client_certificate {authority.certificate}; ssl_verify_client on; ssl_verify_depth 2;"
    first, second = authority.sign("first", "DNS:first"), authority.sign("second", "DNS:second")
    body = server(authority.sign("strict", "DNS:x"), more).replace("return 200 yes", "return 200 $ssl_client_s_dn")
    with nginx(tmp_path, body) as port:
        contexts = TlsContexts(SslContext(certificate=first[0], key=first[1]))
        none = result(check(port, TlsOptions()))
        assert none == (Reason.BAD_STATUS, "400")
        assert result(check(port, TlsOptions()), contexts)[0] is Reason.PASSED
        own = check(port, TlsOptions(certificate=second[0], key=second[1]))
        assert result(own)[0] is Reason.PASSED
        assert result(own, contexts)[0] is Reason.PASSED
    assert (tmp_path / "access.log").read_text().count(" 200 ") == 3


@pytest.mark.parametrize("options", [TlsOptions(True, "/none"), TlsOptions(True, "/etc/hostname"), TlsOptions(certificate="/none")])
def test_files_that_cannot_be_used_say_nothing_about_the_server(good: int, options: TlsOptions) -> None:
    reason, detail = result(check(good, options))
    assert reason is Reason.LOCAL
    assert (options.ca or options.certificate or "") in detail


def test_a_key_with_a_password_asks_nobody(authority: Authority, good: int, tmp_path: Path) -> None:
    certificate, key = authority.sign("locked", "DNS:x")
    locked = tmp_path / "locked.key"
    subprocess.run(
        ["openssl", "ec", "-in", key, "-aes128", "-passout", "pass:secret", "-out", locked], check=True, capture_output=True
    )
    assert result(check(good, TlsOptions(certificate=certificate, key=str(locked))))[0] is Reason.LOCAL
    contexts = TlsContexts(SslContext(certificate=certificate, key=str(locked), password="secret"))
    assert result(check(good, TlsOptions()), contexts)[0] is Reason.PASSED


def test_files_are_read_once_and_again_after_a_reload(authority: Authority, good: int, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    driver = ProbeDriver(limit=10, contexts=TlsContexts())
    verified = check(good, TlsOptions(verify=True, ca=str(path)))
    assert probe(driver, verified).reason is Reason.LOCAL
    path.write_text(Path(authority.certificate).read_text())
    assert probe(driver, verified).reason is Reason.LOCAL, "nobody has reloaded"
    driver.renew_tls(None)
    assert probe(driver, verified).ok
    path.unlink()
    assert probe(driver, verified).ok
    driver.renew_tls(SslContext(ca=authority.certificate))
    assert probe(driver, check(good, TlsOptions(verify=True))).ok
    driver.close()


def test_methods_headers_and_bodies_reach_a_real_server(tmp_path: Path) -> None:
    body = (
        "listen PORT; location / { return 200 $request_method; }"
        "location /header { if ($http_x_check != secret) { return 403; } return 200 yes; }"
        "location /type { if ($content_length != 5) { return 411; } return 201; }"
    )
    with nginx(tmp_path, body) as port:
        driver = ProbeDriver(limit=10, contexts=TlsContexts())
        endpoint = Endpoint(LOOPBACK, port, connect_timeout=AMPLE)

        def ask(url: Url) -> str:
            return str(probe(driver, HttpCheck(endpoint, urls=(url,))))

        assert ask(Url("/", method="HEAD")) == "passed"
        assert ask(Url("/", method="OPTIONS")) == "passed"
        assert ask(Url("/header")) == "status not as configured (403)"
        assert ask(Url("/header", headers=(("X-Check", "secret"),))) == "passed"
        assert ask(Url("/type", method="POST", body="hello")) == "passed"
        assert ask(Url("/type", method="POST", body="hell")) == "status not as configured (411)"
        driver.close()


def test_a_redirection_is_an_answer_and_is_not_followed(tmp_path: Path) -> None:
    with nginx(tmp_path, "listen PORT; location / { return 302 /again; }") as port:
        driver = ProbeDriver(limit=10, contexts=TlsContexts())
        endpoint = Endpoint(LOOPBACK, port, connect_timeout=AMPLE)
        outcome = probe(driver, HttpCheck(endpoint, urls=(Url("/"),)))
        assert str(outcome) == "status not as configured (302)"
        assert probe(driver, HttpCheck(endpoint, urls=(Url("/", status_codes=(StatusRange(302, 302),)),))).ok
        driver.close()
    assert len((tmp_path / "access.log").read_text().splitlines()) == 2

"""URLs and names that lead inside: none of them may cause a single connection."""

from ipaddress import ip_address

import pytest

from adapters.http import HttpClient, HttpOptions
from adapters.http.addresses import is_public
from hub.errors import HubError, Permanent
from tests.support.web import canary

URLS = [
    "https://127.0.0.1:{port}/",
    "https://127.1:{port}/",
    "https://0:{port}/",
    "https://0.0.0.0:{port}/",
    "https://2130706433:{port}/",
    "https://0x7f000001:{port}/",
    "https://0x7f.1:{port}/",
    "https://017700000001:{port}/",
    "https://127.0.0.1.:{port}/",
    "https://[::1]:{port}/",
    "https://[::]:{port}/",
    "https://[::ffff:127.0.0.1]:{port}/",
    "https://[::ffff:7f00:1]:{port}/",
    "https://[0:0:0:0:0:ffff:127.0.0.1]:{port}/",
    "https://[fe80::1%25lo]:{port}/",
    "https://localhost:{port}/",
    "https://LOCALHOST.:{port}/",
    "https://maps.evil.test@127.0.0.1:{port}/",
    "https://127.0.0.1:{port}@maps.evil.test/",
    "https://maps.evil.test:{port}\\@127.0.0.1/",
    "https://127.0.0.1:{port}#@maps.evil.test/",
    "https://127.0.0.1:{port}%23@maps.evil.test/",
    "https://maps.evil.test%00.127.0.0.1:{port}/",
    "https://127\u30020\u30020\u30021:{port}/",
    "https://\u2460\u2461\u2466.0.0.1:{port}/",
    "http://127.0.0.1:{port}/",
    "http://maps.evil.test:{port}/",
    "HTTP://localhost:{port}/",
    "//127.0.0.1:{port}/",
    "127.0.0.1:{port}",
    "file:///etc/passwd",
    "file://127.0.0.1:{port}/etc/passwd",
    "ftp://127.0.0.1:{port}/",
    "gopher://127.0.0.1:{port}/_GET",
    "dict://127.0.0.1:{port}/",
    "unix:///run/docker.sock",
    "data:text/plain,x",
    "javascript:1",
    "https:///127.0.0.1:{port}/",
    "https:127.0.0.1:{port}",
    "https://\t127.0.0.1:{port}/",
    "https://127.0.0.1:{port}/\r\nHost: x",
    " https://127.0.0.1:{port}/",
    "https://maps.evil.test:{port}:80/",
    "https://maps.evil.test:-1/",
    "https://[127.0.0.1:{port}/",
    "https://" + "a" * 64 + ".evil.test:{port}/",
    "https://maps.evil.test:{port}/" + "x" * 2048,
    "https://evil.test:{port}/",
    "https://maps.evil.test.elsewhere.test:{port}/",
    "https://xevil.test:{port}/",
    "",
    "\ud800",
]

ADDRESSES = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::a00:1",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:80ff:fffe",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2002:a00:1::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%lo",
    "fec0::1",
    "ff02::1",
]

PUBLIC = [
    "1.1.1.1",
    "93.184.215.14",
    "172.15.255.255",
    "172.32.0.1",
    "100.128.0.1",
    "2606:4700::1111",
    "2a00:1450::1",
    "64:ff9b::101:101",
]


def fetch(port, url, addresses, **more):
    options = HttpOptions(hosts=("*.evil.test", "*.elsewhere.test"), ports=(443, port), connect_s=5.0, **more)
    return HttpClient(options, resolver=lambda *_: addresses).get(url)


@pytest.mark.parametrize("url", URLS)
def test_a_hostile_url_is_refused_without_a_connection(url):
    with canary() as trap:
        with pytest.raises(Permanent) as refusal:
            fetch(trap.port, url.replace("{port}", str(trap.port)), ["127.0.0.1"])
        assert str(refusal.value)
    assert trap.visits == 0


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_name_with_an_inside_address_is_refused_without_a_connection(address):
    with canary() as trap:
        for found in ([address], ["93.184.215.14", address], [address, "2606:4700::1111"]):
            with pytest.raises(Permanent, match="not of the public internet"):
                fetch(trap.port, f"https://maps.evil.test:{trap.port}/", found)
    assert trap.visits == 0


def test_the_canary_sees_a_client_that_may_come():
    with canary() as trap, pytest.raises(HubError):
        fetch(trap.port, f"https://maps.evil.test:{trap.port}/", ["127.0.0.1"], allow_loopback=True)
    assert trap.visits == 1


def test_loopback_does_not_open_the_rest_of_the_inside():
    for address in ADDRESSES:
        if not address.startswith("127.") and address not in ("::1", "::ffff:127.0.0.1"):
            with pytest.raises(Permanent, match="not of the public internet"):
                fetch(443, "https://maps.evil.test/", [address], allow_loopback=True)


@pytest.mark.parametrize("port", [22, 25, 80, 6379, 8443])
def test_other_ports_are_refused(port):
    with pytest.raises(Permanent, match=f"port {port} of maps"):
        fetch(443, f"https://maps.evil.test:{port}/", ["93.184.215.14"])


def test_public_addresses_are_public():
    assert all(is_public(ip_address(text)) for text in PUBLIC)


def test_a_password_in_an_url_is_not_repeated():
    with pytest.raises(Permanent) as refusal:
        fetch(443, "https://me:hunter2@maps.evil.test/", ["93.184.215.14"])
    assert "hunter2" not in str(refusal.value)

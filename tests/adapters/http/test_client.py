"""The outgoing client against servers on loopback, well-behaved and other ones."""

import threading

import pytest

from adapters.http import HttpClient, HttpOptions
from hub.errors import ConfigError, Permanent, Transient
from tests.support.ports import refusing_port
from tests.support.web import canary, raw_server, web

NAME = "maps.example.test"
OTHER = "other.example.test"


class Names:
    """A resolver that answers from a table; a list is answered one by one, the last one for ever."""

    def __init__(self, **table):
        self.table = {name.replace("_", "."): value for name, value in table.items()}
        self.asked = []

    def __call__(self, host, port):
        self.asked.append(host)
        if host not in self.table:
            raise OSError(f"no address for {host}")
        answers = self.table[host]
        return [answers.pop(0) if len(answers) > 1 else answers[0]]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with web(tmp_path_factory.mktemp("web"), NAME, OTHER, "127.0.0.1") as running:
        yield running


@pytest.fixture
def client(server):
    return make_client(server)


def make_client(server, resolver=None, **more):
    options = {
        "hosts": ("*.example.test",),
        "ports": (server.port,),
        "ca_file": server.authority_pem,
        "allow_loopback": True,
        **more,
    }
    return HttpClient(HttpOptions(**options), resolver=resolver or Names(**{NAME: ["127.0.0.1"], OTHER: ["127.0.0.1"]}))


def url(server, path, name=NAME):
    return f"https://{name}:{server.port}{path}"


def plain_client(**more):
    options = {"hosts": ("127.0.0.1",), "allow_loopback": True, "total_s": 20.0, **more}
    return HttpClient(HttpOptions(**options), resolver=Names(**{"127.0.0.1": ["127.0.0.1"]}))


def test_an_answer_has_status_headers_bytes_and_address(server, client):
    server.pages["/map.fits?a=1%2C2"] = (200, {"Content-Type": "application/fits", "Content-Encoding": "x-gzip"}, b"\x1f\x8bmap")
    answer = client.get(url(server, "/map.fits?a=1%2C2#part"))
    assert (answer.status, answer.body, answer.url) == (200, b"\x1f\x8bmap", url(server, "/map.fits?a=1%2C2"))
    assert answer.headers["content-type"] == "application/fits"
    asked = server.asked[-1].headers
    assert asked["Host"] == f"{NAME}:{server.port}"
    assert asked["Accept-Encoding"] == "identity"
    assert asked["User-Agent"].startswith("multimessenger-hub/")


def test_a_post_sends_bytes_and_headers(server, client):
    server.pages["/submit"] = (202, {}, b"ok")
    answer = client.post(url(server, "/submit"), b"\x00\xff" * 500, media_type="application/octet-stream", headers={"X-Key": "k"})
    assert answer.status == 202
    asked = server.asked[-1]
    assert (asked.sent_body, asked.headers["X-Key"]) == (b"\x00\xff" * 500, "k")


def test_a_status_is_an_answer_until_success_is_demanded(server, client):
    for status, kind in ((404, Permanent), (403, Permanent), (429, Transient), (503, Transient)):
        server.pages["/status"] = (status, {"Retry-After": "7"}, b"")
        answer = client.get(url(server, "/status"))
        assert (answer.status, answer.headers["retry-after"]) == (status, "7")
        with pytest.raises(kind, match=str(status)):
            answer.demand_success()
    assert client.get(url(server, "/nothing")).status == 404


def test_the_proxies_of_the_environment_are_not_asked(server, monkeypatch):
    with canary() as trap:
        for name in ("https_proxy", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{trap.port}")
        server.pages["/direct"] = (200, {}, b"direct")
        assert make_client(server).get(url(server, "/direct")).body == b"direct"
    assert trap.visits == 0


def test_a_name_is_resolved_once_and_the_connection_goes_to_what_was_checked(server):
    server.pages["/once"] = (200, {}, b"once")
    names = Names(**{NAME: ["127.0.0.1", "203.0.113.7"]})
    assert make_client(server, names).get(url(server, "/once")).body == b"once"
    assert names.asked == [NAME]


def test_a_name_that_changes_its_address_is_checked_again_and_refused(server):
    server.pages["/rebound"] = (200, {}, b"")
    names = Names(**{NAME: ["127.0.0.1", "192.168.1.1"]})
    client = make_client(server, names)
    client.get(url(server, "/rebound"))
    with pytest.raises(Permanent, match=r"192\.168\.1\.1"):
        client.get(url(server, "/rebound"))


def test_a_certificate_of_another_name_or_authority_is_refused(server, tmp_path):
    names = Names(**{"third.example.test": ["127.0.0.1"], NAME: ["127.0.0.1"]})
    with pytest.raises(Permanent, match="certificate of third"):
        make_client(server, names).get(url(server, "/", "third.example.test"))
    with pytest.raises(Permanent, match="certificate of maps"):
        make_client(server, ca_file=None).get(url(server, "/"))


def test_up_to_three_redirects_are_followed(server, client):
    for number in range(5):
        server.pages[f"/hop{number}"] = (302, {"Location": f"hop{number + 1}"}, b"")
    server.pages["/hop5"] = (200, {}, b"there")
    assert client.get(url(server, "/hop2")).body == b"there"
    with pytest.raises(Permanent, match="redirects more than 3 times"):
        client.get(url(server, "/hop1"))


def test_secrets_stay_with_the_host_they_were_meant_for(server, client):
    secret = {"Authorization": "Bearer secret", "Cookie": "a=b", "Accept": "application/fits"}
    server.pages["/here"] = (307, {"Location": "/final"}, b"")
    server.pages["/away"] = (307, {"Location": url(server, "/final", OTHER)}, b"")
    server.pages["/round"] = (307, {"Location": url(server, "/back", OTHER)}, b"")
    server.pages["/back"] = (307, {"Location": url(server, "/final")}, b"")
    server.pages["/final"] = (200, {}, b"")
    client.get(url(server, "/here"), headers=secret)
    assert server.asked[-1].headers["Authorization"] == "Bearer secret"
    for path in ("/away", "/round"):  # once a stranger has said where to go, they are gone for good
        client.get(url(server, path), headers=secret)
        asked = server.asked[-1].headers
        assert (asked["Authorization"], asked["Cookie"], asked["Accept"]) == (None, None, "application/fits")


def test_what_was_posted_is_not_sent_elsewhere(server, client):
    server.pages["/moved"] = (307, {"Location": url(server, "/final", OTHER)}, b"")
    before = len(server.asked)
    with pytest.raises(Permanent, match="redirects what is sent to it"):
        client.post(url(server, "/moved"), b"x", media_type="text/plain")
    assert len(server.asked) == before + 1


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:{trap}/",
        "https://inside.example.test:{trap}/",
        "https://elsewhere.invalid:{trap}/",
        "http://maps.example.test:{trap}/",
        "//inside.example.test:{trap}/",
        "file:///etc/passwd",
        "ftp://maps.example.test:{trap}/",
        "gopher://127.0.0.1:{trap}/_x",
        "https://user:pw@inside.example.test:{trap}/",
        "https://maps.example.test:{trap}\\@inside.example.test/",
        "https://[::1]:{trap}/",
        "https://[::ffff:127.0.0.1]:{trap}/",
        "https://[/",
        "https://maps.example.test:99999/",
    ],
)
def test_a_redirect_to_the_inside_is_refused_before_any_connection(server, location):
    with canary() as trap:
        names = Names(**{NAME: ["127.0.0.1"], "inside.example.test": ["10.0.0.1"]})
        client = make_client(server, names, ports=(server.port, trap.port))
        server.pages["/trap"] = (302, {"Location": location.format(trap=trap.port)}, b"")
        with pytest.raises(Permanent):
            client.get(url(server, "/trap"))
    assert trap.visits == 0


def test_a_body_beyond_the_limit_is_refused_by_its_announcement_or_while_it_comes(server):
    client = make_client(server, max_bytes=1000)
    server.pages["/fits"] = (200, {}, b"x" * 1000)
    server.pages["/long"] = (200, {}, b"x" * 1001)
    assert len(client.get(url(server, "/fits")).body) == 1000
    assert len(client.get(url(server, "/long"), max_bytes=1001).body) == 1001
    with pytest.raises(Permanent, match="longer than the limit of 1000 bytes"):
        client.get(url(server, "/long"))


def test_an_endless_body_ends_at_the_limit():
    def talk(connection, over):
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not over.is_set():
            connection.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")

    with raw_server(talk) as port, pytest.raises(Permanent, match="longer than the limit of 300000 bytes"):
        plain_client(max_bytes=300_000).get(f"http://127.0.0.1:{port}/")


def test_endless_headers_end_too():
    def talk(connection, over):
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while not over.is_set():
            connection.sendall(b"X-More: " + b"x" * 8192 + b"\r\n")

    with raw_server(talk) as port, pytest.raises(Transient):
        plain_client().get(f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize("part", ["status", "header", "body"])
def test_a_server_that_drips_is_left_when_the_time_is_over(part):
    def talk(connection, over):
        connection.recv(65536)
        if part != "status":
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
        if part == "body":
            connection.sendall(b"Content-Length: 1000000\r\n\r\n")
        while not over.wait(0.05):
            connection.sendall(b"H" if part == "status" else b"x")

    with raw_server(talk) as port, pytest.raises(Transient, match="did not answer in time"):
        plain_client(total_s=0.6, read_s=5.0).get(f"http://127.0.0.1:{port}/")


def test_a_server_that_says_nothing_is_left_after_the_silence():
    def talk(connection, over):
        over.wait(20)

    with raw_server(talk) as port, pytest.raises(Transient, match="did not answer in time"):
        plain_client(read_s=0.3).get(f"http://127.0.0.1:{port}/")


def test_a_server_that_never_ends_the_handshake_is_left():
    def talk(connection, over):
        over.wait(20)

    with raw_server(talk) as port, pytest.raises(Transient, match="did not answer in time"):
        plain_client(connect_s=0.3).get(f"https://127.0.0.1:{port}/")


def test_a_resolver_that_never_answers_is_left():
    over = threading.Event()

    def resolver(host, port):
        over.wait(20)
        return ["93.184.215.14"]

    client = HttpClient(HttpOptions(hosts=(NAME,), connect_s=0.2), resolver=resolver)
    with pytest.raises(Transient, match=r"not resolved within 0\.2 s"):
        client.get(f"https://{NAME}/")
    over.set()


@pytest.mark.parametrize(
    "bytes_sent",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\x16\x03\x01junk\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
)
def test_an_answer_that_is_none_is_a_passing_fault(bytes_sent):
    def talk(connection, over):
        connection.recv(65536)
        connection.sendall(bytes_sent)

    with raw_server(talk) as port, pytest.raises(Transient):
        plain_client().get(f"http://127.0.0.1:{port}/")


def test_nobody_there_is_a_passing_fault():
    with canary() as trap:
        port = trap.port
    with pytest.raises(Transient, match="refused"):
        plain_client().get(f"http://127.0.0.1:{port}/")
    with pytest.raises(Transient, match="cannot be resolved"):
        HttpClient(HttpOptions(hosts=(NAME,)), resolver=Names()).get(f"https://{NAME}/")


def test_a_file_of_certificates_that_is_none_is_a_wrong_setting(tmp_path):
    with pytest.raises(ConfigError, match="file of certificates"):
        HttpClient(HttpOptions(ca_file=tmp_path / "none.pem"))
    (tmp_path / "junk.pem").write_text("junk")
    with pytest.raises(ConfigError, match="file of certificates"):
        HttpClient(HttpOptions(ca_file=tmp_path / "junk.pem"))


def test_a_header_that_would_break_the_request_is_refused(server, client):
    for value in ("a\r\nX-Evil: 1", "\N{SNOWMAN}"):
        with pytest.raises(Permanent):
            client.get(url(server, "/"), headers={"X-Key": value})


def sent_or_not(client, address):
    """Return whether it is certain that nothing of a body was sent, of a call that must fail."""
    with pytest.raises((Transient, Permanent)) as caught:
        client.post(address, b"x" * 1000, media_type="text/plain")
    return caught.value.nothing_was_sent


def test_where_no_connection_came_about_nothing_was_sent(server):
    with refusing_port() as port:
        assert sent_or_not(plain_client(), f"http://127.0.0.1:{port}/")
    assert sent_or_not(make_client(server, Names()), url(server, "/"))
    assert sent_or_not(make_client(server, ca_file=None), url(server, "/"))
    assert sent_or_not(make_client(server), "https://elsewhere.example.org/")


def test_where_the_connection_broke_later_something_may_have_been_sent():
    for answer in (
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nless",
        b"HTTP/1.1 302 x\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
    ):

        def talk(connection, _over, answer=answer):
            connection.recv(65_536)
            connection.sendall(answer)

        with raw_server(talk) as port:
            assert not sent_or_not(plain_client(), f"http://127.0.0.1:{port}/")


def test_an_answer_that_is_too_long_does_not_say_that_nothing_was_sent():
    def talk(connection, _over):
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 10\r\n\r\n0123456789")

    with raw_server(talk) as port:
        assert not sent_or_not(plain_client(max_bytes=5), f"http://127.0.0.1:{port}/")

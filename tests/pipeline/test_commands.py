"""The commands that run the pipeline in other ways, or share its results."""

import json
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
from PIL import Image

from tests.digits import digits
from tests.pipeline.conftest import MODELS, Command, command_in, ran

pytestmark = pytest.mark.slow

MNIST = (sys.executable, "-m", "mnist")
# The command `quick` with another setting: of the whole pipeline only the report runs again.
QUICK = """\
from mnist.commands import quick
quick.SETTINGS = {"report.errors_shown": 7}
quick.main(None)
"""


def test_quick_leaves_everything_as_it_was_and_gives_a_report(
    run_all: Command, tiny_all: Path
) -> None:
    own = tiny_all / "README.md"
    own.write_text("a change that is not committed\n")
    before = files_of(tiny_all)
    for _ in range(2):  # the second time the experiment is there already
        output = run_all(sys.executable, "-c", QUICK)
        assert ran(output) == ["report"]
        assert files_of(tiny_all) == before
        assert run_all("git", "status", "--porcelain").split() == ["M", "README.md"]
        assert run_all("git", "stash", "list") == ""
    assert "The report: quick/report/index.html" in output
    page = "report/index.html"
    assert (tiny_all / "quick" / page).read_bytes() != (tiny_all / page).read_bytes()
    for name in MODELS:
        accuracy = json.loads((tiny_all / f"metrics/test/{name}.json").read_text())["accuracy"]
        assert f"{name:8} {accuracy:.2%}" in output

    assert "report.errors_shown" in run_all("dvc", "params", "diff", "HEAD", "quick")
    run_all("dvc", "exp", "remove", "quick")
    assert "quick" not in run_all("dvc", "exp", "list", "--name-only")


def files_of(folder: Path) -> dict[str, bytes]:
    """The files that git knows, and the data and models."""
    names = command_in(folder)("git", "ls-files").splitlines()
    paths = [folder / name for name in names]
    paths += [*folder.glob("data/**/*"), *folder.glob("models/*")]
    return {str(path): path.read_bytes() for path in paths if path.is_file()}


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve the files of `folder` on the loopback interface; gives the address."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_site_gives_a_fresh_clone_the_trained_models(
    run_all: Command, tiny_all: Path, tmp_path: Path
) -> None:
    (tiny_all / "public").mkdir()
    (tiny_all / "public/old.html").touch()
    run_all(*MNIST, "site")
    assert not (tiny_all / "public/old.html").exists()
    assert run_all("git", "status", "--porcelain") == ""
    assert "Data and pipelines are up to date" in run_all("dvc", "status")
    shutil.move(tiny_all / "public", tmp_path / "public")
    clone = tmp_path / "clone"
    run_all("git", "clone", "--quiet", str(tiny_all), str(clone))
    shutil.copytree(tiny_all / "data/own", clone / "data/own", dirs_exist_ok=True)
    in_clone = command_in(clone)
    with served(tmp_path / "public") as address:
        for file in ("report/index.html", "metrics/comparison.json"):
            page = requests.get(f"{address}/{file}", timeout=60)
            assert page.content == (tiny_all / file).read_bytes()
        assert "report/index.html" in requests.get(address, timeout=60).text
        in_clone("dvc", "remote", "add", "--default", "site", f"{address}/dvc")
        in_clone("dvc", "pull")
    assert "Data and pipelines are up to date" in in_clone("dvc", "status")
    assert ran(in_clone("dvc", "repro")) == []
    for name in MODELS:
        weights = f"models/{name}.safetensors"
        assert (clone / weights).read_bytes() == (tiny_all / weights).read_bytes()
    images, _ = digits()
    Image.fromarray(255 - images[1].repeat(4, 0).repeat(4, 1)).save(tmp_path / "one.png")
    assert "vit" in in_clone(*MNIST, "predict", str(tmp_path / "one.png"))

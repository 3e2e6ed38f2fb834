"""Lay out public/ for a web server: the report, and the outputs that dvc.lock names.

public/index.html leads to the report, which links to public/metrics. public/dvc is a DVC remote,
from which others pull the data and the trained models:

  dvc remote add --default site https://OWNER.github.io/REPOSITORY/dvc
  dvc pull
"""

import argparse
import shutil
from pathlib import Path

from mnist.atomic_io import write_text
from mnist.errors import UserError

PUBLIC = Path("public")
REMOTE = PUBLIC / "dvc"
START = """\
<!DOCTYPE html>
<html lang="en">
<title>Model comparison</title>
<meta http-equiv="refresh" content="0; url=report/index.html">
<a href="report/index.html">The report</a>
"""
LIMIT = 10**9  # bytes that GitHub Pages allows


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add nothing: the command has no arguments."""


def main(_: argparse.Namespace) -> None:
    """Write public/ anew and print its size."""
    shutil.rmtree(PUBLIC, ignore_errors=True)
    push(REMOTE)
    for folder in ("report", "metrics"):
        shutil.copytree(folder, PUBLIC / folder)
    write_text(PUBLIC / "index.html", START)
    site, remote = folder_bytes(PUBLIC), folder_bytes(REMOTE)
    print(
        f"{PUBLIC}/ has {site / 1e6:.0f} MB, {remote / 1e6:.0f} of them data and models; "
        f"GitHub Pages allows {LIMIT / 1e6:.0f} MB."
    )


def push(folder: Path) -> None:
    """Copy what dvc.lock names from DVC's cache to `folder`, as `dvc push` does.

    Raises:
        UserError: DVC's cache lacks an output.
    """
    from dvc.repo import Repo

    # In no configuration file: the remote is for the readers of the site.
    remotes = {"remote": {"site": {"url": str(folder.absolute())}}}
    with Repo(config=remotes) as repo:
        outputs = [out for out in repo.index.outs if out.use_cache]
        missing = [str(out) for out in outputs if out.changed_cache()]
        if missing:
            raise UserError(f"{', '.join(missing)} not in DVC's cache; run `make repro` first.")
        repo.push(remote="site")


def folder_bytes(folder: Path) -> int:
    """Return the size of all files in `folder`."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())

"""Lay out public/ for a web server: the report, and the outputs that dvc.lock names.

public/index.html leads to the report, which links to public/metrics. public/dvc is a DVC remote,
from which others pull the data and the trained models:

  dvc remote add --default site https://OWNER.github.io/REPOSITORY/dvc
  dvc pull
"""

import argparse
import shutil

from mnist.commands import require_git
from mnist.errors import UserError
from mnist.files import new_folder

START = """\
<!DOCTYPE html>
<title>Model comparison</title>
<meta http-equiv="refresh" content="0; url=report/index.html">
"""


def main(_: argparse.Namespace) -> None:
    require_git()
    from dvc.repo import Repo

    with new_folder("public") as public:
        remote = {"url": str((public / "dvc").absolute())}  # for readers: in no configuration file
        with Repo(config={"remote": {"site": remote}}) as repo:
            missing = [str(out) for out in repo.index.outs if out.use_cache and out.changed_cache()]
            if missing:
                raise UserError(f"{', '.join(missing)} not in DVC's cache; run `make repro` first.")
            repo.push(remote="site")
        for folder in ("report", "metrics"):
            shutil.copytree(folder, public / folder)
        (public / "index.html").write_text(START, encoding="utf-8")

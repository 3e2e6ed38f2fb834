"""Run DVC experiments in a folder of their own, for `quick`, `seeds` and `scaling`."""

import os
import subprocess
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from mnist.commands import require_git
from mnist.errors import UserError
from mnist.params import load_params

# Of the commits, which are on no branch: git may not know the user's name.
AUTHOR = {
    "GIT_AUTHOR_NAME": "MNIST experiment",
    "GIT_AUTHOR_EMAIL": "experiment@localhost",
    "GIT_COMMITTER_NAME": "MNIST experiment",
    "GIT_COMMITTER_EMAIL": "experiment@localhost",
}


def run_experiment(
    name: str,
    settings: Mapping[str, object],
    *targets: str,
    show: Callable[[Iterable[str]], None] | None = None,
) -> str:
    """Run `targets`, by default all stages, in a copy of the repository.

    `settings` replace values of params.yaml, such as {"vit.epochs": 20}. DVC keeps the models in
    its cache, and everything else in a commit on no branch, whose git reference is returned. An
    older experiment of this name is replaced. `show` prints what DVC does, line by line; by default
    DVC does. Raises UserError where DVC fails, or cannot run here.
    """
    require_git()
    # DVC 3.67 runs an experiment in a shallow clone, but loses its commit.
    if git("rev-parse", "--is-shallow-repository") == "true":
        raise UserError("DVC needs the whole history for experiments: run `git fetch --unshallow`.")
    if not str(Path.cwd()).isascii():  # it writes the path of its cache as ASCII
        raise UserError(f"DVC cannot run experiments in {Path.cwd()}: rename it to plain letters.")
    # The first time there is none to remove.
    subprocess.run(["dvc", "exp", "remove", "--quiet", name], capture_output=True)  # noqa: S607
    command = ["dvc", "exp", "run", "--temp", "--name", name]
    command += [f"--set-param={key}={value}" for key, value in settings.items()]
    # The user's data files in here: git does not know them, so DVC would not copy them.
    folder = Path(load_params().data.folder)
    if folder.resolve().is_relative_to(Path.cwd().resolve()):
        files = git("ls-files", "--others", "-z", "--", str(folder)).split("\0")
        command += [f"--copy-paths={file}" for file in files if file]
    environment = os.environ | AUTHOR | {"PYTHONUNBUFFERED": "1"}
    output = subprocess.PIPE if show else None
    with subprocess.Popen([*command, *targets], env=environment, stdout=output, text=True) as dvc:
        if show and dvc.stdout:
            show(dvc.stdout)
    if dvc.returncode:
        raise UserError(f"the experiment {name!r} failed; see DVC's message above.")
    return git("for-each-ref", "--format=%(refname)", f"refs/exps/*/*/{name}")


def git(*arguments: str) -> str:
    """Return what a git command prints."""
    command = ["git", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

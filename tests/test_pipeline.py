"""The whole pipeline through DVC, in a small copy of this repository, on small real digits."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from mnist.pipeline import models
from PIL import Image
from safetensors.torch import load_file, save_file

from mnist.data import weights
from mnist.models.fine_tuned import make_backbone
from mnist.reporting.seeds import COLUMNS
from mnist.training.lock import alone
from tests.conftest import ROOT, Faults
from tests.digits import digits, write_data_set

TINY = {"epochs": 2, "batch_size": 32}
START_CNN = "import stages.train_cnn as s; from mnist.errors import run; run(s.main)"
Command = Callable[..., str]


def git_files() -> list[str]:
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    result = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in result.stdout.splitlines() if (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of its own: our code, small parameters, the four IDX files of small digits."""
    folder = tmp_path_factory.mktemp("tiny")
    for name in git_files():
        if not name.startswith(("tests/", "report/", "metrics/")) and name != "dvc.lock":
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    (folder / "metrics").mkdir()
    (folder / "metrics/seeds.csv").write_text(",".join(COLUMNS) + "\n")
    (folder / "metrics/benchmark.json").write_text("{}\n")
    write_data_set(folder / "data/own")
    put_random_trunks_in_place_of_imagenets(folder)
    params: dict[str, Any] = yaml.safe_load((folder / "params.yaml").read_text())
    params["data"] |= {"checksums": False, "validation_size": 200}
    params["cnn"] |= TINY | {"epochs": 8, "widths": [8, 16, 16, 32]}
    params["frcnn"] |= TINY | {"hidden": 32, "proposals": 20}
    params["evaluate"] |= {"scenes": 20}
    params["evaluate"]["robustness"] |= {"digits": 50, "attacked_digits": 20}
    params["vgg16"] |= TINY | {"epochs": 0.1, "last_pool": False, "input_size": 16}
    params["alexnet"] |= TINY | {"input_size": 31}
    params["vit"] |= TINY | {"dim": 40, "heads": 4, "depth": 2, "mlp_dim": 64}
    params["runtime"]["threads"] = 1  # for so little work a second one is only in the way
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    run = command_in(folder)
    run("git", "init", "--quiet")
    run("git", "config", "user.name", "Test")
    run("git", "config", "user.email", "test@example.org")
    run("git", "add", "--all")
    run("git", "commit", "--quiet", "--message", "tiny")
    run("dvc", "repro")
    run("git", "add", "--all")
    run("git", "commit", "--quiet", "--message", "first results")
    return folder


def put_random_trunks_in_place_of_imagenets(folder: Path) -> None:
    """Let the copy of the code take random backbones for the published ones: no download."""
    module = folder / "stages/data/weights.py"
    code = module.read_text()
    for network, published in weights.CHECKSUMS.items():
        torch.manual_seed(0)
        backbone = make_backbone(network).state_dict()
        save_file(backbone, folder / f"data/own/{network}.safetensors")
        code = code.replace(published, weights.checksum(backbone, network))
    module.write_text(code)


def command_in(folder: Path) -> Command:
    def run(*command: str, fails: bool = False) -> str:
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
        output = result.stdout + result.stderr
        assert (result.returncode != 0) == fails, output
        return output

    return run


@pytest.fixture
def run(tiny: Path) -> Command:
    """Run a command in the tiny repository, brought back to its first results."""
    command = command_in(tiny)
    command("git", "reset", "--hard", "--quiet")
    command("dvc", "checkout", "--force", "--quiet")
    return command


def ran(output: str) -> list[str]:
    """The stages that really ran, in order."""
    lines = [line for line in output.splitlines() if line.startswith("Running stage '")]
    return [line.split("'")[1] for line in lines]


def test_it_leaves_every_file_of_the_contract(tiny: Path) -> None:
    of_each_model = (
        "models/{}.safetensors",
        "metrics/{}.json",
        "metrics/train/{}.json",
        "metrics/curves/{}.csv",
        "metrics/timing/{}.json",
        "metrics/predictions/{}.csv",
        "metrics/reliability/{}.csv",
        "metrics/robustness/{}.csv",
        "metrics/examples/{}.json",
        "report/figures/confusion_{}.svg",
    )
    of_all = (
        "data/mnist/train.npz",
        "metrics/comparison.json",
        "report/index.html",
        "report/README.md",
        "report/figures/loss.svg",
    )
    files = [file.format(name) for file in of_each_model for name in models()]
    for file in (*files, *of_all):
        assert (tiny / file).stat().st_size > 0, file
    quality = yaml.safe_load((tiny / "metrics/cnn.json").read_text())
    assert quality["accuracy"] > 0.7  # 1,000 training digits, two epochs; chance is 0.1
    assert len(quality["recall_per_digit"]) == 10
    assert not list(tiny.rglob("*.tmp"))


def test_the_detector_is_measured_on_two_tracks(tiny: Path) -> None:
    quality = yaml.safe_load((tiny / "metrics/frcnn.json").read_text())
    assert quality["detection"].keys() == {
        "map", "map_50", "map_75", "map_per_digit", "scenes", "digits"
    }  # fmt: skip
    assert quality["detection"]["scenes"] == 20
    rows = [line.split(",") for line in (tiny / "metrics/predictions/frcnn.csv").open()][1:]
    missed = [row for row in rows if row[1] == "-1"]
    assert len(missed) == quality["missed"]
    assert all(float(p) == 0.1 for row in missed for p in row[2:])


def test_the_detector_starts_as_the_cnn(run: Command, tiny: Path) -> None:
    run("dvc", "exp", "run", "-S", "frcnn.lr=1e-9", "-S", "frcnn.epochs=0.1", "train_frcnn")
    cnn, frcnn = (load_file(tiny / f"models/{name}.safetensors") for name in ("cnn", "frcnn"))
    kernel, theirs = frcnn["backbone.0.weight"], cnn["features.0.weight"]
    torch.testing.assert_close(kernel, theirs, atol=1e-6, rtol=0)


def test_a_second_run_does_nothing(run: Command) -> None:
    assert "Data and pipelines are up to date" in run("dvc", "status")
    assert ran(run("dvc", "repro")) == []


def test_an_experiment_reruns_only_what_it_must_and_going_back_costs_nothing(
    run: Command, tiny: Path
) -> None:
    before = (tiny / "models/cnn.safetensors").read_bytes()
    output = run("dvc", "exp", "run", "-S", "cnn.lr=1e-3", "-S", "cnn.epochs=1")
    # Faster R-CNN starts from the CNN's convolutions.
    stages = ["train_cnn", "train_frcnn", "evaluate@cnn", "evaluate@frcnn", "report"]
    assert sorted(ran(output)) == sorted(stages)
    assert (tiny / "models/cnn.safetensors").read_bytes() != before
    assert "metrics/cnn.json" in run("dvc", "metrics", "diff")

    run("git", "checkout", "--", "params.yaml")
    output = run("dvc", "repro")
    assert "train_cnn" not in ran(output)
    assert "Stage 'train_cnn' is cached" in output
    assert (tiny / "models/cnn.safetensors").read_bytes() == before


def test_a_parameter_of_the_report_reruns_the_report_alone(run: Command) -> None:
    assert ran(run("dvc", "exp", "run", "-S", "report.errors_shown=7")) == ["report"]


def test_models_are_trained_from_several_seeds_beside_the_workspace(
    run: Command, tiny: Path
) -> None:
    before = (tiny / "metrics/cnn.json").read_bytes()
    run(sys.executable, "-m", "mnist.commands.seeds", "cnn=2")
    with open(tiny / "metrics/seeds.csv", newline="") as file:
        first, second = csv.DictReader(file)
    quality = json.loads(before)
    assert first["model"] == "cnn"
    assert (first["seed"], second["seed"]) == ("1", "2")
    assert float(first["accuracy"]) == quality["accuracy"]
    assert float(second["nll"]) != quality["nll"]
    assert (tiny / "metrics/cnn.json").read_bytes() == before
    assert run("git", "diff", "--name-only").split() == ["metrics/seeds.csv"]
    assert ran(run("dvc", "repro")) == ["report"]
    assert "How much is luck" in (tiny / "report/README.md").read_text()
    assert "is not MODEL=COUNT" in run(
        sys.executable, "-m", "mnist.commands.seeds", "cnn", fails=True
    )


def test_the_benchmark_writes_what_the_report_reads(run: Command, tiny: Path) -> None:
    short = ("--rounds", "1", "--seconds", "0.05", "--models", "cnn", "--no-time-to-99")
    run(sys.executable, "-m", "mnist.commands.bench", *short)
    figures = json.loads((tiny / "metrics/benchmark.json").read_text())
    assert figures.keys() == {"cnn", "machine"}
    assert figures["cnn"].keys() == {
        "train_images_per_second", "infer_images_per_second_b1", "infer_images_per_second_b256",
        "gflop_per_image", "share_of_sgemm", "speedup_vs_plain", "peak_memory_mb",
    }  # fmt: skip
    assert all(value > 0 for value in figures["cnn"].values())
    assert ran(run("dvc", "repro")) == ["report"]


def test_pictures_are_read_with_the_trained_models(
    run: Command, tiny: Path, tmp_path: Path
) -> None:
    predict = (sys.executable, "-m", "mnist.commands.predict")
    images, _ = digits()
    for name, grey in (
        ("one", 255 - images[1].repeat(4, 0).repeat(4, 1)),
        ("blank", images[1] * 0),
    ):
        Image.fromarray(grey).save(tmp_path / f"{name}.png")
    output = run(*predict, str(tmp_path / "one.png"), "--show", str(tmp_path / "seen.png"))
    assert [line.split("  ")[1] for line in output.splitlines()[1:]] == [
        "CNN", "Faster R-CNN", "VGG16", "AlexNet", "Vision Transformer"
    ]  # fmt: skip
    assert (tmp_path / "seen.png").stat().st_size > 5000
    (tmp_path / "seen.png").unlink()

    folder = subprocess.run(
        [*predict, "--json", "--models", "cnn", "frcnn", "--", str(tmp_path), "nowhere.png"],
        cwd=tiny,
        capture_output=True,
        text=True,
    )
    assert folder.returncode == 2  # some could not be read; the others are answered
    blank, one, missing = json.loads(folder.stdout)
    assert "blank.png is blank" in blank["error"]
    assert "nowhere.png is missing" in missing["error"]
    assert "Traceback" not in folder.stderr
    (answer,) = one["classifiers"]["cnn"]
    assert sum(answer["probabilities"]) == pytest.approx(1, abs=1e-4)
    assert isinstance(one["detectors"]["frcnn"], list)


def test_the_tour_of_the_readme_works(run: Command, tiny: Path) -> None:
    section = (ROOT / "README.md").read_text().split("## A tour\n")[1].split("\n## ")[0]
    commands = [line[2:] for line in section.splitlines() if line.startswith("$ ")]
    assert commands[:2] == ["make repro", "source .venv/bin/activate"]  # done for the tests already
    changed, diff, *rest = commands[2:]
    assert set(ran(run("bash", "-c", changed))) == {"train_vit", "evaluate@vit", "report"}
    assert json.loads((tiny / "metrics/train/vit.json").read_text())["epochs"] == 20
    assert re.search(r"metrics/train/vit.json +epochs +2.0 +20.0 +18.0", run("bash", "-c", diff))
    assert [command.split()[2] for command in rest] == ["mnist.commands.predict"]
    assert "4 digits, from left to right" in run("bash", "-c", rest[0])
    (tiny / "seen.png").unlink()


def test_trained_classifiers_are_exported(run: Command, tiny: Path, tmp_path: Path) -> None:
    output = run(sys.executable, "-m", "mnist.commands.export", "--folder", str(tmp_path))
    written = sorted(path.name for path in tmp_path.iterdir())
    assert written == ["alexnet.onnx", "cnn.onnx", "vgg16.onnx", "vit.onnx"]
    assert "frcnn: left out" in output


def overwrite_unnoticed(path: Path) -> bytes:
    """Change one byte of a file and keep its size and time, as a failing disk would."""
    before, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    return bytes(content)


def mend(run: Command, fault: str) -> None:
    """Do what a fault's message says."""
    commands = re.findall("`([^`]*)`", fault)
    for command in commands:
        run("bash", "-c", command)


def test_verify_sees_what_dvc_does_not(run: Command, tiny: Path) -> None:
    verify = (sys.executable, "-m", "mnist.commands.verify")
    assert "are what dvc.lock says" in run(*verify)
    model = tiny / "models/vit.safetensors"
    whole = model.read_bytes()

    overwrite_unnoticed(model)
    assert "up to date" in run("dvc", "status")
    (fault,) = run(*verify, fails=True).splitlines()
    assert "models/vit.safetensors is not what dvc.lock says" in fault
    mend(run, fault)
    assert model.read_bytes() == whole
    run(*verify)

    lock = yaml.safe_load((tiny / "dvc.lock").read_text())["stages"]["train_vit"]
    (md5,) = [out["md5"] for out in lock["outs"] if out["path"].startswith("models/")]
    overwrite_unnoticed(tiny / f".dvc/cache/files/md5/{md5[:2]}/{md5[2:]}")
    (fault,) = run(*verify, fails=True).splitlines()
    assert "in DVC's cache is damaged (models/vit.safetensors)" in fault
    mend(run, fault)
    assert model.read_bytes() == whole
    run(*verify)

    overwrite_unnoticed(tiny / "metrics/vit.json")
    (fault,) = run(*verify, fails=True).splitlines()
    assert "metrics/vit.json is not what dvc.lock says: `git checkout metrics/vit.json`" in fault


def test_what_no_stage_tracks_reruns_nothing(run: Command) -> None:
    assert ran(run("dvc", "exp", "run", "-S", "runtime.threads=2")) == []


def test_without_the_cache_the_report_can_be_redone_alone(
    run: Command, tiny: Path, tmp_path: Path
) -> None:
    clone = tmp_path / "clone"
    run("git", "clone", "--quiet", str(tiny), str(clone))
    shutil.copytree(tiny / "data/own", clone / "data/own", dirs_exist_ok=True)
    page = (clone / "report/index.html").read_bytes()
    in_clone = command_in(clone)
    assert ran(in_clone("dvc", "repro", "--allow-missing")) == []
    in_clone("dvc", "repro", "--force", "--single-item", "report")
    assert (clone / "report/index.html").read_bytes() == page

    params = clone / "params.yaml"
    params.write_text(params.read_text().replace("errors_shown: 60", "errors_shown: 7"))
    assert ran(in_clone("dvc", "repro", "--allow-missing")) == ["report"]
    assert (clone / "report/index.html").read_bytes() != page


def test_the_same_seed_gives_the_same_metrics(run: Command, tiny: Path) -> None:
    files = ["models/cnn.safetensors", "metrics/train/cnn.json", "metrics/curves/cnn.csv"]
    before = [(tiny / name).read_bytes() for name in files]
    assert ran(run("dvc", "repro", "--force", "--single-item", "train_cnn")) == ["train_cnn"]
    assert [(tiny / name).read_bytes() for name in files] == before


def test_what_several_processes_trained_is_taken_over(run: Command, tiny: Path) -> None:
    before = (tiny / "models/vit.safetensors").read_bytes()
    run("torchrun", "--standalone", "--nproc-per-node", "2", "-m", "stages.train_vit")
    assert json.loads((tiny / "metrics/timing/vit.json").read_text())["world_size"] == 2
    trained = (tiny / "models/vit.safetensors").read_bytes()
    assert trained != before
    run("dvc", "commit", "--force", "train_vit")
    assert ran(run("dvc", "repro")) == ["evaluate@vit", "report"]
    assert (tiny / "models/vit.safetensors").read_bytes() == trained
    assert "2 processes of 1 CPU thread (lab" in (tiny / "report/README.md").read_text()


def test_a_second_training_in_the_folder_is_refused(run: Command, tiny: Path) -> None:
    stage = f"import mnist.training.lock as a; a.PATIENCE = 0; {START_CNN}"
    with alone(tiny / "checkpoints/cnn.0.lock"):
        output = run(sys.executable, "-c", stage, fails=True)
    assert f"process {os.getpid()} is at the same training" in output
    assert "Traceback" not in output
    run(sys.executable, "-c", stage)


@pytest.mark.faults
def test_a_dvc_that_is_killed_takes_its_stage_along_and_the_next_goes_on(
    run: Command, tiny: Path, faults: Faults
) -> None:
    params = tiny / "params.yaml"
    changed = yaml.safe_load(params.read_text())
    changed["vit"]["epochs"] = 8
    changed["runtime"]["checkpoint_seconds"] = 0
    params.write_text(yaml.safe_dump(changed))
    repro = ("dvc", "repro", "--force", "--single-item", "train_vit")
    run(*repro)
    files = ["models/vit.safetensors", "metrics/train/vit.json", "metrics/curves/vit.csv"]
    unbroken = [(tiny / name).read_bytes() for name in files]
    assert not list(tiny.glob("checkpoints/*/"))

    with faults("SIGKILL of dvc repro"):
        # Debian's /bin/sh would stay between DVC and the stage, were it not for `exec`.
        dvc = subprocess.Popen(
            repro,
            cwd=tiny,
            env=os.environ | {"SHELL": "/bin/sh"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while not list(tiny.glob("checkpoints/vit-*/00000005?.pt")):
            assert dvc.poll() is None
            time.sleep(0.02)
        dvc.kill()
        dvc.wait()
        assert not (tiny / files[0]).exists()
        output = run(*repro)
        assert re.search(r"going on from step \d+ of 248, where the last run was stopped", output)
        assert [(tiny / name).read_bytes() for name in files] == unbroken
        assert not list(tiny.glob("checkpoints/*/"))


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("cnn.epochs=0", "cnn.epochs = 0: input should be greater than 0"),
        ("+cnn.lrate=1", "cnn.lrate is not a known key"),
        (
            "cnn.strides=[9,9,9,9]",
            "pools: convolution 2 pools 2x2 of 1x1 pixels; allowed is 1 to 1",
        ),
    ],
)
def test_an_impossible_parameter_stops_before_any_work(
    run: Command, tiny: Path, override: str, said: str
) -> None:
    output = run("dvc", "exp", "run", "-S", override, fails=True)
    assert said in output
    assert "Traceback" not in output


def test_a_damaged_file_stops_the_pipeline_by_name(run: Command, tiny: Path) -> None:
    path = tiny / "data/own/train-images-idx3-ubyte"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1000])
    try:
        output = run("dvc", "repro", fails=True)
        assert "data/raw/train-images-idx3-ubyte is truncated" in output
        assert "Traceback" not in output
        assert not (tiny / "data/mnist").exists()
    finally:
        path.write_bytes(whole)


def test_no_source_says_how_to_put_the_files_in_place(run: Command, tiny: Path) -> None:
    path = tiny / "data/own/t10k-labels-idx1-ubyte"
    aside = path.rename(path.with_suffix(".aside"))
    try:
        output = run("dvc", "repro", fails=True)
        assert "own: data/own lacks t10k-labels-idx1-ubyte" in output
        assert "into data/own and run again" in output
        assert "Traceback" not in output
    finally:
        aside.rename(path)


@pytest.mark.faults
@pytest.mark.parametrize("stage", ["convert", "train_cnn", "fetch", "fetch_weights", "report"])
def test_a_disk_that_takes_no_more_leaves_one_line_and_nothing_half_done(
    run: Command, tiny: Path, faults: Faults, stage: str
) -> None:
    # A limit on the size of files stands in for a full disk: the write fails half-way.
    before = {path for path in tiny.rglob("*") if ".dvc" not in path.parts}
    names = ["--models", *models()] if stage == "report" else []
    limited = f"ulimit -f 4; exec {sys.executable} -m stages.{stage} {' '.join(names)}"
    with faults("no room for an output"):
        output = run("bash", "-c", limited, fails=True)
        assert "Traceback" not in output
        assert re.search(rf"^{stage}: .*(disk space|larger than this system allows)", output, re.M)
        after = {path for path in tiny.rglob("*") if ".dvc" not in path.parts}
        # A checkpoint may be left: the next run goes on from it.
        kept = {"__pycache__", "checkpoints"}
        assert not {path for path in after - before if not kept & set(path.parts)}

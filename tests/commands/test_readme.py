"""`python -m mnist readme` writes figures of README.md and docs/ between their markers."""

import argparse
import os
from pathlib import Path

import pytest
import yaml

from mnist.commands import readme
from mnist.errors import UserError
from mnist.params import load_params
from tests.conftest import ROOT
from tests.reporting.synthetic import make_params, write_metrics, write_seeds


def test_the_blocks_are_replaced_between_their_markers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = ("cnn", "vit")
    metrics = write_metrics(tmp_path / "metrics", models, wrong={"cnn": [0], "vit": [1, 2]})
    write_seeds(metrics, {("cnn", 1): [0], ("cnn", 2): [3, 4], ("vit", 1): [1, 2]})
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(make_params(models).model_dump()))
    (tmp_path / "docs").mkdir()
    monkeypatch.chdir(tmp_path)
    for name, path in readme.BLOCKS.items():
        with open(path, "a") as file:
            file.write(f"before {name}\n<!-- {name} -->\nold\n<!-- /{name} -->\nafter {name}\n")
    readme.main(argparse.Namespace())
    text = Path("README.md").read_text()
    assert "- CNN makes the fewest errors on the 100 test images: 1.50% (mean of 2 " in text
    assert "| CNN | 98.50% ± 0.71% (n = 2) | 98.50% |" in text
    assert "| Vision Transformer | 98.00% (n = 1) | 98.00% |" in text
    assert "0.125 ms" in Path("docs/performance.md").read_text()
    assert "| CNN | 98.50% ± 0.71% (n = 2) | 98.50% | 0.9 |" in Path("docs/lab.md").read_text()
    for name, path in readme.BLOCKS.items():
        lines = path.read_text().splitlines()
        assert "old" not in lines
        assert lines.index(f"before {name}") < lines.index(f"after {name}")
    readme.main(argparse.Namespace())
    assert Path("README.md").read_text() == text
    Path("README.md").write_text("# Title\n")
    with pytest.raises(UserError, match="needs the lines <!-- findings -->"):
        readme.main(argparse.Namespace())


@pytest.mark.skipif("CI" not in os.environ, reason="a user may have other results than committed")
def test_the_committed_blocks_show_the_committed_metrics() -> None:
    blocks = readme.make_blocks(ROOT / "metrics", load_params(ROOT / "params.yaml"))
    for name, path in readme.BLOCKS.items():
        text = (ROOT / path).read_text(encoding="utf-8")
        assert readme.replace_between(text, path, name, blocks[name]) == text, "run `make readme`"

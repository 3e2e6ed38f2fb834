"""`python -m mnist readme` writes the tables of README.md between their markers."""

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


def test_the_tables_are_replaced_between_their_markers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = ("cnn", "vit")
    metrics = write_metrics(tmp_path / "metrics", models)
    seeds = [("cnn", 1, "r", "sha of cnn", 0.99), ("cnn", 2, "r", "other", 0.98)]
    write_seeds(metrics, [*seeds, ("vit", 1, "r", "sha of vit", 0.98)])
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(make_params(models).model_dump()))
    markers = "<!-- results -->\nold table\n<!-- /results -->\n"
    path, performance = tmp_path / "README.md", tmp_path / "docs/performance.md"
    performance.parent.mkdir()
    path.write_text(f"# Title\n{markers}end\n")
    performance.write_text(markers.replace("results", "benchmark"))
    monkeypatch.chdir(tmp_path)
    readme.main(argparse.Namespace())
    text = path.read_text()
    assert "| CNN | 99.00% | 99.00% | 183 s, 2 CPU threads |" in text
    spreads = "CNN 98.50% ± 0.71% (n = 2), Vision Transformer 98.00% (n = 1)."
    assert f"Mean ± standard deviation over n seeds: {spreads}" in text
    assert "old table" not in text
    assert text.startswith("# Title\n")
    assert text.endswith("end\n")
    assert "0.125 ms" in performance.read_text()
    readme.main(argparse.Namespace())
    assert path.read_text() == text
    path.write_text("# Title\n")
    with pytest.raises(UserError, match="needs the lines <!-- results -->"):
        readme.main(argparse.Namespace())


@pytest.mark.skipif("CI" not in os.environ, reason="a user may have other results than committed")
def test_the_committed_tables_show_the_committed_metrics() -> None:
    tables = readme.make_tables(ROOT / "metrics", load_params(ROOT / "params.yaml"))
    for name, path in readme.TABLES.items():
        text = readme.replace_between(ROOT / path, name, tables[name])
        assert text == (ROOT / path).read_text(encoding="utf-8"), "run `make readme`"

"""Results of models that were never trained; headless Chromium, where one is installed."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from mnist.reporting.results import Results, read_results
from tests.reporting.synthetic import make_params, write_metrics

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
# Chromium's own sandbox does not start as root, as in a container; the page is ours.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
expect.set_options(timeout=20_000)  # the page needs a tenth of a second, a busy machine more


@pytest.fixture
def metrics(tmp_path: Path) -> Path:
    return write_metrics(tmp_path / "metrics")


@pytest.fixture
def results(metrics: Path) -> Results:
    """Of all five models on 100 images; the first model makes one error, the last five."""
    return read_results(metrics, make_params())


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM:
        pytest.skip("no Chromium is installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()

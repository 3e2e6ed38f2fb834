"""The command line: `python -m mnist COMMAND`."""

import argparse
import os
import sys
from importlib import import_module
from pathlib import Path

from mnist.errors import run

# A command is the module of its name in mnist/commands.
COMMANDS = {
    "predict": "classify the digits in pictures of your own",
    "export": "write the trained classifiers as ONNX files",
    "bench": "time the training and the inference of all models",
    "quick": "train and compare small versions of all models in minutes",
    "parallel": "run the stages of dvc.yaml, several at a time",
    "seeds": "train models with several seeds",
    "scaling": "train models on fewer digits and for fewer steps",
    "site": "lay out the report and the models for a web server",
    "readme": "write the results table of README.md",
}


def main(argv: list[str]) -> None:
    """Run the command that `argv` starts with. Only its module is imported."""
    parser = argparse.ArgumentParser(
        prog="python -m mnist",
        description="Commands for the trained models and their results.",
        epilog="`python -m mnist COMMAND --help` describes one of them.",
    )
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND", title="commands")
    for command, summary in COMMANDS.items():
        subparsers.add_parser(
            command, help=summary, formatter_class=argparse.RawDescriptionHelpFormatter
        )
    if not argv or argv[0] not in COMMANDS:
        parser.parse_args(argv)  # prints the help, or what is wrong, and exits
    name = argv[0]
    module = import_module(f"mnist.commands.{name}")
    subparsers.choices[name].description = module.__doc__
    if hasattr(module, "add_arguments"):
        module.add_arguments(subparsers.choices[name])
    # DVC and its stages are those of this Python, be its environment activated or not.
    os.environ["PATH"] = os.pathsep.join(
        [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    )
    run(lambda: module.main(parser.parse_args(argv)), name)


if __name__ == "__main__":
    main(sys.argv[1:])

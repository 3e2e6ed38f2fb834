"""Stage `train_vit`: the Vision Transformer, trained from scratch."""

from mnist.errors import run
from mnist.models import vit
from mnist.training.classification import Classification
from mnist.training.run import train_stage


def main() -> None:
    train_stage("vit", vit.build, Classification)


if __name__ == "__main__":
    run(main)

"""Stage `train_cnn`: the custom CNN, trained from scratch."""

from mnist.errors import run
from mnist.models import cnn
from mnist.training.classification import Classification
from mnist.training.run import train_stage


def main() -> None:
    train_stage("cnn", cnn.build, Classification)


if __name__ == "__main__":
    run(main)

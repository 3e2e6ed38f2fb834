"""AlexNet (Krizhevsky, 2014), fine-tuned."""

from mnist.models.fine_tuned import FineTunedNetwork, build_fine_tuned
from mnist.params import Params


def build(params: Params) -> FineTunedNetwork:
    """Build the network that params.yaml describes; the frozen blocks are frozen already."""
    return build_fine_tuned("alexnet", params.alexnet, len(params.data.classes))

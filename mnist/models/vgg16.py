"""VGG16 (Simonyan & Zisserman, 2015), fine-tuned."""

from mnist.models.fine_tuned import FineTunedNetwork, build_fine_tuned
from mnist.params import Params


def build(params: Params) -> FineTunedNetwork:
    """Build the network that params.yaml describes; the frozen blocks are frozen already."""
    return build_fine_tuned("vgg16", params.vgg16, len(params.data.classes))

"""Faster R-CNN (Ren et al., 2015): torchvision's, sized to digits.

A backbone turns a scene into feature maps. The region proposal network (RPN) proposes boxes that
may hold a digit. RoI Align cuts the features of each box out, and two linear layers classify it, as
one of the digits or as background, and refine its box. The backbone has the layers of the project's
CNN, so it can start from the CNN's weights.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.ops import MultiScaleRoIAlign, roi_align

from mnist.models.convolutions import convolution_lists, make_convolutions, total_stride
from mnist.models.inference import PIXEL_MEAN, PIXEL_STD
from mnist.models.linear import Linear
from mnist.models.weights_io import from_architecture
from mnist.params import Params


def build(params: Params) -> "DigitDetector":
    """Build the network that params.yaml describes, with random weights."""
    shape = {"anchor_sizes", "aspect_ratios", "proposals", "roi_size", "rois_per_scene", "hidden"}
    architecture = params.frcnn.model_dump(include=shape)
    architecture |= {
        "convolutions": convolution_lists(params.cnn),
        "side": params.frcnn.scenes.side,
        "classes": len(params.data.classes),
    }
    return from_architecture(DigitDetector, architecture)


class RoIAlign(MultiScaleRoIAlign):
    """RoI Align (He et al., 2017) on one feature map, of which a cell is `stride` pixels wide.

    torchvision's own class guesses the stride and knows powers of two only.
    """

    def __init__(self, output_size: int, stride: int) -> None:
        # One sample per cell and few cells: with torchvision's 7x7 cells of four samples, RoI
        # Align would take most of a training step on a CPU.
        super().__init__(["0"], output_size, sampling_ratio=1)
        self.stride = stride

    def forward(
        self, x: dict[str, Tensor], boxes: list[Tensor], image_shapes: list[tuple[int, int]]
    ) -> Tensor:
        """Cut boxes (n, 4) in pixels out of x["0"] (N, C, H, W): (sum of n, C, cells, cells)."""
        return roi_align(x["0"], boxes, self.output_size, 1 / self.stride, self.sampling_ratio)


class DigitDetector(FasterRCNN):
    """Finds and classifies digits in grey scenes (N, 1, side, side) in 0..1.

    As in torchvision, in training `forward(scenes, targets)` returns four losses by name, and
    in inference `forward(scenes)` a dictionary of `boxes` (n, 4), `labels` (n,) in 1..10 and
    `scores` (n,) for each scene, the best first.

    Args:
        convolutions: the arguments of `make_convolutions`, which makes the backbone.
        side: of a scene in pixels.
        anchor_sizes, aspect_ratios: sides in pixels, and height to width, of the boxes that every
            proposal starts from.
        proposals: how many proposals of a scene the second stage looks at.
        roi_size: cells a side to which RoI Align pools a proposal.
        rois_per_scene: proposals of a scene that the second stage learns from.
        hidden: width of the two linear layers.
    """

    def __init__(
        self,
        *,
        convolutions: dict[str, Any],
        side: int,
        anchor_sizes: Sequence[float],
        aspect_ratios: Sequence[float],
        proposals: int,
        roi_size: int,
        rois_per_scene: int,
        hidden: int,
        classes: int,
    ) -> None:
        backbone: Any = make_convolutions(**convolutions)
        channels = convolutions["widths"][-1]
        backbone.out_channels = channels  # FasterRCNN asks for it
        box_head = TwoMLPHead(channels * roi_size**2, hidden)
        box_head.fc6 = Linear(channels * roi_size**2, hidden)  # the larger of its two layers
        super().__init__(
            backbone,
            # Scenes come in the right size; torchvision would enlarge them to 800 pixels.
            min_size=side,
            max_size=side,
            _skip_resize=True,
            size_divisible=1,
            image_mean=[PIXEL_MEAN],
            image_std=[PIXEL_STD],
            rpn_anchor_generator=AnchorGenerator((tuple(anchor_sizes),), (tuple(aspect_ratios),)),
            rpn_pre_nms_top_n_train=2 * proposals,
            rpn_pre_nms_top_n_test=2 * proposals,
            rpn_post_nms_top_n_train=proposals,
            rpn_post_nms_top_n_test=proposals,
            rpn_batch_size_per_image=64,
            box_roi_pool=RoIAlign(roi_size, total_stride(convolutions)),
            box_head=box_head,
            box_predictor=FastRCNNPredictor(hidden, 1 + classes),
            box_batch_size_per_image=rois_per_scene,
            box_positive_fraction=0.5,
            # 1.5 times torchvision's: for objects this small, a fraction of a pixel counts.
            bbox_reg_weights=(15.0, 15.0, 7.5, 7.5),
            box_detections_per_img=20,
        )
        self.side, self.classes = side, classes

    @torch.no_grad()
    def classify(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Classify images (N, 1, 28, 28) in 0..1, each alone in the middle of a scene.

        Returns:
            Logits (N, classes), without the background's, of the box that most probably holds a
            digit. And bool (N,): whether a box has a score above torchvision's threshold of 5 %;
            where none has, the logits are all 0.
        """
        scenes, _ = self.transform(list(centred(images, self.side)))
        features = {"0": self.backbone(scenes.tensors)}
        proposals, _ = self.rpn(scenes, features)
        rois = self.roi_heads.box_roi_pool(features, proposals, scenes.image_sizes)
        logits, _ = self.roi_heads.box_predictor(self.roi_heads.box_head(rois))
        best = logits.new_zeros(len(images), self.classes)
        found = torch.zeros(len(images), dtype=torch.bool, device=logits.device)
        for i, scene_logits in enumerate(logits.split([len(boxes) for boxes in proposals])):
            scores = scene_logits.softmax(dim=1)[:, 1:].amax(dim=1)
            if (scores > self.roi_heads.score_thresh).any():
                best[i], found[i] = scene_logits[scores.argmax(), 1:], True
        return best, found


def centred(images: Tensor, side: int) -> Tensor:
    """Put each image (N, C, h, w), alone, in the middle of a black canvas (N, C, side, side)."""
    height, width = images.shape[-2:]
    left, top = (side - width) // 2, (side - height) // 2
    return F.pad(images, (left, side - width - left, top, side - height - top))


def targets(digits: list[tuple[Tensor, Tensor]]) -> list[dict[str, Tensor]]:
    """Turn boxes (n, 4) and classes 0.. (n,) of each scene into the targets of `forward`."""
    return [{"boxes": boxes, "labels": labels + 1} for boxes, labels in digits]

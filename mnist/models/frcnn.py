"""Faster R-CNN (Ren et al., 2015): torchvision's, sized to digits.

A backbone turns a scene into feature maps; the region proposal network (RPN) finds places that may
hold a digit; RoI Align cuts the features of each out; two linear layers say which digit it is, or
none, and where exactly. The backbone has the layers of our CNN, so it can start from its weights.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.ops import MultiScaleRoIAlign, roi_align

from mnist.models.cnn import CNN, PIXEL_MEAN, PIXEL_STD
from mnist.models.inference import to_input

SCORE_THRESHOLD = 0.5  # a box below it counts in the mAP, but is not shown or called a mistake
DIGITS = 10  # their labels are 1 to 10: in torchvision, 0 means background


class RoIAlign(MultiScaleRoIAlign):
    """RoI Align (He et al., 2017) on one feature map, of which a cell is `stride` pixels wide.

    torchvision's own class guesses the stride and knows powers of two only.
    """

    def __init__(self, output_size: int, stride: int) -> None:
        # One sample a cell, and few and small cells: on a CPU RoI Align would take most of the
        # time with torchvision's 7x7 cells of four samples.
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
        backbone: keyword arguments of the CNN whose convolutions are the backbone.
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
        backbone: dict[str, Any],
        side: int,
        anchor_sizes: Sequence[float],
        aspect_ratios: Sequence[float],
        proposals: int,
        roi_size: int,
        rois_per_scene: int,
        hidden: int,
    ) -> None:
        features = CNN(**backbone).features
        channels = backbone["widths"][-1]
        features.out_channels = channels  # FasterRCNN asks for it
        stride = math.prod(backbone["strides"]) * math.prod(backbone["pools"])
        super().__init__(
            features,
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
            box_roi_pool=RoIAlign(roi_size, stride),
            box_head=TwoMLPHead(channels * roi_size**2, hidden),
            box_predictor=FastRCNNPredictor(hidden, 1 + DIGITS),
            box_batch_size_per_image=rois_per_scene,
            box_positive_fraction=0.5,
            # Half as much again as torchvision's: for objects so small a part of a pixel counts.
            bbox_reg_weights=(15.0, 15.0, 7.5, 7.5),
            box_detections_per_img=20,
        )
        self.side = side

    def load_backbone(self, cnn: CNN) -> None:
        """Take over the convolutions of a trained CNN of the same layers."""
        self.backbone.load_state_dict(cnn.features.state_dict())

    @torch.no_grad()
    def classify(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Say which digit each image (N, 1, 28, 28) in 0..1 shows, alone in the middle of a scene.

        Returns:
            (N, 10) logits of the digits, without the background's, in the box that most probably
            holds a digit: the largest is that box's label. And (N,) whether there was a box with
            a score above torchvision's threshold of 5 %; where not, the logits are all 0.
        """
        scenes, _ = self.transform(list(centred(images, self.side)))
        features = {"0": self.backbone(scenes.tensors)}
        proposals, _ = self.rpn(scenes, features)
        rois = self.roi_heads.box_roi_pool(features, proposals, scenes.image_sizes)
        logits, _ = self.roi_heads.box_predictor(self.roi_heads.box_head(rois))
        answers = logits.new_zeros(len(images), DIGITS)
        found = torch.zeros(len(images), dtype=torch.bool, device=logits.device)
        for i, of_scene in enumerate(logits.split([len(boxes) for boxes in proposals])):
            scores = of_scene.softmax(dim=1)[:, 1:].amax(dim=1)
            if (scores > self.roi_heads.score_thresh).any():
                answers[i], found[i] = of_scene[scores.argmax(), 1:], True
        return answers, found


def classify_digits(model: DigitDetector, images: Tensor, batch_size: int) -> tuple[Tensor, Tensor]:
    """Run `classify` over uint8 images (N, 28, 28); the model is left in inference mode."""
    model.eval()
    answers = [model.classify(to_input(batch)) for batch in images.split(batch_size)]
    logits, found = zip(*answers, strict=True)
    return torch.cat(logits), torch.cat(found)


def centred(images: Tensor, side: int) -> Tensor:
    """Put each image (N, C, h, w), alone, in the middle of a black canvas (N, C, side, side)."""
    height, width = images.shape[-2:]
    left, top = (side - width) // 2, (side - height) // 2
    return F.pad(images, (left, side - width - left, top, side - height - top))


def targets(digits: list[tuple[Tensor, Tensor]]) -> list[dict[str, Tensor]]:
    """Turn boxes (n, 4) and digits 0..9 (n,) of each scene into what `forward` learns from."""
    return [{"boxes": boxes, "labels": labels + 1} for boxes, labels in digits]

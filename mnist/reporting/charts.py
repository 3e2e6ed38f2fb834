"""Which charts the report shows, and what is said under each."""

from collections.abc import Sequence
from typing import Any

from mnist.reporting import plots
from mnist.reporting.page import Chart
from mnist.reporting.results import ModelResult


def make_charts(
    results: Sequence[ModelResult], comparison: dict[str, Any], errors_shown: int
) -> list[Chart]:
    """Draw what all models share, then each model's own, in the order of `results`."""
    titles = ", ".join(result.title for result in results)
    charts = [
        Chart(
            "cost",
            "Accuracy against cost",
            "Test error with its 95 % interval over the arithmetic of classifying one digit. The "
            "line joins the models that no other beats in both.",
            plots.accuracy_against_cost(results),
        ),
        Chart(
            "loss",
            "Loss per epoch",
            "Training loss, on augmented images and smoothed labels, which keep it from falling "
            "to 0 (of Faster R-CNN: the sum of its four losses), and validation loss on plain "
            "ones. The dashed line joins the first and the last loss that the lab reported.",
            plots.loss_curves(results),
        ),
        Chart(
            "accuracy",
            "Accuracy per epoch",
            "Share of the validation images classified correctly.",
            plots.accuracy_curves(results),
        ),
        Chart(
            "disagreement",
            "Disagreement",
            "On how many of the test digits two models answer differently.",
            plots.disagreement([r.name for r in results], comparison["disagreement"]),
        ),
        Chart(
            "reliability",
            "Reliability",
            "Share of right answers among those given with some confidence, before calibration: "
            "above the diagonal a model is better than it says.",
            plots.reliability_diagram(results),
        ),
        Chart(
            "errors",
            "Digits that some model gets wrong",
            "Place in the test split, true digit, and below what each model says "
            f"({titles}; -: nothing found), those wrong in most models first.",
            plots.error_gallery(results, errors_shown),
        ),
    ]
    digits = results[0].robustness_examples["digits"]
    charts.append(
        Chart(
            "robustness",
            "Robustness",
            f"Accuracy in % on {digits:,} test digits, clean and corrupted in fifteen ways; the "
            "pictures are of one of them. MNIST-C style: the kinds are those of MNIST-C, the "
            "strengths are our own, so no figure here compares with one published for MNIST-C.",
            plots.robustness(results),
        )
    )
    attacked = [result for result in results if result.attacked("fgsm")]
    if attacked:
        charts.append(
            Chart(
                "attacks",
                "Adversarial digits",
                f"Accuracy on {attacked[0].robustness_examples['attacked_digits']} test digits "
                "changed, within limits, to mislead the model: by one step along the sign of its "
                "gradient (FGSM, lines) and by many small ones (PGD, crosses). A detector is not "
                "attacked.",
                plots.attacks(attacked),
            )
        )
    for result in results:
        charts.append(
            Chart(
                f"confusion_{result.name}",
                f"Confusion matrix: {result.title}",
                "Test digits by actual and predicted class; the darker, the more errors.",
                plots.confusion_matrix(result),
            )
        )
        if result.attention:
            charts.append(
                Chart(
                    f"attention_{result.name}",
                    f"Where it looks: {result.title}",
                    "Attention rollout: the redder, the more of a patch reaches the classifier. "
                    "Above right answers, below errors (actual → predicted).",
                    plots.attention_maps(result),
                )
            )
        if result.scenes:
            detection = result.quality["detection"]
            charts.append(
                Chart(
                    f"scenes_{result.name}",
                    f"Scenes of test digits: {result.title}",
                    "Dotted: the true boxes; in colour: the boxes found and their digits. Above "
                    "the first scenes, below those with most mistakes. A detector is the right "
                    "tool where it is not known how many objects there are or where: it answers "
                    "both in one pass. What it costs to classify one centred digit with it stands "
                    "under Accuracy against cost.",
                    plots.scenes(result),
                )
            )
            charts.append(
                Chart(
                    f"precision_{result.name}",
                    f"Mean average precision: {result.title}",
                    "COCO's mAP, the mean over overlaps of 0.5 to 0.95, of each digit; of all "
                    f"{detection['map']:.3f}, at an overlap of 0.5 {detection['map_50']:.3f}, "
                    f"at 0.75 {detection['map_75']:.3f}.",
                    plots.precision_per_digit(result),
                )
            )
    return charts

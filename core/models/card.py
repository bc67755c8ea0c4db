"""A model's card as Markdown, from its model.json: what to know before trusting its results."""

from __future__ import annotations

from typing import Any

from cellspan.core.errors import CellspanError
from cellspan.core.models.architecture import weight_count
from cellspan.core.models.description import DESCRIPTION, Model

SCORES = {"ap50": "AP@0.5", "ap75": "AP@0.75", "ap90": "AP@0.9", "pooled_ap50": "pooled AP@0.5", "images": "images"}


def card(model: Model) -> str:
    """What the model finds, its training images and licences, scores, and where it fails; raises CellspanError."""
    try:
        sections = [_summary(model), _package(model), _training(model), _scores(model), _limits(model)]
    except (KeyError, TypeError, ValueError, AttributeError) as error:  # these entries have no fixed format
        raise CellspanError(
            f"{model.folder / DESCRIPTION}: the notes on training and scores cannot be shown "
            f"({type(error).__name__}: {error}); add --json to see the file."
        ) from None
    return "\n".join(section for section in sections if section)


def _summary(model: Model) -> str:
    about = model.description
    sizes, rules = about.size_model, about.rules
    scaled = "images are rescaled to it" + (", if you give the diameter of the objects" if rules.any_size else "")
    lines = [
        f"# Model {model.name}",
        "",
        f"- finds: {about.objects}",
        f"- mean diameter: {about.mean_diameter:g} pixels ({scaled})",
        f"- kind: {rules.network}",
        f"- weights: {weight_count(about.layout.shapes) / 1e6:.2f} million, in {about.layout}",
    ]
    if rules.wants_graphics_card:
        lines.append("- a graphics card is advised: on a processor, a megapixel takes a minute or more")
    if rules.any_size:
        lines.append("- knows objects of any size: no diameter is needed")
    elif sizes is None:
        known = about.usual_diameter
        usual = "" if known is None else f" (objects in its training images: {known:g} pixels)"
        lines.append(f"- cannot estimate diameters: enter one with --diameter{usual}")
    else:
        error = (
            "" if sizes.median_error is None else f"; median error of the first guess {100 * sizes.median_error:.0f} %"
        )
        lines.append(f"- estimates diameters from {sizes.smallest:.0f} to {sizes.largest:.0f} pixels{error}")
    lines.append(f"- SHA-256 of the weights: {about.weights_sha256}")
    if about.source_sha256:
        lines.append(f"- SHA-256 of the original checkpoint: {about.source_sha256}")
    return "\n".join(lines) + "\n"


def _package(model: Model) -> str:
    """What the package of bioimage.io says of itself that the model was in."""
    about = model.description.training.get("package")
    if about is None:
        return ""
    version = f", version {about['version']}" if "version" in about else ""
    name = f"{about.get('name', 'without a name')}{version}" + (f" ({about['id']})" if "id" in about else "")
    lines = ["## From bioimage.io", "", f"- {name}"]
    lines.append(f"- by {', '.join(about['authors']) or 'unknown'}; licence {about.get('license', 'unknown')}")
    lines += [f"- Please cite: {entry}" for entry in about["cite"]]
    return "\n".join(lines) + "\n"


def _training(model: Model) -> str:
    about = model.description.training
    if "sources" not in about:
        return ""
    lines = ["## Trained on", ""]
    licences = about.get("licences", {})
    for source in about["sources"]:
        note = (
            "simulated cells (docs/simulator.md)" if source == "simulated" else licences.get(source, "licence unknown")
        )
        lines.append(f"- {source}: {note}")
    lines += ["", f"{about['images']} images, {about['steps']:,} steps, {about['minutes']:g} minutes."]
    lines += [f"Started from {line}." for line in about.get("before", [])]
    return "\n".join(lines) + "\n"


def _scores(model: Model) -> str:
    tables: dict[str, dict[str, Any]] = {
        name: score for name, score in model.description.scores.items() if isinstance(score, dict)
    }
    if not tables:
        return ""
    lines = ["## Scores on validation images, with estimated diameters", ""]
    lines += ["| images of | " + " | ".join(SCORES.values()) + " |", "|---" * (1 + len(SCORES)) + "|"]
    for name, score in tables.items():
        lines.append(f"| {name} | " + " | ".join(_number(score.get(key)) for key in SCORES) + " |")
    return "\n".join(lines) + "\n"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def _limits(model: Model) -> str:
    if not model.description.limits:
        return ""
    return "\n".join(["## Where it fails", "", *(f"- {limit}" for limit in model.description.limits)]) + "\n"

"""The training loop: crops -> network -> 5 x flow error + probability error, within a budget, resumable.

Stringer et al. 2021, Methods, "Training": mean squared error of 5 times the flows plus the binary cross-entropy of the
cell probability. Here with AdamW and a cosine schedule over the budget of minutes or epochs.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel

from cellspan.core.dynamics import flows_to_labels
from cellspan.core.errors import CellspanError
from cellspan.core.files import make_folder, write_atomically, write_json
from cellspan.core.inference.openvino_predictor import OpenVinoPredictor
from cellspan.core.inference.tiles import MARGIN, sample_style
from cellspan.core.metrics import average_precision
from cellspan.core.models.registry import DESCRIPTION, WEIGHTS, Model, ModelDescription, sha256_of
from cellspan.core.network import COMPACT_WIDTHS, FlowNetwork
from cellspan.core.training.augment import Contrast, Crop, random_crop
from cellspan.core.training.data import Field, Pair, licence, load_fields, source_weights
from cellspan.core.training.pictures import Example, draw_curves, draw_examples
from cellspan.core.training.simulated import SimulatedPool
from cellspan.core.training.size import train_size_model

CHECKPOINT_SECONDS = 120.0
VALIDATION_FIELDS = 24  # of all sources together
SIMULATED_VALIDATION_FIELDS = 6
VALIDATION_SIDE = 320  # pixels; larger validation images are cut
WARM_UP = 0.02  # fraction of the budget
LONGEST_MEMORY = 0.999  # the averaged weights forget what is some 1,000 steps old
SIZE_FIELDS = (16, 256)  # at least and at most so many fields train the size model, drawn as the crops are


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what a training does."""

    name: str
    objects: str = "objects"
    widths: tuple[int, ...] = COMPACT_WIDTHS
    mean_diameter: float = 20.0
    minutes: float | None = None
    epochs: int | None = None
    batch: int = 8
    crop: int = 160
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    seed: int = 0
    simulated: float = 0.0  # fraction of the crops that come from the simulator
    invert: float = 0.0  # probability that a crop's bright and dark change places
    drop_nuclei: float = 0.3  # probability that a crop's channel of nuclei is left out
    balance: float = 0.5  # a source of n images counts n to this power


@dataclass
class Progress:
    """Where a training stands; kept in the checkpoint."""

    step: int = 0
    seconds: float = 0.0
    best: float = -1.0


Report = Callable[[str], None]


def train(
    recipe: Recipe,
    pairs: list[Pair],
    out: Path,
    start: Model | None = None,
    resume: bool = False,
    report: Report = print,
    on_progress: Callable[[float], None] | None = None,
) -> Model:
    """Train a model into the folder `out` and return it; pairs in folders named val choose the best weights, those in
    folders named test are not looked at.

    `start` gives the first weights; `resume` continues from the last checkpoint in `out`. `report` gets lines for
    people, `on_progress` the fraction of the budget that is spent. Raises CellspanError.
    """
    make_folder(out / "training")
    held_out = [pair for pair in pairs if pair.image.parent.name == "val"]
    used = [pair for pair in pairs if pair.image.parent.name not in {"val", "test"}]
    torch.manual_seed(recipe.seed)
    report(f"Reading {len(used)} training and {len(held_out)} validation images.")
    train_fields = load_fields(used, recipe.mean_diameter)
    val_fields = load_fields(held_out, recipe.mean_diameter) if held_out else []
    licences = {pair.source: licence(pair) for pair in used}
    run = _Run(recipe, train_fields, val_fields, out, report, licences)
    run.prepare(start, resume)
    run.fit(on_progress)
    return run.finish()


def resumed_recipe(out: Path, changes: dict[str, Any]) -> Recipe:
    """The recipe of the training in `out`, with another budget or batch where `changes` says so.

    Raises CellspanError if there is no training to resume.
    """
    path = out / "training" / "recipe.json"
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        if "minutes" in changes or "epochs" in changes:
            saved.update(minutes=None, epochs=None)
        return Recipe(**{**saved, "widths": tuple(saved["widths"]), **changes})
    except (OSError, ValueError, TypeError, KeyError):
        raise CellspanError(f"{out}: there is no training to resume.") from None


class _Run:
    """One training in progress."""

    def __init__(
        self,
        recipe: Recipe,
        fields: list[Field],
        held_out: list[Field],
        out: Path,
        report: Report,
        licences: dict[str, str],
    ) -> None:
        self.recipe, self.fields, self.held_out, self.out, self.report = recipe, fields, held_out, out, report
        self.licences = licences
        self.folder = out / "training"
        self.checkpoint = self.folder / "checkpoint.pt"
        # channels_last: 0.90 s instead of 1.04 s a step (8 crops of 160x160, AVX2).
        self.network = FlowNetwork(recipe.widths, recipe.mean_diameter).to(memory_format=torch.channels_last)
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        # Averaged weights segment better than those of any one step, above all before the rate has come down.
        self.average = AveragedModel(self.network, avg_fn=_averaged, use_buffers=True)
        self.progress = Progress()
        self.weights = source_weights(fields, recipe.balance)
        self.contrast = Contrast(recipe.invert, recipe.drop_nuclei)
        self.pool = SimulatedPool(recipe.seed, recipe.mean_diameter) if recipe.simulated else None
        self.validation = _some_of_each(held_out, VALIDATION_FIELDS)
        if self.pool and held_out:
            self.validation += self.pool.held_out(SIMULATED_VALIDATION_FIELDS)
        self.total_steps = self._steps_of_epochs()

    def _steps_of_epochs(self) -> int | None:
        if self.recipe.epochs is None:
            return None
        return self.recipe.epochs * math.ceil(len(self.fields) / self.recipe.batch)

    def prepare(self, start: Model | None, resume: bool) -> None:
        """Set the first weights: from a checkpoint, from a model, or random."""
        if self.checkpoint.exists() and not resume:
            raise CellspanError(
                f"{self.out} holds a training already; continue it with --resume or choose another --out."
            )
        if resume:
            if not self.checkpoint.exists():
                raise CellspanError(f"{self.out}: there is no checkpoint to resume from.")
            try:
                saved = torch.load(self.checkpoint, weights_only=True)
                self.network.load_state_dict(saved["network"])
                self.average.load_state_dict(saved["average"])
                self.optimiser.load_state_dict(saved["optimiser"])
                self.progress = Progress(**saved["progress"])
            except Exception as error:  # noqa: BLE001 - torch raises anything on damaged files
                raise CellspanError(f"{self.checkpoint}: the checkpoint cannot be read ({error}).") from None
        elif start is not None:
            state = {name: torch.from_numpy(array.copy()) for name, array in start.weights().items()}
            try:
                self.network.load_state_dict(state)
            except RuntimeError:
                raise CellspanError(f"The model '{start.name}' has other widths than {self.recipe.widths}.") from None
        if not resume:
            self.average.module.load_state_dict(self.network.state_dict())
        write_json(self.folder / "recipe.json", asdict(self.recipe))

    def fit(self, on_progress: Callable[[float], None] | None = None) -> None:
        """Take steps until the budget is spent; save and validate every few minutes."""
        step = _compiled(self.network)
        self.network.train()
        losses: list[float] = []
        if self.pool:
            self.report("Simulating the first fields.")
            self.pool.at(self.progress.step)
        started = time.monotonic() - self.progress.seconds
        saved = time.monotonic()
        while (fraction := self._fraction()) < 1:
            for group in self.optimiser.param_groups:
                group["lr"] = self.recipe.learning_rate * _schedule(fraction)
            losses.append(self._step(step))
            self.progress.step += 1
            if on_progress:
                on_progress(min(self._fraction(), 1.0))
            self.progress.seconds = time.monotonic() - started
            if time.monotonic() - saved > CHECKPOINT_SECONDS:
                self._save(float(np.mean(losses)))
                losses, saved = [], time.monotonic()
        if losses:  # none where a finished training is resumed
            self._save(float(np.mean(losses)))

    def _fraction(self) -> float:
        if self.total_steps is not None:
            return self.progress.step / self.total_steps
        return self.progress.seconds / (60 * (self.recipe.minutes or 30.0))

    def _step(self, network: Callable[[Tensor], tuple[Tensor, Tensor]]) -> float:
        # Seeded by the step, so that a resumed training sees the crops that an unbroken one would have seen.
        rng = np.random.default_rng((self.recipe.seed, self.progress.step))
        fields = self._draw(self.recipe.batch, rng)
        crops = [random_crop(field, self.recipe.crop, rng, self.contrast) for field in fields]
        self.optimiser.zero_grad(set_to_none=True)
        outputs, _ = network(_stack(crops, "image"))
        loss = flow_loss(outputs, _stack(crops, "flows"), _stack(crops, "foreground"))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimiser.step()
        self.average.update_parameters(self.network)
        return float(loss.detach())

    def _draw(self, count: int, rng: np.random.Generator) -> list[Field]:
        """Fields for `count` crops, simulated ones and real ones of balanced sources."""
        simulated = int(rng.binomial(count, self.recipe.simulated)) if self.pool else 0
        chosen = rng.choice(len(self.fields), count - simulated, p=self.weights)
        fields = [self.fields[i] for i in chosen]
        if self.pool:
            pool = self.pool.at(self.progress.step)
            fields += [pool[i] for i in rng.integers(0, len(pool), simulated)]
        return fields

    def _save(self, loss: float) -> None:
        scores = self._validate()
        score = float(np.mean(list(scores.values()))) if scores else 0.0
        if score >= self.progress.best:
            self.progress.best = score
            _save_weights(self.average.module, self.folder / "best.safetensors")
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "progress": asdict(self.progress),
        }
        write_atomically(self.checkpoint, lambda path: torch.save(state, path))
        self._log({"step": self.progress.step, "seconds": round(self.progress.seconds), "loss": loss}, score, scores)
        draw_curves(self.folder / "log.jsonl", self.folder / "curves.png")

    def _log(self, line: dict[str, float], score: float, scores: dict[str, float]) -> None:
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps({**line, "val_ap50": score, "val_ap50_of": scores}) + "\n")
        of_sources = "  ".join(f"{source} {value:.2f}" for source, value in scores.items()) if len(scores) > 1 else ""
        self.report(
            f"step {line['step']}  {self.progress.seconds / 60:.1f} min  loss {line['loss']:.3f}  "
            f"validation AP@0.5 {score:.3f}" + (f"  ({of_sources})" if of_sources else "")
        )

    def _validate(self) -> dict[str, float]:
        """Mean AP@0.5 of the averaged weights on some held-out images of each source at their true diameter."""
        scores: dict[str, list[float]] = {}
        examples: list[Example] = []
        self.average.module.eval()
        for field in self.validation:
            cut = (slice(None), slice(0, VALIDATION_SIDE), slice(0, VALIDATION_SIDE))
            outputs = self._predict(field.image[cut])
            predicted = flows_to_labels(outputs[:2] / 5, outputs[2], diameter=self.recipe.mean_diameter)
            true = field.labels[cut[1:]]
            score = average_precision(true, predicted, (0.5,))[0]
            if field.source not in scores:
                examples.append(Example(field.source, field.image[cut], true, predicted, score))
            scores.setdefault(field.source, []).append(score)
        if examples:
            draw_examples(examples, self.folder / "examples.png")
        return {source: round(float(np.mean(values)), 4) for source, values in sorted(scores.items())}

    def _predict(self, image: np.ndarray[Any, np.dtype[np.float32]]) -> np.ndarray[Any, np.dtype[np.float32]]:
        height, width = image.shape[1:]
        margins = ((0, 0), (MARGIN, MARGIN + -height % 16), (MARGIN, MARGIN + -width % 16))
        with torch.inference_mode():
            outputs, _ = self.average.module(torch.from_numpy(np.pad(image, margins)[None]))
        return outputs[0, :, MARGIN : MARGIN + height, MARGIN : MARGIN + width].numpy()

    def finish(self) -> Model:
        """Fit the size model to the best weights and write the model into `out`."""
        best = self.folder / "best.safetensors"
        _load_weights(self.network, best)
        self.network.eval()
        self.report("Fitting the size model.")
        rng = np.random.default_rng(self.recipe.seed)
        # Drawn as the crops are, so that the many images of one source do not decide about all.
        fields = self._draw(int(np.clip(len(self.fields), *SIZE_FIELDS)), rng)
        predictor = OpenVinoPredictor({name: value.numpy() for name, value in self.network.state_dict().items()})
        size_model = train_size_model(
            partial(sample_style, predictor), fields, self.validation, self.recipe.mean_diameter, self.recipe.seed
        )
        sources = sorted({field.source for field in self.fields} | ({"simulated"} if self.pool else set()))
        description = ModelDescription(
            name=self.recipe.name,
            objects=self.recipe.objects,
            widths=self.recipe.widths,
            mean_diameter=self.recipe.mean_diameter,
            size_model=size_model,
            weights_sha256=sha256_of(best),
            training={
                "sources": sources,
                "licences": self.licences,
                "images": len(self.fields),
                "steps": self.progress.step,
                "minutes": round(self.progress.seconds / 60, 1),
                "recipe": asdict(self.recipe),
                "torch": torch.__version__,
            },
            scores=self._scores(),
        )
        write_atomically(self.out / WEIGHTS, lambda path: shutil.copyfile(best, path))
        write_json(self.out / DESCRIPTION, description.model_dump(mode="json"))
        return Model(self.out, description)

    def _scores(self) -> dict[str, float]:
        """What chose the weights; nothing without validation images."""
        return {"validation_ap50_true_diameter": round(self.progress.best, 4)} if self.held_out else {}


def _averaged(old: Tensor, new: Tensor, count: Tensor | int) -> Tensor:
    """The running average of one tensor after `count` steps; a short training has a short memory."""
    memory = min(LONGEST_MEMORY, (1 + int(count)) / (10 + int(count)))
    return memory * old + (1 - memory) * new


def _some_of_each(fields: list[Field], count: int) -> list[Field]:
    """About `count` fields, as many of each source, evenly over its images."""
    sources = sorted({field.source for field in fields})
    some: list[Field] = []
    for source in sources:
        own = [field for field in fields if field.source == source]
        places = np.linspace(0, len(own) - 1, min(len(own), max(1, count // len(sources))))
        some += [own[round(place)] for place in places]
    return some


def flow_loss(outputs: Tensor, flows: Tensor, foreground: Tensor) -> Tensor:
    """Half the mean squared error of 5 x flows plus the cross-entropy of the probability.

    Shapes: outputs (N, 3, Y, X), flows (N, 2, Y, X), foreground (N, Y, X).
    """
    squared = functional.mse_loss(outputs[:, :2], 5 * flows) / 2
    return squared + functional.binary_cross_entropy_with_logits(outputs[:, 2], foreground)


def _schedule(fraction: float) -> float:
    """Learning rate relative to its peak: a short rise, then a cosine down to 0."""
    return min(1.0, fraction / WARM_UP + 0.01) * 0.5 * (1 + math.cos(math.pi * min(fraction, 1.0)))


def _compiled(network: FlowNetwork) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """The compiled network where that pays: with a C++ compiler and AVX-512.

    Measured for a step of 8 crops of 160x160: with AVX2 0.89 s compiled and 0.90 s not, after 50 s of compiling;
    with AVX-512 0.6 s compiled and 3.0 s not.
    """
    if torch.backends.cpu.get_cpu_capability() == "AVX512" and (shutil.which("g++") or shutil.which("clang++")):
        return torch.compile(network)
    return network


def _stack(crops: list[Crop], part: str) -> Tensor:
    return torch.from_numpy(np.stack([getattr(crop, part) for crop in crops]))


def _save_weights(network: torch.nn.Module, path: Path) -> None:
    from safetensors.torch import save_file

    state = {name: value.contiguous() for name, value in network.state_dict().items()}
    write_atomically(path, lambda part: save_file(state, part))


def _load_weights(network: FlowNetwork, path: Path) -> None:
    from safetensors.torch import load_file

    network.load_state_dict(load_file(path))

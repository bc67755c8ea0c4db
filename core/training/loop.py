"""The training loop: crops -> network -> 5 x flow error + probability error, within a budget, resumable.

Stringer et al. 2021, Methods, "Training": mean squared error of 5 times the flows plus the binary cross-entropy of the
cell probability. Here with AdamW and a cosine schedule over the budget of minutes or epochs, and with a third part: a
linear map of the style must tell the magnification, so that the style knows what the size model asks it for.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
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
from cellspan.core.training.data import (
    Field,
    Pair,
    licence,
    load_field,
    load_fields,
    notes_on,
    require_objects,
    source_weights,
)
from cellspan.core.training.pictures import Example, draw_curves, draw_examples
from cellspan.core.training.simulated import SOURCE as SIMULATED
from cellspan.core.training.simulated import SimulatedPool
from cellspan.core.training.size import train_size_model

CHECKPOINT_SECONDS = 120.0
CHECKPOINTS = 30  # at most about so many in a long training, because each one validates for some 10 seconds
VALIDATION_FIELDS = 24  # of all sources together
SIMULATED_VALIDATION_FIELDS = 6
VALIDATION_SIDE = 320  # pixels; larger validation images are cut
TOLERANCE = 0.005  # of AP: a later checkpoint that is no worse than this wins, because few images decide
WARM_UP = 0.02  # fraction of the budget
WIDE_CROPS = 1  # of any magnification, added to each batch; only the size is learnt from them
SIZE_WEIGHT = 0.3  # of the squared error of log magnification in the loss
LONGEST_MEMORY = 0.999  # the averaged weights forget what is some 1,000 steps old
SIZE_FIELDS = (16, 400)  # at least and at most so many fields train the size model, drawn as the crops are


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
    looks: tuple[str, ...] = ()  # of the simulated fields; () = all
    invert: float = 0.0  # probability that a crop's bright and dark change places
    drop_nuclei: float = 0.3  # probability that a crop's channel of nuclei is left out
    balance: float = 0.5  # a source of n images counts n to this power
    split: bool = False  # the pieces of black and white masks are objects

    @classmethod
    def fine_tuning(cls, start: Model, **changes: Any) -> Recipe:
        """A recipe for a network like that of `start`, with `changes` such as name and minutes."""
        about = start.description
        like = {"widths": about.widths, "mean_diameter": about.mean_diameter, "objects": about.objects}
        return cls(**{**like, **changes})


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
    held_out = [pair for pair in pairs if pair.image.parent.name == "val"]
    used = [pair for pair in pairs if pair.image.parent.name not in {"val", "test"}]
    torch.manual_seed(recipe.seed)
    report(f"Reading {len(used)} training and {len(held_out)} validation images.")
    for note in notes_on(used + held_out):
        report(note)
    train_fields = load_fields(used, recipe.mean_diameter, recipe.split)
    require_objects(train_fields)
    val_fields = load_fields(held_out, recipe.mean_diameter, recipe.split)
    licences = {pair.source: licence(pair) for pair in used}
    make_folder(out / "training")
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
        lists = {name: tuple(saved[name]) for name in ("widths", "looks") if name in saved}
        return Recipe(**{**saved, **lists, **changes})
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
        self.origin = self.folder / "origin.json"  # the model that the training began with
        # channels_last: 0.90 s instead of 1.04 s a step (8 crops of 160x160, AVX2).
        self.network = FlowNetwork(recipe.widths, recipe.mean_diameter).to(memory_format=torch.channels_last)
        self.magnification = torch.nn.Linear(recipe.widths[-1], 1)  # of the style; plays no part after training
        self.trained = [*self.network.parameters(), *self.magnification.parameters()]
        self.optimiser = torch.optim.AdamW(self.trained, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
        # Averaged weights segment better than those of any one step, above all before the rate has come down.
        self.average = AveragedModel(self.network, avg_fn=_averaged, use_buffers=True)
        self.progress = Progress()
        self.weights = source_weights(fields, recipe.balance)
        self.contrast = Contrast(recipe.invert, recipe.drop_nuclei)
        self.pool = SimulatedPool(recipe.seed, recipe.mean_diameter, recipe.looks) if recipe.simulated else None
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
                self.magnification.load_state_dict(saved["magnification"])
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
            write_json(self.origin, start.description.model_dump(mode="json", include={"name", "training"}))
        if not resume:
            self.average.module.load_state_dict(self.network.state_dict())
        write_json(self.folder / "recipe.json", asdict(self.recipe))

    def fit(self, on_progress: Callable[[float], None] | None = None) -> None:
        """Take steps until the budget is spent; save and validate every few minutes."""
        self.network.train()
        losses: list[float] = []
        if self.pool:
            self.report("Simulating the first fields.")
            self.pool.at(self.progress.step)
        started = time.monotonic() - self.progress.seconds
        saved = time.monotonic()
        # The next crops are cut while the network learns from these.
        with ThreadPoolExecutor(1) as cutting:
            coming = cutting.submit(self._crops, self.progress.step)
            while (fraction := self._fraction()) < 1:
                for group in self.optimiser.param_groups:
                    group["lr"] = self.recipe.learning_rate * _schedule(fraction)
                crops, coming = coming.result(), cutting.submit(self._crops, self.progress.step + 1)
                losses.append(self._step(crops))
                self.progress.step += 1
                if on_progress:
                    on_progress(min(self._fraction(), 1.0))
                self.progress.seconds = time.monotonic() - started
                if time.monotonic() - saved > self._checkpoint_seconds():
                    self._save(float(np.mean(losses)))
                    losses, saved = [], time.monotonic()
        if losses:  # none where a finished training is resumed
            self._save(float(np.mean(losses)))

    def _fraction(self) -> float:
        if self.total_steps is not None:
            return self.progress.step / self.total_steps
        return self.progress.seconds / (60 * (self.recipe.minutes or 30.0))

    def _checkpoint_seconds(self) -> float:
        expected = self.progress.seconds / max(self._fraction(), 1e-9)
        return max(CHECKPOINT_SECONDS, expected / CHECKPOINTS) if CHECKPOINT_SECONDS else 0.0

    def _crops(self, step: int) -> list[Crop]:
        """The batch of a step, and behind it the crops of any magnification."""
        # Seeded by the step, so that a resumed training sees the crops that an unbroken one would have seen.
        rng = np.random.default_rng((self.recipe.seed, step))
        count = self.recipe.batch
        fields = self._draw(step, count + WIDE_CROPS, rng)
        return [
            random_crop(field, self.recipe.crop, rng, self.contrast, wide=k >= count) for k, field in enumerate(fields)
        ]

    def _step(self, crops: list[Crop]) -> float:
        """Learn from a batch; returns the loss."""
        count = self.recipe.batch
        self.optimiser.zero_grad(set_to_none=True)
        images = _stack(crops, "image").to(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=_has_bfloat16()):
            features, styles = self.network.encode(images)
            outputs = self.network.decode([level[:count] for level in features], styles[:count])
        loss = flow_loss(outputs.float(), _stack(crops[:count], "flows"), _stack(crops[:count], "foreground"))
        (loss + SIZE_WEIGHT * self._size_loss(styles.float(), crops)).backward()
        torch.nn.utils.clip_grad_norm_(self.trained, 5.0)
        self.optimiser.step()
        self.average.update_parameters(self.network)
        return float(loss.detach())

    def _size_loss(self, styles: Tensor, crops: list[Crop]) -> Tensor:
        """Mean squared error of the logarithm of the magnification that a linear map of the styles (N, S) tells."""
        scaled = styles * styles.shape[1] ** 0.5  # from unit vectors to numbers around 1
        told = self.magnification(scaled)[:, 0]
        return functional.mse_loss(told, torch.tensor([math.log(crop.magnification) for crop in crops]))

    def _draw(self, step: int, count: int, rng: np.random.Generator) -> list[Field]:
        """Fields for `count` crops of a step, simulated ones and real ones of balanced sources."""
        simulated = int(rng.binomial(count, self.recipe.simulated)) if self.pool else 0
        chosen = rng.choice(len(self.fields), count - simulated, p=self.weights)
        fields = [self.fields[i] for i in chosen]
        if self.pool:
            pool = self.pool.at(step)
            fields += [pool[i] for i in rng.integers(0, len(pool), simulated)]
        return [fields[i] for i in rng.permutation(count)]

    def _save(self, loss: float) -> None:
        scores = self._validate()
        score = float(np.mean(list(scores.values()))) if scores else 0.0
        if score >= self.progress.best - TOLERANCE:
            self.progress.best = max(score, self.progress.best)
            _save_weights(self.average.module, self.folder / "best.safetensors")
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "magnification": self.magnification.state_dict(),
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
            f"step {line['step']}  {self.progress.seconds / 60:.1f} min  loss {line['loss']:.3f}"
            + (f"  validation AP@0.5 {score:.3f}" if scores else "")
            + (f"  ({of_sources})" if of_sources else "")
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
        _load_weights(self.network, self.folder / "best.safetensors")
        _save_weights(self.network, self.out / WEIGHTS, half=True)
        _load_weights(self.network, self.out / WEIGHTS)
        self.network.eval()
        self.report("Fitting the size model.")
        predictor = OpenVinoPredictor({name: value.numpy() for name, value in self.network.state_dict().items()})
        style = partial(sample_style, predictor)
        size_model = train_size_model(style, *self._fields_of_sizes(), self.recipe.seed)
        description = ModelDescription(
            name=self.recipe.name,
            objects=self.recipe.objects,
            widths=self.recipe.widths,
            mean_diameter=self.recipe.mean_diameter,
            size_model=size_model,
            weights_sha256=sha256_of(self.out / WEIGHTS),
            training=self._record(),
            scores=self._scores(),
        )
        write_json(self.out / DESCRIPTION, description.model_dump(mode="json"))
        return Model(self.out, description)

    def _fields_of_sizes(self) -> tuple[list[Field], list[Field]]:
        """Fields to fit the size model on and to check it with, at the resolution of their files."""
        count = int(np.clip(len(self.fields), *SIZE_FIELDS))
        simulated = round(self.recipe.simulated * count) if self.pool else 0
        # Drawn as the crops are, so that the many images of one source do not decide about all.
        rng = np.random.default_rng(self.recipe.seed)
        chosen = rng.choice(len(self.fields), count - simulated, p=self.weights)
        fitted = self._as_in_files([self.fields[i] for i in chosen])
        checked = self._as_in_files(self.validation)
        if self.pool:
            fitted += self.pool.of_all_sizes(simulated)
            checked += self.pool.of_all_sizes(len(checked) // 4, held_out=True)
        return fitted, checked

    def _as_in_files(self, fields: list[Field]) -> list[Field]:
        loaded = [load_field(field.pair, None, self.recipe.split) for field in fields if field.pair]
        return [field for field in loaded if field is not None]

    def _record(self) -> dict[str, Any]:
        """What this training and the one before it learnt from."""
        record: dict[str, Any] = {
            "sources": {field.source for field in self.fields} | ({SIMULATED} if self.pool else set()),
            "licences": self.licences,
            "images": len(self.fields),
            "steps": self.progress.step,
            "minutes": round(self.progress.seconds / 60, 1),
            "recipe": asdict(self.recipe),
            "torch": torch.__version__,
        }
        if self.origin.exists():
            start = json.loads(self.origin.read_text(encoding="utf-8"))
            before = start["training"]
            record["sources"] |= set(before.get("sources", []))
            record["licences"] = before.get("licences", {}) | record["licences"]
            steps = f": {before['steps']:,} steps in {before['minutes']:g} minutes" if "steps" in before else ""
            record["before"] = [f"the model {start['name']}{steps}", *before.get("before", [])]
        return {**record, "sources": sorted(record["sources"])}

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


def _has_bfloat16() -> bool:
    """Whether this processor multiplies 16-bit floats faster than 32-bit ones.

    Measured for a step of 8 crops of 160x160 with widths (2, 16, 32, 48, 64), AVX-512 with BF16, 2 cores: 0.54 s in 32
    bits, 0.37 s with the convolutions in 16; compiled 0.58 s and 0.33 s, but after 40 to 70 s of compiling.
    """
    return bool(torch.cpu._is_avx512_bf16_supported())


def _stack(crops: list[Crop], part: str) -> Tensor:
    return torch.from_numpy(np.stack([getattr(crop, part) for crop in crops]))


def _save_weights(network: torch.nn.Module, path: Path, half: bool = False) -> None:
    """`half` stores matrices and kernels in 16 bits: half the file, and labels differ by a few pixels in a thousand."""
    from safetensors.torch import save

    state = {
        name: (value.half() if half and value.ndim > 1 else value).contiguous()
        for name, value in network.state_dict().items()
    }
    data = save(state)  # its own file writer lets nobody but the owner read the file
    write_atomically(path, lambda part: part.write_bytes(data))


def _load_weights(network: FlowNetwork, path: Path) -> None:
    from safetensors.torch import load_file

    network.load_state_dict(load_file(path))

"""A training from the first step to the model: budget, checkpoints, resuming, and the record."""

from __future__ import annotations

from cellspan.core.training import openmp  # noqa: F401 - before torch

# isort: split
import json
import math
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cellspan.core.errors import CellspanError
from cellspan.core.files.writing import make_folder, write_json
from cellspan.core.inference.openvino_predictor import OpenVinoPredictor
from cellspan.core.inference.tiles import sample_style
from cellspan.core.models.registry import DESCRIPTION, WEIGHTS, Model, ModelDescription, SizeModel, sha256_of
from cellspan.core.models.torch_file import write_torch_file
from cellspan.core.training import validation
from cellspan.core.training.batches import Batches, batches_from
from cellspan.core.training.data import (
    Field,
    load_field,
    load_fields,
    notes_on_channels,
    require_objects,
    source_weights,
)
from cellspan.core.training.learner import load_weights, save_weights
from cellspan.core.training.learners import make_learner
from cellspan.core.training.pairs import Pair, divided, licence, notes_on
from cellspan.core.training.pictures import draw_curves
from cellspan.core.training.recipe import Recipe
from cellspan.core.training.rules import RULES, require_card
from cellspan.core.training.simulated import SOURCE as SIMULATED
from cellspan.core.training.simulated import SimulatedPool
from cellspan.core.training.size import train_size_model

CHECKPOINT_SECONDS = 120.0
CHECKPOINTS = 30  # about this many at most in a long training, because each validation takes about 10 seconds
TOLERANCE = 0.005  # AP: a later checkpoint wins unless it is worse by more, because few images decide
SIZE_FIELDS = (16, 400)  # minimum and maximum number of fields for the size model, drawn like the crops


@dataclass
class Progress:
    """The progress of a training, saved in the checkpoint."""

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
    device: str = "cpu",
) -> Model:
    """Train a model into the folder `out` and return it; pairs in folders named val choose the best weights, those in
    folders named test are not used.

    `start` gives the initial weights; `resume` continues from the last checkpoint in `out`. `report` gets messages,
    `on_progress` the fraction of the budget that is used up. `device` is a name that torch knows. Raises
    CellspanError.
    """
    require_card(recipe.kind, device)
    used, held_out = divided(pairs)
    torch.manual_seed(recipe.seed)
    left = len(pairs) - len(used) - len(held_out)
    untouched = f"; {left} in folders named test are not used" if left else ""
    report(f"Reading {len(used)} training and {len(held_out)} validation images{untouched}.")
    for note in notes_on(used + held_out):
        report(note)
    seen = (recipe.mean_diameter if RULES[recipe.kind].knows_sizes else None, recipe.split, recipe.apart)
    train_fields = load_fields(used, *seen)
    require_objects(train_fields)
    val_fields = load_fields(held_out, *seen)
    for note in notes_on_channels(train_fields + val_fields) if recipe.apart is None else ():
        report(note)
    licences = {pair.source: licence(pair) for pair in used}
    run = _Run(recipe, train_fields, val_fields, out, report, licences, device)
    make_folder(out / "training")
    run.prepare(start, resume)
    run.fit(on_progress)
    return run.finish()


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
        device: str,
    ) -> None:
        self.recipe, self.fields, self.held_out, self.out, self.report = recipe, fields, held_out, out, report
        self.licences = licences
        self.folder = out / "training"
        self.checkpoint = self.folder / "checkpoint.pt"
        self.origin = self.folder / "origin.json"  # the model that the training began with
        self.learner = make_learner(recipe, device)
        self.progress = Progress()
        self.weights = source_weights(fields, recipe.balance)
        simulates = (recipe.seed, recipe.mean_diameter, recipe.looks, recipe.textures)
        self.pool = SimulatedPool(*simulates) if recipe.simulated else None
        self.validation = validation.some_of_each(held_out)
        if self.pool and held_out:
            self.validation += self.pool.held_out(validation.SIMULATED_FIELDS)
        self.total_steps = self._steps_of_epochs()

    def _steps_of_epochs(self) -> int | None:
        if self.recipe.epochs is None:
            return None
        return self.recipe.epochs * math.ceil(len(self.fields) / self.recipe.batch)

    def prepare(self, start: Model | None, resume: bool) -> None:
        """Set the initial weights: from a checkpoint, from a model, or random."""
        if self.checkpoint.exists() and not resume:
            raise CellspanError(
                f"{self.out} already holds a training; continue it with --resume or choose another --out."
            )
        if resume:
            if not self.checkpoint.exists():
                raise CellspanError(f"{self.out}: there is no checkpoint to resume from.")
            try:
                saved = torch.load(self.checkpoint, weights_only=True, map_location=self.learner.device)
                self.learner.restore(saved)
                self.progress = Progress(**saved["progress"])
            except Exception as error:  # noqa: BLE001 - torch raises anything on damaged files
                raise CellspanError(f"{self.checkpoint}: the checkpoint cannot be read ({error}).") from None
        elif start is not None:
            self.learner.start_from(start)
            write_json(self.origin, start.description.model_dump(mode="json", include={"name", "training"}))
        else:
            self.origin.unlink(missing_ok=True)  # left by a training that stopped before its first checkpoint
        self.recipe.save(self.folder)

    def fit(self, on_progress: Callable[[float], None] | None = None) -> None:
        """Train until the budget is used up; save and validate every few minutes."""
        self.learner.network.train()
        losses: list[Tensor] = []
        if self.pool:
            self.report("Simulating the first fields.")
        batches = Batches(self.recipe, self.fields, self.weights, self.pool, self.recipe.processes)
        coming = batches_from(batches, self.progress.step, self.learner.device.startswith("cuda"))
        batch = next(coming)
        started = time.monotonic() - self.progress.seconds
        saved = time.monotonic()
        with closing(coming):
            while (fraction := self._fraction()) < 1:
                losses.append(self.learner.step(batch, fraction))
                batch = next(coming)
                self.progress.step += 1
                if on_progress:
                    on_progress(min(self._fraction(), 1.0))
                self.progress.seconds = time.monotonic() - started
                if time.monotonic() - saved > self._checkpoint_seconds():
                    self._save(losses)
                    losses, saved = [], time.monotonic()
        if losses:  # none where a finished training is resumed
            self._save(losses)

    def _fraction(self) -> float:
        if self.total_steps is not None:
            return self.progress.step / self.total_steps
        return self.progress.seconds / (60 * (self.recipe.minutes or 30.0))

    def _checkpoint_seconds(self) -> float:
        expected = self.progress.seconds / max(self._fraction(), 1e-9)
        return max(CHECKPOINT_SECONDS, expected / CHECKPOINTS) if CHECKPOINT_SECONDS else 0.0

    def _save(self, losses: list[Tensor]) -> None:
        loss = float(torch.stack(losses).mean())
        scores, score = self._validated()
        self.learner.network.train()
        if score >= self.progress.best - TOLERANCE:
            self.progress.best = max(score, self.progress.best)
            save_weights(self.learner.kept, self.folder / "best.safetensors")
        state = {**self.learner.state(), "progress": asdict(self.progress)}
        write_torch_file(self.checkpoint, state)
        self._log({"step": self.progress.step, "seconds": round(self.progress.seconds), "loss": loss}, score, scores)
        draw_curves(self.folder / "log.jsonl", self.folder / "curves.png")

    def _validated(self) -> tuple[dict[str, float], float]:
        """AP@0.5 of each source of the validation images, and their mean; 0 without images."""
        picture = self.folder / "examples.png"
        learner, diameter = self.learner, self.recipe.mean_diameter
        scores = validation.validate(learner.look, learner.side, self.validation, diameter, picture)
        return scores, float(np.mean(list(scores.values()))) if scores else 0.0

    def _log(self, line: dict[str, float], score: float, scores: dict[str, float]) -> None:
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps({**line, "val_ap50": score, "val_ap50_of": scores}) + "\n")
        of_sources = "  ".join(f"{source} {value:.2f}" for source, value in scores.items()) if len(scores) > 1 else ""
        self.report(
            f"step {line['step']}  {self.progress.seconds / 60:.1f} min  loss {line['loss']:.3f}"
            + (f"  validation AP@0.5 {score:.3f}" if scores else "")
            + (f"  ({of_sources})" if of_sources else "")
        )

    def finish(self) -> Model:
        """Fit the size model to the best weights and write the model into `out`."""
        network, knows_sizes = self.learner.kept, RULES[self.recipe.kind].knows_sizes
        load_weights(network, self.folder / "best.safetensors")
        final = self.folder / "final.safetensors"
        save_weights(network, final, half=knows_sizes)  # a transformer is told apart from its start by small changes
        load_weights(network, final)
        network.eval()
        scores = self._scores()
        description = ModelDescription(
            name=self.recipe.name,
            kind=self.recipe.kind,
            objects=self.recipe.objects,
            widths=self.recipe.widths,
            transformer=self.recipe.sizes,
            mean_diameter=self.recipe.mean_diameter,
            size_model=self._size_model(network) if knows_sizes else None,
            weights_sha256=sha256_of(final),
            training=self._record(),
            scores=scores,
        )
        final.replace(self.out / WEIGHTS)  # last, so that the model of an earlier training works until then
        write_json(self.out / DESCRIPTION, description.model_dump(mode="json"))
        return Model(self.out, description)

    def _size_model(self, network: torch.nn.Module) -> SizeModel:
        self.report("Fitting the size model.")
        predictor = OpenVinoPredictor({name: value.cpu().numpy() for name, value in network.state_dict().items()})
        style, length = partial(sample_style, predictor), self.recipe.widths[-1]
        return train_size_model(style, length, *self._fields_of_sizes(), self.recipe.seed)

    def _fields_of_sizes(self) -> tuple[list[Field], list[Field]]:
        """Fields to fit and to check the size model, at their original resolution."""
        fields = [field for field in self.fields if field.diameter]
        count = int(np.clip(len(fields), *SIZE_FIELDS))
        simulated = round(self.recipe.simulated * count) if self.pool else 0
        # Drawn like the crops, so that a source with many images does not dominate.
        rng = np.random.default_rng(self.recipe.seed)
        chosen = rng.choice(len(fields), count - simulated, p=source_weights(fields, self.recipe.balance))
        fitted = self._as_in_files([fields[i] for i in chosen])
        checked = self._as_in_files([field for field in self.validation if field.diameter])
        if self.pool:
            fitted += self.pool.of_all_sizes(simulated)
            checked += self.pool.of_all_sizes(len(checked) // 4, held_out=True)
        return fitted, checked

    def _as_in_files(self, fields: list[Field]) -> list[Field]:
        pairs = [field.pair for field in fields if field.pair]
        read = {pair: load_field(pair, None, self.recipe.split) for pair in set(pairs)}  # some may be drawn twice
        return [read[pair] for pair in pairs]

    def _record(self) -> dict[str, Any]:
        """The images and steps of this training and of earlier ones."""
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
        """Scores of the model's weights on the validation images, if any."""
        # Not progress.best: TOLERANCE lets slightly worse weights win.
        return {"validation_ap50_true_diameter": round(self._validated()[1], 4)} if self.held_out else {}

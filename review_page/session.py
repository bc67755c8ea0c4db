"""One open review and all that a person can do with it, as the routes ask for it; every answer is ready for JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cellspan.core.errors import CellspanError
from cellspan.core.service.client import Engine
from cellspan.core.service.errors import Refusal
from cellspan.review_page import edits
from cellspan.review_page.history import Verdict
from cellspan.review_page.image import ReviewImage
from cellspan.review_page.options import specs
from cellspan.review_page.pixels import levels_of, names_of
from cellspan.review_page.review import Review
from cellspan.review_page.saving import Kind, save
from cellspan.review_page.segmenting import Segmenting
from cellspan.review_page.teaching import Teaching, teach_problem


class Session:
    """Thread-safe."""

    def __init__(self, review: Review, make_engine: Callable[[bool], Engine], alive: Callable[[], None]) -> None:
        """`make_engine` gives a client of the engine, for work that a person waits for or not.

        `alive` is a sign of life for the engine.
        """
        self.review = review
        self.teaching = Teaching(review.place, alive)
        self.segmenting = Segmenting(review, make_engine)
        self._engine = make_engine(True)

    # ---- looking

    def about(self) -> dict[str, Any]:
        """The head of the page, the models and the options."""
        teach = self.teaching.as_json()
        return {
            **self.review.about(),
            "models": self._models(),
            "specs": specs(),
            "teach": None if teach["state"] == "none" else teach,
            "teachProblem": teach_problem(),
        }

    def _models(self) -> list[dict[str, Any]]:
        answer = self._engine.connect().json("GET", "/v1/models")
        return [
            {"name": model["name"], "title": model.get("objects") or model["name"], "kind": model.get("kind", "")}
            for model in answer["models"]
        ]

    def image(self, name: str) -> ReviewImage:
        """An image by its id; raises Refusal."""
        image = self.review.images.get(name)
        if image is None:
            raise Refusal(404, "no_image", f"There is no image {name} in this review.", id=name)
        return image

    def details(self, name: str) -> dict[str, Any]:
        """All that is known of one image; raises CellspanError."""
        image = self.image(name)
        looks = image.looks()
        item, state = image.item, image.history.state
        channels = self.review.pixels.channels(item.path, item.series, looks)
        how = image.how()
        return {
            **image.as_json(),
            "path": str(item.path),
            "channelNames": names_of(looks),
            "channelRanges": [channel.as_json() for channel in channels],
            "levels": levels_of(looks.shape),
            "isRgb": looks.is_rgb,
            "parameters": how.get("parameters") or self.review.parameters.model_dump(mode="json"),
            "model": how.get("model") or None,
            "notes": list(how.get("notes") or []),
            "canUndo": state.position > 0,
            "canRedo": state.position < len(state.steps),
            "units": {"unit": looks.unit, "spacing": list(looks.spacing)},
        }

    def tile(self, name: str, channel: int, where: tuple[int, int], level: int, box: tuple[int, int, int]) -> Any:
        """A part of a channel as uint16 (see `Shown.tile`); raises CellspanError."""
        image = self.image(name)
        return self.review.pixels.tile(image.item.path, image.item.series, image.looks(), channel, where, level, box)

    def outlines(self, name: str, z: int) -> dict[str, Any]:
        """The objects of a slice; raises CellspanError."""
        image = self.image(name)
        return image.outlines(z)

    # ---- changing

    def edit(self, name: str, revision: int, z: int, edit: Mapping[str, Any]) -> dict[str, Any]:
        """A correction by hand; raises Refusal if the labels are not those that the person saw, and CellspanError."""
        image = self.image(name)
        with image.changing():
            self._require(image, revision)
            labels, _ = image.labels()
            new, changed = _edited(labels, z, edit)
            image.history.change(new, "edit", tuple(changed))
            return {**self._told(image, z), "changed": changed}

    def move(self, name: str, revision: int, z: int, by: Any) -> dict[str, Any]:
        """Undo (-1) or redo (1); raises as `edit` does."""
        image = self.image(name)
        with image.changing():
            self._require(image, revision)
            image.history.move(by)
            return self._told(image, z)

    def judge(self, name: str, revision: int, verdict: Verdict) -> dict[str, Any]:
        """Accept or reject; the entry. Raises as `edit` does."""
        image = self.image(name)
        with image.changing():
            self._require(image, revision)
            image.history.judge(verdict)
        self.review.write_verdicts()
        self.review.tell(image)
        return image.as_json()

    def decide(self, name: str, revision: int, z: int, take: bool) -> dict[str, Any]:
        """Take the new results of a run in place of the corrections, or keep these; raises as `edit` does."""
        image = self.image(name)
        with image.changing():
            self._require(image, revision)
            self.review.decide(image, take)
            return self._told(image, z)

    def again(self, name: str, revision: int, values: Mapping[str, Any], replace: bool) -> dict[str, Any]:
        """Other thresholds; raises as `edit` does, and EngineError."""
        image = self.image(name)
        with image.lock:
            self._require(image, revision)
        return self.segmenting.again(image, values, replace)

    def _told(self, image: ReviewImage, z: int) -> dict[str, Any]:
        image.summarise()
        self.review.tell(image, judge=True)
        return image.outlines(z)

    def _require(self, image: ReviewImage, revision: int) -> None:
        now = image.history.state.revision
        if revision != now:
            raise Refusal(
                409,
                "conflict",
                f"{image.name} was changed elsewhere meanwhile, in another window or by a run; what you see now is the "
                "newest, please do it again.",
                image=image.as_json(),
            )

    # ---- many

    def chosen(self, ids: Sequence[str] | str) -> list[ReviewImage]:
        """Images by id, or "all", "accepted" and "none yet"; raises Refusal for an unknown one."""
        images = list(self.review.images.values())
        if isinstance(ids, str):
            if ids == "all":
                return images
            if ids == "accepted":
                return [image for image in images if image.state.verdict == "accepted"]
            if ids == "none yet":
                return [image for image in images if not image.has_labels]
            raise Refusal(400, "bad_ids", f"ids = '{ids}' is not possible; give ids, or all, accepted or none yet.")
        unknown = [name for name in ids if name not in self.review.images]
        if unknown:
            raise Refusal(404, "no_image", f"There is no image {unknown[0]} in this review.", id=unknown[0])
        return [self.review.images[name] for name in ids]

    def segment(self, ids: Sequence[str] | str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Segment images in the background; of all, those that were accepted are left alone."""
        images = self.chosen(ids)
        if ids == "all":
            images = [image for image in images if image.state.verdict != "accepted"]
        return {"accepted": self.segmenting.begin(images, values)}

    def save(self, ids: Sequence[str] | str, kinds: Sequence[Kind]) -> dict[str, Any]:
        """Write labels, outlines and pairs of images."""
        return save(self.review.results, self.chosen(ids), kinds)

    def teach(self, name: str, start: str, minutes: float) -> dict[str, Any]:
        """Fine-tune a model with the accepted images; raises CellspanError."""
        return self.teaching.begin(self.chosen("accepted"), name, start, minutes)

    def stop(self, ids: Sequence[str] | str) -> dict[str, Any]:
        """Take images back from the engine."""
        return {"stopped": self.segmenting.stop(self.chosen(ids))}


def _edited(labels: Any, z: int, edit: Mapping[str, Any]) -> edits.Changed:
    kind = edit["kind"]
    if kind == "delete":
        return edits.delete(labels, edit["labels"])
    if kind == "merge":
        return edits.merge(labels, edit["labels"])
    if kind == "split":
        return edits.split(labels, edit["label"], edit["line"])
    if labels.ndim == 3 and not 0 <= z < len(labels):
        raise CellspanError(f"There is no slice {z}.", "no_slice")
    return edits.draw(labels, edit["polygon"], z)

"""What the page sends, checked before anything is done with it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

MOST_POINTS = 200_000  # numbers of a line or an outline
Labels = Annotated[list[Annotated[int, Field(ge=1, le=2**31 - 1)]], Field(min_length=1, max_length=100_000)]
Points = Annotated[list[Annotated[float, Field(allow_inf_nan=False)]], Field(max_length=MOST_POINTS)]
Ids = list[str] | Literal["all", "accepted", "none yet"]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Delete(_Asked):
    """Delete objects."""

    kind: Literal["delete"]
    labels: Labels


class Merge(_Asked):
    """Make one object of several."""

    kind: Literal["merge"]
    labels: Labels


class Split(_Asked):
    """Cut an object along a line."""

    kind: Literal["split"]
    label: int = Field(ge=1, le=2**31 - 1)
    line: Points


class Draw(_Asked):
    """A new object."""

    kind: Literal["draw"]
    polygon: Points


class Edit(_Asked):
    """A correction by hand of what the person saw at a revision."""

    revision: int
    z: int = Field(0, ge=0)
    t: int = Field(0, ge=0)
    edit: Annotated[Delete | Merge | Split | Draw, Field(discriminator="kind")]


class Move(_Asked):
    """Undo or redo."""

    revision: int
    z: int = Field(0, ge=0)
    t: int = Field(0, ge=0)


class Decide(Move):
    """Take the new results of a run, or keep the corrections."""

    take: bool


class Judge(_Asked):
    """Accept or reject."""

    revision: int
    verdict: Literal["none", "accepted", "rejected"]


class Again(_Asked):
    """Other thresholds."""

    revision: int
    parameters: dict[str, Any] = {}
    replace: bool = False


class Segment(_Asked):
    """Segment images, or stop."""

    ids: Ids
    parameters: dict[str, Any] = {}


class Save(_Asked):
    """Write what was reviewed."""

    kinds: Annotated[list[Literal["labels", "rois", "pairs"]], Field(min_length=1)]
    ids: Ids = "accepted"


class Teach(_Asked):
    """Fine-tune a model with the accepted images."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    name: str = Field(min_length=1, max_length=100)
    start: str = Field(alias="from", min_length=1, max_length=1000)
    minutes: float = Field(10, gt=0, le=10_000, allow_inf_nan=False)

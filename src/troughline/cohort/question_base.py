"""What every question of a study file has: an id, a title, and how it refuses what it does not know."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Strict(BaseModel):
    """A frozen value of the study file; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class QuestionBase(Strict):
    """The keys that all kinds of questions share."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=60)
    title: str | None = None
    published: str | None = None
    adjust: tuple[str, ...] = ()
    bootstrap: int = Field(default=2000, ge=200, le=100_000)

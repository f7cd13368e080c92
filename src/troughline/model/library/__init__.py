"""The models that ship with the package: `sorafenib/jain-2011` stands in `sorafenib/jain-2011.toml` here."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from troughline.model.wording import did_you_mean

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

_SUFFIX = ".toml"


def list_models() -> tuple[str, ...]:
    """The ids of the models, `drug/name`, in alphabetical order."""
    return tuple(
        sorted(
            f"{drug.name}/{entry.name.removesuffix(_SUFFIX)}"
            for drug in files(__name__).iterdir()
            if drug.is_dir()
            for entry in drug.iterdir()
            if entry.name.endswith(_SUFFIX)
        )
    )


def model_path(model_id: str) -> Traversable:
    """The file of a model. Raises `ValueError` that names the nearest or all known models."""
    known = list_models()
    if model_id not in known:
        raise ValueError(f"no model {model_id!r} in the library; {_hint(model_id, known)}")
    drug, _, name = model_id.partition("/")
    return files(__name__).joinpath(drug, name + _SUFFIX)


def _hint(model_id: str, known: tuple[str, ...]) -> str:
    meant = did_you_mean(model_id, known, "models")
    listed = f"the models are: {', '.join(known)}"
    return meant if meant == listed else f"{meant} ({listed})"

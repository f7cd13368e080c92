"""A model that can be used: its file, read and compiled when first needed."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from troughline.issues import Findings
    from troughline.model.compiled import Compiled
    from troughline.model.engine import Floats, Prediction, Tolerance
    from troughline.model.records import Records
    from troughline.model.spec import ModelSpec


@dataclass(frozen=True, eq=False)
class Model:
    """A drug model. `spec` is what its file says; the compiled forms are made on first use and kept."""

    spec: ModelSpec
    _made: dict[bool, Compiled] = field(default_factory=dict["bool", "Compiled"], repr=False)

    @property
    def id(self) -> str:
        """The model's id, `sorafenib/jain-2011`."""
        return self.spec.id

    @property
    def compiled(self) -> Compiled:
        """The model compiled. The first time on a machine this takes seconds, later a fraction of one."""
        return self._compiled(areas=False)

    @property
    def compiled_with_areas(self) -> Compiled:
        """The model compiled with the area under each output's curve as a further state."""
        return self._compiled(areas=True)

    def _compiled(self, *, areas: bool) -> Compiled:
        from troughline.model.compiled import compile_model

        if areas not in self._made:
            self._made[areas] = compile_model(self.spec, areas=areas)
        return self._made[areas]

    def predict(
        self,
        records: Records,
        *,
        theta: Floats | None = None,
        effects: Floats | None = None,
        tangents: bool = False,
        tolerance: Tolerance | None = None,
        threads: int | None = None,
        check: bool = True,
    ) -> Prediction:
        """Predictions at the observation records; see `engine.predict`. `theta` None: the file's values."""
        from troughline.model.engine import predict

        return predict(
            self.compiled,
            records,
            theta=self.spec.theta if theta is None else theta,
            effects=effects,
            tangents=tangents,
            tolerance=tolerance,
            threads=threads,
            check=check,
        )


def load_model(reference: str | Path) -> Model:
    """A model of the library by its id (`sorafenib/jain-2011`), or a model file by its path.

    A path ends in `.toml`. What was read before is kept in the user's cache folder under a hash of the file.
    Raises `InputError` with every finding of a faulty file, `ValueError` for an id that the library does not
    have, `OSError` for a file that cannot be read.
    """
    text, name = model_text(reference)
    key = hashlib.sha256(text.encode()).hexdigest()
    spec = _kept(key)
    if spec is None:
        from troughline.issues import InputError
        from troughline.model.read import read_model

        spec, found = read_model(text, file=name)
        if spec is None:
            raise InputError(found, configuration=True)
        _keep(key, spec)
    return Model(spec)


def check_model(reference: str | Path) -> Findings:
    """Every finding about a model file; nothing is compiled."""
    from troughline.model.read import read_model

    text, name = model_text(reference)
    return read_model(text, file=name)[1]


def model_text(reference: str | Path) -> tuple[str, str]:
    """The text of a model of the library or of a model file, and the name to call it by in findings."""
    if str(reference).endswith(".toml"):
        path = Path(reference)
        return path.read_text(encoding="utf-8-sig"), path.name
    from troughline.model.library import model_path

    return model_path(str(reference)).read_text(encoding="utf-8"), f"{reference}.toml"


def _kept(key: str) -> ModelSpec | None:
    from troughline.model.compiled import generator_hash
    from troughline.model.kernels.jit import cache_folder
    from troughline.model.spec import ModelSpec

    try:
        kept = pickle.loads((cache_folder() / "specs" / generator_hash()[:16] / f"{key}.pickle").read_bytes())
    except Exception:  # whatever is wrong with a kept file, the model is read again
        return None
    return kept if isinstance(kept, ModelSpec) else None


def _keep(key: str, spec: ModelSpec) -> None:
    import contextlib

    from troughline.model.compiled import generator_hash, write_whole
    from troughline.model.kernels.jit import cache_folder

    # A cache that cannot be written costs time, not the answer.
    with contextlib.suppress(OSError):
        write_whole(cache_folder() / "specs" / generator_hash()[:16] / f"{key}.pickle", pickle.dumps(spec))

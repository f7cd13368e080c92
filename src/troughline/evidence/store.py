"""Looking up the evidence that ships with the package: drugs, published studies, external cuts."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from troughline.evidence.records import Drug, Number, Publication

_FOLDERS = {"drug": "drugs", "study": "studies"}
_NOUNS = {"drug": "drug", "study": "publication"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalCut:
    """A cut of exposure that a published study proposed: `value` in `unit`, and what it was proposed for."""

    value: float
    unit: str
    metric: str
    label: str
    endpoint: str
    publication_id: str
    citation: str
    doi: str | None
    verified: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedValues:
    """What a study printed for one endpoint, to hold beside a new analysis of the same question.

    A value that was not printed is None. `threshold` and the window's bounds are in `unit`; `auc_low` and
    `auc_high` are the interval as printed, at `auc_level`. `numbers` holds everything, with places read.
    """

    publication_id: str
    endpoint: str
    citation: str
    doi: str | None
    n: int
    verified: bool
    metric: str | None
    unit: str | None
    threshold: float | None
    auc: float | None
    auc_low: float | None
    auc_high: float | None
    auc_level: float | None
    window_lower: float | None
    window_upper: float | None
    numbers: tuple[Number, ...]


@cache
def load_drug(drug_id: str) -> Drug:
    """The drug of that id. Raises `ValueError` that lists the known drugs."""
    from troughline.evidence.records import Drug

    return Drug.model_validate(_contents("drug", drug_id))


@cache
def load_publication(publication_id: str) -> Publication:
    """The published study of that id. Raises `ValueError` that lists the known studies."""
    from troughline.evidence.records import Publication

    return Publication.model_validate(_contents("study", publication_id))


def list_drugs() -> tuple[str, ...]:
    """The ids of the drugs, in alphabetical order."""
    return _known("drug")


def list_publications() -> tuple[str, ...]:
    """The ids of the published studies, in alphabetical order."""
    return _known("study")


def exposure_cuts(drug_id: str, metric: str) -> tuple[ExternalCut, ...]:
    """The published thresholds and targets of a drug's exposure, for one metric only, lowest first.

    A cut of one metric is not comparable with a level of another (a trough with a level at a clinic visit),
    so there is no way to ask for both at once.
    Raises `ValueError` for an unknown drug or metric; the result is empty where no study has proposed a cut.
    """
    from troughline.evidence.records import METRICS

    if metric not in METRICS:
        raise ValueError(f"unknown metric {metric!r}; known: {', '.join(METRICS)}")
    drug = load_drug(drug_id)
    cuts = [
        ExternalCut(
            value=n.value,
            unit=n.unit,
            metric=metric,
            label=n.label,
            endpoint=n.endpoint or "",
            publication_id=study.id,
            citation=study.citation,
            doi=n.doi or study.doi,
            verified=n.verified,
        )
        for study in map(load_publication, _proposing_cuts())
        if study.drug == drug.id
        for n in study.number
        if n.quantity in ("threshold", "target") and n.metric == metric and n.value is not None
    ]
    return tuple(sorted(cuts, key=lambda cut: (cut.value, cut.publication_id, cut.endpoint)))


def published_values(publication_id: str, endpoint: str) -> PublishedValues:
    """What a study printed for one endpoint: threshold, AUC with its interval, window.

    Raises `ValueError` that lists the known studies, or the endpoints of this one.
    """
    study = load_publication(publication_id)
    if endpoint not in study.endpoints:
        known = ", ".join(study.endpoints) or "none"
        raise ValueError(f"publication {publication_id!r} has no endpoint {endpoint!r}; known: {known}")
    numbers = tuple(n for n in study.number if n.endpoint == endpoint)
    n_patients = next((n.n for n in numbers if n.n is not None), study.n)
    if n_patients is None:
        raise ValueError(f"publication {publication_id!r} gives no number of patients for {endpoint!r}")
    cut = _first(numbers, "threshold") or _first(numbers, "target")
    auc = _first(numbers, "auc")
    window = _first(numbers, "window")
    exposure = cut or window
    return PublishedValues(
        publication_id=study.id,
        endpoint=endpoint,
        citation=study.citation,
        doi=study.doi,
        n=n_patients,
        verified=all(n.verified for n in numbers),
        metric=exposure.metric if exposure else None,
        unit=exposure.unit if exposure else None,
        threshold=cut.value if cut else None,
        auc=auc.value if auc else None,
        auc_low=auc.low if auc else None,
        auc_high=auc.high if auc else None,
        auc_level=auc.level if auc else None,
        window_lower=window.low if window else None,
        window_upper=window.high if window else None,
        numbers=numbers,
    )


def resolve_published(reference: str) -> PublishedValues:
    """The values behind a question's `published = "publication-id/endpoint"`.

    Raises `ValueError` for another form, an unknown study or an unknown endpoint.
    """
    publication_id, slash, endpoint = reference.partition("/")
    if not (publication_id and slash and endpoint):
        raise ValueError(f"published = {reference!r}: write it as 'publication-id/endpoint'")
    return published_values(publication_id, endpoint)


def _first(numbers: tuple[Number, ...], quantity: str) -> Number | None:
    return next((n for n in numbers if n.quantity == quantity), None)


@cache
def _proposing_cuts() -> tuple[str, ...]:
    """The studies whose files speak of a threshold or a target; the others need not be read for a cut."""
    words = ("threshold", "target")
    return tuple(i for i in list_publications() if any(word in text_of(i) for word in words))


def _known(kind: str) -> tuple[str, ...]:
    return tuple(sorted(_index(kind)))


def _contents(kind: str, identifier: str) -> dict[str, Any]:
    try:
        file = _index(kind)[identifier]
    except KeyError:
        known = ", ".join(_known(kind)) or "none"
        raise ValueError(f"unknown {_NOUNS[kind]} {identifier!r}; known: {known}") from None
    contents = tomllib.loads(file.read_text(encoding="utf-8"))
    if (contents.get("kind"), contents.get("id")) != (kind, identifier):
        said = f"kind {contents.get('kind')!r} and id {contents.get('id')!r}"
        raise ValueError(f"evidence file {file.name}: {said}, not {kind!r} and its name")
    return contents


@cache
def _index(kind: str) -> Mapping[str, Traversable]:
    """The files of a kind by id, which is the file's name."""
    folder = files("troughline.evidence").joinpath("data", _FOLDERS[kind])
    found = {f.name.removesuffix(".toml"): f for f in folder.iterdir() if f.name.endswith(".toml")}
    return MappingProxyType(found)


def text_of(publication_id: str) -> str:
    """The text of a study's file. Raises `ValueError` that lists the known studies."""
    if publication_id not in _index("study"):
        raise ValueError(f"unknown publication {publication_id!r}; known: {', '.join(_known('study'))}")
    return _index("study")[publication_id].read_text(encoding="utf-8")

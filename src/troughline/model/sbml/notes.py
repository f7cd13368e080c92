"""What an SBML document says in words: where its numbers come from, and what SBML has no place for."""

from __future__ import annotations

from collections.abc import Mapping

from troughline.model.spec import Covariate, ModelSpec, Output, Parameter, RandomBlock, Source


def describe(spec: ModelSpec) -> tuple[list[str], list[str]]:
    """The paragraphs about a model, and the DOIs of its sources."""
    paragraphs = [spec.title, spec.description, f"Population: {spec.population}" if spec.population else ""]
    if spec.calibrated:
        paragraphs.append("This model is calibrated to aggregate data.")
    paragraphs += spec.notes
    paragraphs += [_source(source) for source in spec.sources.values()]
    paragraphs += [_random(block) for block in spec.random]
    paragraphs += [
        "Time is in h, amounts are in mg and volumes in L. Each output is in its own unit, as its name says.",
        "Doses: set the initial values of dose_amount (mg), dose_interval (h), n_doses and next_dose_time, "
        "which is the time of the first dose (h). Every dose enters through all inputs of the model.",
        f"Written from the model file {spec.id}, revision {spec.revision}, SHA-256 {spec.sha256}.",
    ]
    dois = [source.doi for source in spec.sources.values() if source.doi]
    return [p for p in paragraphs if p], list(dict.fromkeys(dois))


def notes_of_parameter(parameter: Parameter, sources: Mapping[str, Source]) -> list[str]:
    """A typical value as written, how uncertain it is, and its source."""
    said = [f"typical value, {parameter.value_as_written:g} {parameter.unit} in the model file"]
    if parameter.low is not None and parameter.high is not None:
        level = f"{100 * parameter.level:g} % interval" if parameter.level is not None else "range"
        said.append(f"{level} {parameter.low:g} to {parameter.high:g} {parameter.unit}")
    if parameter.rse_percent is not None:
        said.append(f"relative standard error {parameter.rse_percent:g} %")
    source = sources.get(parameter.source)
    if source is not None:
        said.append(f"source: {source.citation}" + (" (verified)" if parameter.verified else ""))
    return ["; ".join(said), *([parameter.note] if parameter.note else [])]


def notes_of_covariate(covariate: Covariate) -> list[str]:
    """The unit or the codes of a covariate, and the range it was studied in."""
    if covariate.levels is not None:
        codes = ", ".join(f"{code} {level}" for code, level in enumerate(covariate.levels))
        said = f"covariate: {codes}"
    else:
        said = f"covariate, {covariate.unit}"
    if covariate.soft is not None:
        said += f"; studied from {covariate.soft[0]:g} to {covariate.soft[1]:g}"
    if covariate.hard is not None:
        said += f"; never outside {covariate.hard[0]:g} to {covariate.hard[1]:g}"
    return [said, *([covariate.note] if covariate.note else [])]


def notes_of_output(output: Output) -> list[str]:
    """The residual error of an output, which SBML has no place for."""
    error = output.error
    parts = [
        f"{part} part {expression.text}"
        for part, expression in (
            ("additive", error.additive), ("proportional", error.proportional), ("power", error.power)
        )
        if expression is not None
    ]  # fmt: skip
    said = f"residual error, which is no part of this document: {error.kind}"
    return ["; ".join([said, *parts])] if error.kind != "none" else []


def _source(source: Source) -> str:
    doi = f", doi:{source.doi}" if source.doi else ""
    return f"Source {source.id}: {source.citation}{doi}" + (f" ({source.note})" if source.note else "")


def _random(block: RandomBlock) -> str:
    between = "patients" if block.level == "subject" else "occasions"
    rows = [" ".join(f"{value:g}" for value in row) for row in block.covariance]
    return f"Random effects between {between}: {', '.join(block.effects)}; covariance {'; '.join(rows)}"

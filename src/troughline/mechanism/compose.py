"""The mechanism and the pharmacokinetic model as one model file: every state, driven by every dose.

The mechanism reads the concentration as a covariate; here it is the other model's output. The text is a model
file like any other: it can be checked, and written out as SBML.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from troughline.model.model import Model

_RENAMED = "pk_"


def join_models(mechanism: str | Path, kinetics: str | Path) -> Model:
    """The model of a mechanism driven by the doses of a pharmacokinetic model: both by id or file.

    The one output of the pharmacokinetic model that the mechanism has as a covariate joins them. The joined
    model has the pharmacokinetic model's self-tests, and with them, as SBML, its first regimen.

    Raises `ValueError` where no covariate or more than one could join them, and as `compose` does;
    `InputError` with every finding of a faulty file.
    """
    from troughline.issues import InputError
    from troughline.model.model import Model, load_model, model_text
    from troughline.model.read import read_model

    slow, fast = load_model(mechanism).spec, load_model(kinetics).spec
    levels = {c.name for c in slow.covariates} & {o.name for o in fast.outputs}
    if len(levels) != 1:
        outputs = ", ".join(o.name for o in fast.outputs)
        found = "more than one" if levels else "none"
        raise ValueError(
            f"{fast.id} must have one output that {slow.id} has as a covariate, and there is {found} "
            f"(its outputs: {outputs})"
        )
    text = compose(model_text(mechanism)[0], model_text(kinetics)[0], covariate=levels.pop())
    spec, findings = read_model(text, file=f"{slow.id} with {fast.id}")
    if spec is None:
        raise InputError(findings, configuration=True)
    return Model(replace(spec, tests=fast.tests))


def compose(mechanism: str, kinetics: str, *, covariate: str = "sorafenib") -> str:
    """The TOML text of the two models joined: `covariate` of the mechanism becomes the drug's output.

    The output of the pharmacokinetic model with the covariate's name is used. A covariate that both have is
    the mechanism's. Doses enter as the pharmacokinetic model says; sessions of local therapy name their
    compartment. Self-tests are left out: they are those of the parts.

    Raises `ValueError` for a covariate or output that is not there, and for a name that both use.
    """
    slow, fast = tomllib.loads(mechanism), tomllib.loads(kinetics)
    if covariate not in slow.get("covariates", {}):
        raise ValueError(f"the mechanism has no covariate {covariate!r}")
    outputs = fast.get("outputs", {})
    if covariate not in outputs:
        raise ValueError(f"the model {fast['model']['id']} has no output {covariate!r}")
    shared = set(slow["covariates"]) & set(fast.get("covariates", {}))
    clash = sorted((_names(slow) & _names(fast)) - shared - {covariate})
    if clash:
        raise ValueError(f"both models use the name {', '.join(clash)}")
    joined: dict[str, Any] = {
        "model": {
            **slow["model"],
            "id": f"{slow['model']['id']}-with-kinetics",
            "title": f"{slow['model']['title']}, with the doses of {fast['model']['id']}",
        },
        "units": fast.get("units", {"time": "h", "amount": "mg"}),
        "sources": {
            **slow.get("sources", {}),
            **{f"{_RENAMED}{k}": v for k, v in fast.get("sources", {}).items()},
        },
    }
    source = fast["model"].get("source")
    joined["parameters"] = {
        **slow["parameters"],
        **{k: _sourced(v, source) for k, v in fast["parameters"].items()},
    }
    kept = {k: v for k, v in slow["covariates"].items() if k != covariate}
    joined["covariates"] = {**fast.get("covariates", {}), **kept}
    joined["random"] = [
        *slow.get("random", []),
        *({**r, "source": f"{_RENAMED}{r.get('source', source)}"} for r in fast.get("random", [])),
    ]
    for section in ("individual", "compartments", "derivatives", "gates"):
        joined[section] = {**fast.get(section, {}), **slow.get(section, {})}
    joined["flows"] = [*fast.get("flows", []), *slow.get("flows", [])]
    joined["variables"] = {
        covariate: outputs[covariate]["prediction"],
        **fast.get("variables", {}),
        **slow.get("variables", {}),
    }
    joined["doses"] = fast.get("doses", [])
    joined["outputs"] = {**outputs, **slow["outputs"]}
    return _document({k: v for k, v in joined.items() if v})


def _names(data: Mapping[str, Any]) -> set[str]:
    sections = ("parameters", "covariates", "individual", "compartments", "variables", "gates")
    effects = {e for r in data.get("random", []) for e in r["effects"]}
    return {name for s in sections for name in data.get(s, {})} | effects


def _sourced(parameter: Any, source: str | None) -> dict[str, Any]:
    whole: dict[str, Any] = {"value": parameter, "unit": "1"}
    if isinstance(parameter, Mapping):
        whole = dict(_pairs(parameter))
    own = whole.get("source", source)
    if own is not None:
        whole["source"] = f"{_RENAMED}{own}"
    return whole


def _document(data: Mapping[str, Any]) -> str:
    """TOML: tables of inline values, lists of tables as inline lists above the first table."""
    lists = [k for k, v in data.items() if isinstance(v, list)]
    lines = [f"{k} = [\n" + "".join(f"  {_inline(item)},\n" for item in data[k]) + "]" for k in lists]
    for section, content in data.items():
        if section in lists:
            continue
        lines.append(f"\n[{section}]")
        lines += [f"{key} = {_inline(value)}" for key, value in content.items()]
    return "\n".join(lines) + "\n"


def _inline(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{k} = {_inline(v)}" for k, v in _pairs(value)) + " }" if value else "{}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(_inline(v) for v in _items(value)) + "]"
    return repr(value)


def _pairs(value: Any) -> list[tuple[str, Any]]:
    return list(value.items())


def _items(value: Any) -> list[Any]:
    return list(value)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'

"""How every page is rendered: the templates, what they may call, and the style sheet inside the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup


def environment(**filters: Any) -> Environment:
    """The templates of this folder, all escaped, a missing name an error; with more `filters`."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("troughline.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    known: dict[str, Any] = made.filters  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    known.update(filters)
    return made


def stylesheet(*names: str) -> Markup:
    """Style sheets of the templates, one after the other, to stand inside a page."""
    from importlib.resources import files

    from markupsafe import Markup

    folder = files("troughline.report").joinpath("templates")
    return Markup("\n".join(folder.joinpath(name).read_text("utf-8") for name in names))

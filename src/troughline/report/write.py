"""Write a report to a folder: everything or nothing, and never over a file that is not the report's own."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Json = dict[str, Any]
_OWN_FILE = re.compile(
    r'href="((?:tables/[a-z0-9-]+\.csv|figures/[a-z0-9-]+\.(?:svg|png)|summary\.html|results?\.json|patients\.parquet))"'
)
Progress = Callable[[str, int, int], None]


def check_writable(out: Path) -> None:
    """Raise `OSError` with a plain message unless a report can be written to the folder `out`.

    The folder, or the nearest folder above it that exists, is tried by creating and removing a file.
    """
    nearest = out
    while not nearest.exists() and nearest != nearest.parent:
        if nearest.is_symlink():
            raise OSError(f"cannot write to {out}: {nearest} is a link to nothing")
        nearest = nearest.parent
    if not nearest.is_dir():
        raise NotADirectoryError(f"cannot write to {out}: {nearest} is not a folder")
    try:
        with tempfile.NamedTemporaryFile(dir=nearest, prefix=".troughline-"):
            pass
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise type(error)(f"cannot write to {out}: {nearest}: {reason}") from error


def write_report(results: Json, out: Path, *, progress: Progress | None = None) -> list[Path]:
    """Write `report.html`, `results.json`, `tables/*.csv` and `figures/*.svg`, `*.png` to the folder `out`.

    All files are made in a temporary folder beside their place and moved there at the end; if anything fails
    before or during the moves, `out` is as it was. Files of an earlier report that this one does not have are
    removed; files that no report wrote are left alone. The bytes depend on `results` alone.

    `progress` is called with what is being done, how many steps are done, and of how many.
    Returns the files written. Raises `OSError` where `out` cannot be written to, `ValueError` where
    `results` holds a number that JSON has no word for.
    """
    check_writable(out)
    return write_files(report_files(results, progress=progress), out)


def write_files(
    content: Mapping[str, bytes],
    out: Path,
    *,
    moved: Mapping[str, Path] | None = None,
    earlier: Callable[[Path], set[str]] | None = None,
) -> list[Path]:
    """Write the files of a report, by their paths within the folder `out`: all of them or none.

    `moved`: files that were made elsewhere on the same disk, by the path they get.
    Files that the page of an earlier report in `out` links to and that are not in `content` are removed,
    and that page where `content` has none; `earlier` gives other ones to remove, by their paths in `out`.
    Raises `OSError` where `out` cannot be written to; it is then as it was.
    """
    finished = dict(moved or {})
    names = [*content, *finished]
    stale = (earlier or _files_of_earlier_report)(out) - set(names)
    with open_workshop(out) as workshop:
        made = workshop / "report"
        for name, data in content.items():
            file = made / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        for name, source in finished.items():
            source.replace(made / name)
        if out.exists():
            exchange(made, out, names, sorted(stale), workshop / "before")
        else:
            made.replace(out)
    return [out / name for name in names]


def report_files(results: Json, *, progress: Progress | None = None) -> dict[str, bytes]:
    """The content of every file of a report by its path within the folder; nothing is written."""
    from troughline.report.figures.plan import draw_figures
    from troughline.report.page import render_page
    from troughline.report.tables import table_files

    written = json_file("results.json", results)
    figures = draw_figures(results, progress=progress)
    page = render_page(results, figures)
    content = {"report.html": page.encode(), **written}
    for name, table in table_files(results).items():
        content[f"tables/{name}"] = table.encode()
    for figure in figures:
        content[f"figures/{figure.name}.svg"] = figure.svg.encode()
        content[f"figures/{figure.name}.png"] = figure.png
    if progress is not None:
        progress("report written", len(figures), len(figures))
    return content


def json_file(name: str, contents: Json) -> dict[str, bytes]:
    """A JSON file by its name. Raises `ValueError`, naming it, for a number that JSON has no word for."""
    try:
        text = json.dumps(contents, indent=1, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    return {name: f"{text}\n".encode()}


def _files_of_earlier_report(out: Path) -> set[str]:
    """An earlier report in `out` with the files beside it that it links to; nothing where there is none."""
    try:
        page = (out / "report.html").read_text("utf-8")
    except (OSError, ValueError):
        return set()
    if '<meta name="generator" content="Troughline' not in page:
        return set()
    linked = set(_OWN_FILE.findall(page))
    return {"report.html"} | {name for name in linked if (out / name).is_file()}


@contextmanager
def open_workshop(out: Path) -> Generator[Path]:
    """A temporary folder on the disk of `out`; on failure, folders made for it are gone as well.

    Folders above `out` that are missing are made, `out` itself is not.
    """
    created: list[Path] = []
    parent = out if out.exists() else out.parent
    missing = [p for p in (parent, *parent.parents) if not p.exists()]
    try:
        for folder in reversed(missing):
            folder.mkdir()
            created.append(folder)
        workshop = Path(tempfile.mkdtemp(dir=parent, prefix=".troughline-"))
        try:
            yield workshop
        finally:
            shutil.rmtree(workshop, ignore_errors=True)
    except BaseException:
        for folder in reversed(created):
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


def exchange(made: Path, out: Path, names: list[str], stale: list[str], before: Path) -> None:
    """Move each file of `made` to its place in `out` and the stale ones away; undo all of it on failure.

    `before`: a folder on the same disk, not yet there, that holds what was replaced meanwhile.
    """
    moved: list[tuple[Path, Path | None]] = []
    folders: list[Path] = []
    try:
        for name in [*names, *stale]:
            target = out / name
            if target.is_dir() and not target.is_symlink():
                raise IsADirectoryError(f"cannot write {target}: it is a folder")
            kept = before / name if target.exists() or target.is_symlink() else None
            moved.append((target, kept))
            if kept is not None:
                kept.parent.mkdir(parents=True, exist_ok=True)
                target.replace(kept)
            if name in names:
                if not target.parent.exists():
                    target.parent.mkdir()
                    folders.append(target.parent)
                (made / name).replace(target)
    except BaseException:
        for target, kept in reversed(moved):
            if kept is None:
                with contextlib.suppress(FileNotFoundError):
                    target.unlink()
            elif kept.exists() or kept.is_symlink():
                kept.replace(target)
        for folder in folders:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise

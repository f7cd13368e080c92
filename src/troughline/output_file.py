"""Files that are written whole or not at all, and never over what they were made from."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path


def check_output(path: Path, *, inputs: Iterable[Path] = ()) -> None:
    """Raise `OSError` with a plain message unless a file can be written at `path`, before any work is done.

    Its folder, or the nearest folder above it that exists, is tried by creating and removing a file.
    `inputs` are files that must not be replaced.
    """
    if path.exists() and not path.is_file():
        raise OSError(f"cannot write {path}: it is there and no file")
    if path.is_symlink() and not path.exists():
        raise OSError(f"cannot write {path}: it is a link to nothing")
    if any(path.exists() and one.exists() and path.samefile(one) for one in inputs):
        raise OSError(f"cannot write {path}: it is what would be read")
    nearest = path.parent
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    if not nearest.is_dir():
        raise NotADirectoryError(f"cannot write {path}: {nearest} is not a folder")
    try:
        trial = _create_beside(nearest / path.name)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise type(error)(f"cannot write {path}: {nearest}: {reason}") from error
    trial.unlink()


@contextmanager
def whole_file(path: Path) -> Generator[Path]:
    """A new, empty file beside `path` to write to, which takes its place at the end.

    On failure `path` is as it was, and folders made for it are gone. Raises `OSError` where it cannot be
    written.
    """
    created: list[Path] = []
    missing = [p for p in path.parents if not p.exists()]
    try:
        for folder in reversed(missing):
            folder.mkdir()
            created.append(folder)
        made = _create_beside(path)
        try:
            yield made
            # The file that a link names is replaced, not the link.
            made.replace(path.resolve())
        except BaseException:
            made.unlink(missing_ok=True)
            raise
    except BaseException:
        for folder in reversed(created):
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


def _create_beside(path: Path) -> Path:
    """An empty file in the folder of `path`, with the permissions of any new file of the user."""
    made = path.resolve().parent / f".troughline-{secrets.token_hex(8)}{path.suffix}"
    os.close(os.open(made, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    return made

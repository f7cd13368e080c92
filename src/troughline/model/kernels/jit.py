"""How a kernel is compiled: Numba, no Python objects, cached on disk in a folder of the user's own."""

from __future__ import annotations

import hashlib
import importlib
import os
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


@cache
def cache_folder() -> Path:
    """The folder that holds compiled code: `TROUGHLINE_CACHE_DIR`, or the user's cache folder.

    Compiled kernels lie in a folder named after a hash of every kernel's source and of the versions of
    Numba and Python, so that code compiled from another source is never loaded. Raises `OSError` where no
    folder can be written.
    """
    named = os.environ.get("TROUGHLINE_CACHE_DIR")
    if named:
        root = Path(named)
    elif os.name == "nt":
        root = Path(os.environ.get("LOCALAPPDATA", str(Path.home() / "AppData" / "Local"))) / "troughline"
    else:
        root = Path(os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))) / "troughline"
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=root):
            pass
    except OSError as error:
        raise OSError(
            f"cannot write compiled code to {root}: {error.strerror or error}; "
            "name another folder in TROUGHLINE_CACHE_DIR"
        ) from error
    return root


@cache
def _numba() -> Any:
    numba: Any = importlib.import_module("numba")
    numba.config.CACHE_DIR = str(cache_folder() / f"kernels-{kernels_hash()}")
    return numba


def prepare() -> None:
    """Point Numba's cache at the folder of compiled kernels before anything is compiled or loaded."""
    _numba()


@cache
def kernels_hash() -> str:
    """A hash of the source of every kernel module of the package and of Numba's and Python's versions."""
    import sys
    from importlib.metadata import version

    package = Path(__file__).resolve().parents[2]
    total = hashlib.sha256(f"{version('numba')} {version('llvmlite')} {sys.version_info[:3]}".encode())
    for file in sorted([*package.glob("*/kernels/*.py"), *package.glob("*/kernels/*.json")]):
        total.update(file.name.encode())
        total.update(file.read_bytes())
    return total.hexdigest()[:16]


def kernel(function: Function) -> Function:
    """Compile `function` on first use for the types it is called with; releases the interpreter's lock."""
    jitted: Function = _numba().njit(cache=True, nogil=True, error_model="numpy")(function)
    return jitted


def inner(function: Function) -> Function:
    """A kernel that only other kernels call: it has no entry from Python and is kept as a part of these."""
    jitted: Function = _numba().njit(
        nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True
    )(function)
    return jitted


def inlined(function: Function) -> Function:
    """A kernel small enough to be copied into its callers."""
    jitted: Function = _numba().njit(cache=True, nogil=True, error_model="numpy", inline="always")(function)
    return jitted

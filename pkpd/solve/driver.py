"""The compiled driver of the lanes in the cache folder: checked like all else there, and made anew where it
is damaged.

The compiler's own cache trusts its files: a cut one ends the process, a changed one is other machine code.
"""

from __future__ import annotations

import pickle
from contextlib import suppress
from typing import Any, TypeVar

import llvmlite
import numba
from numba.core.caching import _Cache as Cache
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps

from pkpd.machine import cache, store

F = TypeVar("F")


class _Kept(Cache):
    """Keeps the compiled forms of one function by the code here, the compiler and the processor."""

    def __init__(self, name: str):
        self._name = name

    @property
    def cache_path(self) -> str:
        return str(cache.folder() or "")

    def _key(self, signature: Any, context: Any) -> str:
        processor = [str(x) for x in context.codegen().magic_tuple()]
        versions = numba.__version__, llvmlite.__version__
        code = store.code_hash("solve", "regimen/schedule.py")
        return f"{self._name}_{store.content_hash(code, str(signature), processor, versions)}"

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        target_context.refresh()
        content = cache.load("driver", self._key(sig, target_context))
        with suppress(Exception):  # whatever it is, it is made anew
            return None if content is None else CompileResult._rebuild(target_context, *pickle.loads(content))

    def save_overload(self, sig: Any, data: Any) -> None:
        if not data.library.has_dynamic_globals and all(x.can_cache for x in data.lifted):
            cache.save("driver", self._key(sig, data.target_context), dumps(data._reduce()))

    def enable(self) -> None:
        pass

    def disable(self) -> None:
        pass

    def flush(self) -> None:
        pass


def kept(function: F) -> F:
    """A compiled function that is kept between processes."""
    # what `cache=True` does, with another cache
    function._cache = _Kept(function.__name__)  # type: ignore[attr-defined]
    return function

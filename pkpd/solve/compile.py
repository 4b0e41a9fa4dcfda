"""LLVM text to fast code, for this processor: compiled once and kept on disk."""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import llvmlite
import llvmlite.binding as llvm

from pkpd.machine import cache, store
from pkpd.model.model import Model
from pkpd.solve.assemble import generate, generate_watch


@dataclass(frozen=True)
class Program:
    """Compiled functions of a model: their addresses by name, and the rows of its arrays.

    columns  inputs by whose derivatives its states are followed, or names of what is watched
    """

    model: Model
    columns: tuple
    states: int
    slots: int
    factors: int
    addresses: dict[str, int] = field(repr=False)
    engine: Any = field(repr=False)  # owns the memory that the addresses point into

    def __reduce__(self):
        return watcher if "watch" in self.addresses else kernels, (self.model, self.columns)


def _target() -> llvm.TargetMachine:
    """A new one each time: an engine takes its own with it."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3, jit=True
    )


@functools.cache
def _kind() -> str:
    """What compiled code depends on besides the model: what writes it, the compiler, the processor."""
    processor = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    return store.content_hash(
        store.code_hash("solve", "model"), llvmlite.__version__, llvm.llvm_version_info, processor
    )[:10]


def compiled(text: str) -> bytes:
    """The object code of LLVM text for this processor."""
    target = _target()
    module = llvm.parse_assembly(text)
    module.triple, module.data_layout = target.triple, str(target.target_data)
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.slp_vectorization = options.loop_vectorization = options.loop_unrolling = False
    llvm.create_pass_builder(target, options).getModulePassManager().run(
        module, llvm.create_pass_builder(target, options)
    )
    return target.emit_object(module)


def linked(code: bytes) -> Any:
    """An engine that holds object code, ready to run."""
    target, empty = _target(), llvm.parse_assembly("")
    empty.triple = target.triple
    engine = llvm.create_mcjit_compiler(empty, target)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return engine


FUNCTIONS = ("prepare", "rates", "pace", "step", "accept")
_LOADED: dict[str, Program] = {}
_LOCK = threading.Lock()


def kernels(model: Model, columns: tuple[int, ...] = ()) -> Program:
    """The compiled equations of a model, with the derivatives of its states by these inputs beside them."""
    return _program(model, columns, FUNCTIONS, generate)


def watcher(model: Model, columns: tuple[str, ...]) -> Program:
    """The compiled values of some compartments and variables, then their rates of change: watch(y, q,
    infusion, values), after prepare(p, q).
    """
    return _program(model, columns, ("prepare", "watch"), generate_watch)


def _program(model: Model, columns: tuple, names: tuple[str, ...], make: Callable) -> Program:
    """From memory, from the cache folder, or made now."""
    key = f"{model.hash}_{store.content_hash(names, columns)[:10]}_{_kind()}"
    with _LOCK:  # LLVM is not for two threads at once
        if key not in _LOADED:
            _LOADED[key] = _made(key, model, columns, names, make)
    return _LOADED[key]


def _made(key: str, model: Model, columns: tuple, names: tuple[str, ...], make: Callable) -> Program:
    kept = cache.load("kernels", key)
    if kept is not None:
        sizes, _, code = kept.partition(b"\n")
        states, slots, factors = json.loads(sizes)
    else:
        text, states, slots, factors = make(model, columns)
        code = compiled(text)
        cache.save("kernels", key, json.dumps([states, slots, factors]).encode() + b"\n" + code)
    engine = linked(code)
    addresses = {name: engine.get_function_address(name) for name in names}
    return Program(
        model=model,
        columns=columns,
        states=states,
        slots=slots,
        factors=factors,
        addresses=addresses,
        engine=engine,
    )

"""The one place that compiles: ``kernel`` turns a scalar-loop function into machine code, cached on disk.

Numba keys its disk cache by the file that holds the compiled function and does not notice an edited callee in another
module. The cache folder is therefore named by a digest of all sources that may hold kernels: edit any, all recompile.
"""

from __future__ import annotations

import gc
import hashlib
import weakref
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Final, TypeVar, cast

import llvmlite.binding as llvm
import numba
import platformdirs
from numba.core import types
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.types.functions import BaseFunction
from numba.np import arrayobj

F = TypeVar("F", bound=Callable[..., object])

OPTIONS: Final[dict[str, Any]] = {"error_model": "numpy", "fastmath": False, "parallel": False, "_nrt": False}
"""Exact arithmetic: one row of a batch equals a single run bit for bit. Kernels allocate nothing and own nothing:
numba's reference counting (``_nrt``) would only slow every call down. They never count an index from the end."""

OPTIMISATION: Final = 3
"""LLVM's level of optimisation, as numba's own."""
KERNEL_FOLDERS = ("market", "assets", "grid", "data", "environment", "planning/programs/batched")


def source_digest(package: Path) -> str:
    """Digest of every source file a kernel may live in.

    Parameters
    ----------
    package : Path
        The folder of the ``gridmarl`` package.

    Returns
    -------
    str
        16 hexadecimal digits that change when any of those files does.
    """
    digest = hashlib.sha256(numba.__version__.encode())
    files = [
        *package.glob("kernels.py"),
        *package.glob("bundles.py"),
        *(f for folder in KERNEL_FOLDERS for f in (package / folder).rglob("*.py")),
    ]
    for file in sorted(files):
        digest.update(file.relative_to(package).as_posix().encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


@cache
def cache_folder() -> Path:
    """Folder of compiled kernels for exactly these sources."""
    return platformdirs.user_cache_path("gridmarl") / "kernels" / source_digest(Path(__file__).parent)


@contextmanager
def _cached_in(folder: Path) -> Generator[None]:
    """Let numba locate its cache here for the duration of one decoration."""
    before = numba.config.CACHE_DIR  # pyright: ignore[reportPrivateImportUsage, reportAttributeAccessIssue]  # not in its stubs
    numba.config.CACHE_DIR = str(folder)  # pyright: ignore[reportPrivateImportUsage, reportAttributeAccessIssue]
    try:
        yield
    finally:
        numba.config.CACHE_DIR = before  # pyright: ignore[reportPrivateImportUsage, reportAttributeAccessIssue]


@contextmanager
def _collector_paused() -> Generator[None]:
    """Do not look for garbage in cycles meanwhile; nothing changes where nobody does anyway."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


_wrap_around: Any = arrayobj.fix_integer_index
_OURS: Final[weakref.WeakSet[Any]] = weakref.WeakSet()  # modules that hold our kernels


def _index(context: Any, builder: Any, kind: Any, index: Any, size: Any) -> Any:
    """An array's index as numba counts it, from the end where it is negative; in our kernels none ever is."""
    if builder.module in _OURS:
        return context.cast(builder, index, kind, types.intp)
    return _wrap_around(context, builder, kind, index, size)


@contextmanager
def _plain_indices() -> Generator[None]:
    """Let numba ask of each index whose it is: ours need no test of the sign."""
    before = arrayobj.fix_integer_index
    arrayobj.fix_integer_index = _index
    try:
        yield
    finally:
        arrayobj.fix_integer_index = before


_choose: Any = BaseFunction.get_call_type
_PLAIN: Final = (types.Number, types.Boolean, types.Array, types.BaseTuple, types.NoneType, types.SliceType)
_CHOSEN: Final[dict[tuple[Any, ...], Any]] = {}


def _choose_once(function: Any, context: Any, arguments: Any, named: Any) -> Any:
    """What numba makes of an operator for these types of operands: the same every time, so it is asked once.

    Numba tries one after the other every meaning that ``+`` or ``[]`` may have, for each place where one stands.
    """
    if named:
        return _choose(function, context, arguments, named)
    key = function, context, arguments
    signature = _CHOSEN.get(key)
    if signature is None:
        signature = _choose(function, context, arguments, named)
        if all(isinstance(kind, _PLAIN) for kind in arguments):
            _CHOSEN[key] = signature
    return signature


@contextmanager
def _operators_chosen_once() -> Generator[None]:
    """Let numba remember what an operator means for operands of known types."""
    before = BaseFunction.get_call_type
    BaseFunction.get_call_type = _choose_once  # pyright: ignore[reportAttributeAccessIssue]
    try:
        yield
    finally:
        BaseFunction.get_call_type = before


class RolledLibrary(JITCodeLibrary):  # pyright: ignore[reportUntypedBaseClass]
    """Machine code whose loops stay loops.

    Loops over participants' two or three orders, unrolled eight times as LLVM would, are slower each, and all together
    no longer fit into a processor's instruction cache; they also take longer to compile.
    """

    function_level: ClassVar[int] = OPTIMISATION
    """How thoroughly each function is simplified by itself."""
    _codegen: Any
    _final_module: Any
    _linking_libraries: list[Any]

    def create_ir_module(self, name: str) -> Any:
        """Where a function of ours is written: its indices are never negative."""
        module = super().create_ir_module(name)
        _OURS.add(module)
        return module

    def _passes(self, level: int) -> Any:
        """LLVM's optimisation pipeline with these options."""
        options = llvm.create_pipeline_tuning_options(speed_level=level)
        options.loop_vectorization, options.slp_vectorization, options.loop_unrolling = True, False, False
        return llvm.create_pass_builder(self._codegen._tm, options)

    def _optimize_functions(self, ll_module: Any) -> None:
        """Simplify each function by itself."""
        ll_module.data_layout = self._codegen._data_layout
        passes = self._passes(self.function_level)
        manager = passes.getFunctionPassManager()
        for function in ll_module.functions:
            if not function.is_declaration:
                manager.run(function, passes)

    def finalize(self) -> None:
        """Link each function below this one once, inline, and make machine code."""
        direct, self._linking_libraries = self._linking_libraries, []
        _link_all(direct, self, self._final_module)
        super().finalize()
        self._linking_libraries = direct

    def _optimize_final_module(self) -> None:
        """Inline, and optimise what comes of it."""
        passes = self._passes(OPTIMISATION)
        passes.getModulePassManager().run(self._final_module, passes)


def _link_all(direct: list[Any], library: Any, module: Any) -> None:
    """Link these libraries into a module of this one, and whatever inner ones they stand on, each once."""
    waiting, seen = direct[::-1], {id(library)}
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        library._reload_init.update(one._reload_init)
        if isinstance(one, InnerLibrary):
            waiting += one.calls()[::-1]
            module.link_in(one.alone(), preserve=True)
        else:
            module.link_in(one._get_module_for_linking(), preserve=True)


class InnerLibrary(RolledLibrary):
    """Machine code that nobody asks for: an inlined function is only linked; whoever it is inlined into optimises it.

    Numba optimises and assembles every function anew at each level of calls. With dozens of levels and functions that
    is most of the time to the first step. By itself a function need only become short.
    """

    function_level: ClassVar[int] = 1
    _linkable: Any = None

    def finalize(self) -> None:
        """Left to the callers' modules: what this function calls is linked when they are."""
        self._finalize_dynamic_globals()
        self._final_module.__library = weakref.proxy(self)  # as numba marks the modules of its own libraries
        self._finalized = True

    def calls(self) -> list[Any]:
        """The libraries of what this function calls."""
        return self._linking_libraries

    def alone(self) -> Any:
        """The function without what it calls, to be linked beside it."""
        return super()._get_module_for_linking()

    def _get_module_for_linking(self) -> Any:
        """The function with all that it calls, for a caller that is none of ours."""
        if self._linkable is None:
            whole = self.alone().clone()
            _link_all(self._linking_libraries, self, whole)
            self._linkable = whole
        return self._linkable

    def get_pointer_to_function(self, name: str) -> int:
        """No machine code, no address."""
        return 0

    @property
    def codegen(self) -> Any:
        """The code generator, which need not place an environment for a function without an address."""
        return _WithoutEnvironments(self._codegen)


class _WithoutEnvironments:
    def __init__(self, codegen: Any) -> None:
        self._codegen = codegen

    def set_env(self, name: str, environment: object) -> None:
        """Nothing to set."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._codegen, name)


class OuterCompiler(Compiler):  # pyright: ignore[reportUntypedBaseClass]
    """Numba's compiler into a library of ours."""

    library_class: ClassVar[type[RolledLibrary]] = RolledLibrary

    def __init__(
        self, typing: Any, target: Any, library: Any, args: Any, returned: Any, flags: Any, local: Any
    ) -> None:
        own = library or self.library_class(target.codegen(), "gridmarl")
        own.enable_object_caching()
        super().__init__(typing, target, own, args, returned, flags, local)

    def compile_extra(self, func: Callable[..., object]) -> Any:
        """Compile with the search for garbage paused: numba keeps millions of objects alive meanwhile."""
        with _collector_paused(), _plain_indices(), _operators_chosen_once():
            return super().compile_extra(func)


class InnerCompiler(OuterCompiler):
    """Numba's compiler into an :class:`InnerLibrary`."""

    library_class = InnerLibrary


def inner_kernel(function: F) -> F:
    """Compile a function that only other kernels call, into its callers.

    It gets no wrapper for Python: unpacking dozens of arrays would take longer to compile than the function itself.
    """
    wrappers: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    inner: Any = numba.njit(**OPTIONS, **wrappers, pipeline_class=InnerCompiler, forceinline=True)(function)
    if hasattr(inner, "py_func"):
        _forget_literals(inner)
        _answer_python(inner, _refuse_python)
    return cast(F, inner)


def _refuse_python(*arguments: object) -> object:
    raise TypeError("an inner kernel is called by other kernels only; there is no machine code of its own to call")


def _answer_python(inner: Any, compile_for: Callable[..., object]) -> None:
    """Let calls from Python go elsewhere: numba's table of machine code stays empty, so each call asks for some."""

    def insert_nothing(*signature: object) -> None:
        """No machine code."""

    inner._insert = insert_nothing
    inner._compile_for_args = compile_for


def _forget_literals(inner: Any) -> None:
    """Compile once for all whole numbers: numba would do so for each that is written in a call."""
    find = inner.get_call_template

    def find_general(arguments: Any, named: Any) -> Any:
        general = tuple(types.unliteral(a) for a in arguments)
        return find(general, {name: types.unliteral(a) for name, a in named.items()})

    inner.get_call_template = find_general


def rare_kernel(function: F) -> F:
    """Compile a function that other kernels seldom call, apart from them: what is seldom run should not be in the way.

    A step's kernel is one function of thousands of instructions; each that it need not hold leaves room for others.
    """
    wrappers: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    rare: Any = numba.njit(**OPTIONS, **wrappers, pipeline_class=InnerCompiler)(function)
    if hasattr(rare, "py_func"):
        _forget_literals(rare)
        _answer_python(rare, _refuse_python)
    return cast(F, rare)


def kernel(function: F) -> F:
    """Compile a function called from other kernels, into its callers; calls from Python compile it once more."""
    inner: Any = inner_kernel(function)
    outer: Any = numba.njit(**OPTIONS, pipeline_class=OuterCompiler)(function)
    if hasattr(inner, "py_func"):
        _answer_python(inner, outer._compile_for_args)
    return cast(F, inner)


def machine_code(function: F, *arguments: object) -> F:
    """What an entry kernel does with arguments of these types and of no others, and nothing asked.

    Numba looks at the type of every array in every call, which takes longer than a step of one environment. The caller
    vouches that types, dimensions and layouts stay as they are: machine code reads whatever it is given as those.
    """
    compiled: Any = function
    if not hasattr(compiled, "py_func"):  # numba is switched off
        return function
    kinds = tuple(numba.typeof(argument) for argument in arguments)
    compiled.compile(kinds)
    return cast(F, compiled.get_overload(kinds))


def entry_kernel(function: F) -> F:
    """Compile a function called from Python and keep its machine code on disk; other threads may run meanwhile."""
    with _cached_in(cache_folder()):
        return cast(F, numba.njit(**OPTIONS, nogil=True, cache=True, pipeline_class=OuterCompiler)(function))

"""Named tuples of arrays that kernels hand on by their place in memory.

Numba hands a tuple of arrays on as the nine or so numbers of each array. A world, its rows and a page of its book are
some seven hundred, taken apart and put together again at every call from kernel to kernel: most of what LLVM had to
read. A bundle is one pointer instead, to a structure that the caller keeps; an attribute loads what it needs.

What comes from Python never changes while a kernel runs, and its loads say so to LLVM (``invariant.load``): it need not
load an array's place again after something was stored. Pages (:func:`page_opener`) are filled by the kernel itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, NamedTuple, TypeVar

import numba
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel.models import PrimitiveModel
from numba.core.typing.templates import AttributeTemplate
from numba.extending import (
    NativeValue,
    infer_getattr,
    intrinsic,
    lower_getattr_generic,
    register_model,
    typeof_impl,
    unbox,
)
from numba.np import arrayobj

T = TypeVar("T", bound=type[NamedTuple])

FIRST = ir.Constant(ir.IntType(32), 0)


class Bundle(types.Type):  # pyright: ignore[reportUntypedBaseClass]
    """The numba type of a bundle.

    Parameters
    ----------
    made : type
        The named tuple.
    kinds : tuple of numba types
        Of its fields.
    constant : bool
        Whether no kernel fills it.
    """

    def __init__(self, made: type[Any], kinds: tuple[Any, ...], constant: bool) -> None:
        self.made, self.kinds, self.constant = made, kinds, constant
        inside = ", ".join(map(str, kinds))
        super().__init__(f"Bundle({made.__module__}.{made.__qualname__}, {constant}, {inside})")

    def place(self, name: str) -> int:
        """Number of a field."""
        return int(self.made._fields.index(name))


def bundle(made: T) -> T:
    """Let kernels take instances of a named tuple of arrays as a bundle."""

    @typeof_impl.register(made)
    def kind_of(value: Any, context: Any) -> Bundle:  # pyright: ignore[reportUnusedFunction]
        return Bundle(made, tuple(typeof_impl(field, context) for field in value), constant=True)

    return made


@register_model(Bundle)
class BundleModel(PrimitiveModel):  # pyright: ignore[reportUntypedBaseClass]
    """A pointer to the fields, one after the other."""

    def __init__(self, manager: Any, kind: Bundle) -> None:
        fields = ir.LiteralStructType([manager.lookup(field).get_value_type() for field in kind.kinds])
        super().__init__(manager, kind, fields.as_pointer())


@unbox(Bundle)
def _from_python(kind: Bundle, value: Any, c: Any) -> NativeValue:
    """Fill a structure on the stack of the wrapper that Python calls."""
    builder = c.builder
    place = cgutils.alloca_once(builder, c.context.get_value_type(kind).pointee)
    failed = cgutils.alloca_once_value(builder, cgutils.false_bit)
    for number, field in enumerate(kind.kinds):
        native = c.unbox(field, c.pyapi.tuple_getitem(value, number))
        with builder.if_then(native.is_error, likely=False):
            builder.store(cgutils.true_bit, failed)
        _store(builder, native.value, _part(builder, place, number))
    return NativeValue(place, is_error=builder.load(failed))


@infer_getattr
class BundleAttribute(AttributeTemplate):  # pyright: ignore[reportUntypedBaseClass]
    """Fields by name."""

    key = Bundle

    def generic_resolve(self, kind: Bundle, name: str) -> Any:
        """The type of a field."""
        return kind.kinds[kind.place(name)] if name in kind.made._fields else None


@lower_getattr_generic(Bundle)
def _get_field(context: Any, builder: Any, kind: Bundle, value: Any, name: str) -> Any:
    return _load(builder, _part(builder, value, kind.place(name)), kind.constant)


def page_opener(made: type[Any], paged: Collection[str]) -> Callable[[Any, int], Any]:
    """A function for kernels, of a bundle and a number: the bundle in which some fields are their rows of that number.

    Parameters
    ----------
    made : type
        The named tuple.
    paged : collection of str
        Fields whose first axis is the page's number; the others are the same on all pages.

    Returns
    -------
    callable
        Called where there is no compiler, it gives a named tuple of views.
    """

    def open_page(books: Any, k: int) -> Any:
        """One page."""
        return made._make(array[k] if name in paged else array for name, array in books._asdict().items())

    if numba.config.DISABLE_JIT:  # pyright: ignore[reportPrivateImportUsage, reportAttributeAccessIssue]  # not in its stubs
        return open_page

    def open_compiled(typing: Any, books: Any, k: Any) -> Any:
        """One page, on the stack of the kernel that opens it."""
        names = made._fields
        kinds = tuple(_row_of(kind) if n in paged else kind for n, kind in zip(names, books.kinds, strict=True))
        page = Bundle(made, kinds, constant=False)

        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            place = cgutils.alloca_once(builder, context.get_value_type(page).pointee)
            for number, (name, kind, row) in enumerate(zip(names, books.kinds, kinds, strict=True)):
                field = _get_field(context, builder, books, arguments[0], name)
                if name in paged:
                    field = _row(context, builder, kind, row, field, arguments[1])
                _store(builder, field, _part(builder, place, number))
            return place

        return page(books, types.intp), emit

    opened: Any = intrinsic(open_compiled)
    return opened


def _row_of(kind: Any) -> Any:
    """The type of an array's row."""
    return kind.copy(ndim=kind.ndim - 1)


def _row(context: Any, builder: Any, kind: Any, row: Any, field: Any, k: Any) -> Any:
    """The k-th row of an array."""
    array, found = arrayobj.make_array(kind)(context, builder, field), arrayobj.make_array(row)(context, builder)
    strides, shape = cgutils.unpack_tuple(builder, array.strides), cgutils.unpack_tuple(builder, array.shape)
    data = cgutils.pointer_add(builder, array.data, builder.mul(k, strides[0]), found.data.type)
    arrayobj.populate_array(found, data, shape[1:], strides[1:], array.itemsize, meminfo=None)
    return found._getvalue()


def _part(builder: Any, place: Any, number: int) -> Any:
    """Where a member of a structure is."""
    return builder.gep(place, [FIRST, ir.Constant(ir.IntType(32), number)], inbounds=True)


def _load(builder: Any, place: Any, constant: bool) -> Any:
    """A value number by number: LLVM deals badly with structures as a whole."""
    kind = place.type.pointee
    if not isinstance(kind, (ir.LiteralStructType, ir.ArrayType)):
        value = builder.load(place)
        if constant:
            value.set_metadata("invariant.load", builder.module.add_metadata([]))
        return value
    whole = ir.Constant(kind, ir.Undefined)
    for number in range(len(kind)):
        whole = builder.insert_value(whole, _load(builder, _part(builder, place, number), constant), number)
    return whole


def _store(builder: Any, value: Any, place: Any) -> None:
    """Likewise."""
    kind = place.type.pointee
    if not isinstance(kind, (ir.LiteralStructType, ir.ArrayType)):
        builder.store(value, place)
        return
    for number in range(len(kind)):
        _store(builder, builder.extract_value(value, number), _part(builder, place, number))

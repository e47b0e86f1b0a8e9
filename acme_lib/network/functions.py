"""Rates as code: a Python or numba function in a rate, for what no expression says.

A function becomes an *address*: one instruction of a postfix program (`acme_lib.network.expression`) whose code is the
address of a C function ``double f(const double *arguments)``. So a program with functions is still data, kernels that
were compiled once serve it, and a network without functions pays nothing.
"""

import ctypes
import functools
import inspect

import numpy as np
from llvmlite import ir
from numba import carray, cfunc, config, njit, types
from numba.core.errors import NumbaError
from numba.extending import intrinsic, overload
from numba.np.unsafe.ndarray import to_fixed_tuple

FIRST_ADDRESS = 4096  # the first page of memory is never mapped: no address lies below, and no other instruction above

# By address, what plain Python calls. It also keeps compiled functions alive: kernels hold nothing but the address.
_CALLABLES = {}


def accepts(function, count):
    """Tell whether `function` may be called with `count` positional arguments; True where that cannot be known."""
    try:
        inspect.signature(getattr(function, "py_func", function)).bind(*range(count))
    except TypeError:
        return False
    except ValueError:  # a function written in C without a signature
        return True
    return True


@functools.cache
def address_of(function, count):
    """Return the address of `function` of `count` numbers, compiled where numba can, else calling back into Python.

    An exception in the function becomes NaN there: exceptions do not pass through C, and callers refuse what is not
    finite. A function that numba cannot compile costs about a microsecond a call and runs in one thread at a time.
    """

    def call(arguments):
        try:
            return float(function(*(float(value) for value in arguments[:count])))
        except Exception:
            return np.nan

    if config.DISABLE_JIT:
        address, handle = FIRST_ADDRESS + len(_CALLABLES), None
    else:
        try:
            handle = _compile(function, count)
            address = handle.address
        except (NumbaError, NotImplementedError, TypeError):  # TypeError: callable, but no function
            handle = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.POINTER(ctypes.c_double))(call)
            address = ctypes.cast(handle, ctypes.c_void_p).value
    _CALLABLES[address] = call, handle
    return address


def _compile(function, count):
    compiled = function if hasattr(function, "py_func") else njit(nogil=True)(function)

    if count == 0:

        def call(pointer):
            try:
                return compiled()
            except Exception:
                return np.nan

    else:

        def call(pointer):
            try:
                return compiled(*to_fixed_tuple(carray(pointer, (count,)), count))
            except Exception:
                return np.nan

    return cfunc(types.float64(types.CPointer(types.float64)))(call)


def call_function(address, stack, first):
    """Call the function at `address` with the values from ``stack[first]`` on."""
    return _CALLABLES[address][0](stack[first:])


@overload(call_function)
def _call_function_compiled(address, stack, first):
    def call(address, stack, first):
        return _call_address(np.int64(address), np.int64(stack.ctypes.data) + 8 * np.int64(first))

    return call


@intrinsic
def _call_address(typing_context, address, arguments):
    def generate(context, builder, signature, values):
        pointer = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.DoubleType(), [pointer])
        return builder.call(builder.inttoptr(values[0], kind.as_pointer()), [builder.inttoptr(values[1], pointer)])

    return types.float64(types.int64, types.int64), generate

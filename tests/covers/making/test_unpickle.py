"""`engine/covers/making/unpickle.py`: plain data come out of a pickle, and nothing in it runs."""

from __future__ import annotations

import collections
import contextlib
import datetime
import os
import pickle
import pickletools
import struct
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.base.errors import BuildError, UnsafePickle
from engine.covers.making.unpickle import read_metadata_pickle

PROTOCOLS = range(6)


def read(data: bytes, folder: Path) -> dict[str, Any]:
    path = folder / "metadata.pkl"
    path.write_bytes(data)
    return dict(read_metadata_pickle(path))


class Runs:
    """Pickles as a call of `function(*arguments)`."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def named(evil: Any) -> str:
    """What a test is called by: the same in every process, hence without an address."""
    what = evil.call[0] if isinstance(evil, Runs) else evil
    return str(getattr(what, "__name__", what))


COLUMNS: dict[str, Any] = {
    "labels": [3, 1, 2],
    "tuple": (1, 2.5, None),
    "text": ["jazz", "日本", ""],
    "flags": [True, False, None],
    "bytes": [b"\x00\xff", bytearray(b"ab"), b""],
    "sets": [{1, 2}, frozenset({3}), set()],
    "nested": [{"a": [1, (2, 3)]}, collections.OrderedDict(b=1), {}],
    "large": [2**70, -(2**70), 1e300],
    "complex": [1 + 2j, 0j, 1j],
    "int64": np.array([1, 2, 3]),
    "int8 big": np.array([1, 2, 3], ">i2"),
    "float16": np.array([1, 2, 3], np.float16),
    "bool": np.array([True, False, True]),
    "strings": np.array(["a", "longer", "日本"]),
    "byte strings": np.array([b"a", b"longer", b""]),
    "objects": np.array(["a", None, 3.5], dtype=object),
    "dates": np.array(["1970-01-01", "1999-12-31", "NaT"], "datetime64[D]"),
    "nanoseconds": np.array([1, 2, 3], "timedelta64[25s]"),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(3, 2)),
    "strided": np.arange(12)[::4],
    "empty": np.zeros((0, 3)),
    "scalars": [np.int64(3), np.float32(2.5), np.str_("x")],
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_plain_data_of_every_protocol_are_read(protocol: int, tmp_path: Path) -> None:
    found = read(pickle.dumps(COLUMNS, protocol), tmp_path)
    assert list(found) == list(COLUMNS)
    for name, value in COLUMNS.items():
        if isinstance(value, np.ndarray):
            # numpy itself brings foreign byte orders home.
            assert found[name].dtype.newbyteorder("=") == value.dtype.newbyteorder("="), name
            np.testing.assert_array_equal(found[name], value)
        else:
            assert found[name] == value, name


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_names_of_numpy_one_are_read_too(protocol: int, tmp_path: Path) -> None:
    data = pickle.dumps({"labels": np.arange(5)}, protocol)
    # numpy 1 wrote `numpy.core`; a shorter name needs a shorter length in protocols 4 and 5.
    old = data.replace(b"cnumpy._core.", b"cnumpy.core.")
    for length in (b"\x16", b"\x13", b"\x0d"):
        shorter = bytes([length[0] - 1])
        old = old.replace(b"\x8c" + length + b"numpy._core", b"\x8c" + shorter + b"numpy.core")
    if protocol >= 4:  # the frame's length is that of its content
        old = old[:3] + struct.pack("<Q", len(old) - 11) + old[11:]
    assert b"_core" not in old
    assert read(old, tmp_path)["labels"].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.alone
def test_large_arrays_are_read_quickly(tmp_path: Path) -> None:
    count = 200_000
    columns = {"labels": list(range(count)), "titles": [f"Title {i}" for i in range(count)]}
    start = time.perf_counter()
    assert read(pickle.dumps(columns), tmp_path) == columns
    assert time.perf_counter() - start < 3


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_pickle_that_runs_a_command_is_refused_and_does_not_run(
    protocol: int, tmp_path: Path
) -> None:
    trace = tmp_path / "ran"
    data = pickle.dumps({"labels": [1], "x": Runs(os.system, f"touch {trace}")}, protocol)
    with pytest.raises(UnsafePickle, match=r"system, which could run code"):
        read(data, tmp_path)
    assert not trace.exists()
    # The same bytes do run in Python's own reader: the test is worth something.
    pickle.loads(data)
    assert trace.exists()


@pytest.mark.parametrize(
    "evil",
    [
        Runs(eval, "1"),
        Runs(exec, "1"),
        Runs(getattr, "x", "upper"),
        Runs(__import__, "os"),
        Runs(os.system, "true"),
        Runs(np.load, "x.npy"),
        Runs(np.fromfile, "x"),
        Runs(np.save, "x", 1),
        Runs(np.memmap, "x"),
        Runs(open, "/etc/passwd"),
        Runs(map, eval, ["1"]),
        Runs(datetime.date, 2020, 1, 1),
        Runs(collections.Counter, "aab"),
        Path("/"),
        Runs(type, "X", (), {}),
        Runs(object),
        range(3),
        np.random.default_rng,
        len,
    ],
    ids=named,
)
@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_every_other_name_is_refused(evil: Any, protocol: int, tmp_path: Path) -> None:
    with pytest.raises(UnsafePickle):
        read(pickle.dumps({"labels": [evil]}, protocol), tmp_path)


def test_an_array_of_objects_that_hold_evil_is_refused(tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    array = np.array([1, Runs(os.system, f"touch {trace}")], dtype=object)
    with pytest.raises(UnsafePickle):
        read(pickle.dumps({"labels": array}), tmp_path)
    assert not trace.exists()


def test_a_name_smuggled_through_an_allowed_one_is_refused(tmp_path: Path) -> None:
    # GLOBAL takes any text for the name, dots included: numpy.ndarray.tofile…
    for module, name in [
        ("numpy", "ndarray.tofile"),
        ("builtins", "set.__init__"),
        ("numpy", "dtype.__reduce__"),
        ("builtins", "bytearray.fromhex"),
        ("collections", "OrderedDict.fromkeys"),
    ]:
        for data in (
            f"c{module}\n{name}\n.".encode(),
            b"\x80\x04\x8c"
            + bytes([len(module)])
            + module.encode()
            + b"\x8c"
            + bytes([len(name)])
            + name.encode()
            + b"\x93.",
        ):
            with pytest.raises(UnsafePickle):
                read(data, tmp_path)


def test_an_array_of_an_invented_size_is_refused(tmp_path: Path) -> None:
    # numpy.ndarray((2**40,), dtype) would be a terabyte of whatever the memory held before.
    for data in (
        b"cnumpy\nndarray\n(I1099511627776\ntR.",
        b"\x80\x02cnumpy\nndarray\n(J\x00\x00\x00\x7ft\x81.",
    ):
        with pytest.raises(UnsafePickle):
            read(data, tmp_path)


def test_a_dtype_with_invented_flags_is_refused(tmp_path: Path) -> None:
    # numpy believes a pickled dtype: fields of objects without the flag that says so make an array
    # of bytes one of pointers, and reading it follows them.
    class Dtype:
        def __reduce__(self) -> Any:
            state = (3, "|", None, ("a",), {"a": (np.dtype("O"), 0)}, 8, 1, 0)
            return np.dtype, ("V8", False, True), state

    class Array:
        def __reduce__(self) -> Any:
            build = np.arange(3).__reduce__()[:2]
            return (*build, (1, (1,), Dtype(), False, b"\x41" * 8))

    data = pickle.dumps({"labels": Array()})
    with pytest.raises(UnsafePickle, match="records"):
        read(data, tmp_path)


@pytest.mark.parametrize(
    "spec", ["O,O", "i4,f8", "V99999999999", "(3,)i4", "object", "float64", "f8" * 99, 3]
)
def test_a_dtype_that_is_not_plain_is_refused(spec: Any, tmp_path: Path) -> None:
    data = pickle.dumps({"labels": [Runs(np.dtype, spec)]})
    with pytest.raises((UnsafePickle, BuildError)):
        read(data, tmp_path)


def test_records_are_refused_with_what_to_do(tmp_path: Path) -> None:
    array = np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")])
    with pytest.raises(UnsafePickle, match="one list a column"):
        read(pickle.dumps({"labels": array}), tmp_path)


def test_objects_outside_the_pickle_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsafePickle, match="outside itself"):
        read(b"\x80\x02X\x01\x00\x00\x00xQ.", tmp_path)


@pytest.mark.parametrize(
    "bomb",
    [
        b"\x80\x02" + b"]r\xff\xff\xff\x7f.",  # a memo of 2³¹ places
        b"\x80\x02" + b"]r\xff\xff\xff\x07.",  # a memo that many machines could even give: 2 GB
        b"\x80\x04\x8e" + struct.pack("<Q", 1 << 40) + b"x.",  # a bytes of a terabyte
        b"\x80\x05\x96" + struct.pack("<Q", 1 << 40) + b"x.",
        b"\x80\x04\x8d" + struct.pack("<Q", 1 << 40) + b"x.",
        b"\x80\x04\x95" + struct.pack("<Q", 1 << 62) + b"x.",
        b"\x80\x02cbuiltins\nbytearray\nJ\x00\x00\x00\x7f\x85R.",
        pickle.dumps({"labels": [Runs(bytearray, 1 << 40)]}),
    ],
)
def test_a_few_bytes_cannot_ask_for_much_memory(bomb: bytes, tmp_path: Path) -> None:
    before = _peak_kib()
    start = time.perf_counter()
    with pytest.raises((BuildError, UnsafePickle)):
        read(bomb, tmp_path)
    assert time.perf_counter() - start < 20
    assert _peak_kib() - before < 1_200_000


def _peak_kib() -> int:
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


def test_the_bound_on_memory_is_lifted_afterwards(tmp_path: Path) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_AS)
    read(pickle.dumps({"labels": [1]}), tmp_path)
    with pytest.raises(BuildError):
        read(b"garbage", tmp_path)
    assert resource.getrlimit(resource.RLIMIT_AS) == before


def test_a_pickle_that_holds_itself_is_read_without_end(tmp_path: Path) -> None:
    ring: list[Any] = []
    ring.append(ring)
    assert read(pickle.dumps({"labels": ring}), tmp_path)["labels"][0] is not None


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([1, 2], "holds: list"),
        ({}, "holds: nothing"),
        ({"titles": [1], 3: 4}, "holds: titles, 3"),
        (None, "holds: NoneType"),
        ({"labels": 5}, "'labels' is a int"),
        ({"labels": "abc"}, "'labels' is a str"),
        ({"labels": np.array(5)}, "'labels' is a _?[aA]rray|'labels' is a ndarray"),
    ],
)
def test_another_shape_is_named(value: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=words):
        read(pickle.dumps(value), tmp_path)


def test_remarks_about_the_file_are_no_columns(tmp_path: Path) -> None:
    value = {"labels": [1], "version": 3, "made": "today", "shape": np.array(4)}
    assert list(read(pickle.dumps(value), tmp_path)) == ["labels"]


GOOD = {protocol: pickle.dumps(COLUMNS, protocol) for protocol in PROTOCOLS}
_settings = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@_settings
@given(st.integers(0, 5), st.data())
def test_damaged_pickles_raise_only_named_errors(
    tmp_path: Path, protocol: int, data: st.DataObject
) -> None:
    damaged = bytearray(GOOD[protocol])
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(1, len(damaged)) | st.just(len(damaged)))
    with contextlib.suppress(BuildError, UnsafePickle):
        read(bytes(damaged[:cut]), tmp_path)


@_settings
@given(st.binary(max_size=80))
def test_random_bytes_raise_only_named_errors(tmp_path: Path, data: bytes) -> None:
    with pytest.raises((BuildError, UnsafePickle)):
        read(data, tmp_path)


_OPCODES = [opcode.code.encode("latin1") for opcode in pickletools.opcodes]


@_settings
@given(
    st.lists(
        st.sampled_from(_OPCODES)
        | st.sampled_from([b"cnumpy\ndtype\n", b"cnumpy\nndarray\n", b"cbuiltins\nset\n"])
        | st.sampled_from([b"cnumpy._core.multiarray\n_reconstruct\n", b"X\x02\x00\x00\x00f8"])
        | st.sampled_from([b"cnumpy._core.multiarray\nscalar\n", b"K\x01", b"(", b"t", b"R", b"b"]),
        max_size=40,
    )
)
def test_random_programs_raise_only_named_errors(tmp_path: Path, program: list[bytes]) -> None:
    with contextlib.suppress(BuildError, UnsafePickle):
        read(b"".join(program) + b".", tmp_path)

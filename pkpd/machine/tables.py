"""Tables as CSV or Parquet, written piece by piece, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pkpd.errors import fail
from pkpd.machine import store

Write = Callable[[Mapping[str, Any]], int]
_FEW = (
    "TIME",
)  # numbers that take few values, as texts and whole numbers here do: told once, then pointed to


def require_table(path: Path) -> None:
    """Checks before any work that a table can be written there."""
    if path.suffix not in (".csv", ".parquet"):
        raise fail("--out", f"{path.name!r} is neither .csv nor .parquet", "name the file so")
    store.require_writable(path)


@contextmanager
def table_writer(path: Path, units: Mapping[str, str]) -> Iterator[Write]:
    """A function that adds rows to a table, given as columns of one length, and returns the bytes written by
    then.

    What is missing (NaN, None) is left empty. Each call makes one row group of a Parquet file, whose columns
    carry their units as metadata.
    """
    import pyarrow as pa
    from pyarrow import csv, parquet

    open_writer: Any = None
    with store.writing(path) as file:

        def write(columns: Mapping[str, Any]) -> int:
            nonlocal open_writer
            arrays = [pa.array(x, from_pandas=True) for x in columns.values()]
            fields = [
                pa.field(n, a.type, metadata={"unit": units[n]} if n in units else None)
                for n, a in zip(columns, arrays, strict=True)
            ]
            schema = pa.schema(fields)
            if open_writer is None and path.suffix == ".csv":
                file.write((",".join(columns) + "\n").encode())
                open_writer = csv.CSVWriter(
                    file, schema, write_options=csv.WriteOptions(include_header=False)
                )
            elif open_writer is None:
                open_writer = parquet.ParquetWriter(file, schema, **_encoding(schema))
            open_writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            return file.tell() if file.seekable() else 0

        try:
            yield write
        finally:
            if open_writer is not None:
                open_writer.close()


def _encoding(schema: Any) -> dict[str, Any]:
    """How Parquet holds each column: real numbers by the bytes of like place, which are alike; what repeats,
    once.
    """
    import pyarrow as pa

    real = [f.name for f in schema if pa.types.is_floating(f.type) and f.name not in _FEW]
    return {"use_byte_stream_split": real, "use_dictionary": [n for n in schema.names if n not in real]}

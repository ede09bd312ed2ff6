"""Durable files of one run: every block is on disk, checked, before the next one counts."""

import contextlib
import fcntl
import hashlib
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from theorylab.errors import UsageError
from theorylab.sweep.files import write_atomically, write_text
from theorylab.sweep.plan import Block

__all__ = ["Store"]

_SCHEMA = 1


class Store:
    """The folder of one run. `identity` is what makes it this run; a block of another identity is set aside."""

    def __init__(self, root: Path, identity: str):
        self.root, self.identity = root, identity
        self.set_aside: list[Path] = []
        try:
            for folder in (root / "blocks", root / "results", root / "figures"):
                folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=root):
                pass
        except OSError as error:
            raise UsageError(f"out: cannot write to {root}: {error.strerror}") from error

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder; a second process is refused instead of mixing its files in."""
        with open(self.root / ".lock", "w", encoding="ascii") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise UsageError(f"out: another process is working in {self.root}") from error
            yield

    def write_json(self, name: str, content: Any) -> None:
        write_text(self.root / name, json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n")

    def result_path(self, sweep: str) -> Path:
        return self.root / "results" / f"{sweep}.nc"

    def write_block(self, block: Block, values: Mapping[str, np.ndarray], carry: bool = False) -> None:
        """Keep the measurements of a block, or what it carries from stage to stage, which goes once it is finished."""
        meta = {"schema": _SCHEMA, "lanes": self._lanes(block), "checksum": _checksum(values)}
        arrays = {"meta": np.array(json.dumps(meta)), **values}
        path = self._block_path(block, carry)
        path.parent.mkdir(exist_ok=True)
        write_atomically(path, lambda file: np.savez(file, **arrays))  # type: ignore[arg-type]
        if not carry:
            self._block_path(block, carry=True).unlink(missing_ok=True)

    def read_block(
        self, block: Block, shapes: Mapping[str, tuple[int, ...]], carry: bool = False
    ) -> dict[str, np.ndarray] | None:
        """A finished block (or what it carries), or None. A damaged or foreign file is renamed `.corrupt`, to be
        computed again."""
        path = self._block_path(block, carry)
        try:
            return self._read(path, block, shapes)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, NotImplementedError, RuntimeError):
            aside = path.with_suffix(".corrupt")
            os.replace(path, aside)
            self.set_aside.append(aside)
            return None

    def _read(self, path: Path, block: Block, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
        lanes = len(block.rows)
        data = path.read_bytes() if path.stat().st_size < self._size_limit(lanes, shapes) else b""
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            # a crafted file must not unpack to more than a block can hold
            if sum(entry.file_size for entry in archive.infolist()) > self._size_limit(lanes, shapes):
                raise ValueError("too large")
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            meta = json.loads(str(file["meta"]))
            values = {name: file[name] for name in shapes}
            names = set(file.files)
        if (meta["schema"], meta["lanes"], names) != (_SCHEMA, self._lanes(block), {*shapes, "meta"}):
            raise ValueError("another schema or other lanes")
        if any(values[name].shape != (lanes, *shape) for name, shape in shapes.items()):
            raise ValueError("other shapes")
        if meta["checksum"] != _checksum(values):
            raise ValueError("checksum")
        return values

    @staticmethod
    def _size_limit(lanes: int, shapes: Mapping[str, tuple[int, ...]]) -> int:
        return 16 * lanes * sum(int(np.prod(shape)) for shape in shapes.values()) + 2**16

    def _block_path(self, block: Block, carry: bool = False) -> Path:
        return self.root / "blocks" / block.sweep / f"{block.name}{'.carry' if carry else ''}.npz"

    def _lanes(self, block: Block) -> str:
        text = f"{self.identity} {block.sweep} {block.group} {block.rows} {block.replicates}"
        return hashlib.sha256(text.encode()).hexdigest()


def _checksum(values: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name in sorted(values):
        value = np.ascontiguousarray(values[name])
        digest.update(f"{name} {value.dtype.str} {value.shape}".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()

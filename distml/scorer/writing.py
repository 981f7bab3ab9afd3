"""A scorer's folder, written: by temporary folder and rename, so that what stands there is whole or not there."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from distml.errors import DistmlError
from distml.scorer.files import MANIFEST, Manifest, is_scorer, to_text
from distml.scorer.storage import write_network, write_object, write_xgboost


@contextlib.contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """A folder to write into, which takes the target's place when all went well, and else is gone.

    Raises:
        DistmlError: the target cannot be written, or holds something that is no scorer.
    """
    if target.exists() and not is_scorer(target) and (not target.is_dir() or any(target.iterdir())):
        raise DistmlError(f"{target}: holds something that is no scorer; name another folder with --output")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}-"))
    except OSError as error:
        raise DistmlError(f"cannot write {target}: {error.strerror}") from None
    try:
        yield made
        made.chmod(0o755)
        _take_place(made, target)
    except OSError as error:
        raise DistmlError(f"cannot write {target}: {error.strerror}") from None
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _take_place(made: Path, target: Path) -> None:
    old = made.with_name(made.name + "-old")
    if target.exists():
        target.rename(old)
    try:
        made.rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def write_model(model: Any, engine: str, family: str, stem: str, folder: Path) -> str:
    """Write one trained model; its file's name. engine: 'network' or 'estimator'."""
    if engine == "network":
        write_network(model, folder / f"{stem}.safetensors")
        return f"{stem}.safetensors"
    if family == "xgboost":
        write_xgboost(model, folder / f"{stem}.ubj")
        return f"{stem}.ubj"
    if "n_jobs" in model.get_params(deep=False):
        model.set_params(n_jobs=None)  # rows are scored side by side, not trees
    write_object(model, folder / f"{stem}.skops")
    return f"{stem}.skops"


def write_manifest(manifest: Manifest, folder: Path) -> None:
    """Write `scorer.json`, which makes the folder a scorer: after all else."""
    with (folder / MANIFEST).open("w", encoding="utf-8") as file:
        file.write(to_text(manifest))
        file.flush()
        os.fsync(file.fileno())

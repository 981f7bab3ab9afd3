"""An environment that has what a scorer needs, and neither Ray nor Lightning."""

import subprocess
import sys
import sysconfig
from pathlib import Path

from tests.running.command import ROOT

# What `distml predict` imports, and what that imports in turn.
NEEDED = (
    "distml", "numpy", "pandas", "pyarrow", "sklearn", "scipy", "torch", "skops", "safetensors", "typer", "rich",
    "pydantic", "pydantic_core", "joblib", "cloudpickle", "threadpoolctl", "narwhals", "dateutil", "six", "tzdata",
    "annotated_types", "annotated_doc", "typing_extensions", "typing_inspection", "shellingham", "pygments",
    "markdown_it", "mdurl", "click", "packaging", "prettytable", "wcwidth", "sympy", "mpmath", "networkx", "jinja2",
    "markupsafe", "filelock", "fsspec", "functorch", "torchgen", "numpy.libs", "scipy.libs", "scikit_learn.libs",
    "pandas.libs", "xgboost", "xgboost_cpu.libs",
)  # fmt: skip


def bare_environment(folder: Path) -> Path:
    """A folder of packages: links to those of this environment that are needed, and to their metadata."""
    here = Path(sysconfig.get_paths()["purelib"])
    folder.mkdir()
    names = {name.replace("_", "-").lower() for name in NEEDED} | {"scikit-learn", "python-dateutil"}
    for path in here.iterdir():
        stem = path.name.partition("-")[0] if path.name.endswith(".dist-info") else path.name.removesuffix(".py")
        if stem.replace("_", "-").lower() in names or path.name in NEEDED:
            (folder / path.name).symlink_to(path)
    return folder


def bare_distml(packages: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run `distml ...` with these packages alone, and this source; what it printed, as bytes."""
    code = (
        "from distml.cli import main\n"
        "import importlib.util, sys\n"
        "assert not any(map(importlib.util.find_spec, ['ray', 'pytorch_lightning', 'optuna', 'shap']))\n"
        "main()"
    )
    return subprocess.run(
        [getattr(sys, "_base_executable", sys.executable), "-S", "-c", code, *arguments],
        env={"PYTHONPATH": f"{ROOT}:{packages}", "PATH": "/usr/bin:/bin"}, capture_output=True, timeout=120,
    )  # fmt: skip

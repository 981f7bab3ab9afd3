import subprocess
import sys

LIGHT = """
import sys
import distml.data.options, distml.data.variant
heavy = {"pandas", "sklearn", "scipy", "torch", "ray"} & set(sys.modules)
sys.exit(f"imported {sorted(heavy)}" if heavy else 0)
"""


def test_what_the_sweep_file_needs_imports_no_heavy_library():
    done = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr

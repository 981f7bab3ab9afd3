"""All of it at once: the made site is served on loopback, collected, cleaned; what the two sweep files take comes out.

python experiments/collect/collect.py [--delay 0.02]
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from clean import HERE, write
from made_site import ROBOTS, applications, listed, pages, served


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--delay", type=float, default=0.02, help="seconds between pages of this machine's own site")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=HERE)
    args = parser.parse_args()
    content = pages(listed(applications(args.seed), args.seed), ROBOTS.replace("Crawl-delay: 1", "Request-rate: 100/1"))
    with served(content) as site, tempfile.TemporaryDirectory() as folder:
        crawl = [sys.executable, HERE / "crawl.py", site.url, "--output", folder, "--delay", str(args.delay)]
        subprocess.run(crawl, check=True, stdout=sys.stderr)
        write(Path(folder), args.output)


if __name__ == "__main__":
    main()

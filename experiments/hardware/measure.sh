#!/usr/bin/env bash
# This machine's record, on an idle machine with or without a GPU: experiments/hardware/measure.sh NAME [OPTION...]
#   NAME     of the record, like rtx-3090 or a100-40-7x1g
#   OPTION   of `distml bench`: --device gpu1, --site site.yaml, --tf32
# Changes nothing: cut a card by MIG (distml mig plan) or start the MPS daemon (nvidia-cuda-mps-control -d) beforehand.
set -euo pipefail
name=${1:?a name for the record, like rtx-3090}
shift
cd "$(dirname "$0")/../.."
distml devices
distml bench --output "experiments/hardware/measured/$name.json" "$@"
distml recommend "experiments/hardware/measured/$name.json" --trials 5000

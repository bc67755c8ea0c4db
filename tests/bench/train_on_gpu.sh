#!/usr/bin/env bash
# Trains one of the bundled models for some minutes on a machine with one GPU, and leaves the model in a folder.
#
#   tests/bench/train_on_gpu.sh pack DATA FILE         here: the annotated images below DATA into one archive under 60 MB
#   tests/bench/train_on_gpu.sh train FILE OUT MODEL   there: MODEL is cyto, cyto-large or nuclei; MINUTES=9 unless set
#
# The machine needs Python with torch and the packages that pyproject.toml names; the project need not be installed:
# set PYTHONPATH to a folder in which cellspan/core is this project's core.
set -euo pipefail

pack() {
    python -m tests.bench.pack_training_data "$1" "$2"
}

train() {
    local archive=$1 out=$2 model=$3 data
    data=$(mktemp -d)
    trap 'rm -rf "$data"' EXIT
    tar -xf "$archive" -C "$data"
    mkdir -p "$out"
    local options=(--minutes "${MINUTES:-9}" --simulated 0.5 --invert 0.2 --batch "${BATCH:-32}")
    local folders=("$data"/*)
    case $model in
        cyto) options+=(--from cyto) ;;
        cyto-large) options+=(--widths 32,64,128,256 --mean-diameter 30) ;;
        nuclei) options+=(--from nuclei --looks "nuclei,stained nuclei"); folders=("$data"/dsb2018* "$data"/bbbc039) ;;
        *) echo "There is no recipe for the model '$model'; choose cyto, cyto-large or nuclei." >&2; exit 2 ;;
    esac
    nvidia-smi --query-gpu=utilization.gpu --format=csv,noheader --loop=5 >"$out/busy.txt" &
    local watcher=$!
    python -m cellspan.core.cli train "${folders[@]}" --out "$out/$model" --device cuda --objects "${OBJECTS:-objects}" "${options[@]}"
    kill "$watcher"
    awk '{ sum += $1 } END { printf "The GPU was busy %.0f %% of the time.\n", sum / NR }' "$out/busy.txt"
}

"$@"

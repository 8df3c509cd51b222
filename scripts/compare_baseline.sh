#!/usr/bin/env bash
# RepVGG-A0 beside the SqueezeNet that it replaces, on this machine: train both on the same data for as many epochs,
# convert both, and compare them (scripts/compare_networks.py tells what is measured).
#
#   bash scripts/compare_baseline.sh                                    the main job's demo data
#   input_path=datasets2 bash scripts/compare_baseline.sh               your own data set
#   weights="a_best.pth b_best.pth" bash scripts/compare_baseline.sh    networks that are trained
#
# A training or conversion that is finished is not done again. Each variable can be set from the environment; paths
# stand against the folder where you are.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)

networks=${networks:-repvgg_a0 squeezenet1_0}         # the last one is the baseline
weights=${weights:-}                                  # checkpoints to compare instead of training
input_path=${input_path:-$root/demo/datasets2}        # data set, as tool/get_annotation.py leaves it
output_path=${output_path:-comparison}                # OUTPUT/NETWORK, and the tables and pictures
frames=${frames:-4500}                                # that each network classifies in each runtime
train_options=${train_options:-}                      # of src/main_train.py, such as "--set epochs=3"
compare_options=${compare_options:-}                  # of scripts/compare_networks.py, such as "--rounds 5"

if [ ! -f "$input_path/val.txt" ]; then
    echo "error: $input_path: no data set there; set input_path to one, or make the demo's by run_main_train_repvgg.sh" >&2
    exit 2
fi
python=$(bash "$root/scripts/setup.sh")
export PYTHONPATH=$root/src${PYTHONPATH:+:$PYTHONPATH}

checkpoints=($weights)
if [ -z "$weights" ]; then
    for network in $networks; do
        recipe=$root/config/${network%%[0-9]*}.json   # of a family: config/squeezenet.json
        [ -f "$recipe" ] || recipe=$root/config/default.json
        printf '\n== train %s by %s: reads %s, writes %s\n' "$network" "${recipe##*/}" "$input_path" "$output_path/$network"
        "$python" "$root/src/main_train.py" -n "$network" -i "$input_path" -o "$output_path/$network" --resume \
            --config "$recipe" $train_options
        checkpoints+=("$output_path/$network/model/${network}_best.pth")
    done
fi
printf '\n== compare: reads %s, writes %s\n' "$input_path/val.txt" "$output_path"
"$python" "$root/scripts/compare_networks.py" -w "${checkpoints[@]}" -i "$input_path" -o "$output_path" --frames "$frames" $compare_options

#!/usr/bin/env bash
# Compare RepVGG-A0 with the SqueezeNet that it replaces, on this machine: train both on the same data for the same
# number of epochs, convert both, and compare them (scripts/compare_networks.py --help says what is measured).
#
#   bash scripts/compare_baseline.sh                                    use the demo data of the main job
#   input_path=datasets2 bash scripts/compare_baseline.sh               use your own data set
#   weights="a_best.pth b_best.pth" bash scripts/compare_baseline.sh    compare trained networks
#
# A finished training or conversion is not repeated. You can set each variable in the environment. Relative paths
# start at the current folder.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)

networks=${networks:-repvgg_a0 squeezenet1_0}         # the last one is the baseline
weights=${weights:-}                                  # checkpoints to compare instead of training
input_path=${input_path:-$root/demo/datasets2}        # data set with the lists of tool/get_annotation.py
output_path=${output_path:-comparison}                # folder for OUTPUT/NETWORK, the tables and the pictures
frames=${frames:-4500}                                # frames that each network classifies in each runtime
train_options=${train_options:-}                      # options of src/main_train.py, such as "--set epochs=3"
compare_options=${compare_options:-}                  # options of scripts/compare_networks.py, such as "--rounds 5"

if [ ! -f "$input_path/val.txt" ]; then
    echo "error: $input_path: no data set here; set input_path to a data set, or make the demo's with run_main_train_repvgg.sh" >&2
    exit 2
fi
python=$(bash "$root/scripts/setup.sh")
export PYTHONPATH=$root/src${PYTHONPATH:+:$PYTHONPATH}

checkpoints=($weights)
if [ -z "$weights" ]; then
    for network in $networks; do
        printf '\n== train %s: reads %s, writes %s\n' "$network" "$input_path" "$output_path/$network"
        "$python" "$root/src/main_train.py" -n "$network" -i "$input_path" -o "$output_path/$network" --resume \
            $train_options
        checkpoints+=("$output_path/$network/model/${network}_best.pth")
    done
fi
printf '\n== compare: reads %s, writes %s\n' "$input_path/val.txt" "$output_path"
"$python" "$root/scripts/compare_networks.py" -w "${checkpoints[@]}" -i "$input_path" -o "$output_path" --frames "$frames" $compare_options

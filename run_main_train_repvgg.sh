#!/usr/bin/env bash
# The main job: environment, data, training, conversion, validation, batch prediction.
#
#   bash run_main_train_repvgg.sh                        the demo: records 104 Atari games and trains on them
#   dataset=my_games bash run_main_train_repvgg.sh       your own folder, with one folder of images for each class
#
# A finished stage is not repeated unless its input has changed. You can set each variable in the environment.
set -euo pipefail

dataset=${dataset:-}                                  # folder with one folder of images for each class
case $dataset in "" | /*) ;; *) dataset=$PWD/$dataset ;; esac
background=${background:-}                            # folder of frames that show none of the games: menus, desktops, other games
case $background in "" | /*) ;; *) background=$PWD/$background ;; esac
weights_path=${weights_path:-}                        # weights to start from: a file, or a folder of such files
case $weights_path in "" | /*) ;; *) weights_path=$PWD/$weights_path ;; esac
cd "$(dirname "$0")"
demo_path=${demo_path:-demo}                          # folder for everything that the demo writes
[ -n "$dataset" ] && run="" || run="$demo_path/"

src_path=${src_path:-src/}                            # folder of the four main commands
input_path=${input_path:-${run}datasets2}             # the split data set and its lists
output_path_check=${output_path_check:-${run}check_report} # report on problems in the data
output_path_train=${output_path_train:-${run}sv_train} # checkpoints, log and curves
output_path_pt=${output_path_pt:-${run}save_pt_pth_file} # the deployed files
output_path_npy=${output_path_npy:-${run}save_npy_file} # predictions and per-class results
network=${network:-repvgg_a0}                         # src/main_train.py --list-networks prints the names
config=${config:-config/default.json}                 # recipe of the training
formats=${formats:-all}                               # formats for src/main_convert.py, such as "pt onnx"
nproc=${nproc:-1}                                     # number of training processes, one for each GPU
train_options=${train_options:-}                      # more options of src/main_train.py, such as "--set epochs=30 --set lr=0.05"
val_rate=${val_rate:-0.2}                             # share of each class for validation
games=${games:-}                                      # the demo's games; empty: all of them
episodes=${episodes:-12}                              # episodes of each game; each goes to training or validation as a whole
frames=${frames:-8}                                   # frames of each episode
if [ -n "$dataset" ]; then
    group_by=${group_by:-}                            # see tool/split_data.py --help
else
    group_by=${group_by:-'(?P<group>.*)_\d+\.jpg'}
fi

stages=$output_path_train/stages                      # what each finished stage was made from
best=$output_path_train/model/${network}_best.pth
last=$output_path_train/model/${network}_last.pth
deploy=$output_path_pt/${network}_cpp_deploy.pt
validation=$output_path_train/validation.txt
. scripts/stages.sh

printf '== environment: reads requirements.txt, writes .venv if the active Python lacks a requirement\n'
python=$(bash scripts/setup.sh)
echo "$python"
# tool/ imports the package, which the active Python may lack.
export PYTHONPATH=$(cd "$src_path" && pwd)${PYTHONPATH:+:$PYTHONPATH}

if [ -z "$dataset" ]; then
    dataset=$demo_path/games
    stage record "the ROMs of ale-py" "$dataset" "" \
        "$python" tool/record_games.py $games --out "$dataset" --episodes "$episodes" --frames "$frames"
    classes=(--classes datas/annotations.txt)
    [ -z "$games" ] || classes=()
elif [ -d "$dataset" ]; then
    classes=()
else
    echo "error: $dataset: no such folder; set dataset to a folder with one folder of images for each class" >&2
    exit 2
fi

stage split "$dataset" "$input_path/split.json" "$(files "$dataset")" \
    "$python" tool/split_data.py --source "$dataset" --out "$input_path" --val-rate "$val_rate" \
    ${group_by:+--group-by "$group_by"}

# A hash of the names, sizes and times of the split's frames. It is part of every later key, because lists name frames
# and do not change with their pixels.
made_from=$(grep '"frames_sha256"' "$input_path/split.json")

background_files=
if [ -n "$background" ]; then
    if [ ! -d "$background" ]; then
        echo "error: $background: no such folder; set background to a folder of images that show none of the games" >&2
        exit 2
    fi
    background_files=$(files "$background")
fi
stage lists "$input_path" "$input_path/train.txt" "$(content "$input_path/split.json") $background_files" \
    "$python" tool/get_annotation.py --dataset "$input_path" "${classes[@]}" ${background:+--background "$background"}
listed=("$input_path/annotations.txt" "$input_path/train.txt" "$input_path/val.txt")
[ ! -e "$input_path/background.txt" ] || listed+=("$input_path/background.txt")
made_from="$made_from $background_files"

stage check "the frames of $input_path" "$output_path_check/report.html" \
    "$made_from $(content "${listed[@]}")" check \
    "$python" tool/check_dataset.py --lists "$input_path/train.txt" "$input_path/val.txt" --out "$output_path_check"

lists=$(content "${listed[@]}" "$config")
train() {
    local launcher=("$python") trained_on=$stages/$network.trained_on
    # Training itself compares recipe and lists. It does not notice a changed frame.
    if [ -e "$last" ] && [ -e "$trained_on" ] && [ "$(cat "$trained_on")" != "$made_from" ]; then
        echo "error: $output_path_train: this training used other frames than those that are now in $dataset; set" \
            "output_path_train to another folder, or remove $output_path_train to train again" >&2
        exit 2
    fi
    printf '%s' "$made_from" >"$trained_on"
    [ "$nproc" = 1 ] || launcher+=(-m torch.distributed.run --standalone --nproc_per_node "$nproc")
    "${launcher[@]}" "$@"
}
# An interrupted training continues. A training with other data or another recipe is refused, never overwritten.
stage train "$input_path" "$best" "$made_from $lists" train \
    "${src_path}main_train.py" -n "$network" -i "$input_path" -o "$output_path_train" --resume \
    --config "$config" ${weights_path:+--set "weights_path=$weights_path"} $train_options

stage convert "$best" "$deploy" "$made_from $(content "$best")" \
    "$python" "${src_path}main_convert.py" -w "$best" -i "$input_path" -o "$output_path_pt" --formats $formats --config "$config"

stage validate "$deploy and $input_path/val.txt" "$validation" \
    "$made_from $(content "$deploy" "$input_path/val.txt")" keep "$validation" \
    "$python" "${src_path}main_predict.py" -w "$deploy" -i "$input_path/val.txt"

# Batch prediction keeps finished lists and does not notice changed frames. Without the manifest it predicts again.
predict() {
    rm -f "$output_path_npy/val.json"
    "$@"
}
stage predict "$deploy and $input_path/val.txt" "$output_path_npy/results" \
    "$made_from $(content "$deploy" "$input_path/val.txt")" predict \
    "$python" "${src_path}predict_repvgg.py" -w "$deploy" --input "$input_path/val.txt" --save "$output_path_npy"

cat <<END

All stages are finished.
  checkpoint        $best
  deploy file       $deploy
  predictions       $output_path_npy/val.npy
  per-class results $output_path_npy/results/per_class.csv (and .npy, confusion.npy)
  data set check    $output_path_check/report.html, findings.csv
  training          $output_path_train/metrics.jsonl, metrics.csv, curves.png, confusion.png
  validation table  $validation
Next:
  classify images   $python ${src_path}main_predict.py -w $deploy -i IMAGE...
  predict lists     $python ${src_path}predict_repvgg.py -w $deploy --input LIST_OR_FOLDER --save FOLDER
END

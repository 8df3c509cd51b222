#!/usr/bin/env bash
# From nothing to a detector: environment, frames with boxes, training, conversion, validation, drawn frames.
#
#   bash scripts/train_detector.sh                          the demo: records the objects of 16 Atari games
#   style=stream bash scripts/train_detector.sh             the demo's streams: game, webcam, chat and banner
#   dataset=my_boxes bash scripts/train_detector.sh         your own folder with annotations.txt, train.txt and val.txt
#
# A finished stage is not repeated unless its input has changed. You can set each variable in the environment.
set -euo pipefail

dataset=${dataset:-}                                  # folder with the lists of a detector (tool/import_boxes.py)
case $dataset in "" | /*) ;; *) dataset=$PWD/$dataset ;; esac
cd "$(dirname "$0")/.."
style=${style:-objects}                               # what the demo records; see tool/record_objects.py --help
demo_path=${demo_path:-demo/$style}                   # folder for everything that the demo writes
[ -n "$dataset" ] && run="" || run="$demo_path/"

output_path_check=${output_path_check:-${run}check_report} # report on problems in the data
output_path_train=${output_path_train:-${run}sv_detector} # checkpoints, log and curves
output_path_deploy=${output_path_deploy:-${run}deploy} # the deployed files, and the drawn frames
network=${network:-yolov5n_detector}                  # src/main_train.py --list-networks prints the names
config=${config:-config/detector.json}                # recipe of the training
formats=${formats:-pt openvino}                       # formats for src/main_convert.py
train_options=${train_options:-}                      # more options of src/main_train.py, such as "--set epochs=10"
games=${games:-}                                      # the demo's games; empty: 16 games
episodes=${episodes:-8}                               # episodes of each game; the last two are for validation
frames=${frames:-20}                                  # frames of each episode

stages=$output_path_train/stages                      # what each finished stage was made from
best=$output_path_train/model/${network}_best.pth
deploy=$output_path_deploy/${network}_cpp_deploy.pt
validation=$output_path_train/validation.txt
drawn=$output_path_deploy/frames.png
. scripts/stages.sh

printf '== environment: reads requirements.txt, writes .venv if the active Python lacks a requirement\n'
python=$(bash scripts/setup.sh)
echo "$python"
# tool/ imports the package, which the active Python may lack.
export PYTHONPATH=$PWD/src${PYTHONPATH:+:$PYTHONPATH}

if [ -z "$dataset" ]; then
    dataset=${run}frames
    stage record "the ROMs of ale-py" "$dataset/val.txt" "" \
        "$python" tool/record_objects.py $games --out "$dataset" --style "$style" --environment "${run}ocatari_env" \
        --episodes "$episodes" --frames "$frames"
elif [ ! -d "$dataset" ]; then
    echo "error: $dataset: no such folder; set dataset to a folder with annotations.txt, train.txt and val.txt" >&2
    exit 2
fi

lists=("$dataset/annotations.txt" "$dataset/train.txt" "$dataset/val.txt")
made_from="$(files "$dataset") $(content "$config")"
stage check "the frames and boxes of $dataset" "$output_path_check/report.html" "$made_from" check \
    "$python" tool/check_dataset.py --lists "${lists[@]:1}" --boxes --out "$output_path_check"

# An interrupted training continues. A training with other data or another recipe is refused, never overwritten.
stage train "$dataset" "$best" "$made_from" \
    "$python" src/main_train.py -n "$network" -i "$dataset" -o "$output_path_train" --resume --config "$config" \
    $train_options

stage convert "$best" "$deploy" "$made_from $(content "$best")" \
    "$python" src/main_convert.py -w "$best" -i "$dataset" -o "$output_path_deploy" --formats $formats --config "$config"

stage validate "$deploy and $dataset/val.txt" "$validation" "$made_from $(content "$deploy")" keep "$validation" \
    "$python" src/main_predict.py -w "$deploy" -i "$dataset/val.txt"

stage draw "$deploy and $dataset/val.txt" "$drawn" "$made_from $(content "$deploy")" \
    "$python" scripts/draw_boxes.py -w "$deploy" --input "$dataset/val.txt" -o "$drawn"

cat <<END

All stages are finished.
  checkpoint       $best
  deploy file      $deploy
  AP               $validation, $output_path_train/curves.png, precision_recall.png, confusion.png, worst_frames.png
  drawn frames     $drawn
  data set check   $output_path_check/report.html, findings.csv
END

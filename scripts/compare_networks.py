"""Compare converted networks on the same frames, in every runtime, and write the table, a CSV file and a chart.

    python scripts/compare_networks.py --baseline compare/squeezenet1_0 --networks compare/repvgg_a0 \\
        --input demo/datasets2/val.txt --frames 4500 --out compare

Each folder holds model/NETWORK_best.pth and the files of `main_convert.py --formats all`; scripts/compare_baseline.sh
makes them. Frames are decoded once, and every network classifies all of them in every runtime, one at a time and in
batches. The runs go in turns, a few frames each, so that a machine that slows down meanwhile slows all of them.
The end-to-end rows decode as well: predict_repvgg.py as it runs by default, and the baseline as its first users ran
it (eager fp32, one frame at a time, decoded by Pillow).
"""

import argparse
import csv
import io
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image

from game_classifier.data.filelist import FileList, read_file_list
from game_classifier.data.frames import read_frame
from game_classifier.deploy.choose import fastest_file
from game_classifier.deploy.runtime import Classifier, load_classifier
from game_classifier.device import choose_threads
from game_classifier.models.checkpoint import load_checkpoint
from game_classifier.models.cost import multiply_adds
from game_classifier.models.zoo import parameter_count
from game_classifier.predict.shard import Predictor
from game_classifier.storage import make_folder, write_text

BATCH = 32
FRAMES_A_TURN = 160
RUNTIMES = (  # name, ending of the file, precision
    ("torch eager", "model/{}_best.pth", "fp32"),
    ("torch eager", "model/{}_best.pth", "bf16"),
    ("TorchScript", "{}_cpp_deploy.pt", "fp32"),
    ("TorchScript", "{}_cpp_deploy_bf16.pt", "bf16"),
    ("ONNX Runtime", "{}.onnx", "fp32"),
    ("OpenVINO", "{}_openvino.xml", "fp32"),
    ("OpenVINO", "{}_openvino.xml", "bf16"),
    ("OpenVINO", "{}_openvino_int8.xml", "auto"),
)

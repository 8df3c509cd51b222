import copy
import os
import subprocess
import sys
import textwrap

import pytest
import torch
from torch import nn

from game_classifier.errors import InputError
from game_classifier.frames.decode import Preprocessing, resize_frames
from game_classifier.models.fold import fold, fold_float64
from game_classifier.models.frame_network import FrameNetwork, answering
from game_classifier.models.repvgg import SubsampledPointwise
from game_classifier.models.zoo import build_model, parameter_count


def randomise_batch_norms(network: nn.Module, seed: int = 0) -> nn.Module:
    """Fresh statistics (mean 0, variance 1) would hide a wrong fold."""
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values, low, high in (
                (module.weight.data, 0.5, 1.5),
                (module.bias.data, -0.3, 0.3),
                (module.running_mean, -0.3, 0.3),
                (module.running_var, 0.5, 2.0),
            ):
                values.copy_(torch.rand(values.shape, generator=generator) * (high - low) + low)
    return network.eval()


@pytest.mark.parametrize(
    ("name", "train", "deploy"),
    [
        ("repvgg_a0", 9_108_968, 8_309_384),  # Ding et al. 2021, table 4: 8.30 M deployed
        ("repvgg_a1", 14_092_264, 12_789_864),
        ("squeezenet1_0", 1_248_424, 1_248_424),
        ("squeezenet1_1", 1_235_496, 1_235_496),
    ],
)
def test_parameter_counts_are_the_published_ones(name, train, deploy):
    network = build_model(name, 1000)
    assert parameter_count(network) == train
    assert parameter_count(fold(network)) == deploy


def test_an_unknown_network_is_named_with_near_ones():
    with pytest.raises(InputError, match="'repvgg_a9' is not known; try repvgg_a"):
        build_model("repvgg_a9", 2)


@pytest.mark.parametrize("size", [(32, 32), (33, 47)])
def test_the_subsampled_pointwise_convolution_is_the_strided_one(size):
    torch.manual_seed(0)
    strided = nn.Conv2d(3, 8, 1, stride=2, bias=False).double()
    ours = copy.deepcopy(strided)
    ours.__class__ = SubsampledPointwise
    pixels = torch.randn(2, 3, *size, dtype=torch.float64, requires_grad=True)
    same = pixels.detach().clone().requires_grad_()
    strided(pixels).square().sum().backward()
    ours(same).square().sum().backward()
    torch.testing.assert_close(ours(same), strided(pixels), atol=1e-12, rtol=0)
    torch.testing.assert_close(ours.weight.grad, strided.weight.grad, atol=1e-10, rtol=0)
    torch.testing.assert_close(same.grad, pixels.grad, atol=1e-12, rtol=0)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.slow
def test_training_in_channels_last_survives(dtype):
    """In a process of its own: without SubsampledPointwise torch 2.14 corrupts its memory here."""
    program = textwrap.dedent(f"""
        import torch
        from game_classifier.models.zoo import build_model
        network = build_model("repvgg_a0", 4).to(memory_format=torch.channels_last)
        for size in (96, 112, 128):
            pixels = torch.randn(32, 3, size, size).to(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16, enabled={dtype == "bfloat16"}):
                logits = network(pixels)
            logits.float().square().mean().backward()
        print("survived")
    """)
    # glibc then checks the heap at every call, where it can (Debian: libc_malloc_debug).
    checks = {"MALLOC_CHECK_": "3", "MALLOC_PERTURB_": "85"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=os.environ | checks)
    assert done.stdout == "survived\n", done.stderr


@pytest.mark.parametrize("name", ["repvgg_a0", "repvgg_b1g4"])  # plain and grouped convolutions
def test_folding_keeps_the_logits(name):
    torch.manual_seed(0)
    network = randomise_batch_norms(build_model(name, 7))
    before = copy.deepcopy(network.state_dict())
    pixels = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        exact = copy.deepcopy(network).double()(pixels.double())
        scale = exact.abs().max()
        assert scale > 1e-3
        assert (fold_float64(network)(pixels.double()) - exact).abs().max() / scale < 1e-10
        assert (fold(network)(pixels) - exact).abs().max() / scale < 1e-4
    after = network.state_dict()
    assert all(torch.equal(after[key], value) for key, value in before.items())
    assert not any("conv_1x1" in key for key in fold(network).state_dict())


def test_the_frame_classifier_resizes_normalises_and_sums_to_one():
    torch.manual_seed(0)
    preprocessing = Preprocessing(40, 56, "letterbox", (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    network = build_model("squeezenet1_1", 3).eval()
    classifier = FrameNetwork(answering(network), preprocessing).eval()
    frames = torch.randint(0, 256, (2, 90, 160, 3), dtype=torch.uint8)
    with torch.inference_mode():
        probabilities = classifier(frames)
        pixels = resize_frames(frames.permute(0, 3, 1, 2), 40, 56, "letterbox").float() / 255
        mean, std = (torch.tensor(values).reshape(1, 3, 1, 1) for values in (preprocessing.mean, preprocessing.std))
        expected = network((pixels - mean) / std).softmax(1)
    torch.testing.assert_close(probabilities, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(2))

import dataclasses

import torch

from game_classifier.frames import stream_layout
from game_classifier.frames.augment import Augmentation, augment, place
from game_classifier.frames.decode import resize_pixels

NONE = Augmentation(zoom=0, shift=0, brightness=0, contrast=0, erase=0, stream=0)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def uniform_of(source: torch.Generator) -> stream_layout.Uniform:
    return lambda low, high, *shape: torch.rand(shape, generator=source) * (high - low) + low


def frames(count: int = 4, height: int = 24, width: int = 40) -> torch.Tensor:
    return torch.randint(0, 256, (count, 3, height, width), dtype=torch.uint8, generator=generator(9))


def test_no_change_is_the_identity():
    same = augment(frames(), (24, 40), NONE, generator())
    torch.testing.assert_close(same, frames().float(), atol=1e-3, rtol=0)


def test_frames_become_smaller_as_deployed_ones_do():
    """The whole frame at another size: the same as torch's antialiased resize, larger or smaller."""
    pixels, whole = frames(3, 48, 80).float(), torch.ones(3, 2)
    for size in ((24, 40), (17, 33), (48, 64), (96, 100)):
        expected = resize_pixels(pixels, size)
        torch.testing.assert_close(place(pixels, size, whole, whole * 0), expected, atol=2e-2, rtol=0)


def test_a_picture_is_drawn_at_its_place():
    """A quarter of the frame, exactly on pixels: the smaller picture, and nothing around it."""
    pixels = frames(2, 24, 40).float()
    share, centre = torch.full((2, 2), 0.5), torch.tensor([[0.5, -0.5], [-0.5, 0.5]])
    drawn = place(pixels, (24, 40), share, centre)
    small = resize_pixels(pixels, (12, 20))
    torch.testing.assert_close(drawn[0, :, :12, 20:], small[0], atol=2e-2, rtol=0)
    torch.testing.assert_close(drawn[1, :, 12:, :20], small[1], atol=2e-2, rtol=0)
    assert drawn[0, :, 12:].count_nonzero() + drawn[0, :, :, :20].count_nonzero() == 0


def test_the_generator_fixes_the_result():
    change = Augmentation(zoom=0.2, shift=0.1, brightness=0.3, contrast=0.3, erase=0.5, stream=0.5)
    one, same, other = (augment(frames(), (16, 32), change, generator(seed)) for seed in (1, 1, 2))
    assert one.shape == (4, 3, 16, 32)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert one.min() >= 0
    assert one.max() <= 255


def test_a_shift_moves_by_at_most_its_share():
    dot = torch.zeros(64, 3, 40, 40, dtype=torch.uint8)
    dot[:, :, 20, 20] = 255
    moved = augment(dot, (40, 40), Augmentation(0, 0.1, 0, 0, 0, 0), generator())
    places = moved[:, 0].flatten(1).argmax(1)
    distances = torch.stack([places // 40 - 20, places % 40 - 20]).abs()
    assert distances.max() in (3, 4, 5)


def test_zoom_changes_sizes_and_never_mirrors():
    ramp = torch.arange(40, dtype=torch.uint8).mul(6).repeat(32, 3, 40, 1)
    zoomed = augment(ramp, (40, 40), Augmentation(0.3, 0, 0, 0, 0, 0), generator())
    middle = zoomed[:, 0, 20, 8:32]
    slopes = (middle[:, -1] - middle[:, 0]) / 23 / 6
    assert slopes.min() > 0.69
    assert slopes.max() < 1.31
    assert slopes.std() > 0.1


def test_brightness_and_contrast_stay_in_their_range():
    grey = torch.full((64, 3, 8, 8), 100, dtype=torch.uint8)
    bright = augment(grey, (8, 8), Augmentation(0, 0, 0.2, 0, 0, 0), generator()).mean((1, 2, 3))
    assert 79 < bright.min() < 90
    assert 110 < bright.max() < 121
    flat = augment(grey, (8, 8), Augmentation(0, 0, 0, 0.5, 0, 0), generator())
    torch.testing.assert_close(flat, grey.float(), atol=1e-3, rtol=0)


def test_erasing_covers_one_rectangle_of_the_chosen_share_of_frames():
    black = torch.zeros(200, 3, 40, 40, dtype=torch.uint8)
    erased = augment(black, (40, 40), Augmentation(0, 0, 0, 0, 0.5, 0), generator()).amax(1) > 0
    covered = erased.flatten(1).float().mean(1)
    assert 0.35 < (covered > 0).float().mean() < 0.65
    assert covered.max() <= 0.46**2
    one = erased[covered.argmax()]
    assert one.sum() == one.any(0).sum() * one.any(1).sum()


def test_a_streams_layout_keeps_the_whole_picture_smaller_and_fills_the_rest():
    white = torch.full((300, 3, 40, 60), 255, dtype=torch.uint8)
    share, centre = stream_layout.picture_places(uniform_of(generator()), 300)
    assert ((centre.abs() + share) <= 1 + 1e-6).all()
    assert share[:, 0].min() >= 0.5
    assert share[:, 1].min() >= 0.7
    at_an_edge = ((centre.abs() + share) > 1 - 1e-6).float().mean()
    assert 0.3 < at_an_edge < 0.7
    streamed = augment(white, (40, 60), dataclasses.replace(NONE, stream=1.0), generator())
    assert streamed.shape == (300, 3, 40, 60)
    assert streamed.min() >= 0
    assert streamed.max() <= 255
    kept = (streamed > 250).all(1).float().mean((1, 2))
    assert kept.min() < 0.4  # under webcam, chat and banner
    assert kept.max() > 0.8


def test_only_the_chosen_share_of_frames_is_laid_out():
    stream = augment(frames(200), (24, 40), dataclasses.replace(NONE, stream=0.3), generator())
    untouched = (stream - frames(200).float()).abs().amax((1, 2, 3)) < 1e-2
    assert 0.6 < untouched.float().mean() < 0.8


def test_a_layout_without_overlays_changes_nothing_inside_the_picture(monkeypatch):
    for name in ("WEBCAM", "BANNER", "CHAT"):
        monkeypatch.setattr(stream_layout, name, 0.0)
    pixels = frames(8).float()
    share, centre = torch.tensor([[0.5, 0.75]]).repeat(8, 1), torch.tensor([[-0.5, 0.25]]).repeat(8, 1)
    dressed = stream_layout.dress(pixels, share, centre, uniform_of(generator()))
    inside = torch.zeros(24, 40, dtype=torch.bool)
    inside[6:, :20] = True  # rows from (1 + 0.25 - 0.75) / 2 of the height on, the left half of the columns
    assert torch.equal(dressed[:, :, inside], pixels[:, :, inside])
    assert (dressed[:, :, ~inside] != pixels[:, :, ~inside]).float().mean() > 0.9

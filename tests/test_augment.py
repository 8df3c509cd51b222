import torch

from game_classifier.data.augment import Augmentation, augment

NONE = Augmentation(zoom=0, shift=0, brightness=0, contrast=0, erase=0)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def frames(count: int = 4, height: int = 24, width: int = 40) -> torch.Tensor:
    return torch.randint(0, 256, (count, 3, height, width), dtype=torch.uint8, generator=generator(9))


def test_no_change_is_the_identity():
    same = augment(frames(), (24, 40), NONE, generator())
    torch.testing.assert_close(same, frames().float(), atol=1e-3, rtol=0)


def test_the_generator_fixes_the_result():
    change = Augmentation(zoom=0.2, shift=0.1, brightness=0.3, contrast=0.3, erase=0.5)
    one, same, other = (augment(frames(), (16, 32), change, generator(seed)) for seed in (1, 1, 2))
    assert one.shape == (4, 3, 16, 32)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert one.min() >= 0
    assert one.max() <= 255


def test_a_shift_moves_by_at_most_its_share():
    dot = torch.zeros(64, 3, 40, 40, dtype=torch.uint8)
    dot[:, :, 20, 20] = 255
    moved = augment(dot, (40, 40), Augmentation(0, 0.1, 0, 0, 0), generator())
    places = moved[:, 0].flatten(1).argmax(1)
    distances = torch.stack([places // 40 - 20, places % 40 - 20]).abs()
    assert distances.max() in (3, 4, 5)


def test_zoom_changes_sizes_and_never_mirrors():
    ramp = torch.arange(40, dtype=torch.uint8).mul(6).repeat(32, 3, 40, 1)
    zoomed = augment(ramp, (40, 40), Augmentation(0.3, 0, 0, 0, 0), generator())
    middle = zoomed[:, 0, 20, 8:32]
    slopes = (middle[:, -1] - middle[:, 0]) / 23 / 6
    assert slopes.min() > 0.69
    assert slopes.max() < 1.31
    assert slopes.std() > 0.1


def test_brightness_and_contrast_stay_in_their_range():
    grey = torch.full((64, 3, 8, 8), 100, dtype=torch.uint8)
    bright = augment(grey, (8, 8), Augmentation(0, 0, 0.2, 0, 0), generator()).mean((1, 2, 3))
    assert 79 < bright.min() < 90
    assert 110 < bright.max() < 121
    flat = augment(grey, (8, 8), Augmentation(0, 0, 0, 0.5, 0), generator())
    torch.testing.assert_close(flat, grey.float(), atol=1e-3, rtol=0)


def test_erasing_covers_one_rectangle_of_the_chosen_share_of_frames():
    black = torch.zeros(200, 3, 40, 40, dtype=torch.uint8)
    erased = augment(black, (40, 40), Augmentation(0, 0, 0, 0, 0.5), generator()).amax(1) > 0
    covered = erased.flatten(1).float().mean(1)
    assert 0.35 < (covered > 0).float().mean() < 0.65
    assert covered.max() <= 0.46**2
    one = erased[covered.argmax()]
    assert one.sum() == one.any(0).sum() * one.any(1).sum()

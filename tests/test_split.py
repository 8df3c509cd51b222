from collections import Counter

import pytest

from game_classifier.datasets.split import choose_folds, choose_parts, group_by_time, group_images
from game_classifier.errors import InputError

EPISODES = r"(?P<group>.*)_\d+\.jpg"
VAL = {"val": 0.2}


def many_classes(count: int = 20, episodes: int = 5, frames: int = 4) -> dict[str, list[str]]:
    return {
        f"c{index}": [f"c{index}/{episode}_{frame}.jpg" for episode in range(episodes) for frame in range(frames)]
        for index in range(count)
    }


def part_sizes(classes, groups, parts) -> dict[str, Counter[str]]:
    """{class: {part: images}}."""
    return {name: Counter(parts[groups[path]] for path in paths) for name, paths in classes.items()}


def test_groups_stay_whole_and_every_class_is_on_every_side():
    classes = many_classes()
    groups = group_images(classes, EPISODES)
    sizes = part_sizes(classes, groups, choose_parts(classes, groups, VAL, seed=0))
    assert all(counts == {"train": 16, "val": 4} for counts in sizes.values())
    three = choose_parts(classes, groups, {"val": 0.2, "test": 0.2}, seed=0)
    assert all(counts == {"train": 12, "val": 4, "test": 4} for counts in part_sizes(classes, groups, three).values())


def test_single_images_are_divided_by_the_rate():
    classes = {"a": [f"a/{number}.jpg" for number in range(100)], "b": ["b/1.jpg", "b/2.jpg"]}
    groups = group_images(classes, None)
    sizes = part_sizes(classes, groups, choose_parts(classes, groups, {"val": 0.25}, seed=3))
    assert sizes == {"a": {"train": 75, "val": 25}, "b": {"train": 1, "val": 1}}


def test_the_choice_is_the_same_everywhere_and_follows_the_seed():
    classes = {"a": [f"a/{number}.jpg" for number in range(10)]}

    def validation(classes, seed):
        parts = choose_parts(classes, group_images(classes, None), VAL, seed)
        return {path for path, part in parts.items() if part == "val"}

    # Written down once: another machine, Python or library must choose the same.
    assert validation(classes, 0) == {"a/0.jpg", "a/7.jpg"}
    assert validation(classes, 1) != {"a/0.jpg", "a/7.jpg"}
    assert validation({"a": classes["a"][::-1]}, 0) == {"a/0.jpg", "a/7.jpg"}


@pytest.mark.parametrize("shares", [{"val": 0.3}, {"val": 0.5}])
def test_a_group_that_spans_classes_is_on_one_side_and_leaves_each_class_both(shares):
    classes = {
        "a": [f"a/stream{stream}_{frame}.jpg" for stream in (1, 2, 3, 4) for frame in range(5)],
        "b": [f"b/stream{stream}_{frame}.jpg" for stream in (1, 2) for frame in range(5)],
    }
    groups = group_images(classes, r"(?P<group>stream\d)")
    for seed in range(20):
        sizes = part_sizes(classes, groups, choose_parts(classes, groups, shares, seed))
        assert all(counts.keys() == {"train", "val"} for counts in sizes.values())


def test_folds_have_every_class_and_equal_sizes():
    classes = many_classes(episodes=7)
    groups = group_images(classes, EPISODES)
    folds = choose_folds(classes, groups, 3, seed=0)
    for counts in part_sizes(classes, groups, folds).values():
        assert counts.keys() == {"fold1", "fold2", "fold3"}
        assert max(counts.values()) - min(counts.values()) <= 4  # one episode
    assert folds == choose_folds(classes, groups, 3, seed=0)
    assert folds != choose_folds(classes, groups, 3, seed=1)


def test_time_blocks_are_runs_of_neighbours_in_the_order_of_their_numbers():
    classes = {"a": [f"a/frame{number}.jpg" for number in range(25)], "b": ["b/1.jpg"], "c": ["c/x/2.jpg", "c/y/1.jpg"]}
    groups = group_by_time(classes, 5)
    for number in range(25):
        assert groups[f"a/frame{number}.jpg"] == f"a/block {number // 5}"
    assert groups["b/1.jpg"] == "b/block 0"
    assert groups["c/x/2.jpg"] != groups["c/y/1.jpg"]


def test_parent_groups_by_folder():
    assert group_images({"game": ["game/stream 1/0.jpg"]}, "parent") == {"game/stream 1/0.jpg": "game/stream 1"}


@pytest.mark.parametrize(
    ("group_by", "reason"),
    [("(", "not a regular expression"), (r"(.*)_\d+", "needs a named group"), (r"(?P<group>x)", "does not match")],
)
def test_a_wrong_expression_says_what_is_wrong(group_by, reason):
    with pytest.raises(InputError, match=reason):
        group_images({"a": ["a/0_1.jpg"]}, group_by)


def test_classes_that_cannot_be_on_every_side_are_named():
    classes = {"lonely": ["lonely/0_1.jpg"], "fine": ["fine/0_1.jpg", "fine/1_1.jpg"]}
    with pytest.raises(InputError, match=r"class 'lonely' has only one image"):
        choose_parts(classes, group_images(classes, None), VAL, 0)
    classes = {"short": ["short/0_1.jpg", "short/0_2.jpg"], "too": ["too/0_1.jpg", "too/0_2.jpg"]}
    groups = group_images(classes, EPISODES)
    with pytest.raises(InputError, match=r"'short' cannot be on all 2 sides.*1 group.*and 1 more classes: too"):
        choose_parts(classes, groups, VAL, 0)
    with pytest.raises(InputError, match=r"'short' cannot be on all 3 sides: its 2 images form 2 group"):
        choose_folds(classes, group_images(classes, None), 3, 0)

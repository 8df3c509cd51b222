import pytest

from game_classifier.data.split import choose_validation, group_key
from game_classifier.errors import InputError

EPISODES = r"(?P<group>.*)_\d+\.jpg"


def many_classes(count: int = 20, episodes: int = 5, frames: int = 4) -> dict[str, list[str]]:
    return {
        f"c{index}": [f"c{index}/{episode}_{frame}.jpg" for episode in range(episodes) for frame in range(frames)]
        for index in range(count)
    }


def test_groups_stay_whole_and_every_class_is_on_both_sides():
    classes, key = many_classes(), group_key(EPISODES)
    validation = choose_validation(classes, 0.2, key, seed=0)
    for name, paths in classes.items():
        share = sum(key(path) in validation for path in paths) / len(paths)
        assert share == 0.2, name


def test_single_images_are_divided_by_the_rate():
    classes = {"a": [f"a/{number}.jpg" for number in range(100)], "b": ["b/1.jpg", "b/2.jpg"]}
    validation = choose_validation(classes, 0.25, group_key(None), seed=3)
    assert sum(path.startswith("a/") for path in validation) == 25
    assert sum(path.startswith("b/") for path in validation) == 1


def test_the_choice_is_the_same_everywhere_and_follows_the_seed():
    classes = {"a": [f"a/{number}.jpg" for number in range(10)]}
    # Written down once: another machine, Python or library must choose the same.
    assert choose_validation(classes, 0.2, group_key(None), seed=0) == {"a/0.jpg", "a/7.jpg"}
    assert choose_validation(classes, 0.2, group_key(None), seed=1) != {"a/0.jpg", "a/7.jpg"}
    backwards = {"a": classes["a"][::-1]}
    assert choose_validation(backwards, 0.2, group_key(None), seed=0) == {"a/0.jpg", "a/7.jpg"}


def test_a_group_that_spans_classes_is_on_one_side_only():
    key = group_key(r"(?P<group>stream\d)")
    classes = {
        "a": [f"a/stream{stream}_{frame}.jpg" for stream in (1, 2, 3) for frame in range(5)],
        "b": [f"b/stream{stream}_{frame}.jpg" for stream in (2, 3, 4) for frame in range(5)],
    }
    for seed in range(10):
        validation = choose_validation(classes, 0.3, key, seed)
        for paths in classes.values():
            assert {key(path) in validation for path in paths} == {True, False}


def test_a_shared_group_never_takes_another_classs_last_training_frames():
    key = group_key(r"(?P<group>stream\d)")
    classes = {
        "a": [f"a/stream{stream}_{frame}.jpg" for stream in (1, 2, 3, 4) for frame in range(5)],
        "b": [f"b/stream{stream}_{frame}.jpg" for stream in (1, 2) for frame in range(5)],
    }
    for seed in range(20):
        validation = choose_validation(classes, 0.5, key, seed)
        for paths in classes.values():
            assert {key(path) in validation for path in paths} == {True, False}


def test_parent_groups_by_folder():
    key = group_key("parent")
    assert key("game/stream 1/0.jpg") == "game/stream 1"


@pytest.mark.parametrize(
    ("group_by", "reason"),
    [("(", "not a regular expression"), (r"(.*)_\d+", "needs a named group"), (r"(?P<group>x)", "does not match")],
)
def test_a_wrong_expression_says_what_is_wrong(group_by, reason):
    with pytest.raises(InputError, match=reason):
        group_key(group_by)("a/0_1.jpg")


def test_classes_that_cannot_be_on_both_sides_are_named():
    classes = {"lonely": ["lonely/0_1.jpg"], "fine": ["fine/0_1.jpg", "fine/1_1.jpg"]}
    with pytest.raises(InputError, match=r"class 'lonely' has one image only"):
        choose_validation(classes, 0.2, group_key(None), 0)
    classes = {"short": ["short/0_1.jpg", "short/0_2.jpg"], "too": ["too/0_1.jpg", "too/0_2.jpg"]}
    with pytest.raises(InputError, match=r"'short' cannot be on both sides.*1 group.*and 1 more classes: too"):
        choose_validation(classes, 0.2, group_key(EPISODES), 0)

import json

import pytest
from conftest import ROOT

from game_classifier.config import AugmentConfig, Config, GateConfig, check_config, read_config
from game_classifier.errors import InputError

DEFAULT = ROOT / "config" / "default.json"


def test_the_default_recipe_states_every_default_of_the_code():
    assert read_config(DEFAULT, []) == Config()
    written = json.loads(DEFAULT.read_text())
    assert list(written) == list(Config.model_fields)
    assert list(written["augment"]) == list(AugmentConfig.model_fields)
    assert list(written["gate"]) == list(GateConfig.model_fields)


def test_overrides_reach_any_key():
    config = read_config(DEFAULT, ["epochs=3", "augment.zoom=0.3", "resize=letterbox", "image_size=[90,160]"])
    assert (config.epochs, config.augment.zoom, config.resize) == (3, 0.3, "letterbox")
    assert (config.preprocessing().height, config.preprocessing().width) == (90, 160)
    assert config.batch_size == Config().batch_size


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("epoch=3", "unknown key 'epoch'; the keys are network, image_size"),
        ("augment.flip=true", "unknown key 'augment.flip'; the keys are zoom, shift"),
        ("gate.frame=9", "unknown key 'gate.frame'; the keys are frames, calibration_frames, fp32_difference"),
        ("epochs=ten", 'epochs: input should be a valid integer, not "ten"'),
        ("epochs=2.5", "epochs: input should be a valid integer"),
        ("epochs=0", "epochs: input should be greater than or equal to 1, not 0"),
        ("lr=true", "lr: input should be a valid number"),
        ("mean=[0.5]", "mean"),
        ("resize=stretch", "resize: input should be 'squash', 'letterbox' or 'center_crop', not \"stretch\""),
        ("views_per_class=0", "views_per_class: input should be greater than or equal to 1, not 0"),
        ("epochs=0", "epochs: input should be greater than or equal to 1, not 0"),
        ("train_sizes=[]", "train_sizes: needs at least one"),
        ("train_sizes=[1.0,0.5]", "train_sizes: the shares must not fall, and the last one must be 1"),
        ("train_sizes=[0.5,0.75]", "train_sizes: the shares must not fall, and the last one must be 1"),
        ("std=[0.2,0.2,0]", "std: each value must be above 0"),
        ("epochs", "write KEY=VALUE"),
        ("epochs.x=1", "epochs holds no keys of its own"),
    ],
)
def test_a_wrong_override_names_the_key_and_the_remedy(override, message):
    with pytest.raises(InputError) as error:
        read_config(DEFAULT, [override])
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_length_in_set_takes_the_place_of_the_files():
    assert (read_config(DEFAULT, []).epochs, read_config(DEFAULT, []).views_per_class) == (None, 480)
    chosen = read_config(DEFAULT, ["epochs=3"])
    assert (chosen.epochs, chosen.views_per_class) == (3, None)
    assert check_config(chosen.model_dump(mode="json"), "out/config.json") == chosen
    assert read_config(DEFAULT, ["views_per_class=100"]).views_per_class == 100


def test_two_lengths_are_refused(tmp_path):
    recipe = tmp_path / "recipe.json"
    recipe.write_text('{"epochs": 3, "views_per_class": 100}')
    complaint = "epochs and views_per_class: both are the length of the training; give one of them"
    for path, overrides in ((recipe, []), (DEFAULT, ["epochs=3", "views_per_class=100"])):
        with pytest.raises(InputError, match=complaint):
            read_config(path, overrides)
    assert read_config(recipe, ["epochs=5"]).epochs == 5


@pytest.mark.parametrize("value", ["big", "31", "4097", "128.0", "null", "[90]", "[90,160,3]", "[8,160]"])
def test_a_wrong_image_size_has_one_plain_complaint(value):
    with pytest.raises(InputError) as error:
        read_config(DEFAULT, [f"image_size={value}"])
    shown = '"big"' if value == "big" else value.replace(",", ", ")
    complaint = f"image_size: must be a side in pixels from 32 to 4096, or [height, width], not {shown}"
    assert str(error.value) == f"{DEFAULT} with --set: {complaint}"


def test_all_wrong_keys_are_named_at_once_with_the_file(tmp_path):
    path = tmp_path / "recipe.json"
    path.write_text('{"epoch": 3, "lr": "fast"}')
    with pytest.raises(InputError) as error:
        read_config(path, [])
    assert str(error.value).startswith(f"{path}: ")
    assert "'epoch'" in str(error.value)
    assert "lr: " in str(error.value)


@pytest.mark.parametrize(("text", "reason"), [("{", "not JSON"), ("[]", "not a JSON object")])
def test_a_file_that_is_no_recipe_says_so(tmp_path, text, reason):
    path = tmp_path / "recipe.json"
    path.write_text(text)
    with pytest.raises(InputError, match=reason):
        read_config(path, [])
    with pytest.raises(InputError, match="no such file"):
        read_config(tmp_path / "none.json", [])


def test_weights_come_from_one_place_only():
    with pytest.raises(InputError, match="weights_path and pretrained: give one of them"):
        check_config({"weights_path": "a.pth", "pretrained": "hub"}, "recipe.json")

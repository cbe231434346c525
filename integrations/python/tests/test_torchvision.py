"""Models of torchvision beside real instantiations: a sample; `scripts/survey.py torchvision` records all."""

import checks
import pytest

torchvision = pytest.importorskip("torchvision")


@pytest.mark.parametrize("name", ["shufflenet_v2_x0_5", "squeezenet1_1"])
def test_a_model_starts_as_it_does_really(name):
    _, wrong = checks.disagreements(lambda: torchvision.models.get_model(name, weights=None, num_classes=10), seeds=2)
    assert not wrong


def test_a_vision_transformer_starts_as_it_does_really():
    def build():
        return torchvision.models.VisionTransformer(image_size=32, patch_size=8, num_layers=2, num_heads=4, hidden_dim=64, mlp_dim=128)

    _, wrong = checks.disagreements(build, seeds=4)
    assert not wrong


def test_a_swin_transformer_starts_as_it_does_really():
    def build():
        return torchvision.models.SwinTransformer(patch_size=[4, 4], embed_dim=24, depths=[2, 2], num_heads=[2, 4], window_size=[4, 4])

    _, wrong = checks.disagreements(build, seeds=4)
    assert not wrong

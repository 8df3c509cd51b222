"""Counting a network's operators."""

from torch import nn

from game_classifier.models.cost import operators


class _Halves(nn.Module):
    """Takes its channels apart, which torch.export records by Python's getitem."""

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(2, 3, 1)

    def forward(self, pixels):
        two, one = pixels.split([2, 1], dim=1)
        return self.convolution(two).relu_() + one


def test_what_is_no_operator_of_torch_is_not_counted():
    counts = operators(_Halves().eval(), 8)
    assert (counts["conv2d"], counts["relu"], counts["add"]) == (1, 1, 1)
    assert sum("split" in name for name in counts) == 1
    assert counts.total() == 4

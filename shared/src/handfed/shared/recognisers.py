"""The families of recognisers, as a table that needs no TensorFlow: `handfed.shared.tf.recognisers` builds them."""

from __future__ import annotations

from dataclasses import dataclass

from handfed.shared.errors import SettingError


@dataclass(frozen=True)
class Family:
    """What is known of a family before a model of it is built.

    Attributes:
        summary: What it is, in a few words.
        source: Where it is described.
        parameters: Of its model, without those of the classes.
        parameters_a_class: Further ones for each class it tells apart.
        int8: How it becomes an INT8 model.
        limits: What to know before choosing it.
        columns: Columns of a picture that make one step of a text; 0 where it reads single characters.
        prunable: Whether whole channels of it can be left out.
    """

    summary: str
    source: str
    parameters: int
    parameters_a_class: int
    int8: str
    limits: str
    columns: int = 0
    prunable: bool = False

    def parameters_for(self, classes: int) -> int:
        """Parameters of the model for so many classes; each takes a byte of the published file."""
        return self.parameters + classes * self.parameters_a_class


_QAT = "all integers, by quantization-aware training alone"

FAMILIES: dict[str, Family] = {
    "cnn": Family(
        "five convolutions, two pooled, and one dense layer",
        "Simonyan and Zisserman 2015, arXiv:1409.1556; Ioffe and Szegedy 2015, arXiv:1502.03167",
        34_088,
        3_137,
        _QAT,
        "learns in the fewest rounds; grows by 3 KB a class",
        prunable=True,
    ),
    "lenet": Family(
        "convolutions of 32 and 64 filters, a dense layer of 128",
        "LeCun et al. 1998, doi:10.1109/5.726791",
        420_640,
        129,
        _QAT,
        "here to compare with: six times the size of cnn",
        prunable=True,
    ),
    "resnet": Family(
        "seven pairs of convolutions, each added to its input",
        "He et al. 2016, arXiv:1512.03385",
        175_440,
        577,
        _QAT,
        "three times the time of cnn to train",
        prunable=True,
    ),
    "mobilenet": Family(
        "inverted residuals with a convolution a channel",
        "Howard et al. 2019, arXiv:1905.02244",
        52_744,
        129,
        _QAT,
        "the fewest bytes a class, for alphabets of thousands; needs twice the rounds of cnn",
        prunable=True,
    ),
    "bilstm": Family(
        "two-way LSTMs over rows and over columns, attention, and a gated sum",
        "Graves and Schmidhuber 2005, doi:10.1016/j.neunet.2005.06.042; Raffel and Ellis 2016, arXiv:1512.08756;"
        " Arevalo et al. 2017, arXiv:1702.01992",
        250_370,
        129,
        _QAT,
        "0.15 MB of its file are steps written out; learns faster by nadam",
    ),
    "crnn": Family(
        "four convolutions, then two-way LSTMs over windows of the text",
        "Shi et al. 2017, arXiv:1507.05717; Zhang et al. 2016, arXiv:1510.08983",
        297_745,
        193,
        _QAT,
        "reads words and lines of any width; 0.1 MB of its file are steps written out; learns faster by nadam",
        columns=4,
    ),
    "crnn-attention": Family(
        "crnn, of which every step also sees a weighted mean of its window",
        "that of crnn; Raffel and Ellis 2016, arXiv:1512.08756",
        298_130,
        385,
        _QAT,
        "reads words and lines of any width; a twentieth larger and slower than crnn",
        columns=4,
    ),
    "crnn-deep": Family(
        "crnn-attention of seven convolutions, and wider",
        "that of crnn-attention",
        587_986,
        513,
        _QAT,
        "reads words and lines of any width; trains for 1.7 times as long as crnn-attention",
        columns=4,
    ),
    "tcn": Family(
        "four convolutions, then temporal blocks that look left and right",
        "Bai et al. 2018, arXiv:1803.01271; Chaudhary and Bali 2022, arXiv:2205.14879",
        412_817,
        193,
        _QAT,
        "reads words and lines of any width",
        columns=4,
        prunable=True,
    ),
}


def family(name: str) -> Family:
    """The family of that name.

    Raises:
        SettingError: There is none.
    """
    if name not in FAMILIES:
        raise SettingError(f"there is no recogniser {name!r}; choose one of: {', '.join(FAMILIES)}")
    return FAMILIES[name]

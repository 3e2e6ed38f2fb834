"""A linear layer whose results do not depend on the vendor of the CPU, without the cost."""

from torch import Tensor, nn
from torch.nn import functional as F


class Linear(nn.Linear):
    """`nn.Linear`, computed as a convolution with a 1x1 kernel: the same map, (..., in) to out.

    A 1x1 convolution applies one matrix to the channels of every pixel, and a linear layer applies
    one matrix to the features of every token. So tokens are taken for pixels. `nn.Linear` calls
    MKL's matrix product, which is two to three times slower in the mode that gives the same bits
    on Intel and AMD (see mnist/portable.py); oneDNN's convolution gives them at full speed.
    On other devices this is `nn.Linear`.

    The parameters have the names and shapes of `nn.Linear`.
    """

    def forward(self, inputs: Tensor) -> Tensor:
        """Map tokens (N, T, in) to (N, T, out), or rows (N, in) to (N, out)."""
        if inputs.device.type != "cpu":
            return super().forward(inputs)
        tokens = inputs if inputs.ndim == 3 else inputs.unsqueeze(0)
        # The features move to where the channels are: (N, T, in) to (N, in, 1, T), a row of
        # pixels in the layout channels_last, so nothing is copied.
        pixels = tokens.transpose(1, 2).unsqueeze(2)
        outputs = F.conv2d(pixels, self.weight.view(*self.weight.shape, 1, 1), self.bias)
        outputs = outputs.squeeze(2).transpose(1, 2)
        return outputs if inputs.ndim == 3 else outputs.squeeze(0)

"""Which classes of layers and operations do what to numbers, by name.

The one invariant: a class that is in no list may do anything; rules take nothing for granted of it.
"""

from __future__ import annotations

__all__ = ["MASKING", "NORMALIZATIONS", "RECURRENT", "TRANSPARENT", "WEIGHTED", "is_float"]

NORMALIZATIONS = frozenset(
    {"BatchNormalization", "LayerNormalization", "GroupNormalization", "UnitNormalization", "RMSNormalization", "Normalization"}
)
"""Layers whose output has a scale of its own, whatever comes in."""

TRANSPARENT = frozenset(
    [
        "Reshape",
        "Flatten",
        "Permute",
        "RepeatVector",
        "Cropping1D",
        "Cropping2D",
        "Cropping3D",
        "ZeroPadding1D",
        "ZeroPadding2D",
        "ZeroPadding3D",
        "Identity",
        "Masking",
        "Dropout",
        "GaussianNoise",
        "GaussianDropout",
        "AlphaDropout",
        "SpatialDropout1D",
        "SpatialDropout2D",
        "SpatialDropout3D",
        "Cast",
        "Concatenate",
        "RandomFlip",
        "RandomTranslation",
        "RandomRotation",
        "RandomZoom",
        "RandomCrop",
        "Resizing",
        "CenterCrop",
        "ExpandDims",
        "Squeeze",
        "Transpose",
    ]
)
"""Layers and operations that pass numbers on without changing their scale."""

WEIGHTED = frozenset(
    [
        "Dense",
        "EinsumDense",
        "Conv1D",
        "Conv2D",
        "Conv3D",
        "Conv1DTranspose",
        "Conv2DTranspose",
        "Conv3DTranspose",
        "DepthwiseConv1D",
        "DepthwiseConv2D",
        "SeparableConv1D",
        "SeparableConv2D",
        "LSTM",
        "GRU",
        "SimpleRNN",
        "RNN",
        "Bidirectional",
        "ConvLSTM1D",
        "ConvLSTM2D",
        "ConvLSTM3D",
        "MultiHeadAttention",
        "GroupedQueryAttention",
    ]
)
"""Layers that multiply what comes in by trained weights."""

RECURRENT = frozenset({"LSTM", "GRU", "SimpleRNN", "RNN", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"})
"""Layers that apply their weights once per time step."""

MASKING = frozenset({"Add", "Subtract", "Where", "Maximum", "Minimum", "Select", "SelectV2", "AddV2"})
"""Operations that put large negative numbers where attention must not look."""


def is_float(dtype: str | None) -> bool:
    """Whether a dtype is floating-point; an unknown one counts as such."""
    return dtype is None or dtype.startswith(("float", "bfloat"))

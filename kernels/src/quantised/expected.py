"""Makes expected.txt beside it: random packets of every quantisation, and their weights as ggml's
Python package (`pip install gguf`) has them. Scales are kept finite."""

import pathlib

import gguf
import numpy as np

NAMES = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K"]
SCALES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q4_K": [0, 2],
          "Q5_K": [0, 2], "Q6_K": [208]}

random = np.random.default_rng(1)
lines = []
for name in NAMES:
    kind = gguf.GGMLQuantizationType[name]
    _, num_bytes = gguf.GGML_QUANT_SIZES[kind]
    for _ in range(2):
        packet = random.integers(0, 256, num_bytes, dtype=np.uint8)
        for start in SCALES[name]:
            packet[start:start + 2] = random.normal(size=1).astype(np.float16).view(np.uint8)
        weights = gguf.quants.dequantize(packet[None], kind).astype(np.float32).ravel()
        bits = "".join(f"{word:08x}" for word in weights.view(np.uint32))
        lines.append(f"{name.replace('_K', 'K')} {packet.tobytes().hex()} {bits}\n")
pathlib.Path(__file__).with_name("expected.txt").write_text("".join(lines))

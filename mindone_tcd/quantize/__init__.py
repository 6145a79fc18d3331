"""Weight-only int8 quantization: networks whose weights are stored, and multiplied, as 8-bit integers."""

"""All comparison cases, by name."""

from pathlib import Path

import parity_conditions
import parity_family
import parity_from_images
import parity_text_to_image

REFERENCES = Path(__file__).parent / "references.npz"
FAMILIES = (parity_text_to_image, parity_from_images, parity_conditions, parity_family)
CASES = {name: case for family in FAMILIES for name, case in family.CASES.items()}

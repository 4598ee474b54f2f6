"""Lets a torchvision that was built for CUDA work beside a torch that was not, as far as engines need it.

    PYTHON -m tests.setup.torchvision_cpu  (with the environment's Python: as a script)

Where both were built for the same torch nothing changes. Else torchvision's two compiled libraries do
not load: importing it fails for want of the operator `nms`, and `decode_image` is missing. What engines
do with images is pure torch, so the operators are declared, and images are decoded by Pillow.
"""

import importlib.util
from pathlib import Path

MARK = "# added: operators of the compiled part that does not load"
OPERATORS = f"""

{MARK}
if not _has_ops():
    _declared = torch.library.Library("torchvision", "DEF")
    for _name in ("nms", "qnms"):
        _declared.define(_name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
"""
DECODER = f"""

{MARK}
if not _has_image_ops():

    def _decode(data, mode, apply_exif_orientation=False):
        import io

        import numpy
        from PIL import Image, ImageOps

        image = Image.open(io.BytesIO(data.numpy().tobytes()))
        if apply_exif_orientation:
            image = ImageOps.exif_transpose(image)
        names = {{1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}}
        pixels = numpy.array(image.convert(names[mode]) if mode in names else image)
        pixels = pixels if pixels.ndim == 3 else pixels[..., None]
        return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()

    _declared = torch.library.Library("image", "DEF")
    _declared.define("decode_image(Tensor data, int mode, bool apply_exif_orientation=False) -> Tensor")
    _declared.impl("decode_image", _decode, "CPU")

    def _has_image_ops():
        return True
"""


def main() -> None:
    """Add to the two modules what is needed, once."""
    found = importlib.util.find_spec("torchvision")
    if found is None or found.submodule_search_locations is None:
        raise SystemExit("torchvision is not installed")
    package = Path(found.submodule_search_locations[0])
    for name, addition in (("extension.py", OPERATORS), ("io/image.py", DECODER)):
        module = package / name
        text = module.read_text()
        if MARK not in text:
            module.write_text(text + addition)


if __name__ == "__main__":
    main()

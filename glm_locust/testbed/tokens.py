"""How many tokens the simulated model counts besides the text itself."""

PATCH_PIXELS = 28
"""One image token stands for a square of this many pixels a side (14-pixel patches, merged 2 by 2)."""
TEMPLATE_TOKENS = 8
"""What the chat template adds to a prompt: `[gMASK]<sop><|user|>` and the like."""
IMAGE_FRAME_TOKENS = 2
"""`<|begin_of_image|>` and `<|end_of_image|>`."""


def image_tokens(width: int, height: int) -> int:
    """Tokens of an image of `width` by `height` pixels: 324 for 512 by 512."""
    return max(1, round(width / PATCH_PIXELS)) * max(1, round(height / PATCH_PIXELS))

"""``python -m glm_gpu_exporter``."""

from glm_gpu_exporter.cli import main

if __name__ == "__main__":
    raise SystemExit(main())

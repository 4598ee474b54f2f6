"""`python -m glm_locust` is `glm-locust`."""

import sys

from glm_locust.cli import main

if __name__ == "__main__":
    sys.exit(main())

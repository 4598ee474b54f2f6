"""Says which programs the tests want and this machine lacks; installs them where it may.

Run by `make test` before anything else. Exit code 1 only with CI=true and something missing:
there a test left out is a failure. Elsewhere the tests that need it are skipped and say so.
"""

import os
import shutil
import subprocess
import sys

WANTED = {
    # Debian package: (any of these programs, what it is for)
    "chromium": (("chromium", "chromium-browser", "google-chrome"), "tests that look at pages"),
    "chromium-driver": (("chromedriver",), "tests that look at pages"),
    "prometheus": (("prometheus",), "tests against a real Prometheus"),
    "gcc": (("gcc",), "the scripted NVML library"),
    "libc6-dev": (("/usr/include/stdio.h",), "the scripted NVML library"),
    "iproute2": (("ip",), "tests across network namespaces"),
}


def missing_packages() -> list[str]:
    """Debian packages none of whose programs can be found."""
    return [
        package
        for package, (programs, _) in WANTED.items()
        if not any(os.path.exists(p) if p.startswith("/") else shutil.which(p) for p in programs)
    ]


def install(packages: list[str]) -> None:
    """Ask apt for the packages; its failure is told, and judged by what is missing afterwards."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *packages]):
        done = subprocess.run(
            ["apt-get", *arguments], env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            print(f"apt-get {arguments[0]} failed: {done.stderr.strip()[-300:]}", file=sys.stderr)


def main() -> int:
    """List, install, judge."""
    missing = missing_packages()
    if not missing:
        return 0
    print("The tests want programs that this machine lacks:")
    for package in missing:
        print(f"  {package:16} for {WANTED[package][1]}")
    print(f"Install them with:  apt-get install {' '.join(missing)}", flush=True)
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print("Running as root with apt: installing them now.", flush=True)
        install(missing)
        missing = missing_packages()
    if not missing:
        return 0
    print(f"Left out for want of: {', '.join(missing)}", file=sys.stderr)
    return 1 if os.environ.get("CI") == "true" else 0


if __name__ == "__main__":
    sys.exit(main())

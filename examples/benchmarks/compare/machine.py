"""What the figures were measured on."""

import os
import platform
from importlib import metadata
from typing import Any

from compare.host import Host

FLAGS = ("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
PACKAGES = ("torch", "torchvision", "open_clip_torch", "onnxruntime", "numpy", "pillow")


def describe(host: Host) -> dict[str, Any]:
    """The processor, the system, and all versions."""
    with open("/proc/cpuinfo") as file:
        processor = dict(line.split(":", 1) for line in file.read().split("\n\n")[0].splitlines() if ":" in line)
    processor = {key.strip(): value.strip() for key, value in processor.items()}
    flags = set(processor.get("flags", "").split())
    doctor = host.json("doctor", expected=(0, 1))
    return {
        "cpu": f"{processor['model name']} (family {processor['cpu family']}, model {processor['model']})",
        "cores": len(os.sched_getaffinity(0)),
        "threads": host.threads,
        "flags": [flag for flag in FLAGS if flag in flags],
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": f"{platform.system()} {platform.release()}",
        "load_before": os.getloadavg()[0],
        "versions": {
            "upl-host": doctor["version"],
            "TensorFlow": doctor["tensorflow"],
            "Python": platform.python_version(),
            **{name: metadata.version(name) for name in PACKAGES},
        },
    }


def in_words(machine: dict[str, Any]) -> str:
    """A sentence for the document."""
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {', '.join(machine['flags'])}; "
        f"{machine['memory_bytes'] / (1 << 30):.0f} GiB; {machine['system']}. "
        f"{machine['threads']} threads on every side. {versions}."
    )

"""Why clocks are held down: the bits of NVML's clock event reasons.  No NVML needed to read them."""

THROTTLE_MASK = "throttle_mask"
"""Key of the bit mask among the values of a ``gpu`` row."""

THROTTLE_REASONS = {
    "gpu_idle": 0x1,
    "applications_clocks": 0x2,
    "sw_power_cap": 0x4,
    "hw_slowdown": 0x8,
    "sync_boost": 0x10,
    "sw_thermal": 0x20,
    "hw_thermal": 0x40,
    "hw_power_brake": 0x80,
    "display_clock": 0x100,
}
"""Label value -> bit."""

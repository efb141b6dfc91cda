"""Devices by name, tried before work begins."""

import torch

from acquisition.errors import InvalidOption


def usable(device: torch.device | str) -> torch.device:
    """Returns a device that this machine can compute on.

    Raises:
        InvalidOption: There is no such device.
    """
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InvalidOption(f"Device {device!r} can not be used here: {reason} Use device='cpu'.") from error

"""Restore the UNet's configuration when an IP-Adapter is unloaded.

mindone changes only an attribute of the configuration. A saved UNet then still requires an IP-Adapter.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


def unregister(original: Callable) -> Callable:
    """Wrap `unload_ip_adapter`: also remove the IP-Adapter from the configuration that is saved."""

    @functools.wraps(original)
    def unload_ip_adapter(self: Any) -> None:
        original(self)
        unet = self.unet
        kind = unet.config.encoder_hid_dim_type
        unet.register_to_config(encoder_hid_dim_type=kind)
        unet.encoder_hid_dim_type = kind

    return unload_ip_adapter

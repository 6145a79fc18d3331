"""A UNet whose IP-Adapter is unloaded, with the configuration that it had before.

mindone takes the IP-Adapter out of the configuration's attribute only, so what is saved still asks for one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


def unregister(original: Callable) -> Callable:
    @functools.wraps(original)
    def unload_ip_adapter(self: Any) -> None:
        original(self)
        unet = self.unet
        kind = unet.config.encoder_hid_dim_type
        unet.register_to_config(encoder_hid_dim_type=kind)
        unet.encoder_hid_dim_type = kind

    return unload_ip_adapter

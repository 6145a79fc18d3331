"""The schedulers of all methods, for tests of their common features."""

import pytest

from mindone_tcd.schedulers.methods import METHODS

KINDS = {method.scheduler_name: method.scheduler_class() for method in METHODS.values()}
EVERY = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)

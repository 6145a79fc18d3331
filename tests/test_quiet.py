"""What is silenced, and that nothing else is."""

import logging
from types import ModuleType

from mindone_tcd import quiet


def test_the_advice_to_install_torch_is_silenced_and_nothing_else(caplog):
    def run(module):
        logging.getLogger("transformers").warning("None of PyTorch, TensorFlow >= 2.0, or Flax have been found.")
        logging.getLogger("transformers").warning("something real")

    caplog.set_level(logging.WARNING)
    logging.getLogger("transformers").propagate, kept = True, logging.getLogger("transformers").propagate
    try:
        quiet.REPLACED["transformers"](run)(ModuleType("transformers"))
        assert [record.getMessage() for record in caplog.records] == ["something real"]
        logging.getLogger("transformers").warning("None of PyTorch, later")
        assert caplog.records[-1].getMessage() == "None of PyTorch, later"
    finally:
        logging.getLogger("transformers").propagate = kept

"""The package silences certain log messages, and no others."""

import logging
from types import ModuleType

from mindone_tcd.patches.startup.advice import without_advice


def test_the_advice_to_install_torch_is_silenced_and_nothing_else(monkeypatch):
    said = []
    logger = logging.getLogger("transformers")
    monkeypatch.setattr(logger, "handle", lambda record: logger.filter(record) and said.append(record.getMessage()))
    monkeypatch.setattr(logger, "disabled", False)
    monkeypatch.setattr(logger, "isEnabledFor", lambda level: True)

    def run(module):
        logger.warning("None of PyTorch, TensorFlow >= 2.0, or Flax have been found.")
        logger.warning("something real")

    without_advice(run)(ModuleType("transformers"))
    assert said == ["something real"]
    logger.warning("None of PyTorch, later")
    assert said[-1] == "None of PyTorch, later"

"""transformers' advice to install torch is the only message that is left out, while it is imported."""

import logging

import pytest

from mindone_tcd.patches.startup.advice import without_advice

ADVICE = "None of PyTorch, TensorFlow >= 2.0, or Flax have been found."


@pytest.fixture
def log(caplog):
    caplog.set_level(logging.WARNING, logger="transformers")
    logger = logging.getLogger("transformers")
    # transformers' own settings, where it is loaded already, keep its messages from the root.
    before, logger.propagate = logger.propagate, True
    yield logger
    logger.propagate = before


def test_the_advice_is_left_out_while_it_runs(log, caplog):
    def run(module):
        assert module == "module"
        log.warning(ADVICE)
        log.warning("another message")

    without_advice(run)("module")
    log.warning(ADVICE)
    assert caplog.messages == ["another message", ADVICE]


def test_the_filter_is_gone_after_an_error(log):
    before = list(log.filters)

    def run(module):
        raise ImportError("broken")

    with pytest.raises(ImportError, match="broken"):
        without_advice(run)("module")
    assert log.filters == before

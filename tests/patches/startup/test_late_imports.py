"""Libraries are imported when they are first used."""

import ast
import types

import pytest

from mindone_tcd.patches.startup.late_imports import file_of, move_imports

from .. import fresh

PROGRAM = """
from mindone.diffusers import EulerDiscreteScheduler, LMSDiscreteScheduler, UNet2DConditionModel
from mindone.transformers import CLIPTextModel
import scipy.stats, scipy.integrate
print([name for name in ("scipy.stats._stats_py", "scipy.integrate._ode", "scipy.optimize") if name in sys.modules])

from mindone_tcd import cpu
cpu.enable()
scheduler = EulerDiscreteScheduler(use_beta_sigmas=True)
scheduler.set_timesteps(4)
print(len(scheduler.timesteps))

from mindone.transformers.loss import loss_for_object_detection as module
import scipy.optimize
print(module.linear_sum_assignment is scipy.optimize.linear_sum_assignment)
try:
    module.unknown
except AttributeError as error:
    print(error)

print(scipy.stats.norm.cdf(0.0), "ttest_ind" in dir(scipy.stats), scipy.stats.__doc__[:20].strip() != "")
from scipy.stats import *
print(beta.ppf(0.5, 1, 1))
"""


@pytest.fixture(scope="module")
def printed():
    """The last six lines of output. scipy is first used after the first of them."""
    return fresh.run(PROGRAM)[-6:]


def test_scipy_is_imported_completely_at_its_first_use(printed):
    assert (printed[0], *printed[4:]) == ("[]", "0.5 True True", "0.5")


def test_a_scheduler_uses_scipy(printed):
    assert printed[1] == "4"


def test_a_moved_name_can_be_imported_from_its_module(printed):
    expected = "module 'mindone.transformers.loss.loss_for_object_detection' has no attribute 'unknown'"
    assert printed[2:4] == ["True", expected]


def moved(source: str) -> tuple[str, set[str]]:
    tree = ast.parse(source)
    names = move_imports(tree, ("json",))
    return ast.unparse(ast.fix_missing_locations(tree)), set(names)


def test_an_import_moves_into_the_functions_that_use_it():
    text, names = moved("from json import dumps\ndef f():\n    'doc'\n    return dumps(1)\ndef g():\n    return 2")
    assert names == {"dumps"}
    assert text.count("from json import dumps") == 1
    values: dict = {}
    exec(text, values)
    assert (values["f"](), values["g"](), values["f"].__doc__, "dumps" in values) == ("1", 2, "doc", False)


def test_a_moved_import_keeps_its_condition():
    text, _ = moved("if ready():\n    import json\nclass A:\n    def f(self):\n        return json")
    assert "if ready():\n            import json" in text


def test_an_import_that_is_needed_at_once_does_not_move():
    source = "from json import dumps\nvalue = dumps(1)\n\ndef f():\n    return dumps(2)"
    assert moved(source) == (source, set())


def test_other_imports_do_not_move():
    source = "import os\nfrom json.decoder import JSONDecoder\n\ndef f():\n    return (os, JSONDecoder)"
    assert moved(source) == (source, set())


def test_a_module_without_a_file():
    with pytest.raises(ImportError, match="nothing has no file to run"):
        file_of(types.ModuleType("nothing"))

"""The table of names of transformers is the same, and its files are read once."""

import json

import pytest

from .. import fresh

pytestmark = pytest.mark.slow

TABLE = """
import json, builtins
opened, opening = [], builtins.open
def counting(file, *args, **kwargs):
    opened.append(str(file))
    return opening(file, *args, **kwargs)
builtins.open = counting
import transformers.models
builtins.open = opening
twice = sum(opened.count(file) > 1 for file in set(opened) if "modeling_" in file)
names = sorted((name, str(home)) for name, home in transformers._class_to_module.items())
print(json.dumps([twice, names, sorted(transformers.models._class_to_module)]))
"""


def test_the_table_is_the_same_and_is_read_once():
    twice, *table = json.loads(fresh.run(TABLE)[-1])
    _, *expected = json.loads(fresh.run(TABLE, patched=False)[-1])
    assert table == expected
    assert len(table[0]) > 3000
    assert twice == 0


def test_a_fast_image_processor_can_be_imported_first():
    code = "from mindone.transformers import Kosmos2_5ImageProcessorFast as found\nprint(found.__name__)"
    assert fresh.run(code)[-1] == "Kosmos2_5ImageProcessorFast"

"""The engine on small modules: any order of imports and groups, and complete removal."""

import importlib
import sys
import textwrap
from types import SimpleNamespace

import pytest

from mindone_tcd.patching import MISSING, Engine, Patch, PatchError, PatchWarning, Use
from mindone_tcd.patching.patch import maker

SOURCE = """
class Parent:
    def inherited(self):
        return "parent"

    @classmethod
    def made(cls, value):
        return cls.__name__, value


class Child(Parent):
    level = 1

    def own(self):
        return "own"

    @classmethod
    def built(cls):
        return cls.__name__

    @property
    def size(self):
        return 1


class Grandchild(Child):
    pass


def function():
    return "function"


def other():
    return "other"
"""


def adding(text):
    """A maker of functions that append text to the original's result."""
    return lambda original: lambda *args: original(*args) + text


def row(name, target, make, group="one", **options):
    return Patch(name, group, "for a test", {target: make}, **options)


@pytest.fixture
def world(tmp_path, monkeypatch):
    """A folder with a package to patch, and engines that are removed after the test."""
    package = tmp_path / "patched_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "things.py").write_text(textwrap.dedent(SOURCE))
    (package / "copies.py").write_text("from .things import Child, function, function as renamed\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("mindone_tcd.patching.engine.exchange_copies", exchange_here)
    engines = []

    def engine(*patches, **options):
        engines.append(Engine(patches, **options))
        return engines[-1]

    def load(name="things"):
        return importlib.import_module(f"patched_package.{name}")

    yield SimpleNamespace(engine=engine, load=load)
    for made in engines:
        made.remove()
    for name in [name for name in sys.modules if name.partition(".")[0] == "patched_package"]:
        del sys.modules[name]


def exchange_here(changes):
    from mindone_tcd.patching.copies import exchange_copies

    exchange_copies(changes, ("patched_package",))


def raw(owner, attribute):
    return vars(owner).get(attribute, MISSING)


@pytest.mark.parametrize("first", [True, False], ids=["loaded first", "installed first"])
def test_rows_apply_in_the_order_of_the_table(world, first):
    target = "patched_package.things:function"
    engine = world.engine(row("b", target, adding(" b"), "late"), row("a", target, adding(" a"), "early"))
    if first:
        world.load()
    engine.install(["early"])
    assert "patched_package.things" not in sys.modules or first
    engine.install(["late"])
    assert world.load().function() == "function b a"


def test_one_group_of_two_is_removed(world):
    target = "patched_package.things:Child.own"
    engine = world.engine(row("a", target, adding(" a"), "one"), row("b", target, adding(" b"), "two"))
    child = world.load().Child
    original = raw(child, "own")
    engine.install(["one", "two"])
    both = raw(child, "own")
    engine.remove(["one"])
    assert child().own() == "own b"
    engine.install(["one"])
    assert raw(child, "own") is both
    assert engine.groups() == ("one", "two")
    engine.remove()
    assert raw(child, "own") is original
    assert engine not in sys.meta_path
    assert not engine.sites()


@pytest.mark.parametrize("attribute", ["own", "built", "size", "level"])
def test_removal_restores_the_identical_objects(world, attribute):
    things = world.load()
    original = raw(things.Child, attribute)
    engine = world.engine(row("a", f"patched_package.things:Child.{attribute}", lambda value: 2))
    engine.install(["one"])
    assert raw(things.Child, attribute) == 2
    engine.remove()
    assert raw(things.Child, attribute) is original


def test_a_class_method_is_wrapped_as_one(world):
    def make(original):
        return classmethod(lambda cls: original.__func__(cls) + "!")

    engine = world.engine(row("a", "patched_package.things:Child.built", make))
    engine.install(["one"])
    things = world.load()
    assert things.Grandchild.built() == "Grandchild!"


def test_a_patch_of_an_inherited_method_affects_only_the_child(world):
    things = world.load()
    engine = world.engine(row("a", "patched_package.things:Child.inherited", adding(" patched")))
    engine.install(["one"])
    assert things.Child().inherited() == "parent patched"
    assert things.Parent().inherited() == "parent"
    engine.remove()
    assert "inherited" not in vars(things.Child)


@pytest.mark.parametrize("order", [["one", "two"], ["two", "one"]])
def test_an_inherited_method_follows_its_parent(world, order):
    """The child's patch wraps the parent's current method, whichever is patched first."""
    engine = world.engine(
        row("child", "patched_package.things:Child.inherited", adding(" child"), "one"),
        row("parent", "patched_package.things:Parent.inherited", adding(" parent"), "two"),
    )
    things = world.load()
    for group in order:
        engine.install([group])
    assert things.Grandchild().inherited() == "parent parent child"
    engine.remove(["two"])
    assert things.Grandchild().inherited() == "parent child"


def test_an_inherited_class_method_keeps_its_class(world):
    def make(original):
        return classmethod(lambda cls, value: (*original.__func__(cls, value), "patched"))

    engine = world.engine(row("a", "patched_package.things:Child.made", make))
    engine.install(["one"])
    assert world.load().Grandchild.made(3) == ("Grandchild", 3, "patched")


def test_copies_are_replaced_and_restored(world):
    copies, things = world.load("copies"), world.load()
    original = things.function
    engine = world.engine(
        row("a", "patched_package.things:function", adding(" patched")),
        row("class", "patched_package.copies:Child", Use("errors:UsageError")),
    )
    engine.install(["one"])
    assert (copies.function(), copies.renamed()) == ("function patched",) * 2
    assert copies.Child is not things.Child  # classes are not replaced
    engine.remove()
    assert copies.function is copies.renamed is things.function is original
    assert copies.Child is things.Child


def test_functions_that_share_a_replacement_are_restored_separately(world):
    things, copies = world.load(), world.load("copies")
    function, other = things.function, things.other
    shared = len
    engine = world.engine(
        row("b", "patched_package.things:other", lambda original: shared),
        row("a", "patched_package.things:function", lambda original: shared),
    )
    engine.install(["one"])
    assert copies.function is shared
    engine.remove()
    assert copies.function is things.function is function
    assert things.other is other


def test_a_condition_activates_and_deactivates_rows(world):
    engine = world.engine(
        row("a", "patched_package.things:function", adding(" a"), condition="cold"),
        row("b", "patched_package.things:function", adding(" b")),
    )
    things = world.load()
    engine.install(["one"])
    assert things.function() == "function b"
    engine.set_condition("cold", True)
    assert things.function() == "function a b"
    assert engine.holds("cold")
    assert [patch.name for patch in engine.active()] == ["a", "b"]
    engine.set_condition("cold", False)
    assert things.function() == "function b"


def test_a_condition_that_becomes_true_while_a_module_runs(world):
    """The module is incomplete while it runs. The rows of the condition apply to it afterward."""

    def make(run):
        def run_and_hold(module):
            engine.set_condition("cold", True)
            run(module)

        return run_and_hold

    engine = world.engine(
        row("run", "patched_package.things", make),
        row("a", "patched_package.things:Child.own", adding(" a"), condition="cold"),
    )
    engine.install(["one"])
    assert world.load().Child().own() == "own a"


def test_module_makers_compose_in_the_order_of_the_table(world):
    def noting(text):
        def make(run):
            def run_and_note(module):
                run(module)
                module.notes = [*vars(module).get("notes", []), text]

            return run_and_note

        return make

    target = "patched_package.things"
    engine = world.engine(row("a", target, noting("a")), row("b", target, noting("b")))
    engine.install(["one"])
    things = world.load()
    assert things.notes == ["a", "b"]
    assert "exec_module" not in vars(things.__spec__.loader)


@pytest.mark.parametrize("installed", ["1.2", "1.2+local"])
def test_rows_for_the_installed_version_act(world, installed):
    patch = row("a", "patched_package.things:function", adding(" a"), versions={"some": ("1.1", "1.2")})
    engine = world.engine(patch, version={"some": installed}.get)
    engine.install(["one"])
    assert engine.is_active("a")
    assert world.load().function() == "function a"


@pytest.mark.parametrize("installed", ["1.2.1", "1.20", "1.2.post1", None])
def test_rows_for_other_versions_are_skipped(world, installed):
    patch = row("a", "patched_package.things:function", adding(" a"), versions={"some": ("1.1", "1.2")})
    engine = world.engine(patch, version={"some": installed}.get)
    engine.install(["one"])
    assert engine.active() == ()
    assert world.load().function() == "function"


def test_later_targets_follow_the_order_of_the_table(world):
    later = Patch("later", "two", "for a test", later=adding(" later"))
    engine = world.engine(later, row("a", "patched_package.things:Child.own", adding(" a")))
    child = world.load().Child
    original = raw(child, "own")
    engine.install(["one"])
    engine.extend(child, "own", "later")
    assert child().own() == "own a"  # its group is not installed
    engine.install(["two"])
    engine.extend(child, "own", "later")
    engine.extend(child, "own", "later")
    assert child().own() == "own later a"
    engine.remove()
    assert raw(child, "own") is original


def test_a_row_without_later_acts_on_no_more_targets(world):
    engine = world.engine(row("a", "patched_package.things:Child.own", adding(" a")))
    child = world.load().Child
    engine.install(["one"])
    with pytest.raises(PatchError, match="the patch 'a' has no `later`"):
        engine.extend(child, "built", "a")
    assert child.built() == "Child"


def test_installing_again_wraps_the_current_originals(world):
    engine = world.engine(row("a", "patched_package.things:function", adding(" a")))
    things = world.load()
    engine.install(["one"])
    engine.remove()
    things.function = lambda: "changed"
    engine.install(["one"])
    engine.install(["one"])
    assert things.function() == "changed a"
    assert sys.meta_path.count(engine) == 1


def failing(original):
    raise PatchError("nothing matches")


@pytest.mark.filterwarnings("default::mindone_tcd.patching.PatchWarning")
@pytest.mark.parametrize("attribute", ["function", "unknown", "Child.unknown", "Unknown.own"])
def test_a_row_that_cannot_apply_is_skipped_with_a_warning(world, attribute):
    engine = world.engine(
        row("a", f"patched_package.things:{attribute}", failing), row("b", "patched_package.things:other", adding(" b"))
    )
    engine.install(["one"])
    with pytest.warns(
        PatchWarning, match=rf"the patch 'a' does not fit patched_package\.things:{attribute} and is skipped: "
    ):
        things = world.load()
    assert (things.function(), things.other()) == ("function", "other b")


def test_an_error_in_a_module_leaves_it_importable_later(world, tmp_path):
    broken = tmp_path / "patched_package" / "broken.py"
    broken.write_text("1 / 0\n")
    engine = world.engine(row("a", "patched_package.broken:function", adding(" a")))
    engine.install(["one"])
    with pytest.raises(ZeroDivisionError):
        world.load("broken")
    broken.write_text("def function():\n    return 'function, whole'\n")
    importlib.invalidate_caches()
    assert world.load("broken").function() == "function, whole a"


def test_names_are_unique():
    with pytest.raises(ValueError, match="same name"):
        Engine([row("a", "m:x", len), row("a", "m:y", len)])


def test_makers_are_names_or_functions():
    from mindone_tcd.errors import UsageError, first_line

    assert maker("errors:first_line") is first_line
    assert maker(Use("errors:UsageError"))("anything") is UsageError
    assert maker(len) is len

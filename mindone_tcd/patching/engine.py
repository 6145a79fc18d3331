"""The engine applies patches from a table to loaded modules and to later imports, and can undo them.

For each replaced attribute, the engine stores the original and the rows (patches) that target the attribute. The
current value is always the original passed through the makers of the active rows, in the order of the table. The
result therefore does not depend on the order in which modules are imported and groups are installed.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from types import ModuleType
from typing import Any

from ..errors import warn_user
from .copies import exchange_copies
from .patch import Patch, PatchError, PatchWarning, Spec, Use, maker

MISSING = object()
"""As an original: the owner itself has no such attribute. As a maker's result: the attribute is removed."""


class Site:
    """An attribute that rows of the table target.

    Attributes:
        owner: the module or class that has the attribute.
        attribute: the attribute's name.
        original: the raw entry in the owner's ``__dict__`` before patching, or MISSING.
        makers: for the index of each row in the table, the function from the previous value to the row's value.
    """

    def __init__(self, owner: Any, attribute: str) -> None:
        self.owner, self.attribute = owner, attribute
        self.original = self.current()
        self.makers: dict[int, Callable[[Any], Any]] = {}
        self._made: dict[tuple[int, int], tuple[Any, Any]] = {}
        self._parents: Any = None

    def current(self) -> Any:
        """Return the current raw entry in the owner's ``__dict__``, or MISSING."""
        return vars(self.owner).get(self.attribute, MISSING)

    def absent(self) -> bool:
        """Return whether the attribute does not exist.

        A module whose class is not ModuleType may compute its attributes, so its attributes count as existing.
        """
        return self._start() is MISSING and (isinstance(self.owner, type) or type(self.owner) is ModuleType)

    def value(self, active: Callable[[int], bool], report: Callable[[int, Site, PatchError], None]) -> Any:
        """Return the value that the attribute must have.

        Args:
            active: tells whether the row of an index is active.
            report: called if a maker raises PatchError; the row is then skipped.
        """
        first = self._start()
        value = first
        for row in sorted(self.makers):
            if active(row):
                value = self._after(row, value, report)
        return self.original if value is first else value

    def assign(self, value: Any) -> None:
        """Set the attribute, or remove it if the value is MISSING."""
        if value is not MISSING:
            setattr(self.owner, self.attribute, value)
        elif self.current() is not MISSING:
            delattr(self.owner, self.attribute)

    def _start(self) -> Any:
        if self.original is not MISSING or not isinstance(self.owner, type):
            return self.original
        if self._parents is None:
            self._parents = _inherited(self.owner, self.attribute)
        return self._parents

    def _after(self, row: int, before: Any, report: Callable[[int, Site, PatchError], None]) -> Any:
        """Return a row's value for the previous value. The cache ensures that a row always returns the same object."""
        key = row, id(before)
        if key not in self._made:
            try:
                after = self.makers[row](before)
            except PatchError as error:
                report(row, self, error)
                after = before
            self._made[key] = before, after  # keeps a reference to before, so that no other object gets its id
        return self._made[key][1]


def _inherited(owner: type, attribute: str) -> Any:
    """Return a raw entry that looks up the attribute in the parents when it is called, so that their patches apply."""
    for parent in owner.__mro__[1:]:
        if attribute in vars(parent):
            break
    else:
        return MISSING
    raw = vars(parent)[attribute]
    function = raw.__func__ if isinstance(raw, classmethod) else raw
    if isinstance(raw, staticmethod) or not callable(function):
        return raw
    # functools.wraps ignores that a slot, such as object.__init__, has no __module__.

    @functools.wraps(function)
    def of_parent(self_or_cls: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(super(owner, self_or_cls), attribute)(*args, **kwargs)

    return classmethod(of_parent) if isinstance(raw, classmethod) else of_parent


def owner_of(root: Any, path: str) -> tuple[Any, str]:
    """Return the owner of the last attribute in a dotted path, and that attribute's name.

    Raises:
        AttributeError: if an owner on the path does not exist.
    """
    *parents, attribute = path.split(".")
    for parent in parents:
        root = getattr(root, parent)
    return root, attribute


class Engine:
    """Applies the rows of a table, as a finder on ``sys.meta_path``.

    Args:
        patches: the table. If rows share a target, the later row gets the result of the earlier one.
        version: returns the installed version of a package, or None.

    Raises:
        ValueError: if two patches have the same name.
    """

    def __init__(self, patches: Sequence[Patch], version: Callable[[str], str | None] = lambda package: None) -> None:
        self.patches = tuple(patches)
        self._version = functools.cache(version)
        self._rows = {patch.name: row for row, patch in enumerate(self.patches)}
        if len(self._rows) != len(self.patches):
            raise ValueError("two patches have the same name")
        self._targets: dict[str, list[tuple[int, str, Spec]]] = {}
        for row, patch in enumerate(self.patches):
            for target, spec in patch.targets.items():
                module, _, path = target.partition(":")
                self._targets.setdefault(module, []).append((row, path, spec))
        self._groups: set[str] = set()
        self._held: set[str] = set()
        self._fits: dict[int, bool] = {}
        self._sites: dict[tuple[int, str], Site] = {}
        self._running: set[str] = set()
        self._lock = threading.RLock()

    # Installing and removing.

    def install(self, groups: Iterable[str]) -> None:
        """Install groups: in loaded modules immediately, in each other module after it has run."""
        self._groups.update(groups)
        if self._groups and self not in sys.meta_path:
            sys.meta_path.insert(0, self)
        self._apply(self._loaded())

    def remove(self, groups: Iterable[str] | None = None) -> None:
        """Remove groups, by default all. An attribute that no active row targets is the original object again."""
        self._groups.difference_update(self.groups() if groups is None else groups)
        if not self._groups and self in sys.meta_path:
            sys.meta_path.remove(self)
        with self._lock:
            self._refresh(list(self._sites.values()))

    def set_condition(self, condition: str, holds: bool) -> None:
        """Set whether a condition holds, and apply or undo the rows that depend on it.

        Args:
            condition: the condition's name, as in :attr:`Patch.condition`.
            holds: whether it holds.
        """
        if (condition in self._held) is holds:
            return
        (self._held.add if holds else self._held.discard)(condition)
        if holds:
            self._apply(self._loaded())
        else:
            with self._lock:
                self._refresh(list(self._sites.values()))

    # Queries.

    def groups(self) -> tuple[str, ...]:
        """Return the installed groups, in the order of the table."""
        return tuple(group for group in dict.fromkeys(patch.group for patch in self.patches) if group in self._groups)

    def holds(self, condition: str) -> bool:
        """Return whether a condition holds."""
        return condition in self._held

    def active(self) -> tuple[Patch, ...]:
        """Return the active rows: those of installed groups whose versions and condition match.

        An active row may still wait for the import of its modules.
        """
        return tuple(patch for row, patch in enumerate(self.patches) if self._active(row))

    def is_active(self, name: str) -> bool:
        """Return whether the row of this name is active."""
        return self._active(self._rows[name])

    def sites(self) -> tuple[Site, ...]:
        """Return the attributes that active rows target in loaded modules."""
        return tuple(self._sites.values())

    # Targets that are known only at run time.

    def extend(self, owner: Any, attribute: str, name: str) -> None:
        """Add a target to a row. Nothing happens if the row already has this target, or is not active.

        Args:
            owner: the class or module.
            attribute: the name of its attribute.
            name: the name of the row, which must define ``later``.

        Raises:
            PatchError: if the row has no ``later``.
        """
        row = self._rows[name]
        site = self._sites.get((id(owner), attribute))
        if (site is not None and row in site.makers) or not self._active(row):
            return
        later = self.patches[row].later
        if later is None:
            raise PatchError(f"the patch {name!r} has no `later`, so it cannot act on more attributes")
        make = maker(later)
        with self._lock:
            site = self._site(owner, attribute)
            site.makers[row] = make
            self._refresh([site])

    # The finder.

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Find a module with the finders after this one, and apply its rows after it has run."""
        if name not in self._targets:
            return None
        for finder in sys.meta_path[sys.meta_path.index(self) + 1 :]:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                break
        else:
            return None
        loader = spec.loader
        run = getattr(loader, "exec_module", None)
        if run is None:
            return spec

        def run_and_apply(module: Any) -> None:
            vars(loader).pop("exec_module", None)
            self._running.add(name)
            try:
                self._run(name, run)(module)
            finally:
                self._running.discard(name)
            self._apply([name])

        vars(loader)["exec_module"] = run_and_apply
        return spec

    def invalidate_caches(self) -> None:
        """Do nothing: the interface of finders requires this method, but this finder has no cache."""

    def _run(self, name: str, run: Callable[[Any], None]) -> Callable[[Any], None]:
        for row, path, spec in self._targets[name]:
            if not path and self._active(row):
                run = maker(spec)(run)
        return run

    def _active(self, row: int) -> bool:
        patch = self.patches[row]
        if patch.group not in self._groups or (patch.condition and patch.condition not in self._held):
            return False
        if row not in self._fits:
            self._fits[row] = patch.fits(self._version)
        return self._fits[row]

    def _loaded(self) -> list[str]:
        """Return the modules with targets that have run. A module that is running gets its rows afterwards."""
        return [name for name in self._targets if name in sys.modules and name not in self._running]

    def _apply(self, modules: Iterable[str]) -> None:
        """Apply the active rows to their targets in loaded modules."""
        rows = [
            (row, name, path, maker(spec), isinstance(spec, Use))
            for name in modules
            for row, path, spec in self._targets[name]
            if path and self._active(row)
        ]
        if not rows:
            return
        with self._lock:
            sites = []
            for row, name, path, make, adds in rows:
                try:
                    owner, attribute = owner_of(sys.modules[name], path)
                except AttributeError as error:
                    self._report(row, f"{name}:{path}", error)
                    continue
                site = self._site(owner, attribute)
                if site.absent() and not adds:
                    self._report(row, f"{name}:{path}", AttributeError("there is no such attribute"))
                    continue
                site.makers.setdefault(row, make)
                sites.append(site)
            self._refresh(list(dict.fromkeys(sites)))

    def _site(self, owner: Any, attribute: str) -> Site:
        return self._sites.setdefault((id(owner), attribute), Site(owner, attribute))

    def _refresh(self, sites: Sequence[Site]) -> None:
        """Update the value of each attribute, and remove the sites that no active row targets."""
        changes = []
        for site in sites:
            old = site.current()
            new = site.value(self._active, lambda row, site, error: self._report(row, _shown(site), error))
            if new is not old:
                site.assign(new)
                if not isinstance(site.owner, type) and new is not MISSING and old is not MISSING:
                    changes.append((site.attribute, old, new))
            if not any(map(self._active, site.makers)):
                self._sites.pop((id(site.owner), site.attribute), None)
        exchange_copies(changes)

    def _report(self, row: int, target: str, error: Exception) -> None:
        warn_user(
            f"the patch {self.patches[row].name!r} does not fit {target} and is skipped: {error}",
            PatchWarning,
        )


def _shown(site: Site) -> str:
    owner = site.owner
    where = f"{owner.__module__}:{owner.__qualname__}." if isinstance(owner, type) else f"{owner.__name__}:"
    return f"{where}{site.attribute}"

"""The tiers: which marker a test gets from where it lies, in which order tiers run, and why one of them cannot run here."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from examples.lab import Lab, Shop
from examples.lab.namespaces import available
from tests.helpers import guest_tests

settings.register_profile("patient", deadline=None)  # how fast a machine is says nothing about what it runs
settings.load_profile("patient")

_HERE = Path(__file__).parent
_TIER_OF_FOLDER = {"netns": "net", "guest": "guest", "parity": "parity"}
_ORDER = ("", "net", "parity", "guest")


@pytest.fixture
def lab() -> Iterator[Lab]:
    """An empty laboratory; what its daemons said is shown when the test fails."""
    with Lab() as made:
        yield made
        print(made.logs())


@pytest.fixture
def shop() -> Iterator[Shop]:
    """The shop of `examples.lab.shop`, for one test; modules of many tests make a fixture of their own around `Shop`."""
    with Shop() as made:
        yield made
        print(made.logs())


def pytest_configure(config: pytest.Config) -> None:
    guest_tests.register(config)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark by folder, then run the quick tiers first; within a tier the order of collection stays."""
    for item in items:
        folder = item.path.relative_to(_HERE).parts[0] if item.path.is_relative_to(_HERE) else ""
        if tier := _TIER_OF_FOLDER.get(folder):
            item.add_marker(tier)
    items.sort(key=lambda item: _ORDER.index(_tier(item)))
    reasons = {"net": _no_namespaces(), "parity": _no_reference()}
    for item in items:
        for tier, reason in reasons.items():
            if reason and item.get_closest_marker(tier) and not item.get_closest_marker("guest"):
                item.add_marker(pytest.mark.skip(reason=reason))


def _tier(item: pytest.Item) -> str:
    return next((tier for tier in ("guest", "parity", "net") if item.get_closest_marker(tier)), "")


def _no_namespaces() -> str | None:
    if os.geteuid() != 0:
        return "network namespaces need root"
    return available()


def _no_reference() -> str | None:
    return None if shutil.which("keepalived") else "the reference keepalived is not installed"

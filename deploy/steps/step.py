"""What a step is, and what a step needs of the run that it belongs to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

Say = Callable[[str, bool], None]
"""Told (one short line, is it a warning) while a step goes."""


class Step(Protocol):
    """One change to one place, or to none.

    A step does not know which task ordered it, nor who listens.
    """

    @property
    def name(self) -> str:
        """The step's name, in the words of the design: stage, switch, settle."""
        ...

    @property
    def host(self) -> str:
        """The host that it concerns, or "" for none in particular."""
        ...

    @property
    def touches(self) -> bool:
        """May it change what serves, or the database? Until then a refusal changes nothing."""
        ...

    @property
    def reverts(self) -> bool:
        """Is everything put back when it fails?"""
        ...

    def do(self, say: Say) -> str:
        """Do it, and return one short line about how it went, or "".

        Raises:
            HeadwayError: it failed, or it is not known whether it was done.
        """
        ...

    def undo(self, say: Say) -> str:
        """Put back what it did, and return one short line that says so; "" when there was nothing.

        It must do no harm when the step was cut short, or never begun.

        Raises:
            HeadwayError: it could not be put back.
        """
        ...

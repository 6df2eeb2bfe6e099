"""A value that does not show itself."""

from __future__ import annotations

import hmac
from typing import Any, NoReturn

from pydantic_core import CoreSchema, core_schema

from deploy.redaction.redactor import MASK


class Secret:
    """A secret with its name: whatever prints, formats or dumps it gets a mask.

    Only `reveal` gives the value. It can be neither pickled nor written as JSON.
    """

    __slots__ = ("_value", "name")

    def __init__(self, name: str, value: str) -> None:
        self.name = name
        self._value = value

    def reveal(self) -> str:
        """Return the value; for standard input of a command, never for its arguments."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({self.name!r}, {MASK!r})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        # A value of an environment that is not UTF-8 has surrogates.
        mine, its = (one._value.encode("utf-8", "surrogatepass") for one in (self, other))
        return hmac.compare_digest(mine, its)

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(f"the secret {self.name} is not pickled")

    def __getstate__(self) -> NoReturn:
        """Refuse what copies an object's attributes by itself; `object` would hand them over."""
        raise TypeError(f"the secret {self.name} is not pickled")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> CoreSchema:
        return core_schema.is_instance_schema(
            cls, serialization=core_schema.to_string_ser_schema(when_used="always")
        )

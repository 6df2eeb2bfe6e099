"""A text with a mask in place of each secret in it. Pure but for what it has learnt."""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator

MASK = "********"
SHORTEST = 6
"""Characters of the shortest text that is looked for; a shorter one would take words apart."""

# Signs that a mask is made of, the first that fits.
_SIGNS = "*#=+~.-_:" + string.ascii_letters + "".join(map(chr, range(0x2500, 0x2600)))


class Redactor:
    """Knows secrets by their values, and masks whatever looks like one of them."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self.mask = MASK
        self._values: set[str] = set()
        self._forms: set[str] = set()
        # By how they begin, so that a text is gone through once, however many forms there are.
        self._by_head: dict[str, list[str]] = {}
        self._begun: set[str] = set()
        self.learn(values)

    def learn(self, values: Iterable[str]) -> None:
        """Know these as well; one of fewer than 6 characters is not looked for."""
        new = set(values) - self._values
        if not new:
            return
        # Not sooner: listing the tasks must not wait for it.
        from deploy.redaction.forms import forms

        self._values |= new
        for form in {form for value in new for form in forms(value)} - self._forms:
            self._forms.add(form)
            self._by_head.setdefault(form[:SHORTEST], []).append(form)
            self._begun |= {form[:count] for count in range(1, SHORTEST)}
        self.mask = _mask(self._forms)

    def redact(self, text: str) -> str:
        """Return the text with each secret in it masked; without one, the text itself.

        Where two of them overlap, one mask stands for both. No mask is ever a part of what looks
        like a secret.
        """
        parts, done = [], 0
        for start, end in self._spans(text):
            parts += [text[done:start], self.mask]
            done = end
        return "".join([*parts, text[done:]]) if done else text

    def settled(self, text: str) -> int:
        """Return how many characters of the text are what they are, whatever comes after it.

        The rest may be the beginning of a secret: redacting the first part now, and the rest with
        what follows it, is redacting the whole.
        """
        begun = (
            at
            for at, form in self._likely(text)
            if len(form) > len(text) - at and form.startswith(text[at:])
        )
        last = range(max(0, len(text) - SHORTEST + 1), len(text))
        held = next(begun, next((at for at in last if text[at:] in self._begun), len(text)))
        for start, end in self._spans(text):
            if start < held < end:
                return start
        return held

    def _spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Where secrets stand, in order; those that overlap are one."""
        whole: tuple[int, int] | None = None
        for start, end in sorted(self._found(text)):
            if whole is not None and start < whole[1]:
                whole = whole[0], max(end, whole[1])
                continue
            if whole is not None:
                yield whole
            whole = start, end
        if whole is not None:
            yield whole

    def _found(self, text: str) -> Iterator[tuple[int, int]]:
        for at, form in self._likely(text):
            if text.startswith(form, at):
                yield at, at + len(form)

    def _likely(self, text: str) -> Iterator[tuple[int, str]]:
        """Where the text has the first characters of a form, from the left, and the form."""
        for at in range(len(text) - SHORTEST + 1 if self._forms else 0):
            for form in self._by_head.get(text[at : at + SHORTEST], ()):
                yield at, form


def _mask(forms: Iterable[str]) -> str:
    """A mask that no secret can be a part of, or have a part of at its beginning or end."""
    forms = list(forms)
    ends = {one[0] for one in forms} | {one[-1] for one in forms}
    fitting = (
        sign * len(MASK)
        for sign in _SIGNS
        if sign not in ends and not any(sign * len(MASK) in one for one in forms)
    )
    return next(fitting, MASK)

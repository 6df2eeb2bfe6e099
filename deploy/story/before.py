"""What a run changes against what it found. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.story.story import Changes, EnvironmentChange, Image, ImageChange

if TYPE_CHECKING:
    from deploy.redaction.redactor import Redactor
    from deploy.release import Release
    from deploy.remote.script import Report


def images(before: Release | None, after: Release | None) -> tuple[ImageChange, ...]:
    """Each service's image, of all that either release has."""
    old, new = (one.images if one else {} for one in (before, after))
    return tuple(
        ImageChange(name, _image(before, name), _image(after, name)) for name in sorted(old | new)
    )


def _image(release: Release | None, service: str) -> Image | None:
    if release is None or service not in release.images:
        return None
    repository, _, digest = release.images[service].partition("@")
    return Image(repository, release.tag, digest)


def changes(
    before: Release | None, after: Release | None, said: Report, redactor: Redactor
) -> Changes:
    """Put together what `story_changes` of `story.sh` has said, and the images."""
    event = said.last("compose")
    names = {
        what: tuple(sorted(one["name"] for one in said.all("name") if one["change"] == what))
        for what in ("added", "removed", "changed")
    }
    return Changes(
        images(before, after),
        redactor.redact(event["diff"]) if event else "",
        EnvironmentChange(**names),
    )

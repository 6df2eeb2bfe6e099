"""Builds or finds an image of the shop for a workflow: `python -m tests.fleet.built VERB IMAGE`.

It prints the digest, and nothing else; with `find`, and no such image, "not found".
"""

from __future__ import annotations

import sys

from deploy.sandbox import images
from deploy.sandbox.home import Home
from deploy.sandbox.release import release

if __name__ == "__main__":
    _, verb, image = sys.argv
    tag = image.rpartition(":")[2]
    if verb == "build":
        print(release(tag, say=lambda _: None))
    else:
        digest = images.digest_in_registry("shop", tag, Home().secret("REGISTRY_PASSWORD"))
        if digest is None:
            sys.exit(f"{image}: not found")
        print(digest)

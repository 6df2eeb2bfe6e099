"""The CDNs that a hosts file names."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from deploy.cdn.bunny import Bunny
from deploy.cdn.cloudflare import Cloudflare
from deploy.cdn.cloudfront import CloudFront
from deploy.cdn.fastly import Fastly
from deploy.errors import Fault

if TYPE_CHECKING:
    from deploy.cdn.cdn import CDN
    from deploy.settings import Environment


def cdns(environment: Environment) -> list[CDN]:
    """Those of an environment, each with its secret; none without the section."""
    section = environment.cdn
    found: list[CDN] = []
    if section.cloudflare:
        found.append(Cloudflare(section.cloudflare, environment.secret(section.cloudflare.token)))
    if section.fastly:
        found.append(Fastly(section.fastly, environment.secret(section.fastly.token)))
    if section.bunny:
        found.append(Bunny(section.bunny, environment.secret(section.bunny.key)))
    if section.cloudfront:
        found.append(CloudFront(section.cloudfront))
    return found


def lacking(environment: Environment) -> list[Fault]:
    """What is not installed here, and has to be for them."""
    if environment.cdn.cloudfront is None or importlib.util.find_spec("boto3"):
        return []
    mend = "pip install 'headway[cloudfront]'"
    return [Fault("cdn.cloudfront", "", "boto3 is not installed on this machine", mend)]

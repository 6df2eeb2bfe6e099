"""CloudFront, by boto3: an invalidation of paths, named after the run, so that it is made once.

docs.aws.amazon.com, "CreateInvalidation": the same CallerReference with the same paths returns the
invalidation that there is. Who asks is found by boto3 itself: the AWS_ variables, a profile, or the
role of a workflow. So is another address (AWS_ENDPOINT_URL_CLOUDFRONT).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import requests

from deploy import web
from deploy.cdn.cdn import LIMIT, NotPurged, in_words

if TYPE_CHECKING:
    from deploy.settings.cdn import CloudFront as Section


@dataclass(frozen=True)
class CloudFront:
    """One distribution."""

    section: Section
    name: str = "cloudfront"

    @property
    def what(self) -> str:
        """What of it is purged."""
        return in_words(path=self.section.paths)

    def purge(self, run: str) -> None:
        """Ask for it.

        Raises:
            NotPurged: boto3 is not there, or says why it could not be done.
        """
        try:
            import boto3
            from botocore.config import Config
            from botocore.exceptions import BotoCoreError, ClientError
        except ImportError:
            raise NotPurged("boto3 is not installed: pip install 'headway[cloudfront]'") from None
        paths = self.section.paths

        def ask() -> None:
            config = Config(
                connect_timeout=5,
                read_timeout=8,
                retries={"mode": "standard", "total_max_attempts": 3},
            )
            # CloudFront has one region for the whole world.
            client = boto3.session.Session().client("cloudfront", "us-east-1", config=config)
            client.create_invalidation(
                DistributionId=self.section.distribution,
                InvalidationBatch={
                    "Paths": {"Quantity": len(paths), "Items": paths},
                    "CallerReference": run,
                },
            )

        try:
            web.within(LIMIT, ask)
        except requests.Timeout:
            raise NotPurged(f"gave no answer in {LIMIT:g} s") from None
        except (BotoCoreError, ClientError) as error:
            raise NotPurged(" ".join(str(error).split())[:300]) from None

"""Deletes a stack's own objects from the bucket that SAM uploaded them to.

SAM names objects by content: without a prefix for each stack, two stacks share them, and `sam delete` of one deletes
the code of the other. So only what is below the stack's own prefix is deleted; objects of deployments before the
prefix stay."""

import re

from botocore.exceptions import ClientError

import cloudformation as cfn
from errors import code_of

BATCH = 1000
# How SAM names an object: by its content.
NAME = re.compile(r"[0-9a-f]{32}(\.template)?")


def bucket_of(cloudformation, settings, sam_stack):
    """The bucket's name, or None where nothing was ever uploaded."""
    return settings["bucket"] or cfn.outputs(cfn.described(cloudformation, sam_stack)).get("SourceBucket")


def own_objects(s3, bucket, prefix):
    """Key and version of every object that SAM wrote below the prefix: its bucket keeps earlier versions."""
    found = []
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=f"{prefix}/"):
        for one in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            if NAME.fullmatch(one["Key"].removeprefix(f"{prefix}/")):
                found.append({"Key": one["Key"], "VersionId": one["VersionId"]})
    return found


def delete(s3, bucket, prefix):
    """Deletes the objects below the prefix and returns how many there were."""
    try:
        found = own_objects(s3, bucket, prefix)
    except ClientError as error:
        if code_of(error) == "NoSuchBucket":
            return 0
        raise
    for start in range(0, len(found), BATCH):
        s3.delete_objects(Bucket=bucket, Delete={"Objects": found[start : start + BATCH], "Quiet": True})
    return len(found)

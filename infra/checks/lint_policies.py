"""Lints IAM policies with parliament: JSON documents by name on stdin, as infra/checks/policies.py prints them.

Run by `infra/checks/run` in the environment of parliament. Findings that stay are listed below with their reasons; one
that no longer occurs is a finding too.
"""

import json
import sys

import parliament

# (policy, kind of finding, text that it contains): why it stays.
ACCEPTED = {
    ("deployer", "INVALID_ARN", "aws:transform/Serverless-2016-10-31"): "AWS owns the transform; its ARN has `aws` in place of an account.",
    ("deployer", "UNKNOWN_ACTION", "apigateway:TagResource"): "CloudFormation calls it for stages; AWS's list of actions, which parliament has, leaves it out.",
    ("deployer", "UNKNOWN_ACTION", "apigateway:UntagResource"): "as above",
    ("deployer", "UNKNOWN_ACTION", "cloudformation:DescribeEvents"): "Newer than parliament's list.",
    ("waf", "PERMISSIONS_MANAGEMENT_ACTIONS", "wafv2:createwebacl"): "A web ACL is what this policy is for.",
    ("deployer-iam-and-monitoring", "UNKNOWN_ACTION", "billing:GetBillingViewData"): "Newer than parliament's list.",
    ("deployer-iam-and-monitoring", "MISMATCHED_TYPE_BUT_USABLE", "StringEquals"): "AWS's documentation compares iam:PermissionsBoundary by StringEquals.",
}


def findings(name, document):
    """(kind, sentence) of each finding in the policy, those of parliament's community auditors included."""
    policy = parliament.analyze_policy_string(json.dumps(document), include_community_auditors=True)
    return [(finding.issue, f"{name}: {finding.issue}: {finding.detail} {finding.location}") for finding in policy.findings]


def main():
    policies, used, failed = json.load(sys.stdin), set(), False
    for name, document in policies.items():
        for issue, sentence in findings(name, document):
            reasons = {key for key in ACCEPTED if key[:2] == (name, issue) and key[2] in sentence}
            used |= reasons
            if not reasons:
                print(sentence)
                failed = True
    for unused in ACCEPTED.keys() - used:
        print(f"{unused} is accepted, but no longer found")
        failed = True
    if not failed:
        print(f"parliament: no findings in {len(policies)} policies except those that infra/checks/lint_policies.py explains")
    sys.exit(failed)


if __name__ == "__main__":
    main()

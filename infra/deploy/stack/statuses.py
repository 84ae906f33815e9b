"""What `make deploy` and `make destroy` do for each status of a stack, and the sentence for the person who runs them."""

# Statuses from which a stack can be updated.
UPDATABLE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE")
# The stack was never deployed: it has no data, and its protection protects nothing.
NEVER_DEPLOYED = ("REVIEW_IN_PROGRESS", "CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED")

WAIT = "wait until that has ended, then run {again}"

# What CloudFormation is doing.
BUSY = {
    "CREATE_IN_PROGRESS": "another deployment is creating it",
    "UPDATE_IN_PROGRESS": "another deployment is changing it",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": "a deployment has succeeded and CloudFormation is removing what it replaced",
    "ROLLBACK_IN_PROGRESS": "its creation failed and CloudFormation is removing what was created",
    "UPDATE_ROLLBACK_IN_PROGRESS": "its last update failed and CloudFormation is restoring what was there before",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": "its last update was rolled back and CloudFormation is removing the rest",
    "DELETE_IN_PROGRESS": "it is being deleted",
    "IMPORT_IN_PROGRESS": "resources are being imported into it",
    "IMPORT_ROLLBACK_IN_PROGRESS": "an import into it failed and is being rolled back",
}

# Status: what a deployment does first, and why. `create` and `update` need nothing before.
DEPLOY = {
    "REVIEW_IN_PROGRESS": ("create", "a change set was made for it and never executed; nothing is in it, so it is created now"),
    "ROLLBACK_COMPLETE": ("recreate", "its creation failed and nothing is left in it: it is deleted and created again"),
    "UPDATE_ROLLBACK_FAILED": ("continue", "its last update failed, and so did the rollback: the rollback is continued first"),
    "UPDATE_FAILED": ("rollback", "its last update failed and was left as it was: it is rolled back first"),
    "CREATE_FAILED": ("stop", "its creation failed and was left as it was; run {destroy}, then {again}"),
    "ROLLBACK_FAILED": (
        "stop", "its creation failed, and some of what was created could not be deleted; run {destroy}, which prints what that is "
        "and deletes it, then {again}"),
    "DELETE_FAILED": (
        "stop", "its deletion has begun and failed, so it can only be deleted; run {destroy}, which prints what is left, then {again}"),
    "IMPORT_ROLLBACK_FAILED": (
        "stop", "an import into it failed, and so did the rollback; complete the rollback in the CloudFormation console, then run {again}"),
}


def before_deploy(status):
    """(action, reason) for a stack of this status, None for no stack: create, update, recreate, continue, rollback or stop."""
    if status in (None, "DELETE_COMPLETE"):
        return "create", ""
    if status in UPDATABLE:
        return "update", ""
    if status in DEPLOY:
        return DEPLOY[status]
    if status.endswith("_IN_PROGRESS"):
        return "stop", f"{BUSY.get(status, 'CloudFormation is changing it')}; {WAIT}"
    return "stop", "this version does not list that status; see the stack in the CloudFormation console, then run {again}"


def before_destroy(status):
    """(action, reason) for a stack of this status, None for no stack: nothing, delete, wait or stop."""
    if status in (None, "DELETE_COMPLETE"):
        return "nothing", ""
    if status == "DELETE_IN_PROGRESS":
        return "wait", BUSY[status]
    if status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS":
        return "stop", f"{BUSY.get(status, 'CloudFormation is changing it')}; {WAIT}"
    reasons = {
        "REVIEW_IN_PROGRESS": "a change set was made for it and never executed; nothing is in it",
        "ROLLBACK_COMPLETE": "its creation failed and nothing is left in it",
        "CREATE_FAILED": "its creation failed and was left as it was",
        "ROLLBACK_FAILED": "its creation failed, and some of what was created could not be deleted",
        "DELETE_FAILED": "an earlier deletion failed; the rest is deleted now",
    }
    return "delete", reasons.get(status, "")


def sentence(stack_name, status, reason, commands):
    """`STACK is STATUS: reason`, with the commands to run filled in."""
    return f"{stack_name} is {status}: {reason.format(**commands)}"

//! The proof of a subscription or a publisher as attributes of its row.

use aws_sdk_dynamodb::operation::delete_item::builders::DeleteItemFluentBuilder;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use nsl_domain::grant::StoredProof;

use crate::items::{self, BadAttribute, Item};
use crate::keys;

/// `put` of a row with `proof`.
pub(crate) fn with_proof(put: PutItemFluentBuilder, proof: &StoredProof) -> PutItemFluentBuilder {
    let put = put.item(keys::PROOF, items::text(proof.to_text()));
    match proof.owner() {
        Some(owner) => put.item(keys::OWNER, items::text(owner.as_str())),
        None => put,
    }
}

/// `delete` on the condition that the row has `proof`.
pub(crate) fn if_proof_is(delete: DeleteItemFluentBuilder, proof: &StoredProof) -> DeleteItemFluentBuilder {
    let delete = delete
        .expression_attribute_names("#hold", keys::PROOF)
        .expression_attribute_names("#owner", keys::OWNER)
        .expression_attribute_values(":hold", items::text(proof.to_text()));
    match proof.owner() {
        Some(owner) => delete
            .condition_expression("#hold = :hold AND #owner = :owner")
            .expression_attribute_values(":owner", items::text(owner.as_str())),
        None => delete.condition_expression("#hold = :hold AND attribute_not_exists(#owner)"),
    }
}

/// The proof of a row.
pub(crate) fn read(row: &Item) -> Result<StoredProof, BadAttribute> {
    let owner = items::optional(items::read_id(row, keys::OWNER))?;
    let proof = StoredProof::from_text(items::read_text(row, keys::PROOF)?, owner);
    proof.ok_or(BadAttribute::Unreadable(keys::PROOF))
}

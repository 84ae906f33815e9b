//! The legacy part of a session row: when the connection was answered, and what its `auth` proved.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};
use nsl_domain::grant::Grant;
use nsl_domain::ids::ConnectionId;
use nsl_domain::legacy::session::{Claim, LegacySession, ReplyKind};
use nsl_domain::time::TimestampMs;

use crate::fault::Fault;
use crate::items::{self, BadAttribute, Item};
use crate::keys;
use crate::sessions::{Sessions, Updated, grant_update, read_grant, read_instant};

impl Sessions {
    /// The legacy part of the session of `connection`. One consistent read.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be read, or the row not decoded.
    pub async fn find_legacy(&self, connection: &ConnectionId) -> Result<Option<LegacySession>, Fault> {
        const ATTEMPT: &str = "read legacy session";
        let row = self.row(connection, ATTEMPT).await?;
        row.map(|row| read_legacy(&row).map_err(|bad| bad.into_fault(ATTEMPT))).transpose()
    }

    /// Claims the reply of `kind` on `connection` at `now`. Of concurrent claims, on any number of function
    /// instances, one is won. One conditional write, which returns the row in both cases.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written, or the row not decoded.
    pub async fn claim(
        &self,
        connection: &ConnectionId,
        kind: ReplyKind,
        now: TimestampMs,
    ) -> Result<Claim, Fault> {
        const ATTEMPT: &str = "claim reply";
        let read = |row: &Item| read_legacy(row).map_err(|bad| bad.into_fault(ATTEMPT));
        let claim = self
            .update(connection)
            .condition_expression(
                "attribute_exists(pk) AND (attribute_not_exists(#answeredAt) OR #answeredAt <= :before)",
            )
            .update_expression("SET #answeredAt = :now")
            .expression_attribute_names("#answeredAt", keys::answered_at(kind))
            .expression_attribute_values(":now", items::number(now.ms()))
            .expression_attribute_values(":before", items::number(now.plus_ms(-kind.every_ms()).ms()))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match claim.send().await {
            // `AllNew` always returns the row, so the default is never used.
            Ok(output) => Ok(Claim::Claimed(read(&output.attributes.unwrap_or_default())?)),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                    failed.item().map_or(Ok(Claim::Gone), |row| read(row).map(Claim::AlreadyClaimed))
                }
                _ => Err(Fault::of(ATTEMPT, error)),
            },
        }
    }

    /// Stores what the library's `auth` proved, unless exactly that is stored. `Done` for one of several concurrent
    /// calls; `Gone` for the others and if the connection is gone. One conditional write.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn store_legacy_grant(
        &self,
        connection: &ConnectionId,
        grant: &Grant,
        now: TimestampMs,
    ) -> Result<Updated, Fault> {
        let update = self
            .update(connection)
            .condition_expression(
                "attribute_exists(pk) AND (attribute_not_exists(#grant) OR #grant <> :grant)",
            )
            .expression_attribute_values(":now", items::number(now.ms()));
        let set = "SET #grant = :grant, welcomedAt = :now REMOVE wrongSince, wrongAt";
        grant_update(update, grant, set, "store legacy grant").await
    }
}

fn read_legacy(item: &Item) -> Result<LegacySession, BadAttribute> {
    let mut answered = BTreeMap::new();
    for kind in ReplyKind::ALL {
        answered.extend(read_instant(item, keys::answered_at(kind))?.map(|at| (kind, at)));
    }
    Ok(LegacySession {
        grant: read_grant(item)?,
        authenticated_at: read_instant(item, keys::AUTHENTICATED_AT)?,
        wrong_since: read_instant(item, keys::FIRST_REJECTED_AT)?,
        wrong_at: read_instant(item, keys::LAST_REJECTED_AT)?,
        answered,
    })
}

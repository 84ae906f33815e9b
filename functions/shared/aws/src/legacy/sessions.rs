//! The legacy part of a session row: when the connection was answered, what it proved, and what it was notified of.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};
use nsl_domain::grant::Grant;
use nsl_domain::ids::ConnectionId;
use nsl_domain::legacy::notice::Notice;
use nsl_domain::legacy::session::{Claim, LegacySession, ReplyKind};
use nsl_domain::time::TimestampMs;

use crate::fault::{Fault, if_condition_held};
use crate::items::{self, BadAttribute, Item};
use crate::keys;
use crate::sessions::{Sessions, Updated, grant_update, is_ended, read_grant, read_instant};

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
                [keys::IS_OPEN, " AND (attribute_not_exists(#answeredAt) OR #answeredAt <= :before)"]
                    .concat(),
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
                    let open = failed.item().filter(|row| !is_ended(row));
                    open.map_or(Ok(Claim::Gone), |row| read(row).map(Claim::AlreadyClaimed))
                }
                _ => Err(Fault::of(ATTEMPT, error)),
            },
        }
    }

    /// Claims `notice`, which a connection gets once; whether this call may send it. One conditional write.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn claim_notice(
        &self,
        connection: &ConnectionId,
        notice: Notice,
        now: TimestampMs,
    ) -> Result<bool, Fault> {
        let claim = self
            .update(connection)
            .condition_expression([keys::IS_OPEN, " AND attribute_not_exists(#notifiedAt)"].concat())
            .update_expression("SET #notifiedAt = :now")
            .expression_attribute_names("#notifiedAt", keys::notified_at(notice))
            .expression_attribute_values(":now", items::number(now.ms()));
        Ok(if_condition_held("claim notice", claim.send().await)?.is_some())
    }

    /// Stores what a frame of the library proved, unless exactly that is stored. `Done` for one of several concurrent
    /// calls, `Overtaken` for the others, `Gone` if the connection has ended. One conditional write.
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
                [keys::IS_OPEN, " AND (attribute_not_exists(#grant) OR #grant <> :grant)"].concat(),
            )
            .expression_attribute_values(":now", items::number(now.ms()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let set = "SET #grant = :grant, welcomedAt = :now REMOVE wrongSince, wrongAt, checkedAt";
        grant_update(update, grant, set, "store legacy grant").await
    }

    /// Stores what a frame of the library other than its `auth` proved, unless the row has another grant than `earlier` by
    /// now, which is `Overtaken`; `Gone` if the connection has ended. One conditional write.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn store_frame_grant(
        &self,
        connection: &ConnectionId,
        grant: &Grant,
        earlier: Option<&Grant>,
        now: TimestampMs,
    ) -> Result<Updated, Fault> {
        let is_unchanged =
            if earlier.is_some() { " AND #grant = :earlier" } else { " AND attribute_not_exists(#grant)" };
        let update = self
            .update(connection)
            .condition_expression([keys::IS_OPEN, is_unchanged].concat())
            .set_expression_attribute_values(
                earlier.map(|earlier| [(":earlier".to_owned(), items::text(earlier.to_text()))].into()),
            )
            .expression_attribute_values(":now", items::number(now.ms()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let set = "SET #grant = :grant, checkedAt = :now REMOVE wrongSince, wrongAt";
        grant_update(update, grant, set, "store grant of a frame").await
    }

    /// Notes that the ids of a frame were checked at `now` and not accepted, and whether they are wrong; nothing if the
    /// connection has ended. One conditional write.
    ///
    /// # Errors
    /// A [`Fault`] when the table cannot be written.
    pub async fn note_check(
        &self,
        connection: &ConnectionId,
        is_wrong: bool,
        now: TimestampMs,
    ) -> Result<(), Fault> {
        let since = if is_wrong { ", wrongSince = if_not_exists(wrongSince, :now)" } else { "" };
        let update = self
            .update(connection)
            .update_expression(["SET checkedAt = :now", since].concat())
            .expression_attribute_values(":now", items::number(now.ms()));
        if_condition_held("note check", update.send().await).map(drop)
    }
}

fn read_legacy(item: &Item) -> Result<LegacySession, BadAttribute> {
    let mut answered = BTreeMap::new();
    for kind in ReplyKind::ALL {
        answered.extend(read_instant(item, keys::answered_at(kind))?.map(|at| (kind, at)));
    }
    let is_notified = |notice: &Notice| item.contains_key(keys::notified_at(*notice));
    Ok(LegacySession {
        grant: read_grant(item)?,
        authenticated_at: read_instant(item, keys::AUTHENTICATED_AT)?,
        wrong_since: read_instant(item, keys::FIRST_REJECTED_AT)?,
        wrong_at: read_instant(item, keys::LAST_REJECTED_AT)?,
        checked_at: read_instant(item, keys::CHECKED_AT)?,
        answered,
        notified: Notice::ALL.into_iter().filter(is_notified).collect(),
        is_ended: is_ended(item),
    })
}

//! Limits the rejected frames that a connection may send before it proves a credential.

use crate::bounded::BoundedMap;
use crate::ids::ConnectionId;

/// Rejected frames after which an unauthenticated connection is closed. A client that sends a few reports before its
/// `auth_success` arrives gets errors, and one that never authenticates soon costs nothing.
pub const MAX_UNAUTHENTICATED_FRAMES: u32 = 10;

/// Counts the rejected frames of each connection without a grant, as far as one function instance receives them.
#[derive(Debug, Default)]
pub struct UnauthenticatedLimiter {
    rejected: BoundedMap<ConnectionId, u32>,
}

impl UnauthenticatedLimiter {
    /// Counts a rejected frame; true where it reaches [`MAX_UNAUTHENTICATED_FRAMES`], which restarts the count. The
    /// caller then closes the connection, unless its session row has a grant.
    pub fn count_rejected(&mut self, connection: &ConnectionId) -> bool {
        let rejected = self.rejected.get_or_insert_mut(connection.clone(), || 0);
        *rejected += 1;
        let is_over = *rejected >= MAX_UNAUTHENTICATED_FRAMES;
        if is_over {
            self.rejected.pop(connection);
        }
        is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_connection_is_limited_by_its_own_frames_alone(
            frames in prop::collection::vec(0..4_usize, 0..200),
        ) {
            let mut limiter = UnauthenticatedLimiter::default();
            let mut sent = [0; 4];
            for sender in frames {
                sent[sender] += 1;
                let is_last = sent[sender] % MAX_UNAUTHENTICATED_FRAMES == 0;
                prop_assert_eq!(limiter.count_rejected(&ConnectionId::new(format!("{sender}="))), is_last);
            }
        }
    }
}

//! How long a connection that has proved nothing is listened to.
//!
//! Owns the count of its refused frames, as far as one function instance hears them. Refuses to know who is a
//! stranger: whoever hears [`Patience::Spent`] looks the connection up before closing it. Ruled by docs/PROTOCOL.md.

use std::collections::HashMap;

use crate::ids::ConnectionId;
use crate::memory;

/// Refused frames that a connection may send before it proves anything. A client that sends a few reports before its
/// `auth_success` came is told so, and one that never authenticates soon costs nothing.
pub const MAX_STRANGER_FRAMES: u32 = 10;

/// Whether a stranger is listened to further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// It is.
    Left,
    /// It is closed, unless it has proved something.
    Spent,
}

/// Refused frames of each connection that has shown no grant.
#[derive(Debug, Default)]
pub struct Strangers {
    refused: HashMap<ConnectionId, u32>,
}

impl Strangers {
    /// Counts a refused frame of `connection`. Once its patience is spent the count begins anew.
    pub fn count(&mut self, connection: &ConnectionId) -> Patience {
        let refused = memory::entry(&mut self.refused, connection.clone(), Default::default);
        *refused += 1;
        if *refused < MAX_STRANGER_FRAMES {
            return Patience::Left;
        }
        self.refused.remove(connection);
        Patience::Spent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MAX_REMEMBERED;
    use proptest::prelude::*;

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut strangers = Strangers::default();
        for index in 0..2 * MAX_REMEMBERED {
            strangers.count(&ConnectionId::new(format!("{index}=")));
            assert!(strangers.refused.len() <= MAX_REMEMBERED);
        }
    }

    proptest! {
        #[test]
        fn each_connection_is_spent_by_its_own_frames_alone(
            frames in prop::collection::vec(0..4_usize, 0..200),
        ) {
            let mut strangers = Strangers::default();
            let mut heard = [0; 4];
            for speaker in frames {
                heard[speaker] += 1;
                let is_last = heard[speaker] % MAX_STRANGER_FRAMES == 0;
                let expected = if is_last { Patience::Spent } else { Patience::Left };
                prop_assert_eq!(strangers.count(&ConnectionId::new(format!("{speaker}="))), expected);
            }
        }
    }
}

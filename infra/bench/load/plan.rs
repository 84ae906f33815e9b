//! Assigns publishers and subscribers to apps in turn, so that equal counts make pairs.

/// The app of each connection, as an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Of each publisher.
    pub(crate) publishers: Vec<usize>,
    /// Of each subscriber.
    pub(crate) subscribers: Vec<usize>,
    /// Number of subscribers by app.
    pub(crate) audiences: Vec<u32>,
}

impl Plan {
    /// Spreads the connections over `apps` apps.
    pub(crate) fn spread(publishers: u32, subscribers: u32, apps: usize) -> Self {
        let turns = |count: u32| (0..count as usize).map(|index| index % apps.max(1)).collect::<Vec<_>>();
        let subscribers = turns(subscribers);
        let mut audiences = vec![0_u32; apps.max(1)];
        for app in &subscribers {
            if let Some(audience) = audiences.get_mut(*app) {
                *audience += 1;
            }
        }
        Self { publishers: turns(publishers), subscribers, audiences }
    }

    /// Number of subscribers of `publisher`'s app; none if that publisher does not exist.
    pub(crate) fn audience(&self, publisher: usize) -> u32 {
        self.publishers
            .get(publisher)
            .and_then(|app| self.audiences.get(*app))
            .map_or(0, |audience| *audience)
    }
}

/// The part number `index` when `total` is divided into `count` parts.
pub(crate) fn share(total: u64, index: usize, count: usize) -> u64 {
    let (index, count) = (index as u64, (count as u64).max(1));
    total / count + u64::from(index < total % count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_assigned_in_turn() {
        for (publishers, subscribers, apps, audiences) in
            [(10, 10, 10, vec![1; 10]), (2, 1_000, 1, vec![1_000]), (3, 1, 3, vec![1, 0, 0])]
        {
            let plan = Plan::spread(publishers, subscribers, apps);
            assert_eq!(plan.audiences, audiences);
            assert!((0..publishers as usize).all(|index| plan.publishers[index] == index % apps));
            assert_eq!(plan.audience(0), audiences[0]);
            assert_eq!(plan.audience(publishers as usize), 0, "this publisher does not exist");
        }
    }

    #[test]
    fn parts_add_up_to_the_total() {
        for (total, count) in [(10, 3), (2, 5), (0, 4), (7, 1)] {
            assert_eq!((0..count).map(|index| share(total, index, count)).sum::<u64>(), total);
        }
    }
}

//! The queue of an actor: three bounded lanes with an order of service.

use crate::lane::{Class, Overflow};
use crate::spec::Policy;
use std::collections::VecDeque;

/// After so many messages have overtaken a waiting lane, one of that lane is served.
const PATIENCE: u8 = 32;
/// Slots that an empty lane keeps; a storm's memory beyond them goes back.
const KEPT_SLOTS: usize = 64;

/// A lane at its bound.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// The lanes. Urgent ones go first, but none starves: see [`PATIENCE`].
pub(crate) struct Lanes<T> {
    queues: [Queue<T>; 3],
}

struct Queue<T> {
    items: VecDeque<T>,
    capacity: u32,
    class: Class,
    drops_oldest: bool,
    /// Messages of other lanes served since this one, waiting, was served last.
    overtaken: u8,
}

impl<T> Lanes<T> {
    pub(crate) fn new(policy: &Policy) -> Self {
        Self {
            queues: Class::ALL.map(|class| {
                let lane = policy.lane(class);
                Queue {
                    items: VecDeque::new(),
                    capacity: u32::try_from(lane.capacity).unwrap_or(u32::MAX).max(1),
                    class,
                    drops_oldest: lane.overflow == Overflow::DropOldest,
                    overtaken: 0,
                }
            }),
        }
    }

    /// Makes room for one message of `class`, if need be by giving out the oldest.
    pub(crate) fn make_room(&mut self, class: Class) -> Result<Option<T>, Full> {
        let queue = self.queue(class);
        if queue.items.len() < queue.capacity() {
            Ok(None)
        } else if queue.drops_oldest {
            Ok(queue.items.pop_front())
        } else {
            Err(Full)
        }
    }

    /// Queues a message for which [`Self::make_room`] made room.
    pub(crate) fn push(&mut self, class: Class, item: T) {
        let queue = self.queue(class);
        if queue.items.capacity() == 0 {
            queue.items.reserve_exact(1); // all that most actors ever need
        }
        queue.items.push_back(item);
    }

    /// The next message: of the most urgent lane, unless another one has waited too long.
    pub(crate) fn take(&mut self) -> Option<(Class, T)> {
        let waiting = |queue: &Queue<T>| !queue.items.is_empty();
        let served = self
            .queues
            .iter()
            .find(|queue| waiting(queue) && queue.overtaken >= PATIENCE)
            .or_else(|| self.queues.iter().find(|queue| waiting(queue)))?
            .class;
        for queue in &mut self.queues {
            if queue.class > served && !queue.items.is_empty() {
                queue.overtaken = queue.overtaken.saturating_add(1);
            }
        }
        let queue = self.queue(served);
        queue.overtaken = 0;
        Some((served, queue.items.pop_front()?))
    }

    /// The oldest message of the most urgent lane that has any.
    pub(crate) fn head(&self) -> Option<&T> {
        self.queues.iter().find_map(|queue| queue.items.front())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queues.iter().all(|queue| queue.items.is_empty())
    }

    pub(crate) fn depth(&self) -> usize {
        self.queues.iter().map(|queue| queue.items.len()).sum()
    }

    pub(crate) fn capacity(&self) -> usize {
        self.queues
            .iter()
            .fold(0, |sum, queue| sum.saturating_add(queue.capacity()))
    }

    /// Everything that still waits, urgent lanes first.
    pub(crate) fn take_all(&mut self) -> Vec<T> {
        self.queues
            .iter_mut()
            .flat_map(|queue| std::mem::take(&mut queue.items))
            .collect()
    }

    pub(crate) fn give_memory_back(&mut self) {
        for queue in &mut self.queues {
            queue.items.shrink_to(KEPT_SLOTS);
        }
    }

    fn queue(&mut self, class: Class) -> &mut Queue<T> {
        let [control, containment, bulk] = &mut self.queues;
        match class {
            Class::Control => control,
            Class::Containment => containment,
            Class::Bulk => bulk,
        }
    }
}

impl<T> Queue<T> {
    fn capacity(&self) -> usize {
        usize::try_from(self.capacity).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lane::Lane;
    use proptest::prelude::*;

    fn lanes(overflow: Overflow) -> Lanes<u32> {
        Lanes::new(&Policy {
            lanes: [Lane {
                capacity: 4,
                overflow,
            }; 3],
            ..Policy::default()
        })
    }

    #[test]
    fn urgent_lanes_go_first_and_each_lane_keeps_its_order() {
        let mut lanes = lanes(Overflow::Reject);
        for (class, item) in [
            (Class::Bulk, 1),
            (Class::Containment, 2),
            (Class::Bulk, 3),
            (Class::Control, 4),
            (Class::Containment, 5),
        ] {
            lanes.push(class, item);
        }
        let order: Vec<_> = std::iter::from_fn(|| lanes.take().map(|(_, item)| item)).collect();
        assert_eq!(order, [4, 2, 5, 1, 3]);
    }

    #[test]
    fn a_flood_of_urgent_messages_starves_no_lane() {
        let mut lanes = lanes(Overflow::Reject);
        lanes.push(Class::Bulk, 1);
        lanes.push(Class::Containment, 2);
        let mut served = Vec::new();
        for _ in 0..70 {
            lanes.push(Class::Control, 0);
            served.extend(lanes.take().map(|(class, _)| class));
        }
        let turn = |class| served.iter().position(|served| *served == class);
        assert_eq!(turn(Class::Containment), Some(32));
        assert_eq!(turn(Class::Bulk), Some(33));
    }

    proptest! {
        /// Against a naive queue: a bound is a bound, and what was admitted comes out once.
        #[test]
        fn bounds_hold_and_nothing_is_lost(
            steps in prop::collection::vec(prop::option::of(0usize..3), 0..400),
            drop_oldest: bool,
        ) {
            let overflow = if drop_oldest { Overflow::DropOldest } else { Overflow::Reject };
            let mut lanes = lanes(overflow);
            let mut model = [const { VecDeque::new() }; 3];
            for (item, step) in (0u32..).zip(steps) {
                if let Some(lane) = step {
                    let class = Class::ALL[lane];
                    match lanes.make_room(class) {
                        Ok(evicted) => {
                            let full = model[lane].len() == 4;
                            prop_assert_eq!(evicted, if full { model[lane].pop_front() } else { None });
                            lanes.push(class, item);
                            model[lane].push_back(item);
                        }
                        Err(Full) => prop_assert!(!drop_oldest && model[lane].len() == 4),
                    }
                } else {
                    match lanes.take() {
                        Some((class, item)) => {
                            let lane = Class::ALL.iter().position(|c| *c == class).unwrap();
                            prop_assert_eq!(model[lane].pop_front(), Some(item));
                        }
                        None => prop_assert!(model.iter().all(VecDeque::is_empty)),
                    }
                }
                prop_assert_eq!(lanes.depth(), model.iter().map(VecDeque::len).sum::<usize>());
            }
            let mut rest = lanes.take_all();
            rest.sort_unstable();
            let mut expected: Vec<_> = model.into_iter().flatten().collect();
            expected.sort_unstable();
            prop_assert_eq!(rest, expected);
        }
    }
}

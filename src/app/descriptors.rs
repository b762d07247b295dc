//! File descriptors: every connection takes one, and so do the journal's files. Connections get what
//! the files leave, so that no crowd at the door can make a write fail.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Descriptors that are kept for files: the journal, the tenants' chains, exports, the three standard
/// streams.
const RESERVED: u64 = 512;

/// What is to be done about the limits.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    /// The soft limit to ask for.
    soft: u64,
    /// Connections that fit beside the files.
    connections: usize,
}

/// Raises the process's limit as far as `wanted` connections need and it may; gives the number of
/// connections that then fit. Fewer than wanted is a warning.
pub(super) fn make_room(wanted: usize) -> usize {
    let (soft, hard) = match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok(limits) => limits,
        Err(error) => {
            tracing::warn!(%error, "the limit of open files can't be read; connections are not cut to it");
            return wanted;
        }
    };
    let mut plan = Plan::of(wanted, soft, hard);
    if plan.soft > soft
        && let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, plan.soft, hard)
    {
        tracing::warn!(%error, soft, wanted = plan.soft, "the limit of open files can't be raised");
        plan = Plan::of(wanted, soft, soft);
    }
    if plan.connections < wanted {
        tracing::warn!(
            max_connections = wanted,
            connections = plan.connections,
            open_files = plan.soft,
            "the limit of open files leaves room for fewer connections than server.max_connections; raise it (LimitNOFILE=, ulimit -n)"
        );
    }
    plan.connections
}

impl Plan {
    fn of(wanted: usize, soft: u64, hard: u64) -> Self {
        let wanted = u64::try_from(wanted).unwrap_or(u64::MAX);
        let soft = wanted.saturating_add(RESERVED).min(hard).max(soft);
        // Where there is little, each side has half.
        let left = soft.saturating_sub(RESERVED.min(soft / 2)).max(1);
        Self {
            soft,
            connections: usize::try_from(left.min(wanted)).unwrap_or(usize::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(soft: u64, connections: usize) -> Plan {
        Plan { soft, connections }
    }

    #[test]
    fn the_limit_is_raised_as_far_as_needed_and_possible() {
        for (wanted, soft, hard, expected) in [
            (10_000, 1024, 1_048_576, plan(10_512, 10_000)),
            (10_000, 1024, 4096, plan(4096, 3584)),
            (10_000, 1024, 1024, plan(1024, 512)),
            (100, 1024, 4096, plan(1024, 100)),
            (10_000, 65_536, 65_536, plan(65_536, 10_000)),
            (10_000, 256, 256, plan(256, 128)),
            (10_000, 1, 1, plan(1, 1)),
            (10_000, u64::MAX, u64::MAX, plan(u64::MAX, 10_000)),
        ] {
            assert_eq!(
                Plan::of(wanted, soft, hard),
                expected,
                "{wanted} of {soft}/{hard}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn connections_never_take_what_files_need(wanted in 1_usize..1_000_000, soft in 2_u64..1_000_000, more in 0_u64..1_000_000) {
            let hard = soft + more;
            let plan = Plan::of(wanted, soft, hard);
            let files = plan.soft - plan.connections as u64;
            proptest::prop_assert!((soft..=hard).contains(&plan.soft));
            proptest::prop_assert!((1..=wanted).contains(&plan.connections));
            proptest::prop_assert!(files >= RESERVED.min(plan.soft / 2));
        }
    }
}

//! What keeps secrets out of dumps: the process leaves no core file behind, and nobody without the
//! right to trace any process may read its memory.

use nix::sys::{
    prctl::set_dumpable,
    resource::{Resource, setrlimit},
};

/// Forbids core files and the reading of this process's memory by its own user's other processes.
/// Call it before the first secret is read; it holds until the process ends, and for all its threads.
///
/// # Errors
/// What the kernel refused, by the name of the setting.
pub(crate) fn withhold_memory() -> Result<(), Unguarded> {
    // The limit alone does not bind where cores are piped to a program; the attribute does.
    setrlimit(Resource::RLIMIT_CORE, 0, 0).map_err(|source| Unguarded {
        setting: "RLIMIT_CORE",
        source,
    })?;
    set_dumpable(false).map_err(|source| Unguarded {
        setting: "PR_SET_DUMPABLE",
        source,
    })
}

/// The process could be dumped, with the secrets that it would hold.
#[derive(Debug, thiserror::Error)]
#[error("memory can't be kept out of dumps ({setting}: {source}); nothing was read")]
pub(crate) struct Unguarded {
    setting: &'static str,
    source: nix::Error,
}

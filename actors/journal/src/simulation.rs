//! The whole journal on a disk that does what disks may do, step by step and by chance.
//!
//! Nothing is mocked but the disk: the writer, the checkpointer, recovery and redb run as they are.
//! A seed is a schedule of appends, checkpoints, faults and ends; after each start, and in between,
//! the oracle looks at everything that the journal has. `VYROX_SEED=7` repeats a seed with a trace.

mod dice;
mod disk;
mod evidence;
mod files;
mod harm;
mod host;
mod inode;
mod oracle;
mod restored;
mod schedule;
mod stores;
mod tests;

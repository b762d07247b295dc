//! What happens to bytes at rest: bits flip, and sectors read as if they had never been written.

use std::path::PathBuf;

use super::dice::Dice;
use super::disk::SimDisk;
use super::host::{is_kept, is_log_segment, is_set_aside};
use super::inode::{PAGE, Place, SECTOR};
use super::oracle::Harm;
use crate::bytes::index;

/// What was harmed.
pub(super) struct Harmed(Place);

impl Harmed {
    pub(super) fn add_to(&self, harm: &mut Harm) {
        match self.0 {
            Place::Log => harm.log += 1,
            Place::Chain => harm.chains += 1,
            Place::Evidence => harm.evidence += 1,
            Place::Database | Place::Other => {}
        }
    }
}

/// Harms something, if there is anything to harm. `place` is where a running journal writes next,
/// and `settled` the page before which every batch has a later one behind it: a lost write in the
/// last batch cannot be told from one that was never finished.
pub(super) fn harm(
    disk: &SimDisk,
    dice: &mut Dice,
    place: Option<(u64, PathBuf)>,
    settled: u64,
) -> Option<Harmed> {
    if let Some((_, active)) = place
        && dice.one_in(3)
    {
        return lose_sector(disk, dice, &active, settled);
    }
    flip(disk, dice)
}

fn lose_sector(
    disk: &SimDisk,
    dice: &mut Dice,
    active: &std::path::Path,
    settled: u64,
) -> Option<Harmed> {
    const SECTORS: usize = PAGE / SECTOR;
    if settled <= 1 {
        return None;
    }
    let sector = SECTORS + dice.size_below((index(settled) - 1) * SECTORS);
    disk.with(|state| {
        let inode = *state.names.get(active)?;
        state.note(|_| format!("  sector {sector} of the log is lost"));
        let lost = state.inodes[inode].lose_sector(sector);
        lost.then_some(Harmed(Place::Log))
    })
}

fn flip(disk: &SimDisk, dice: &mut Dice) -> Option<Harmed> {
    disk.with(|state| {
        // What a start must notice is harmed more often than its share of the bytes.
        let wanted = [None, Some(Place::Chain), Some(Place::Log)][dice.size_below(3)];
        let fragile: Vec<usize> = state
            .names
            .iter()
            .filter(|(path, inode)| {
                let place = state.inodes[**inode].place;
                let own = matches!(place, Place::Chain | Place::Evidence) && !is_kept(path);
                let fragile = is_log_segment(path) || is_set_aside(path) || own;
                fragile && wanted.is_none_or(|wanted| wanted == place)
            })
            .map(|(_, inode)| *inode)
            .collect();
        if fragile.is_empty() {
            return None;
        }
        let inode = fragile[dice.size_below(fragile.len())];
        let len = state.inodes[inode].len_on_disk();
        // The end of a chain's file is what a start looks at.
        let at_the_end = wanted == Some(Place::Chain);
        for _ in 0..20 {
            if len == 0 {
                return None;
            }
            let at = if at_the_end {
                len - 1 - dice.below(len.min(400))
            } else {
                dice.below(len)
            };
            if state.inodes[inode].is_zero_on_disk(index(at) / SECTOR) && !dice.one_in(20) {
                continue;
            }
            let bit = dice.below(8);
            if state.inodes[inode].flip(at, bit) {
                state.note(|state| format!("  flip {} at {at}", state.inodes[inode].label));
                return Some(Harmed(state.inodes[inode].place));
            }
        }
        None
    })
}

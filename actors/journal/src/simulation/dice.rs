//! Chance that is the same for the same seed.

/// A small generator (splitmix64); good dice, no secrets.
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        let mut dice = Self(seed);
        dice.next();
        dice
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not 0.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 11) % end
    }

    /// As [`below`](Self::below), for sizes.
    pub(super) fn size_below(&mut self, end: usize) -> usize {
        crate::bytes::index(self.below(crate::bytes::wide(end)))
    }

    /// True once in `times`; never if that is 0.
    pub(super) fn one_in(&mut self, times: u64) -> bool {
        times != 0 && self.below(times) == 0
    }
}

//! How a house is furnished.

/// What a test wishes for.
#[derive(Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a wish of its own")]
pub(crate) struct Wish {
    /// There is a model to be asked.
    pub(crate) llm: bool,
    /// The tenant has opted in.
    pub(crate) opted_in: bool,
    /// So many calls of it a day.
    pub(crate) daily_calls: u32,
    /// There is an EDR to be spoken to, with a credential for it, and `ann` may approve.
    pub(crate) live: bool,
    /// Containments are lifted when their time is over, without a question.
    pub(crate) lift: bool,
    /// How long the tenant may be idle, in milliseconds; 0 for a day.
    pub(crate) idle_ms: u64,
    /// Its vendors are polled once a minute.
    pub(crate) polled: bool,
    /// The most actions under way at the same time; 0 for ten.
    pub(crate) concurrent: u32,
    /// The most messages that wait for the tenant's machine; 0 for many.
    pub(crate) queue: usize,
    /// How often its actors may fall within a minute; 0 for often.
    pub(crate) intensity: u32,
    /// Evidence is kept for so many days; 0 for ever.
    pub(crate) kept_days: u64,
    /// Nobody has held the chains against what was signed of them.
    pub(crate) unproven: bool,
}

impl Wish {
    pub(crate) const PLAIN: Self = Self {
        llm: false,
        opted_in: false,
        daily_calls: 0,
        idle_ms: 0,
        live: false,
        lift: false,
        polled: false,
        concurrent: 0,
        queue: 0,
        intensity: 0,
        kept_days: 0,
        unproven: false,
    };
}

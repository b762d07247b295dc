//! From an alert to a machine that is cut off, and back, through the real server and strict stand-ins of the
//! EDRs: whatever happens in between, a host is told at most once, and the chain says what became of it.

#[cfg(feature = "fault-injection")]
mod crash;
#[cfg(feature = "fault-injection")]
mod deeds;
mod following;
mod hanging;
mod house;
mod pager;
mod races;
#[cfg(feature = "fault-injection")]
mod unheard;

//! A strict stand-in for Discord, and the bot driven against it.

mod answers;
mod bench;
pub(crate) mod clicker;
mod client;
mod limits;
mod refusals;
mod rest;

pub(crate) use self::rest::{APPLICATION, Answered, Asked, Fake, Message, Outage, Rules, TOKEN};

//! Threats, looked for and looked up.
//!
//! They come in the order in which they came to be, a page at a time. A page that is longer than is read of
//! an answer is asked for again by half; a threat that is so by itself is passed over, and the list goes on
//! behind it.

use serde_json::value::RawValue;
use vyrox_actors::edr::{EdrError, Polled};
use vyrox_domain::time::Timestamp;

use super::{
    Answer, Call, Console, THREATS,
    envelope::{Envelope, Pagination, open},
    threat::{self, Threat},
};
use crate::connectors::edr::id::Id;

/// Threats on one page.
const PAGE_MAX: usize = 100;

/// How far a list was read.
struct Reader {
    /// The list begins with the threats of this moment, and so many of it are left out.
    since: Timestamp,
    skip: usize,
    /// Where it goes on instead, as the vendor says.
    cursor: Option<String>,
    /// When the last threat that was read came to be, and how many of that very moment were read; `None`
    /// where the vendor does not say it of all, or does not keep to the order.
    last: Option<(Timestamp, usize)>,
    /// Threats on the next page.
    page: usize,
    polled: Polled,
}

/// The threats that came to be from the first moment on and before the second. Where something goes wrong
/// after some were read, those are what was polled.
pub(super) async fn poll(
    console: &Console,
    (from, to): (Timestamp, Timestamp),
    limit: usize,
) -> Result<Polled, EdrError> {
    let until = console.api.deadline();
    let mut reader = Reader::new(from, to);
    while reader.room(limit) > 0 {
        let call = reader.call(console, to, limit);
        let answer = match console.api.exchange(&call, until).await {
            Ok(answer) if answer.is_cut() => {
                reader.shorten(limit, &answer)?;
                continue;
            }
            Ok(answer) => answer,
            Err(error) => return reader.so_far(from).ok_or(error),
        };
        if !reader.take(&answer)? {
            return Ok(reader.polled);
        }
    }
    let last = reader.last.ok_or_else(out_of_order)?;
    reader.polled.up_to = last.0;
    Ok(reader.polled)
}

/// One threat; `None` where SentinelOne knows none of this id.
pub(super) async fn alert(console: &Console, id: &Id) -> Result<Option<Vec<u8>>, EdrError> {
    let call = console.get(THREATS).query("ids", id.as_str()).long();
    let until = console.api.deadline();
    let threats: Vec<Box<RawValue>> = console.ask(call, until).await?;
    let is_it = |one: &RawValue| {
        let threat: Result<Threat, _> = serde_json::from_str(one.get());
        threat.is_ok_and(|threat| threat.is(id))
    };
    Ok(threats.into_iter().find(|one| is_it(one)).map(bytes))
}

impl Reader {
    fn new(from: Timestamp, to: Timestamp) -> Self {
        Self {
            since: from,
            skip: 0,
            cursor: None,
            last: Some((from, 0)),
            page: PAGE_MAX,
            polled: Polled {
                alerts: Vec::new(),
                up_to: to,
                cut: Vec::new(),
            },
        }
    }

    /// How many more may be asked for.
    fn room(&self, limit: usize) -> usize {
        limit.saturating_sub(self.polled.alerts.len())
    }

    /// How many of them are asked for at once.
    fn asked(&self, limit: usize) -> usize {
        self.room(limit).min(self.page)
    }

    fn call(&self, console: &Console, to: Timestamp, limit: usize) -> Call {
        let call = console
            .get(THREATS)
            .query("createdAt__gte", self.since.to_string())
            .query("createdAt__lt", to.to_string())
            .query("sortBy", "createdAt")
            .query("sortOrder", "asc")
            .query("limit", self.asked(limit).to_string())
            .looking();
        match &self.cursor {
            Some(cursor) => call.query("cursor", cursor.clone()),
            None if self.skip > 0 => call.query("skip", self.skip.to_string()),
            None => call,
        }
    }

    /// The page was too long. Where it was one of a single threat, that is passed over: no cursor says where
    /// the list goes on behind it, so it begins anew with the moment that was read last.
    fn shorten(&mut self, limit: usize, answer: &Answer) -> Result<(), EdrError> {
        let asked = self.asked(limit);
        if asked > 1 {
            self.page = asked / 2;
            return Ok(());
        }
        let object = object(&answer.body);
        if !self.polled.cut.contains(&object) {
            self.polled.cut.push(object);
        }
        let (moment, read) = self.last.ok_or_else(out_of_order)?;
        let again = self.cursor.is_none() && self.since == moment;
        self.skip = if again {
            self.skip.max(read).saturating_add(1)
        } else {
            read.saturating_add(1)
        };
        self.since = moment;
        self.cursor = None;
        Ok(())
    }

    /// Takes in a page; whether there are more.
    fn take(&mut self, answer: &Answer) -> Result<bool, EdrError> {
        let page: Envelope<Vec<Box<RawValue>>> = open(answer)?;
        let count = page.data.len();
        if let Some(before) = self.last {
            self.last = threat::last_created(&page.data, before);
        }
        self.page = self.page.saturating_mul(2).min(PAGE_MAX);
        self.polled.alerts.extend(page.data.into_iter().map(bytes));
        let next = page.pagination.and_then(Pagination::next);
        self.cursor = next.filter(|_| count > 0);
        Ok(self.cursor.is_some())
    }

    /// What was read, where that is further than the beginning.
    fn so_far(mut self, from: Timestamp) -> Option<Polled> {
        let (moment, _) = self.last.filter(|(moment, _)| *moment > from)?;
        self.polled.up_to = moment;
        Some(self.polled)
    }
}

/// The beginning of the one object of a list, without what stands before it and may be another each time.
fn object(answer: &[u8]) -> Vec<u8> {
    let data = b"\"data\"";
    let begins = answer.windows(data.len()).position(|window| window == data);
    let rest = answer.get(begins.unwrap_or(0)..).unwrap_or_default();
    let object = rest.iter().position(|byte| *byte == b'{').unwrap_or(0);
    rest.get(object..).unwrap_or_default().to_vec()
}

fn out_of_order() -> EdrError {
    super::super::not_now("threats are not in the order that was asked for")
}

fn bytes(one: Box<RawValue>) -> Vec<u8> {
    String::from(Box::<str>::from(one)).into_bytes()
}

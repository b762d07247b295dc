//! Discord's limits, counted on its side.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use super::{Rules, http::Reply};

/// What was counted so far.
#[derive(Default)]
pub(super) struct Counting {
    windows: HashMap<String, (Instant, u32)>,
    all: VecDeque<Instant>,
}

/// Headers of an answer.
pub(super) type Headers = Vec<(&'static str, String)>;

impl Counting {
    /// Counts a request; the headers of its answer, or the answer that refuses it.
    pub(super) fn count(
        &mut self,
        bucket: &str,
        rules: Rules,
        at: Instant,
    ) -> Result<Headers, Reply> {
        let second = Duration::from_secs(1);
        while self.all.front().is_some_and(|first| at - *first >= second) {
            self.all.pop_front();
        }
        if self.all.len() >= rules.per_s {
            let first = self.all.front().copied().unwrap_or(at);
            return Err(
                Reply::slow_down((first + second).saturating_duration_since(at), true).with(vec![
                    ("X-RateLimit-Global", "true".into()),
                    ("X-RateLimit-Scope", "global".into()),
                ]),
            );
        }
        self.all.push_back(at);
        let (begin, used) = self.windows.entry(bucket.to_owned()).or_insert((at, 0));
        if at - *begin >= rules.window {
            (*begin, *used) = (at, 0);
        }
        let left = (*begin + rules.window).saturating_duration_since(at);
        let full = *used >= rules.bucket;
        *used += u32::from(!full);
        let headers = vec![
            ("X-RateLimit-Limit", rules.bucket.to_string()),
            ("X-RateLimit-Remaining", (rules.bucket - *used).to_string()),
            (
                "X-RateLimit-Reset-After",
                format!("{:.3}", left.as_secs_f64() + 0.0005),
            ),
            // Discord's names are digests; all that matters is that equal ones are equal.
            ("X-RateLimit-Bucket", name_of(bucket)),
        ];
        if full {
            let scope = vec![("X-RateLimit-Scope", "user".into())];
            return Err(Reply::slow_down(left, false).with(headers).with(scope));
        }
        Ok(headers)
    }
}

/// The bucket without the channel in it.
fn name_of(bucket: &str) -> String {
    let kind = bucket.rsplit_once(' ').map_or(bucket, |(kind, _)| kind);
    hex::encode(kind)
}

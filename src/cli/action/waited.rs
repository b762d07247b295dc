//! Waiting for what becomes of an action.

use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep_until};
use vyrox_domain::ids::ActionId;

use super::{Act, found};
use crate::cli::{client::Client, failure::Failure};

/// The shortest time between two questions about the same action.
const PAUSE: Duration = Duration::from_millis(200);

/// The action as soon as it has an outcome, or as it is after `wait`.
pub(in crate::cli) async fn ended(
    client: &Client,
    action: &ActionId,
    tenant: &str,
    wait: Duration,
) -> Result<Value, Failure> {
    let until = Instant::now() + wait;
    loop {
        let asked = Instant::now();
        let answer = found(client, action, tenant).await?;
        if !Act(&answer).is_under_way() || Instant::now() >= until {
            return Ok(answer);
        }
        sleep_until(asked + PAUSE).await;
    }
}

//! Alerts that came in short, asked for whole. Whatever goes wrong, the answer is that nothing was found.

use std::{sync::Arc, time::Duration};

use actix::{ActorFutureExt as _, AsyncContext as _, Handler, WrapFuture as _};
use vyrox_domain::{alert::Alert, digest::Digest, vendor::Vendor};
use vyrox_supervision::SupervisedContext;

use super::{EdrAdapter, within};
use crate::{
    edr::{Edr as _, EdrError},
    messages::{FullAlert, LookUp, LookedUp},
};

/// How long a verdict waits for it.
const LOOK_UP_MAX: Duration = Duration::from_secs(10);

impl EdrAdapter {
    fn look_up(&mut self, wanted: LookUp, ctx: &mut SupervisedContext<Self>) {
        let LookUp {
            alert_id,
            vendor_alert_id,
            machine,
        } = wanted;
        let parts = Arc::clone(&self.parts);
        let line = self.lines.open(&parts.world, &parts.tenant, parts.vendor);
        let found = async move {
            let asked = async {
                let line = line.map_err(|why| EdrError::Unsent {
                    why,
                    transient: false,
                })?;
                let Some(body) = line.alert(&vendor_alert_id).await? else {
                    return Ok(None);
                };
                Ok(read(parts.vendor, vendor_alert_id, body).await)
            };
            within(LOOK_UP_MAX, asked).await.unwrap_or_else(|error| {
                tracing::warn!(tenant = %parts.tenant, %alert_id, %error, "a short alert is not completed");
                None
            })
        };
        let done = found.into_actor(self).map(move |found, _, _| {
            // Without room the machine stops waiting before long.
            machine.try_cast(LookedUp { alert_id, found }).ok();
        });
        ctx.spawn(done);
    }
}

/// Reads the one alert of this id out of what came, on a thread that may be busy for a while.
async fn read(vendor: Vendor, id: String, body: Vec<u8>) -> Option<FullAlert> {
    let read = move || {
        let mut alerts = Alert::parse_polled(vendor, &body).ok()?;
        let alert = alerts.pop().filter(|alert| alert.vendor_alert_id == id)?;
        let alert = Box::new(alert);
        let sha256 = Digest::of(&body);
        let full = FullAlert {
            alert,
            body,
            sha256,
        };
        alerts.is_empty().then_some(full)
    };
    tokio::task::spawn_blocking(read).await.ok().flatten()
}

impl Handler<LookUp> for EdrAdapter {
    type Result = ();

    fn handle(&mut self, wanted: LookUp, ctx: &mut Self::Context) {
        self.look_up(wanted, ctx);
    }
}

//! A strict PagerDuty on a thread of its own.

use std::{
    sync::{Arc, mpsc::channel},
    thread,
};

use tokio::sync::oneshot;

use crate::fakes::pagerduty::FakePagerduty;

const KEY: &str = "0123456789abcdefABCDEF9876543210";

/// Ends with its value.
pub(super) struct Pager {
    fake: Arc<FakePagerduty>,
    _stop: oneshot::Sender<()>,
}

impl Pager {
    pub(super) fn start() -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let (tell, told) = channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async move {
                let fake = Arc::new(FakePagerduty::start(KEY).await);
                tell.send(fake).expect("the test waits");
                stopped.await.ok();
            });
        });
        Self {
            fake: told.recv().expect("it starts"),
            _stop: stop,
        }
    }

    /// The settings that lead to it.
    pub(super) fn env(&self) -> [(&str, &str); 2] {
        [
            ("VYROX_PAGERDUTY__BASE_URL", &self.fake.base_url),
            ("VYROX_PAGERDUTY__ROUTING_KEY", KEY),
        ]
    }

    /// How many incidents it was told of.
    pub(super) fn incidents(&self) -> usize {
        self.fake.seen().incidents.len()
    }

    /// It was told of nothing that it does not understand.
    #[track_caller]
    pub(super) fn is_content(&self) {
        let faults = self.fake.seen().faults.clone();
        assert_eq!(faults, [""; 0]);
    }
}

//! Where the peers live: on tokio, one thread a runtime, as an arbiter is.

use crate::Outcome;
use std::thread;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;

/// A runtime for this thread.
pub(crate) fn here() -> Outcome<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

/// A runtime on a thread of its own, until it is dropped.
pub(crate) struct Elsewhere {
    handle: Handle,
    _until: oneshot::Sender<()>,
}

impl Elsewhere {
    pub(crate) fn start() -> Outcome<Self> {
        let runtime = here()?;
        let handle = runtime.handle().clone();
        let (until, dropped) = oneshot::channel::<()>();
        thread::Builder::new().spawn(move || runtime.block_on(dropped).is_ok())?;
        Ok(Self {
            handle,
            _until: until,
        })
    }

    /// Runs `task` over there.
    pub(crate) async fn run<F>(&self, task: F) -> Outcome<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        Ok(self.handle.spawn(task).await?)
    }
}

//! The model behind the port that adapters speak through.

use super::*;

impl Edrs for Model {
    fn connect(
        &self,
        _: &TenantId,
        _: Vendor,
        _: &EdrCredential,
    ) -> Result<Arc<dyn Edr>, EdrSetupError> {
        Ok(Arc::new(self.clone()))
    }
}

impl Edr for Model {
    fn read(
        &self,
        manifest: &ActionManifest,
        _: Option<&str>,
    ) -> BoxFuture<'static, Result<Reading, EdrError>> {
        self.watching.asked(manifest.action_id);
        self.clone().read_of(manifest.clone()).boxed()
    }

    fn send(
        &self,
        action: &SignedAction,
        _: Option<&str>,
        guard: Guard,
    ) -> BoxFuture<'static, Result<Sent, EdrError>> {
        let (model, action) = (self.clone(), action.clone());
        async move {
            guard().map_err(|why| EdrError::Unsent {
                why,
                transient: false,
            })?;
            let answer = model.clone().answer_to(action.clone()).await;
            let again = matches!(
                answer,
                Err(EdrError::Busy { .. } | EdrError::Ambiguous { .. })
            );
            if again && model.bug == Some(Bug::SendsAgainUnread) {
                return model.answer_to(action).await;
            }
            answer
        }
        .boxed()
    }

    fn check(&self) -> BoxFuture<'static, Result<Checked, EdrError>> {
        std::future::pending().boxed()
    }

    fn poll(
        &self,
        _: Timestamp,
        _: Timestamp,
        _: usize,
    ) -> BoxFuture<'static, Result<Polled, EdrError>> {
        std::future::pending().boxed()
    }

    fn alert(&self, _: &str) -> BoxFuture<'static, Result<Option<Vec<u8>>, EdrError>> {
        std::future::pending().boxed()
    }

    fn line(&self) -> LineState {
        LineState::default()
    }
}

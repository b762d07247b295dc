//! Makes the connection of a tenant to its EDR. Connections of one tenant to one host share pace and
//! breaker, however many there are and whichever version of the credential they have.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use vyrox_actors::edr::{Edr, EdrCredential, EdrSetupError, Edrs};
use vyrox_domain::{ids::TenantId, vendor::Vendor};

use super::{
    Line, Pace, WireSettings, crowdstrike::Crowdstrike, defender::Defender,
    sentinelone::Sentinelone,
};

/// How all EDRs are spoken to.
#[derive(Clone, Copy, Debug)]
pub struct EdrSettings {
    /// Deadlines and addresses.
    pub wire: WireSettings,
}

/// Connects tenants to their EDRs.
pub struct EdrFactory {
    settings: EdrSettings,
    lines: Mutex<HashMap<LineKey, Weak<Line>>>,
}

/// A tenant, a vendor, and where that is.
type LineKey = (TenantId, Vendor, String);

impl EdrFactory {
    /// With these settings for all.
    pub fn new(settings: EdrSettings) -> Self {
        Self {
            settings,
            lines: Mutex::default(),
        }
    }

    /// The line to that host, which lives as long as a connection uses it.
    fn line(&self, tenant: &TenantId, vendor: Vendor, base_url: &str) -> Arc<Line> {
        let key = (tenant.clone(), vendor, base_url.to_owned());
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = lines.get(&key).and_then(Weak::upgrade) {
            return line;
        }
        lines.retain(|_, line| line.strong_count() > 0);
        let line = Arc::new(Line::new(pace(vendor)));
        lines.insert(key, Arc::downgrade(&line));
        line
    }
}

/// What we keep to, below what each vendor permits.
const fn pace(vendor: Vendor) -> Pace {
    match vendor {
        // 6,000 a minute for the whole customer, of which others have their share.
        Vendor::Crowdstrike | Vendor::Generic => Pace {
            per_s: 20,
            burst: 40,
        },
        // It permits 10 a second or so and does not say what is left.
        Vendor::Sentinelone => Pace {
            per_s: 8,
            burst: 16,
        },
        // 100 a minute a kind of call.
        Vendor::Defender => Pace {
            per_s: 1,
            burst: 30,
        },
    }
}

impl Edrs for EdrFactory {
    fn connect(
        &self,
        tenant: &TenantId,
        vendor: Vendor,
        credential: &EdrCredential,
    ) -> Result<Arc<dyn Edr>, EdrSetupError> {
        let wire = self.settings.wire;
        let line = self.line(tenant, vendor, &credential.base_url);
        match vendor {
            Vendor::Crowdstrike => Ok(Arc::new(Crowdstrike::new(credential, wire, line)?)),
            Vendor::Sentinelone => Ok(Arc::new(Sentinelone::new(credential, wire, line)?)),
            Vendor::Defender => Ok(Arc::new(Defender::new(credential, wire, line)?)),
            Vendor::Generic => Err(EdrSetupError {
                member: "vendor",
                message: format!("{vendor} has no API that is known"),
            }),
        }
    }
}

impl fmt::Debug for EdrFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EdrFactory")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use vyrox_domain::webhook::Secret;

    use super::*;

    fn factory() -> EdrFactory {
        // A second installation in the same process fails, which is as good as the first.
        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
        let wire = WireSettings {
            timeout: Duration::from_secs(30),
            allow_private: false,
        };
        EdrFactory::new(EdrSettings { wire })
    }

    fn credential(base_url: &str) -> EdrCredential {
        EdrCredential {
            version: 1,
            base_url: base_url.to_owned(),
            login_url: None,
            client_id: Some("client".to_owned()),
            secret: Secret::new(b"hidden".to_vec()),
            realm: None,
        }
    }

    #[test]
    fn connections_of_one_tenant_to_one_host_share_a_line_and_others_do_not() {
        let factory = factory();
        let (acme, globex) = ("acme".parse().unwrap(), "globex".parse().unwrap());
        let line = |tenant, base| factory.line(tenant, Vendor::Crowdstrike, base);
        let first = line(&acme, "https://a.example");
        assert!(Arc::ptr_eq(&first, &line(&acme, "https://a.example")));
        assert!(!Arc::ptr_eq(&first, &line(&globex, "https://a.example")));
        assert!(!Arc::ptr_eq(&first, &line(&acme, "https://b.example")));
        drop(first);
        line(&acme, "https://c.example");
        assert_eq!(
            factory.lines.lock().unwrap().len(),
            1,
            "what nobody uses goes"
        );
    }

    #[test]
    fn what_is_no_credential_of_the_vendor_is_refused_and_not_shown() {
        let factory = factory();
        let acme = "acme".parse().unwrap();
        let good = "https://api.crowdstrike.com";
        for (vendor, base, member) in [
            (Vendor::Generic, good, Some("vendor")),
            (Vendor::Crowdstrike, "https://10.0.0.1", Some("base_url")),
            (Vendor::Crowdstrike, "http://hidden@a", Some("base_url")),
            (Vendor::Crowdstrike, good, None),
        ] {
            let fault = factory.connect(&acme, vendor, &credential(base)).err();
            assert_eq!(fault.as_ref().map(|fault| fault.member), member);
            let told = format!("{fault:?} {factory:?}");
            assert!(!told.contains("hidden"), "{told}");
        }
    }
}

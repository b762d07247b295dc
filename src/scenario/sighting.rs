//! What an EDR saw, before any vendor puts it into words.

use vyrox_domain::{digest::Digest, vendor::Vendor};

/// One thing seen on one host.
#[derive(Clone, Copy, Debug)]
pub struct Sighting {
    /// What the vendor would call it.
    pub title: &'static str,
    /// From 1 to 100, Falcon's scale.
    pub severity: u8,
    /// ATT&CK tactic, by name.
    pub tactic: &'static str,
    /// ATT&CK technique id.
    pub technique: &'static str,
    /// Host name.
    pub host: &'static str,
    /// Account, `DOMAIN\name`.
    pub user: &'static str,
    /// File name of the image.
    pub image: &'static str,
    /// Whole path of the image.
    pub path: &'static str,
    /// Command line.
    pub command_line: &'static str,
    /// File name of the parent's image.
    pub parent: &'static str,
}

impl Sighting {
    /// The vendor's id of the host: the same in every alert of every playing.
    pub fn device_id(&self, vendor: Vendor) -> String {
        let digits = match vendor {
            Vendor::Crowdstrike | Vendor::Generic => 32,
            Vendor::Sentinelone => 18,
            Vendor::Defender => 40,
        };
        Digest::of_parts(&[b"device", self.host.as_bytes()])
            .to_hex()
            .chars()
            .take(digits)
            .collect()
    }
}

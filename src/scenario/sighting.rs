//! What an EDR saw, before any vendor puts it into words.

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

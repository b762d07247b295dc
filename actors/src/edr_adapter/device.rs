//! Whether the device that a vendor knows by an id is the one that was approved. The id and the name came
//! together in an alert, or in a request, and nothing but the vendor can prove that they belong together.

use vyrox_domain::{
    action::{ActionManifest, ActionType, parse_target},
    alert::{Alert, Device},
    playbook::Assets,
};

use crate::edr::DeviceSeen;

/// What speaks against containing this device. Nothing ever does against letting one go.
pub(super) fn objection(
    manifest: &ActionManifest,
    seen: &DeviceSeen,
    assets: &Assets,
) -> Option<&'static str> {
    if manifest.release.is_some() {
        return None;
    }
    // What blocks a file does so everywhere; the device is but where it was found.
    if manifest.action_type == ActionType::HashBlock {
        return None;
    }
    if !is_named(manifest, seen) {
        return Some("the vendor knows this device by another name");
    }
    if manifest.protected.is_none() && is_special(manifest, seen, assets) {
        return Some("the device is protected, and that was not approved");
    }
    None
}

/// Whether the vendor calls it what the approval does, domains left aside.
fn is_named(manifest: &ActionManifest, seen: &DeviceSeen) -> bool {
    let id = parse_target(&manifest.target_urn).map(|(_, id)| id);
    let approved = manifest.host.as_deref();
    let approved = approved.filter(|host| !id.is_some_and(|id| id.eq_ignore_ascii_case(host)));
    let read = seen.hostname.as_deref();
    match (approved, read.filter(|read| !read.trim().is_empty())) {
        (Some(approved), Some(read)) => label(approved) == label(read),
        (None, _) | (_, None) => true,
    }
}

fn label(name: &str) -> String {
    let name = name.trim();
    let label = name.split('.').next().unwrap_or(name);
    label.to_lowercase()
}

fn is_special(manifest: &ActionManifest, seen: &DeviceSeen, assets: &Assets) -> bool {
    let mut alert = Alert::bare(manifest.vendor, manifest.alert_id.to_string());
    alert.device = Device {
        id: parse_target(&manifest.target_urn).map(|(_, id)| id.to_owned()),
        hostname: seen.hostname.clone(),
        platform: seen.platform.clone(),
        role: seen.role.as_deref().map(Device::role_of),
        ips: seen.ips.clone(),
        ..Device::default()
    };
    assets.of(&alert).is_some()
}

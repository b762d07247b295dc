//! Which files and processes a machine cannot do without. Blocking the hash of a shell that an intruder
//! used would take it from every machine of the tenant.

/// Directories that make a path the operating system's wherever they stand in it.
const SYSTEM_ANYWHERE: [&str; 6] = [
    "system32",
    "syswow64",
    "sysnative",
    "winsxs",
    "systemroot",
    "admin$",
];

/// Directories of the EDRs themselves.
const SENSORS: [&str; 4] = [
    "crowdstrike",
    "sentinelone",
    "windows defender",
    "windows defender advanced threat protection",
];

/// First directories of a volume that belong to the operating system.
const SYSTEM_ROOTS: [&str; 7] = ["windows", "winnt", "bin", "sbin", "lib", "lib64", "system"];

/// Directories under `/usr` that do.
const SYSTEM_USR: [&str; 5] = ["bin", "sbin", "lib", "lib64", "libexec"];

/// Processes whose end takes the machine down.
const VITAL: [&str; 15] = [
    "system",
    "registry",
    "memory compression",
    "smss.exe",
    "csrss.exe",
    "wininit.exe",
    "winlogon.exe",
    "services.exe",
    "lsass.exe",
    "lsaiso.exe",
    "svchost.exe",
    "systemd",
    "init",
    "launchd",
    "kernel_task",
];

/// Whether a path leads to files of the operating system or of an EDR, or cannot be told not to: it is
/// relative, goes up, or has variables in it.
pub(super) fn is_system_path(path: &str) -> bool {
    let lower = path.to_lowercase();
    let parts: Vec<&str> = lower
        .split(['\\', '/'])
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    if !is_absolute(&lower) || parts.contains(&"..") || lower.contains('%') {
        return true;
    }
    // Windows itself ignores dots and spaces at the end of a name.
    let parts: Vec<&str> = parts
        .into_iter()
        .map(|part| part.trim_end_matches(['.', ' ']))
        .collect();
    let known = |list: &[&str]| parts.iter().any(|part| list.contains(part));
    known(&SYSTEM_ANYWHERE) || known(&SENSORS) || is_system_root(within_volume(&parts))
}

/// Whether the end of a process with this image would take the machine down.
pub fn is_vital_process(image: &str) -> bool {
    let lower = image.to_lowercase();
    let name = lower.rsplit(['\\', '/']).next().unwrap_or_default();
    VITAL.contains(&name.trim_matches(['.', ' ']))
}

fn is_absolute(path: &str) -> bool {
    let drive = path.split(['\\', '/']).next().unwrap_or_default();
    path.starts_with(['\\', '/']) || is_drive(drive)
}

/// What follows the volume: a drive (`C:`, also behind `\\?\` and as the share `C$`), a volume by its
/// id, or a device (`\Device\HarddiskVolume3`).
fn within_volume<'p, 'a>(parts: &'p [&'a str]) -> &'p [&'a str] {
    let mut start = parts.iter().take(4);
    let drive = start
        .clone()
        .position(|part| is_drive(part) || part.starts_with("volume{"));
    let device = start.position(|part| *part == "device");
    let skipped = match (drive, device) {
        (Some(drive), _) => drive.saturating_add(1),
        (None, Some(device)) => device.saturating_add(2),
        (None, None) => 0,
    };
    parts.get(skipped..).unwrap_or_default()
}

fn is_drive(part: &str) -> bool {
    let letter = part.strip_suffix([':', '$']).unwrap_or_default();
    letter.len() == 1 && letter.bytes().all(|b| b.is_ascii_alphabetic())
}

fn is_system_root(parts: &[&str]) -> bool {
    match parts {
        // Everybody may write here, and intruders do.
        ["windows", "temp", ..] => false,
        ["usr", next, ..] => SYSTEM_USR.contains(next),
        [first, ..] => SYSTEM_ROOTS.contains(first),
        [] => true,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn files_of_the_system_are_known_however_they_are_written() {
        for path in [
            r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe",
            r"c:/windows/system32/cmd.exe",
            r"C:\WINDOWS\explorer.exe",
            r"C:\\Windows\\explorer.exe",
            r"C:\Windows. \explorer.exe",
            r"C:\.\Windows\explorer.exe",
            r"\Device\HarddiskVolume3\Windows\regedit.exe",
            r"\\?\C:\Windows\regedit.exe",
            r"\??\C:\Windows\regedit.exe",
            r"\\?\GLOBALROOT\Device\HarddiskVolumeShadowCopy1\Windows\notepad.exe",
            r"\\?\Volume{0a1b2c3d-0000-0000-0000-100000000000}\Windows\regedit.exe",
            r"\\srv-1\C$\Windows\regedit.exe",
            r"\\srv-1\ADMIN$\regedit.exe",
            r"\SystemRoot\explorer.exe",
            r"%SystemRoot%\explorer.exe",
            r"C:\Users\eve\..\..\Windows\regedit.exe",
            r"D:\anything\SysWOW64\rundll32.exe",
            r"C:\Windows",
            r"C:\Windows\System32",
            "/bin/sh",
            "/usr/bin/curl",
            "//usr//bin/curl",
            "/usr/lib/systemd/systemd",
            "/System/Library/CoreServices/Finder.app/Contents/MacOS/Finder",
            r"C:\Program Files\CrowdStrike\CSFalconService.exe",
            r"C:\ProgramData\Microsoft\Windows Defender\Platform\4.18\MsMpEng.exe",
            "powershell.exe",
            r"Windows\explorer.exe",
            "",
            "/",
            r"C:\",
        ] {
            assert!(is_system_path(path), "{path}");
        }
    }

    #[test]
    fn other_files_are_not_the_systems() {
        for path in [
            r"C:\Users\eve\AppData\Roaming\Microsoft\Windows\Start Menu\Programs\Startup\x.exe",
            r"C:\Windows\Temp\x.exe",
            r"C:\$Recycle.Bin\x.exe",
            r"C:\ProgramData\x.exe",
            r"c:\temp",
            r"\Device\HarddiskVolume3\Temp\locker.exe",
            r"\\srv-1\share\x.exe",
            "/tmp/x",
            "/home/x/bin/y",
            "/usr/local/bin/x",
            "/Users/x/Downloads/y.dmg",
        ] {
            assert!(!is_system_path(path), "{path}");
        }
    }

    #[test]
    fn vital_processes_are_known_however_they_are_written() {
        for image in [
            "lsass.exe",
            "LSASS.EXE",
            r"C:\Windows\System32\lsass.exe",
            "lsass.exe. ",
        ] {
            assert!(is_vital_process(image), "{image}");
        }
        for image in ["lsass.exe.exe", "notlsass.exe", "evil.exe", ""] {
            assert!(!is_vital_process(image), "{image}");
        }
    }

    proptest! {
        #[test]
        fn anything_under_the_system_stays_there(drive in "[A-Za-z]", tail in "([A-Za-z0-9 ._-]{1,12}\\\\){0,3}[a-z]{1,8}\\.exe") {
            let path = format!("{drive}:\\Windows\\System32\\{tail}");
            prop_assert!(is_system_path(&path));
        }

        #[test]
        fn no_text_is_too_strange(path in any::<String>()) {
            if !is_system_path(&path) {
                prop_assert!(is_absolute(&path.to_lowercase()));
            }
        }
    }
}

//! What every machine has: accounts and images that say nothing about who belongs together. All texts
//! are compared in lower case.

/// Words that vendors write where they know nothing.
pub(super) fn is_placeholder(text: &str) -> bool {
    const PLACEHOLDERS: [&str; 8] = ["", "-", "--", "?", "n/a", "none", "null", "unknown"];
    PLACEHOLDERS
        .iter()
        .any(|word| text.eq_ignore_ascii_case(word))
}

/// Whether an account of this name is on many machines without being one account: the operating
/// system's own, machine accounts, and names without a domain that every installation brings.
pub(super) fn is_ubiquitous_account(domain: Option<&str>, name: &str) -> bool {
    const DOMAINS: [&str; 9] = [
        "nt authority",
        "nt-autorität",
        "autorite nt",
        "autoridad nt",
        "nt service",
        "builtin",
        "window manager",
        "font driver host",
        "iis apppool",
    ];
    const SYSTEM: [&str; 19] = [
        "system",
        "localsystem",
        "local system",
        "local service",
        "localservice",
        "network service",
        "networkservice",
        "anonymous logon",
        "everyone",
        "root",
        "nobody",
        "daemon",
        "bin",
        "sys",
        "www-data",
        "apache",
        "nginx",
        "postgres",
        "_windowserver",
    ];
    const LOCAL: [&str; 9] = [
        "administrator",
        "admin",
        "guest",
        "defaultaccount",
        "user",
        "ubuntu",
        "ec2-user",
        "azureuser",
        "centos",
    ];
    let owned_by_system = domain.is_some_and(|domain| DOMAINS.contains(&domain));
    owned_by_system
        || SYSTEM.contains(&name)
        || (domain.is_none() && LOCAL.contains(&name))
        || name.ends_with('$')
        || name.starts_with("dwm-")
        || name.starts_with("umfd-")
}

/// Whether a SID or vendor's user id is on many machines: Windows' well-known ones, and short numbers,
/// which are user ids of Unix and mean another person on each machine.
pub(super) fn is_ubiquitous_sid(sid: &str) -> bool {
    const EXACT: [&str; 8] = [
        "s-1-0-0", "s-1-1-0", "s-1-5-7", "s-1-5-11", "s-1-5-17", "s-1-5-18", "s-1-5-19", "s-1-5-20",
    ];
    const FAMILIES: [&str; 6] = [
        "s-1-5-32-",
        "s-1-5-80-",
        "s-1-5-82-",
        "s-1-5-83-",
        "s-1-5-90-",
        "s-1-5-96-",
    ];
    let number = sid.len() <= 7 && sid.bytes().all(|b| b.is_ascii_digit());
    number || EXACT.contains(&sid) || FAMILIES.iter().any(|family| sid.starts_with(family))
}

/// Whether an image came with the operating system, judged by its directory, and by its name only
/// where no directory is known. A path that climbs (`..`) may lead anywhere and is not believed.
pub(super) fn is_system_image(path: Option<&str>, name: Option<&str>) -> bool {
    match path {
        Some(path) if path.contains(['/', '\\']) => in_system_directory(path),
        Some(bare) => is_system_name(bare),
        None => name.is_some_and(is_system_name),
    }
}

fn in_system_directory(path: &str) -> bool {
    const WINDOWS: [&str; 6] = [
        "system32",
        "syswow64",
        "sysnative",
        "winsxs",
        "systemapps",
        "microsoft.net",
    ];
    const UNIX: [&str; 8] = [
        "/usr/bin/",
        "/bin/",
        "/usr/sbin/",
        "/sbin/",
        "/usr/libexec/",
        "/lib/systemd/",
        "/usr/lib/systemd/",
        "/system/",
    ];
    let path = path.to_lowercase();
    if path.split(['/', '\\']).any(|part| part == "..") {
        return false;
    }
    if path.starts_with('/') {
        return UNIX.iter().any(|directory| path.starts_with(directory));
    }
    let mut parts = below_windows(&path);
    let first = parts.next();
    match parts.next() {
        Some(_) => first.is_some_and(|first| WINDOWS.contains(&first)),
        // Directly in the Windows directory, where explorer.exe lives, but tools are dropped as well.
        None => first.is_some_and(is_system_name),
    }
}

/// The parts of a Windows path that come after the Windows directory, none where it isn't below one.
/// The root is a drive, a device (`\Device\HarddiskVolume3`), a variable or the kernel's `\SystemRoot`.
fn below_windows(path: &str) -> impl Iterator<Item = &str> {
    let mut parts = path
        .split(['/', '\\'])
        .filter(|part| !part.is_empty())
        .peekable();
    parts.next_if(|part| matches!(*part, "?" | "??" | "."));
    let below = match parts.next() {
        Some("systemroot" | "%systemroot%" | "%windir%") => true,
        Some("device") => {
            let volume = parts
                .next()
                .is_some_and(|part| part.starts_with("harddiskvolume"));
            volume && parts.next() == Some("windows")
        }
        Some(drive) if drive.len() == 2 && drive.ends_with(':') => parts.next() == Some("windows"),
        Some(_) | None => false,
    };
    parts.filter(move |_| below)
}

/// Names of programs that come with operating systems and are often borrowed by attackers.
fn is_system_name(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "at.exe",
        "bash",
        "bash.exe",
        "bitsadmin.exe",
        "certutil.exe",
        "cmd.exe",
        "cmstp.exe",
        "conhost.exe",
        "control.exe",
        "cscript.exe",
        "csrss.exe",
        "curl",
        "curl.exe",
        "dash",
        "dllhost.exe",
        "explorer.exe",
        "forfiles.exe",
        "hh.exe",
        "installutil.exe",
        "lsass.exe",
        "mmc.exe",
        "msbuild.exe",
        "mshta.exe",
        "msiexec.exe",
        "net.exe",
        "net1.exe",
        "netsh.exe",
        "notepad.exe",
        "ntdsutil.exe",
        "osascript",
        "perl",
        "powershell.exe",
        "python",
        "python3",
        "reg.exe",
        "regasm.exe",
        "regsvcs.exe",
        "regsvr32.exe",
        "rundll32.exe",
        "sc.exe",
        "schtasks.exe",
        "services.exe",
        "sh",
        "spoolsv.exe",
        "ssh",
        "sudo",
        "svchost.exe",
        "taskkill.exe",
        "vssadmin.exe",
        "wevtutil.exe",
        "wget",
        "whoami.exe",
        "wmic.exe",
        "wmiprvse.exe",
        "wscript.exe",
        "zsh",
    ];
    let name = name.to_lowercase();
    NAMES.contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_judged_by_where_they_lie() {
        for system in [
            r"C:\Windows\System32\cmd.exe",
            r"c:/windows/syswow64/WindowsPowerShell/v1.0/powershell.exe",
            r"\Device\HarddiskVolume3\Windows\System32\svchost.exe",
            r"\\?\C:\Windows\System32\svchost.exe",
            r"\SystemRoot\System32\smss.exe",
            r"%SystemRoot%\System32\cmd.exe",
            r"C:\Windows\explorer.exe",
            "/usr/bin/curl",
            "/bin/sh",
            "/System/Library/CoreServices/Finder.app/Contents/MacOS/Finder",
            "cmd.exe",
        ] {
            assert!(is_system_image(Some(system), None), "{system}");
        }
        for own in [
            r"C:\Windows\Temp\a.exe",
            r"C:\Windows\PSEXESVC.exe",
            r"C:\Users\jo\System32\cmd.exe",
            r"C:\Users\jo\Windows\System32\cmd.exe",
            r"C:\Windows\System32\..\Temp\a.exe",
            r"C:\Windows\System32",
            r"\\server\share\windows\system32\a.exe",
            "/usr/bin/../../tmp/a",
            "/tmp/usr/bin/a",
            "/home/jo/a",
            "a.exe",
        ] {
            assert!(!is_system_image(Some(own), Some("cmd.exe")), "{own}");
        }
        assert!(is_system_image(None, Some("CMD.exe")));
        assert!(!is_system_image(None, Some("a.exe")));
        assert!(!is_system_image(None, None));
    }
}

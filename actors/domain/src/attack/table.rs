//! Common techniques: what each is called and which tactics it serves.

use super::Tactic::{
    self, Collection as Coll, CommandAndControl as C2, CredentialAccess as Cred,
    DefenseEvasion as Evade, Discovery as Disc, Execution as Exec, Exfiltration as Exfil, Impact,
    InitialAccess as Init, LateralMovement as Lat, Persistence as Pers,
    PrivilegeEscalation as Priv, Reconnaissance as Recon, ResourceDevelopment as Res,
};

/// The name of a technique by its id (`T1003.001`) in any case. A sub-technique that is not in the
/// table has its parent's name; `None` for what is not in the table at all.
pub fn technique_name(technique: &str) -> Option<&'static str> {
    found(technique).map(|row| row.1)
}

/// The tactic that a technique serves most often; see [`tactics_of_technique`].
pub fn tactic_of_technique(technique: &str) -> Option<Tactic> {
    tactics_of_technique(technique).first().copied()
}

/// Every tactic that a technique serves, the usual one first; empty where it is not in the table. The
/// technique is given by its id, or by its name where the vendor has only names.
pub fn tactics_of_technique(technique: &str) -> &'static [Tactic] {
    found(technique)
        .or_else(|| by_name(technique))
        .map_or(&[], |row| row.2)
}

/// Whether the text has the form of a technique's id: `T`, four digits, and three more after a dot
/// for a sub-technique. Of a text that has it nothing needs to be hidden or escaped.
pub fn is_technique_id(text: &str) -> bool {
    let digits =
        |text: &str, count| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    let (parent, child) = match text.split_once('.') {
        Some((parent, child)) => (parent, Some(child)),
        None => (text, None),
    };
    parent
        .strip_prefix('T')
        .is_some_and(|number| digits(number, 4))
        && child.is_none_or(|number| digits(number, 3))
}

/// The id that a text names: an id in any case, known or not, or the name of a technique in the table.
pub fn technique_id(text: &str) -> Option<String> {
    let id = text.trim();
    let upper = (id.len() <= ID_MAX_BYTES).then(|| id.to_ascii_uppercase());
    upper
        .filter(|id| is_technique_id(id))
        .or_else(|| by_name(text).map(|row| row.0.to_owned()))
}

type Row = (&'static str, &'static str, &'static [Tactic]);

fn found(technique: &str) -> Option<&'static Row> {
    // Ids are short, so the copy is cheap and longer texts are none.
    let id = technique.trim();
    let id = (id.len() <= ID_MAX_BYTES).then(|| id.to_ascii_uppercase())?;
    let parent = id.split('.').next().unwrap_or_default();
    is_technique_id(&id).then(|| row(&id).or_else(|| row(parent)))?
}

/// The length of a sub-technique's id.
const ID_MAX_BYTES: usize = 9;

fn row(id: &str) -> Option<&'static Row> {
    let at = TABLE.binary_search_by(|row| row.0.cmp(id)).ok()?;
    TABLE.get(at)
}

fn by_name(name: &str) -> Option<&'static Row> {
    let name = name.trim();
    TABLE.iter().find(|row| row.1.eq_ignore_ascii_case(name))
}

/// Sorted by id, which a test checks.
pub(super) const TABLE: &[Row] = &[
    ("T1003", "OS Credential Dumping", &[Cred]),
    ("T1003.001", "LSASS Memory", &[Cred]),
    ("T1003.002", "Security Account Manager", &[Cred]),
    ("T1003.003", "NTDS", &[Cred]),
    ("T1003.006", "DCSync", &[Cred]),
    ("T1005", "Data from Local System", &[Coll]),
    ("T1007", "System Service Discovery", &[Disc]),
    ("T1012", "Query Registry", &[Disc]),
    ("T1014", "Rootkit", &[Evade]),
    ("T1016", "System Network Configuration Discovery", &[Disc]),
    ("T1018", "Remote System Discovery", &[Disc]),
    ("T1020", "Automated Exfiltration", &[Exfil]),
    ("T1021", "Remote Services", &[Lat]),
    ("T1021.001", "Remote Desktop Protocol", &[Lat]),
    ("T1021.002", "SMB/Windows Admin Shares", &[Lat]),
    ("T1021.003", "Distributed Component Object Model", &[Lat]),
    ("T1021.004", "SSH", &[Lat]),
    ("T1021.006", "Windows Remote Management", &[Lat]),
    ("T1027", "Obfuscated Files or Information", &[Evade]),
    ("T1029", "Scheduled Transfer", &[Exfil]),
    ("T1033", "System Owner/User Discovery", &[Disc]),
    ("T1036", "Masquerading", &[Evade]),
    (
        "T1037",
        "Boot or Logon Initialization Scripts",
        &[Pers, Priv],
    ),
    ("T1039", "Data from Network Shared Drive", &[Coll]),
    ("T1040", "Network Sniffing", &[Cred, Disc]),
    ("T1041", "Exfiltration Over C2 Channel", &[Exfil]),
    ("T1046", "Network Service Discovery", &[Disc]),
    ("T1047", "Windows Management Instrumentation", &[Exec]),
    ("T1048", "Exfiltration Over Alternative Protocol", &[Exfil]),
    ("T1049", "System Network Connections Discovery", &[Disc]),
    ("T1053", "Scheduled Task/Job", &[Exec, Pers, Priv]),
    ("T1053.005", "Scheduled Task", &[Exec, Pers, Priv]),
    ("T1055", "Process Injection", &[Evade, Priv]),
    ("T1055.012", "Process Hollowing", &[Evade, Priv]),
    ("T1056", "Input Capture", &[Coll, Cred]),
    ("T1057", "Process Discovery", &[Disc]),
    ("T1059", "Command and Scripting Interpreter", &[Exec]),
    ("T1059.001", "PowerShell", &[Exec]),
    ("T1059.003", "Windows Command Shell", &[Exec]),
    ("T1059.004", "Unix Shell", &[Exec]),
    ("T1059.005", "Visual Basic", &[Exec]),
    ("T1059.006", "Python", &[Exec]),
    ("T1059.007", "JavaScript", &[Exec]),
    ("T1068", "Exploitation for Privilege Escalation", &[Priv]),
    ("T1069", "Permission Groups Discovery", &[Disc]),
    ("T1070", "Indicator Removal", &[Evade]),
    ("T1071", "Application Layer Protocol", &[C2]),
    ("T1072", "Software Deployment Tools", &[Exec, Lat]),
    ("T1074", "Data Staged", &[Coll]),
    ("T1078", "Valid Accounts", &[Init, Pers, Priv, Evade]),
    ("T1082", "System Information Discovery", &[Disc]),
    ("T1083", "File and Directory Discovery", &[Disc]),
    ("T1087", "Account Discovery", &[Disc]),
    ("T1090", "Proxy", &[C2]),
    ("T1091", "Replication Through Removable Media", &[Init, Lat]),
    ("T1095", "Non-Application Layer Protocol", &[C2]),
    ("T1098", "Account Manipulation", &[Pers, Priv]),
    ("T1102", "Web Service", &[C2]),
    ("T1105", "Ingress Tool Transfer", &[C2]),
    ("T1106", "Native API", &[Exec]),
    ("T1110", "Brute Force", &[Cred]),
    ("T1112", "Modify Registry", &[Evade, Pers]),
    ("T1113", "Screen Capture", &[Coll]),
    ("T1114", "Email Collection", &[Coll]),
    ("T1115", "Clipboard Data", &[Coll]),
    ("T1119", "Automated Collection", &[Coll]),
    (
        "T1127",
        "Trusted Developer Utilities Proxy Execution",
        &[Evade],
    ),
    ("T1133", "External Remote Services", &[Init, Pers]),
    ("T1134", "Access Token Manipulation", &[Priv, Evade]),
    ("T1135", "Network Share Discovery", &[Disc]),
    ("T1136", "Create Account", &[Pers]),
    ("T1140", "Deobfuscate/Decode Files or Information", &[Evade]),
    ("T1176", "Software Extensions", &[Pers]),
    ("T1187", "Forced Authentication", &[Cred]),
    ("T1189", "Drive-by Compromise", &[Init]),
    ("T1190", "Exploit Public-Facing Application", &[Init]),
    ("T1195", "Supply Chain Compromise", &[Init]),
    ("T1197", "BITS Jobs", &[Evade, Pers]),
    ("T1201", "Password Policy Discovery", &[Disc]),
    ("T1202", "Indirect Command Execution", &[Evade]),
    ("T1203", "Exploitation for Client Execution", &[Exec]),
    ("T1204", "User Execution", &[Exec]),
    ("T1204.002", "Malicious File", &[Exec]),
    ("T1210", "Exploitation of Remote Services", &[Lat]),
    ("T1212", "Exploitation for Credential Access", &[Cred]),
    ("T1218", "System Binary Proxy Execution", &[Evade]),
    ("T1218.005", "Mshta", &[Evade]),
    ("T1218.010", "Regsvr32", &[Evade]),
    ("T1218.011", "Rundll32", &[Evade]),
    ("T1219", "Remote Access Tools", &[C2]),
    (
        "T1222",
        "File and Directory Permissions Modification",
        &[Evade],
    ),
    ("T1482", "Domain Trust Discovery", &[Disc]),
    (
        "T1484",
        "Domain or Tenant Policy Modification",
        &[Evade, Priv],
    ),
    ("T1485", "Data Destruction", &[Impact]),
    ("T1486", "Data Encrypted for Impact", &[Impact]),
    ("T1489", "Service Stop", &[Impact]),
    ("T1490", "Inhibit System Recovery", &[Impact]),
    ("T1496", "Resource Hijacking", &[Impact]),
    ("T1498", "Network Denial of Service", &[Impact]),
    ("T1505", "Server Software Component", &[Pers]),
    ("T1505.003", "Web Shell", &[Pers]),
    ("T1518", "Software Discovery", &[Disc]),
    ("T1529", "System Shutdown/Reboot", &[Impact]),
    ("T1531", "Account Access Removal", &[Impact]),
    ("T1539", "Steal Web Session Cookie", &[Cred]),
    ("T1543", "Create or Modify System Process", &[Pers, Priv]),
    ("T1543.003", "Windows Service", &[Pers, Priv]),
    ("T1546", "Event Triggered Execution", &[Pers, Priv]),
    ("T1547", "Boot or Logon Autostart Execution", &[Pers, Priv]),
    (
        "T1547.001",
        "Registry Run Keys / Startup Folder",
        &[Pers, Priv],
    ),
    ("T1548", "Abuse Elevation Control Mechanism", &[Priv, Evade]),
    ("T1548.002", "Bypass User Account Control", &[Priv, Evade]),
    (
        "T1550",
        "Use Alternate Authentication Material",
        &[Lat, Evade],
    ),
    ("T1550.002", "Pass the Hash", &[Lat, Evade]),
    ("T1552", "Unsecured Credentials", &[Cred]),
    ("T1553", "Subvert Trust Controls", &[Evade]),
    ("T1555", "Credentials from Password Stores", &[Cred]),
    (
        "T1556",
        "Modify Authentication Process",
        &[Cred, Evade, Pers],
    ),
    ("T1557", "Adversary-in-the-Middle", &[Cred, Coll]),
    ("T1558", "Steal or Forge Kerberos Tickets", &[Cred]),
    ("T1558.003", "Kerberoasting", &[Cred]),
    ("T1560", "Archive Collected Data", &[Coll]),
    ("T1561", "Disk Wipe", &[Impact]),
    ("T1562", "Impair Defenses", &[Evade]),
    ("T1562.001", "Disable or Modify Tools", &[Evade]),
    ("T1563", "Remote Service Session Hijacking", &[Lat]),
    ("T1564", "Hide Artifacts", &[Evade]),
    ("T1566", "Phishing", &[Init]),
    ("T1566.001", "Spearphishing Attachment", &[Init]),
    ("T1566.002", "Spearphishing Link", &[Init]),
    ("T1567", "Exfiltration Over Web Service", &[Exfil]),
    ("T1569", "System Services", &[Exec]),
    ("T1569.002", "Service Execution", &[Exec]),
    ("T1570", "Lateral Tool Transfer", &[Lat]),
    ("T1571", "Non-Standard Port", &[C2]),
    ("T1572", "Protocol Tunneling", &[C2]),
    ("T1573", "Encrypted Channel", &[C2]),
    ("T1574", "Hijack Execution Flow", &[Pers, Priv, Evade, Exec]),
    ("T1583", "Acquire Infrastructure", &[Res]),
    ("T1588", "Obtain Capabilities", &[Res]),
    ("T1595", "Active Scanning", &[Recon]),
    ("T1598", "Phishing for Information", &[Recon]),
    ("T1611", "Escape to Host", &[Priv]),
    ("T1615", "Group Policy Discovery", &[Disc]),
    ("T1620", "Reflective Code Loading", &[Evade]),
    (
        "T1649",
        "Steal or Forge Authentication Certificates",
        &[Cred],
    ),
    ("T1685", "Disable or Modify Tools", &[Evade]),
    ("T1686", "Disable or Modify System Firewall", &[Evade]),
];

//! The slow and general way to verify: parse each line, write its canonical form and compare, then
//! write the entry without its hash and hash that.

use serde_json::{Map, Value};

use crate::GENESIS;
use crate::draft::check_object;
use crate::entry::chain_hash;
use crate::journal::Head;
use crate::verify::VerifyReport;

pub(super) fn verify(text: &[u8]) -> VerifyReport {
    let mut head: Option<Head> = None;
    let mut tenant: Option<String> = None;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        if let Err(fault) = add(&mut head, &mut tenant, line) {
            return report(head, Some(fault));
        }
    }
    report(head, None)
}

/// The entry, if the line is its one canonical form and keeps the rules of all our entries.
pub(super) fn canonical_object(line: &[u8]) -> Option<Map<String, Value>> {
    let Value::Object(members) = serde_json::from_slice(line).ok()? else {
        return None;
    };
    check_object(&members, 64).ok()?;
    let canonical = serde_json_canonicalizer::to_vec(&members).ok()?;
    (canonical == line).then_some(members)
}

type Fault = (&'static str, Option<String>, Option<String>);

fn add(head: &mut Option<Head>, tenant: &mut Option<String>, line: &[u8]) -> Result<(), Fault> {
    let next = head.map_or(0, |head| head.seq + 1);
    let line = line.strip_suffix(b"\n").ok_or(("half_line", None, None))?;
    let mut entry = canonical_object(line).ok_or(("canonical", None, None))?;
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let whose = text(entry.get("tenant_id")).ok_or(("canonical", None, None))?;
    if *tenant.get_or_insert_with(|| whose.clone()) != whose {
        return Err(("tenant", None, None));
    }
    let observed = text(entry.remove("hash").as_ref()).unwrap_or_default();
    let claimed = text(entry.get("previous_hash")).unwrap_or_default();
    if entry.get("seq").and_then(Value::as_u64) != Some(next) {
        return Err(("seq", None, Some(observed)));
    }
    let previous = hex::encode(head.map_or(GENESIS, |head| head.hash));
    if claimed != previous {
        return Err(("chain", Some(previous), Some(claimed)));
    }
    let canonical = serde_json_canonicalizer::to_vec(&entry).unwrap();
    let hash = chain_hash(claimed.as_bytes(), &[&canonical]);
    if observed != hex::encode(hash) {
        return Err(("chain", Some(hex::encode(hash)), Some(observed)));
    }
    *head = Some(Head { seq: next, hash });
    Ok(())
}

fn report(head: Option<Head>, fault: Option<Fault>) -> VerifyReport {
    let entries = head.map_or(0, |head| head.seq + 1);
    let divergent_seq = fault.is_some().then_some(entries);
    let (kind, expected_hash, observed_hash) = match fault {
        Some((kind, expected, observed)) => (Some(kind), expected, observed),
        None => (None, None, None),
    };
    VerifyReport {
        ok: kind.is_none(),
        entries,
        head,
        kind,
        divergent_seq,
        expected_hash,
        observed_hash,
    }
}

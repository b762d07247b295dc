//! That what was answered is what the chain says.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use vyrox_domain::ids::TenantId;

use super::super::{
    client::Client,
    failure::Failure,
    model::{Verification, view},
    out::{Line, Out, Tone},
    simulate::Told,
    verify,
};

/// What we need of an exported line.
#[derive(Deserialize)]
struct Entry {
    seq: u64,
    hash: String,
}

/// Has the server verify the chain, and looks up every receipt in its export.
///
/// # Errors
/// "Not so" if the chain does not verify or a receipt is not in it.
pub(super) async fn show(
    client: &Client,
    tenant: &TenantId,
    told: &[Told],
    out: &mut Out,
) -> Result<Value, Failure> {
    let query = [("tenant_id", tenant.as_str())];
    let answer: Value = client.get(&["audit", "verify"], &query).await?;
    let found: Verification = view(&answer);
    verify::show("every entry follows from the one before", &found, out)?;
    let chain = exported(client, tenant, told).await?;
    let standing = told.iter().filter(|told| stands(&chain, told)).count();
    let all = told.len();
    let tone = if standing == all {
        Tone::Good
    } else {
        Tone::Bad
    };
    out.line(
        Line::named("receipts")
            .tone(tone, format!("{standing} of {all}"))
            .text(" stand in the export"),
    )?;
    if found.ok && standing == all {
        return Ok(json!({ "verify": answer, "receipts": all, "receipts_found": standing }));
    }
    Err(Failure::not_so(
        "the chain does not prove what was answered",
    ))
}

/// The hashes by seq of the part of the chain that the receipts are about.
async fn exported(
    client: &Client,
    tenant: &TenantId,
    told: &[Told],
) -> Result<BTreeMap<u64, String>, Failure> {
    let seqs = || told.iter().map(|told| told.seq);
    let from = seqs().min().unwrap_or_default().to_string();
    let to = seqs().max().unwrap_or_default().to_string();
    let query = [
        ("tenant_id", tenant.as_str()),
        ("format", "jsonl"),
        ("from_seq", &from),
        ("to_seq", &to),
    ];
    let mut response = client.open(&["audit", "export"], &query).await?;
    let mut lines = Vec::new();
    while let Some(chunk) = client.next_chunk(&mut response).await? {
        lines.extend(chunk);
    }
    Ok(hashes_in(&lines))
}

fn hashes_in(lines: &[u8]) -> BTreeMap<u64, String> {
    let entries = lines.split(|&byte| byte == b'\n');
    let entry = |line: &[u8]| serde_json::from_slice::<Entry>(line).ok();
    entries
        .filter_map(entry)
        .map(|entry| (entry.seq, entry.hash))
        .collect()
}

fn stands(chain: &BTreeMap<u64, String>, told: &Told) -> bool {
    chain.get(&told.seq) == Some(&told.hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_stands_only_with_its_own_hash() {
        let chain =
            hashes_in(b"{\"seq\":1,\"hash\":\"a\"}\n{\"seq\":2,\"hash\":\"b\",\"x\":0}\n{\"seq\"");
        let told = |seq, hash: &str| Told {
            seq,
            hash: hash.into(),
            view: Value::Null,
        };
        assert!(stands(&chain, &told(2, "b")));
        assert!(!stands(&chain, &told(2, "a")));
        assert!(!stands(&chain, &told(3, "b")));
    }
}

//! Commands for the host, and its chain as a journal would write it.

use vyrox_domain::{
    chat_code::ChatCode,
    digest::Digest,
    host::{self, HostRefusal, HostState},
    host_protocol::{
        Account, ActionSecretRemoved, ActionSecretSet, ChatCodeIssued, ClaimChat,
        ContainmentHalted, ContainmentResumed, CredentialChange, EdrCredentialRemoved,
        EdrCredentialRetired, EdrCredentialSet, HaltChange, HostCommand, HostEvent, KeyIssued,
        PeopleChange, PersonAdded, PersonGranted, PersonLink, PersonalToken, Provider, TenantAdded,
        TokenIssued, Webhook,
    },
    ids::{PersonId, TenantId},
    person::Role,
    time::Timestamp,
    vendor::Vendor,
    webhook::AuthScheme,
};

pub(crate) const BEGIN: Timestamp = Timestamp::from_ms(1_700_000_000_000);

/// Does what is asked, as the registry would, and tells what happened.
pub(crate) fn done(
    state: &mut HostState,
    command: HostCommand,
    at: Timestamp,
) -> Result<Vec<HostEvent>, HostRefusal> {
    let events = host::decide(state, command, at, 9)?;
    for event in &events {
        host::apply(state, event, at);
    }
    Ok(events)
}

pub(crate) fn tenant(n: u8) -> TenantId {
    format!("tenant-{n}").parse().expect("a name")
}

pub(crate) fn account(n: u8) -> Account {
    Account {
        vendor: Vendor::Crowdstrike,
        id: format!("cid-{n}"),
    }
}

pub(crate) fn webhook(vendor: Vendor, secret_version: u64) -> Webhook {
    Webhook {
        vendor,
        auth: AuthScheme::VyroxHmac,
        secret_version,
    }
}

pub(crate) fn add(n: u8, accounts: Vec<Account>) -> HostCommand {
    let added = TenantAdded {
        tenant_id: tenant(n),
        opaque_id: format!("{n}"),
        webhooks: vec![
            webhook(Vendor::Crowdstrike, 1),
            webhook(Vendor::Defender, 1),
        ],
        accounts,
        data_key_id: "k".into(),
        by: BY.into(),
    };
    HostCommand::AddTenant(added, key(n))
}

pub(crate) const BY: &str = "api_token:bootstrap";

pub(crate) fn key(n: u8) -> KeyIssued {
    KeyIssued {
        tenant_id: tenant(n),
        kid: format!("act_{n}"),
        public_key_hex: hex(n),
    }
}

pub(crate) fn hex(n: u8) -> String {
    Digest::of(&[n]).to_hex()
}

pub(crate) fn person(n: u8) -> PersonId {
    format!("person.{n}").parse().expect("a name")
}

pub(crate) fn added(n: u8) -> HostCommand {
    HostCommand::ChangePeople(PeopleChange::Added(PersonAdded {
        person_id: person(n),
        by: BY.into(),
    }))
}

pub(crate) fn granted(n: u8, t: u8, roles: &[Role]) -> HostCommand {
    HostCommand::ChangePeople(PeopleChange::Granted(PersonGranted {
        person_id: person(n),
        tenant_id: tenant(t),
        roles: roles.iter().copied().collect(),
        by: BY.into(),
    }))
}

pub(crate) fn link(n: u8, account: &str) -> PersonLink {
    PersonLink {
        person_id: person(n),
        provider: Provider::Discord,
        account_id: account.into(),
        by: BY.into(),
    }
}

pub(crate) fn linked(n: u8, account: &str) -> HostCommand {
    HostCommand::ChangePeople(PeopleChange::Linked(link(n, account)))
}

pub(crate) fn token(who: u8, n: u8, until: Timestamp) -> HostCommand {
    HostCommand::IssueToken(TokenIssued {
        token_id: format!("tok_{n}"),
        scopes: vec!["approve".into()],
        personal: Some(PersonalToken {
            person_id: person(who),
            expires_at_ms: until,
            token_sha256: Digest::of(&[who, n]),
            by: BY.into(),
        }),
    })
}

fn code(n: u8) -> Digest {
    ChatCode::from_bits(n.into()).digest()
}

pub(crate) fn chat_code(t: u8, n: u8, until: Timestamp) -> HostCommand {
    HostCommand::IssueChatCode(ChatCodeIssued {
        tenant_id: tenant(t),
        code_sha256: code(n),
        expires_at_ms: until,
        by: BY.into(),
    })
}

pub(crate) fn claim(n: u8, guild: u8) -> HostCommand {
    HostCommand::ClaimChat(shown(n, guild))
}

pub(crate) fn shown(n: u8, guild: u8) -> ClaimChat {
    ClaimChat {
        code_sha256: code(n),
        guild_id: guild.to_string(),
        channel_id: "7".into(),
        admin_role_id: guild.is_multiple_of(2).then(|| "8".into()),
        user_id: "9".into(),
    }
}

pub(crate) fn edr_set(n: u8, secret_version: u64, until: Option<Timestamp>) -> HostCommand {
    HostCommand::ChangeCredential(CredentialChange::EdrSet(EdrCredentialSet {
        tenant_id: tenant(n),
        vendor: Vendor::Sentinelone,
        secret_version,
        key_id: "k".into(),
        base_host: "acme.sentinelone.net".into(),
        checked: secret_version.is_multiple_of(2),
        previous_until_ms: until,
        by: BY.into(),
    }))
}

pub(crate) fn edr_retired(n: u8, secret_version: u64) -> EdrCredentialRetired {
    EdrCredentialRetired {
        tenant_id: tenant(n),
        vendor: Vendor::Sentinelone,
        secret_version,
    }
}

pub(crate) fn edr_removed(n: u8) -> HostCommand {
    HostCommand::ChangeCredential(CredentialChange::EdrRemoved(EdrCredentialRemoved {
        tenant_id: tenant(n),
        vendor: Vendor::Sentinelone,
        by: BY.into(),
    }))
}

pub(crate) fn action_set(n: u8, secret_version: u64) -> HostCommand {
    HostCommand::ChangeCredential(CredentialChange::ActionSet(ActionSecretSet {
        tenant_id: tenant(n),
        secret_version,
        key_id: "k".into(),
        by: BY.into(),
    }))
}

pub(crate) fn action_removed(n: u8) -> HostCommand {
    HostCommand::ChangeCredential(CredentialChange::ActionRemoved(ActionSecretRemoved {
        tenant_id: tenant(n),
        by: BY.into(),
    }))
}

pub(crate) fn halt(n: Option<u8>, reason: &str) -> HostCommand {
    HostCommand::ChangeHalt(HaltChange::Halted(ContainmentHalted {
        tenant_id: n.map(tenant),
        reason: reason.into(),
        by: BY.into(),
    }))
}

pub(crate) fn resume(n: Option<u8>, reason: Option<&str>) -> HostCommand {
    HostCommand::ChangeHalt(HaltChange::Resumed(ContainmentResumed {
        tenant_id: n.map(tenant),
        reason: reason.map(Into::into),
        by: BY.into(),
    }))
}

//! Any commands in any order, live and read back.

use proptest::{collection::vec, prelude::*};
use vyrox_domain::{
    entry::Recorded,
    host::{self, HostRefusal, HostState, TOKEN_LIFE_MAX_MS, TOKENS_MAX},
    host_protocol::{
        Account, ChatReleased, CredentialChange, DamagedPart, HeldChain, HostCommand,
        JournalDamaged, JournalRecovered, LetterFate, LetterSettled, LogRead, PeopleChange,
        PersonAdded, PersonGranted, PersonRemoved, SecretRetired, SecretRotated, SecretSealed,
        TenantHealth, TenantNoted, TenantUpdated, TokenRevoked,
    },
    person::Role,
    time::Timestamp,
    vendor::Vendor,
};

use super::{
    line::line,
    makers::{
        BEGIN, BY, account, action_removed, action_set, add, chat_code, claim, edr_removed,
        edr_retired, edr_set, halt, key, link, person, resume, tenant, token,
    },
};

fn people_change() -> impl Strategy<Value = PeopleChange> {
    let roles = proptest::collection::btree_set(proptest::sample::select(&Role::ALL[..]), 0..3);
    prop_oneof![
        3 => (0_u8..4).prop_map(|n| PeopleChange::Added(PersonAdded {
            person_id: person(n), by: BY.into(),
        })),
        1 => (0_u8..4).prop_map(|n| PeopleChange::Removed(PersonRemoved { person_id: person(n), by: BY.into() })),
        2 => (0_u8..4, 0_u8..5, roles).prop_map(|(n, t, roles)| PeopleChange::Granted(PersonGranted {
            person_id: person(n), tenant_id: tenant(t), roles, by: BY.into(),
        })),
        3 => (0_u8..4, 0_u8..4).prop_map(|(n, account)| PeopleChange::Linked(link(n, &account.to_string()))),
        1 => (0_u8..4, 0_u8..4).prop_map(|(n, account)| PeopleChange::Unlinked(link(n, &account.to_string()))),
        1 => (0_u8..12).prop_map(|n| PeopleChange::TokenRevoked(TokenRevoked { token_id: format!("tok_{n}"), by: BY.into() })),
    ]
}

/// An account, a token and a chat server stand for one alone, whatever was asked for.
fn each_stands_for_one(state: &HostState, now: Timestamp) -> Result<(), TestCaseError> {
    let once = |mut all: Vec<String>| {
        let before = all.len();
        all.sort();
        all.dedup();
        all.len() == before
    };
    let people = || state.people.values();
    let accounts = people().flat_map(|p| p.accounts.iter().map(|(_, id)| id.clone()));
    prop_assert!(once(accounts.collect()));
    let tokens = people().flat_map(|p| p.tokens.keys().cloned());
    prop_assert!(once(tokens.collect()));
    let chats = state
        .tenants
        .values()
        .filter_map(|t| t.settings.chat.as_ref());
    prop_assert!(once(chats.map(|chat| chat.guild_id.clone()).collect()));
    for person in people() {
        let live = person.tokens.values().filter(|token| token.is_live(now));
        prop_assert!(live.count() <= TOKENS_MAX && person.tokens.len() <= TOKENS_MAX);
        prop_assert!(person.roles.values().all(|roles| !roles.is_empty()));
    }
    Ok(())
}

fn credential_or_halt() -> impl Strategy<Value = HostCommand> {
    let tenant = || 0_u8..3;
    let until = proptest::option::of((0_u64..100).prop_map(|ms| BEGIN.plus_ms(ms)));
    prop_oneof![
        5 => (tenant(), 1_u64..5, until).prop_map(|(n, version, until)| edr_set(n, version, until)),
        2 => (tenant(), 1_u64..5).prop_map(|(n, version)| {
            HostCommand::ChangeCredential(CredentialChange::EdrRetired(edr_retired(n, version)))
        }),
        1 => tenant().prop_map(edr_removed),
        3 => (tenant(), 1_u64..4).prop_map(|(n, version)| action_set(n, version)),
        1 => tenant().prop_map(action_removed),
        3 => (proptest::option::of(tenant()), "[a-z]{0,3}").prop_map(|(n, why)| halt(n, &why)),
        2 => (proptest::option::of(tenant()), proptest::option::of("[a-z]{1,3}"))
            .prop_map(|(n, why)| resume(n, why.as_deref())),
    ]
}

/// What is in force is of the last version, and what is on its way out is of another one.
fn credentials_are_in_order(state: &HostState) -> Result<(), TestCaseError> {
    for held in state.tenants.values().map(|tenant| &tenant.credentials) {
        for slot in held.edr.values().chain([&held.action]) {
            let Some(record) = &slot.in_force else {
                continue;
            };
            prop_assert_eq!(record.secret_version, slot.last_version);
            let previous = record.previous.map(|previous| previous.secret_version);
            prop_assert!(previous.is_none_or(|version| version < record.secret_version));
        }
    }
    Ok(())
}

#[expect(clippy::too_many_lines, reason = "a table of commands")]
fn host_command() -> impl Strategy<Value = HostCommand> {
    let by = BY;
    prop_oneof![
        3 => (0_u8..5, vec((0_u8..6).prop_map(account), 0..3)).prop_map(|(n, accounts)| add(n, accounts)),
        2 => (0_u8..5, vec((0_u8..6).prop_map(account), 0..2), vec((0_u8..6).prop_map(account), 0..2))
            .prop_map(move |(n, add_accounts, remove_accounts)| HostCommand::UpdateTenant(TenantUpdated {
                tenant_id: tenant(n), webhooks: Vec::new(), add_accounts, remove_accounts,
                llm: n.is_multiple_of(2).then_some(n.is_multiple_of(4)),
                chat_admin_role: None,
                by: by.into(),
            })),
        1 => (0_u8..5, proptest::option::of(0_u8..3)).prop_map(move |(n, role)| HostCommand::UpdateTenant(TenantUpdated {
            tenant_id: tenant(n), webhooks: Vec::new(), add_accounts: Vec::new(), remove_accounts: Vec::new(),
            llm: None,
            chat_admin_role: Some(role.map(|n| n.to_string()).unwrap_or_default()),
            by: by.into(),
        })),
        1 => (0_u8..5).prop_map(|n| HostCommand::IssueKey(key(n))),
        8 => credential_or_halt(),
        8 => people_change().prop_map(HostCommand::ChangePeople),
        4 => (0_u8..4, 0_u8..12, 0_u64..2 * TOKEN_LIFE_MAX_MS).prop_map(|(who, n, life)| token(who, n, BEGIN.plus_ms(life))),
        3 => (0_u8..5, 0_u8..4, 0_u64..100).prop_map(|(n, code, life)| chat_code(n, code, BEGIN.plus_ms(life))),
        3 => (0_u8..4, 0_u8..3).prop_map(|(code, guild)| claim(code, guild)),
        1 => (0_u8..5).prop_map(move |n| HostCommand::ReleaseChat(ChatReleased { tenant_id: tenant(n), by: by.into() })),
        1 => (1_u64..4).prop_map(move |secret_version| HostCommand::SealSecret(SecretSealed {
            name: "discord/bot_token".into(), secret_version, key_id: "k".into(), by: by.into(),
        })),
        2 => (0_u8..5, 2_u64..9, proptest::option::of(any::<u32>())).prop_map(move |(n, version, until)| {
            HostCommand::RotateSecret(SecretRotated {
                tenant_id: tenant(n),
                vendor: Vendor::Crowdstrike,
                secret_version: version,
                previous_until_ms: until.map(|ms| Timestamp::from_ms(ms.into())),
                by: by.into(),
            })
        }),
        1 => (0_u8..5, 1_u64..9).prop_map(|(n, version)| HostCommand::RetireSecret(SecretRetired {
            tenant_id: tenant(n), vendor: Vendor::Crowdstrike, secret_version: version,
        })),
        1 => (any::<bool>(), any::<u32>()).prop_map(|(cut, seq)| HostCommand::NoteRecovery(JournalRecovered {
            cut,
            damaged: !cut,
            held: vec![HeldChain { chain: "acme".into(), from_seq: seq.into() }],
            unknown_chains_held: seq % 2 == 0,
            read: (seq % 3 > 0).then_some(LogRead { segments: 1, batches: seq.into(), entries: 0 }),
        })),
        1 => (0_u8..5, any::<u32>(), any::<bool>()).prop_map(|(n, seq, lines)| HostCommand::NoteDamage(JournalDamaged {
            tenant_id: tenant(n).to_string(),
            from_seq: seq.into(),
            what: if lines { DamagedPart::Lines } else { DamagedPart::Evidence },
        })),
        1 => (0_u8..5).prop_map(|n| HostCommand::NoteTenant(TenantNoted {
            tenant_id: tenant(n), health: TenantHealth::Suspended,
        })),
        1 => any::<bool>().prop_map(|redriven| HostCommand::SettleLetter(LetterSettled {
            fate: if redriven { LetterFate::Redriven } else { LetterFate::Discarded },
            actor: "tenant/acme/machine".into(),
            message: "Receive".into(),
            digest: "00ff00ff00ff00ff".into(),
            number: 7,
            by: "api_token:ops".into(),
        })),
    ]
}

proptest! {
    #[test]
    fn replaying_the_hosts_chain_gives_its_live_state(commands in vec(host_command(), 0..60)) {
        let (mut live, mut chain) = (HostState::default(), Vec::new());
        for (n, command) in commands.into_iter().enumerate() {
            let at = Timestamp::from_ms(BEGIN.ms() + n as u64);
            for event in host::decide(&live, command, at, 4).unwrap_or_default() {
                let line = line(&event.entry(at), live.next_seq, "_host");
                chain.push(line.to_string().into_bytes());
                host::apply(&mut live, &event, at);
            }
            // An account has one owner, whatever was asked for.
            let mut owned: Vec<_> = live.tenants.values().flat_map(|t| &t.accounts).collect();
            let all = owned.len();
            owned.sort();
            owned.dedup();
            prop_assert_eq!(owned.len(), all);
            prop_assert!(live.tenants.len() <= 4);
            each_stands_for_one(&live, at)?;
            credentials_are_in_order(&live)?;
        }
        let mut replayed = HostState::default();
        for line in &chain {
            host::replay(&mut replayed, &Recorded::parse(line).expect("a line")).expect("replays");
        }
        prop_assert_eq!(replayed, live);
    }
}

#[test]
fn a_tenants_name_is_nobody_elses_account() {
    let mut state = HostState::default();
    let at = Timestamp::from_ms(1);
    let name_of_1 = Account {
        vendor: Vendor::Generic,
        id: "tenant-1".into(),
    };
    for event in host::decide(&state, add(0, vec![name_of_1]), at, 9).expect("added") {
        host::apply(&mut state, &event, at);
    }
    let taken = host::decide(&state, add(1, Vec::new()), at, 9);
    assert_eq!(taken, Err(HostRefusal::AccountTaken("tenant-1".into())));
    let again = host::decide(&state, add(0, Vec::new()), at, 9);
    assert_eq!(again, Err(HostRefusal::TenantExists));
}

//! Which place in chat is whose.

use vyrox_domain::{
    host::{HostRefusal, HostState},
    host_protocol::{ChatReleased, HostCommand, SecretSealed, TenantUpdated},
};

use super::makers::{BEGIN, BY, add, chat_code, claim, done, shown, tenant};

fn two_tenants() -> HostState {
    let mut state = HostState::default();
    for n in [1, 2] {
        done(&mut state, add(n, Vec::new()), BEGIN).expect("taken on");
    }
    state
}

fn guild_of(state: &HostState, n: u8) -> Option<&str> {
    let record = state.tenants.get(&tenant(n)).expect("a tenant");
    let chat = record.settings.chat.as_ref();
    chat.map(|chat| chat.guild_id.as_str())
}

#[test]
fn a_code_is_good_once_and_for_its_time() {
    let mut state = two_tenants();
    let until = BEGIN.plus_ms(10);
    done(&mut state, chat_code(1, 1, until), BEGIN).expect("a code");
    let late = done(&mut state, claim(1, 1), BEGIN.plus_ms(11));
    assert_eq!(late, Err(HostRefusal::WrongCode));
    let wrong = done(&mut state, claim(2, 1), BEGIN);
    assert_eq!(wrong, Err(HostRefusal::WrongCode));
    assert_eq!(guild_of(&state, 1), None);
    done(&mut state, claim(1, 1), until).expect("claimed");
    assert_eq!(guild_of(&state, 1), Some("1"));
    let again = done(&mut state, claim(1, 2), BEGIN);
    assert_eq!(again, Err(HostRefusal::WrongCode), "single use");
}

#[test]
fn a_new_code_replaces_the_one_before() {
    let mut state = two_tenants();
    for n in [1, 2] {
        done(&mut state, chat_code(1, n, BEGIN), BEGIN).expect("a code");
    }
    let old = done(&mut state, claim(1, 1), BEGIN);
    assert_eq!(old, Err(HostRefusal::WrongCode));
    done(&mut state, claim(2, 1), BEGIN).expect("claimed");
    let nobody = done(&mut state, chat_code(9, 3, BEGIN), BEGIN);
    assert_eq!(nobody, Err(HostRefusal::UnknownTenant));
}

#[test]
fn a_chat_server_belongs_to_one_tenant_and_a_tenant_has_one() {
    let mut state = two_tenants();
    done(&mut state, chat_code(1, 1, BEGIN), BEGIN).expect("a code");
    done(&mut state, claim(1, 1), BEGIN).expect("claimed");
    done(&mut state, chat_code(2, 2, BEGIN), BEGIN).expect("a code");
    let taken = done(&mut state, claim(2, 1), BEGIN);
    assert_eq!(taken, Err(HostRefusal::GuildTaken));
    done(&mut state, claim(2, 2), BEGIN).expect("the code was not used up by the refusal");

    done(&mut state, chat_code(1, 3, BEGIN), BEGIN).expect("a code");
    done(&mut state, claim(3, 3), BEGIN).expect("claimed anew");
    assert_eq!(guild_of(&state, 1), Some("3"));

    let release = |n| {
        HostCommand::ReleaseChat(ChatReleased {
            tenant_id: tenant(n),
            by: BY.into(),
        })
    };
    done(&mut state, release(1), BEGIN).expect("released");
    assert_eq!(guild_of(&state, 1), None);
    assert_eq!(
        done(&mut state, release(1), BEGIN),
        Err(HostRefusal::NoChat)
    );
    assert_eq!(
        done(&mut state, release(9), BEGIN),
        Err(HostRefusal::UnknownTenant)
    );
}

#[test]
fn an_id_that_chat_never_gives_is_refused() {
    let mut state = two_tenants();
    done(&mut state, chat_code(1, 1, BEGIN), BEGIN).expect("a code");
    let good = shown(1, 2);
    let changed: [fn(&mut vyrox_domain::host_protocol::ClaimChat); 4] = [
        |claim| claim.guild_id = "1\n".into(),
        |claim| claim.channel_id = "general".into(),
        |claim| claim.admin_role_id = Some(String::new()),
        |claim| claim.user_id = "-1".into(),
    ];
    for change in changed {
        let mut bad = good.clone();
        change(&mut bad);
        let refused = done(&mut state, HostCommand::ClaimChat(bad), BEGIN);
        assert_eq!(refused, Err(HostRefusal::BadChatId));
    }
    done(&mut state, HostCommand::ClaimChat(good), BEGIN).expect("claimed");
}

#[test]
fn settings_change_where_somebody_said_so_and_alert_data_stays_here_until_then() {
    let mut state = two_tenants();
    assert!(!state.tenants[&tenant(1)].settings.llm);
    let update = |llm: Option<bool>, role: Option<&str>| {
        HostCommand::UpdateTenant(TenantUpdated {
            tenant_id: tenant(1),
            webhooks: Vec::new(),
            add_accounts: Vec::new(),
            remove_accounts: Vec::new(),
            llm,
            chat_admin_role: role.map(str::to_owned),
            by: BY.into(),
        })
    };
    let nothing = done(&mut state, update(None, None), BEGIN);
    assert_eq!(nothing, Err(HostRefusal::NothingToDo));
    done(&mut state, update(Some(true), None), BEGIN).expect("on");
    assert!(state.tenants[&tenant(1)].settings.llm);
    assert!(!state.tenants[&tenant(2)].settings.llm);

    let nowhere = done(&mut state, update(None, Some("5")), BEGIN);
    assert_eq!(nowhere, Err(HostRefusal::NoChat));
    done(&mut state, chat_code(1, 1, BEGIN), BEGIN).expect("a code");
    done(&mut state, claim(1, 1), BEGIN).expect("claimed");
    let bad = done(&mut state, update(None, Some("admins")), BEGIN);
    assert_eq!(bad, Err(HostRefusal::BadChatId));
    for (said, stands) in [("5", Some("5")), ("", None)] {
        done(&mut state, update(None, Some(said)), BEGIN).expect("changed");
        let settings = &state.tenants[&tenant(1)].settings;
        let chat = settings.chat.as_ref().expect("chat");
        assert_eq!(chat.admin_role_id.as_deref(), stands);
        assert!(settings.llm, "what was not said stays");
    }
}

#[test]
fn versions_of_a_host_secret_follow_each_other() {
    let mut state = HostState::default();
    let seal = |secret_version| {
        HostCommand::SealSecret(SecretSealed {
            name: "discord/bot_token".into(),
            secret_version,
            key_id: "k".into(),
            by: BY.into(),
        })
    };
    assert_eq!(
        done(&mut state, seal(2), BEGIN),
        Err(HostRefusal::NothingToDo)
    );
    done(&mut state, seal(1), BEGIN).expect("the first");
    assert_eq!(
        done(&mut state, seal(1), BEGIN),
        Err(HostRefusal::NothingToDo)
    );
    done(&mut state, seal(2), BEGIN).expect("the second");
    assert_eq!(state.secrets["discord/bot_token"].secret_version, 2);
}

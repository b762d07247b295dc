//! What holds for every question, whatever an operator's policies say.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::{collections::BTreeSet, hint::black_box};

use proptest::{prelude::*, sample::select};
use vyrox_domain::{
    action::ActionType, ids::PersonId, person::Role, triage::Verdict, vendor::Vendor,
};
use vyrox_policy::{Act, Channel, Context, Policies, Principal, Proposal, Question};

/// Policies as permissive as an operator could write them.
const ALL: &str = r#"@id("all") permit (principal, action, resource);"#;
const ALL_BUT: &str = r#"
@id("own") permit (principal is Person, action, resource)
when { resource has proposer && resource.proposer == principal };
@id("again") permit (principal, action, resource) when { context.same_person };
@id("nobody") permit (principal, action == Action::"execute", resource) when { context.approvals == 0 };
@id("glass") permit (principal, action, resource) when { context.break_glass };
@id("workers") permit (principal is Service, action == Action::"execute", resource);
"#;

fn compile(text: &str) -> Policies {
    Policies::compile(&[("site.cedar".to_owned(), text.to_owned())]).unwrap()
}

fn defaults() -> Policies {
    let sources: Vec<_> = Policies::builtin()
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect();
    Policies::compile(&sources).unwrap()
}

fn person_id() -> impl Strategy<Value = PersonId> {
    select(vec!["ann", "ben", "eve"]).prop_map(|name| name.parse().unwrap())
}

fn principal() -> impl Strategy<Value = Principal> {
    let roles = proptest::collection::btree_set(select(Role::ALL.to_vec()), 0..=3);
    let person = (person_id(), roles).prop_map(|(id, roles)| Principal::Person { id, roles });
    let service = select(vec!["compat", "triage", "stranger", "\"", ""]);
    let service = service.prop_map(|name| Principal::Service {
        name: name.to_owned(),
    });
    prop_oneof![3 => person, 1 => service]
}

fn proposal() -> impl Strategy<Value = Proposal> {
    let verdicts = vec![
        Verdict::Critical,
        Verdict::High,
        Verdict::Medium,
        Verdict::Low,
        Verdict::Benign,
    ];
    let kind = (
        select(ActionType::ALL.to_vec()),
        select(verdicts),
        select(Vendor::ALL.to_vec()),
    );
    let flags = any::<[bool; 4]>();
    (kind, flags, proptest::option::of(person_id())).prop_map(
        |((action_type, verdict, vendor), [tier0, protected, dry_run, release], proposer)| {
            Proposal {
                tenant: "acme".parse().unwrap(),
                action_type,
                verdict,
                vendor,
                tier0,
                protected,
                dry_run,
                release,
                proposer,
            }
        },
    )
}

fn context() -> impl Strategy<Value = Context> {
    let channel = select(Channel::ALL.to_vec());
    let numbers = (
        prop_oneof![0..4_u32, any::<u32>()],
        prop_oneof![0..2000_u32, any::<u32>()],
    );
    (numbers, any::<[bool; 5]>(), channel).prop_map(
        |((approvals, reason_chars), flags, channel)| {
            let [
                approvers_include_proposer,
                same_person,
                bulk,
                break_glass,
                incident_given,
            ] = flags;
            Context {
                approvals,
                approvers_include_proposer,
                same_person,
                bulk,
                break_glass,
                incident_given,
                reason_chars,
                channel,
            }
        },
    )
}

fn question() -> impl Strategy<Value = Question> {
    (
        select(Act::ALL.to_vec()),
        principal(),
        proposal(),
        context(),
    )
        .prop_map(|(act, principal, proposal, context)| Question {
            act,
            principal,
            proposal,
            context,
        })
}

fn is_proposer(question: &Question) -> bool {
    match &question.principal {
        Principal::Person { id, .. } => question.proposal.proposer.as_ref() == Some(id),
        Principal::Service { .. } => false,
    }
}

/// What no policy beside the hard rules can make allowed.
fn never(question: &Question) -> bool {
    let context = &question.context;
    let is_person = matches!(question.principal, Principal::Person { .. });
    match question.act {
        Act::Deny | Act::Release => !is_person || context.channel == Channel::Hmac,
        Act::Approve | Act::BreakGlass | Act::Execute if is_proposer(question) => true,
        Act::Approve => !is_person || (context.same_person && !context.break_glass),
        Act::BreakGlass => {
            !is_person
                || !context.break_glass
                || !context.incident_given
                || !(16..=1024).contains(&context.reason_chars)
        }
        Act::Execute => {
            context.approvers_include_proposer
                || (is_person && context.approvals == 0)
                || (is_person && context.same_person && !context.break_glass)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn without_a_permit_nothing_is_allowed(question in question()) {
        let ruling = Policies::compile(&[]).unwrap().decide(&question);
        prop_assert!(!ruling.allowed);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn the_defaults_never_allow_what_never_is(question in question()) {
        thread_local!(static SET: Policies = defaults());
        let ruling = SET.with(|set| set.decide(&question));
        prop_assert!(!(ruling.allowed && never(&question)), "{:?}", ruling);
        prop_assert!(!ruling.allowed || (!ruling.policies.is_empty() && ruling.errors.is_empty()));
    }

    #[test]
    fn no_policy_of_an_operator_undoes_a_hard_rule(question in question()) {
        thread_local!(static SET: Policies = compile(&format!("{ALL}{ALL_BUT}")));
        let ruling = SET.with(|set| set.decide(&question));
        prop_assert!(!(ruling.allowed && never(&question)), "{:?}", ruling);
        // And where none objects, the operator's permit is what counts.
        let objected = ruling.policies.iter().any(|id| id.starts_with("hard."));
        prop_assert!(ruling.allowed || objected || !ruling.errors.is_empty(), "{:?}", ruling);
    }

    /// Two persons are two: with the defaults, nothing that needs two of them is carried out after
    /// one, but in an emergency.
    #[test]
    fn one_person_is_never_two(mut question in question(), again in any::<bool>()) {
        thread_local!(static SET: Policies = defaults());
        question.act = Act::Execute;
        question.proposal.tier0 = true;
        question.context.break_glass = false;
        // The same click twice: a caller who counts persons has one, one who miscounts says so.
        question.context.same_person = again;
        question.context.approvals = if again { 2 } else { 1 };
        let ruling = SET.with(|set| set.decide(&question));
        prop_assert!(!ruling.allowed, "{:?}", ruling);
    }

    #[test]
    fn the_same_question_gets_the_same_ruling(question in question()) {
        thread_local!(static SETS: (Policies, Policies) = (defaults(), defaults()));
        let (one, other) = SETS.with(|(one, other)| (one.decide(&question), other.decide(&question)));
        prop_assert!(one.policies.is_sorted());
        prop_assert_eq!(one, other);
    }
}

#[test]
fn a_forbid_that_cannot_be_evaluated_is_a_no() {
    // Long numbers overflow, the one error that strict validation cannot foresee.
    let policies = compile(&format!(
        "{ALL}@id(\"broken\") forbid (principal, action, resource) when {{ context.approvals + 9223372036854775807 > 0 }};"
    ));
    let mut question = plain();
    question.context.approvals = 1;
    let ruling = policies.decide(&question);
    assert!(!ruling.allowed);
    assert_eq!(ruling.errors.len(), 1, "{ruling:?}");
    assert!(ruling.errors[0].contains("broken"), "{ruling:?}");
    question.context.approvals = 0;
    question.act = Act::Approve;
    assert_eq!(policies.decide(&question).policies, ["broken"]);
}

#[test]
fn a_service_that_nobody_knows_is_refused_with_an_error() {
    let mut question = plain();
    question.principal = Principal::Service {
        name: "stranger".to_owned(),
    };
    let ruling = compile(ALL).decide(&question);
    assert!(!ruling.allowed);
    assert!(ruling.errors[0].contains("stranger"), "{ruling:?}");
}

/// A permit for one of many tenants.
fn conditional(n: usize) -> String {
    format!(
        r#"@id("site.{n}") permit (principal in Role::"approver", action == Action::"execute", resource)
        when {{ resource.tenant == Tenant::"t{n}" && context.approvals > 1 }};
        "#
    )
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "measures, and asserts nothing about time"
)]
fn what_decisions_cost() {
    let many: Vec<String> = (0..200).map(conditional).collect();
    let many = many.concat();
    for (name, policies) in [
        ("the defaults", defaults()),
        ("200 policies more", compile(&many)),
    ] {
        let question = plain();
        let rounds = 2000;
        let started = std::time::Instant::now();
        for _ in 0..rounds {
            drop(black_box(policies.decide(black_box(&question))));
        }
        println!("{name}: {:?} a decision", started.elapsed() / rounds);
        assert!(policies.decide(&question).errors.is_empty());
    }
}

/// An approver's first yes to isolating an ordinary host.
fn plain() -> Question {
    Question {
        act: Act::Execute,
        principal: Principal::Person {
            id: "ann".parse().unwrap(),
            roles: BTreeSet::from([Role::Approver]),
        },
        proposal: Proposal {
            tenant: "acme".parse().unwrap(),
            action_type: ActionType::HostIsolation,
            verdict: Verdict::Critical,
            vendor: Vendor::Crowdstrike,
            tier0: false,
            protected: false,
            dry_run: false,
            release: false,
            proposer: None,
        },
        context: Context {
            approvals: 1,
            approvers_include_proposer: false,
            same_person: false,
            bulk: false,
            break_glass: false,
            incident_given: false,
            reason_chars: 0,
            channel: Channel::Chat,
        },
    }
}

use proptest::prelude::*;

use super::*;

fn hit(id: &str, leaning: Leaning, level: Level, weight_bp: u16) -> RuleHit {
    RuleHit {
        rule_id: id.to_owned(),
        title: id.to_owned(),
        leaning,
        level,
        weight_bp,
        overrides: false,
        tactics: Vec::new(),
        techniques: Vec::new(),
        matched: Vec::new(),
    }
}

fn check(severity: Severity, hits: &[RuleHit], verdict: Verdict, score_bp: u16) {
    let assessment = assess(severity, hits, Bands::default());
    assert_eq!(
        (assessment.verdict, assessment.score_bp),
        (verdict, score_bp),
        "{hits:?}"
    );
}

#[test]
fn severity_alone_never_classifies() {
    check(Severity::Informational, &[], Verdict::Low, 500);
    check(Severity::Low, &[], Verdict::Low, 1_500);
    check(Severity::Unknown, &[], Verdict::Medium, 3_000);
    check(Severity::Critical, &[], Verdict::Medium, 5_000);
    let open = Bands {
        closed_to_bp: 0,
        classified_from_bp: 0,
    };
    assert_eq!(assess(Severity::Critical, &[], open).band, Band::Stage2);
}

#[test]
fn stage_2_alone_is_medium_at_even_odds_and_keeps_its_score() {
    let assessment = assess(Severity::Critical, &[], Bands::default());
    assert_eq!(assessment.band, Band::Stage2);
    assert_eq!(
        (assessment.confidence_bp, assessment.score_bp),
        (5_000, 5_000)
    );
}

#[test]
fn a_strong_rule_decides_whatever_the_severity() {
    let strong = hit("dump", Leaning::Malicious, Level::Critical, 9_200);
    check(Severity::Informational, &[strong], Verdict::Critical, 9_240);
}

#[test]
fn evidence_adds_up_with_diminishing_returns() {
    let a = hit("a", Leaning::Malicious, Level::Medium, 5_000);
    let b = hit("b", Leaning::Malicious, Level::High, 5_000);
    check(
        Severity::Informational,
        std::slice::from_ref(&a),
        Verdict::Medium,
        5_250,
    );
    check(
        Severity::Informational,
        &[a.clone(), b.clone()],
        Verdict::Medium,
        7_625,
    );
    check(Severity::Critical, &[a, b], Verdict::High, 8_750);
}

#[test]
fn benign_patterns_close_what_only_the_vendor_suspects() {
    let backup = hit("backup", Leaning::Benign, Level::Informational, 6_000);
    let staged = hit("staged", Leaning::Malicious, Level::Low, 2_000);
    check(
        Severity::High,
        std::slice::from_ref(&backup),
        Verdict::Benign,
        0,
    );
    check(Severity::Medium, &[backup.clone(), staged], Verdict::Low, 0);
    check(Severity::Critical, &[backup], Verdict::Medium, 2_501);
}

fn known() -> RuleHit {
    RuleHit {
        overrides: true,
        ..hit("known", Leaning::Benign, Level::Informational, 9_500)
    }
}

#[test]
fn a_known_false_positive_speaks_before_stage_2() {
    let suspect = hit("suspect", Leaning::Malicious, Level::Medium, 6_000);
    let assessment = assess(Severity::High, &[suspect, known()], Bands::default());
    assert_eq!(
        (assessment.verdict, assessment.band),
        (Verdict::Benign, Band::Closed)
    );
    assert_eq!(
        (assessment.confidence_bp, assessment.score_bp),
        (9_500, 7_600)
    );
    assert_eq!(assessment.reasons.len(), 2);
}

#[test]
fn an_override_is_silent_where_it_must_be() {
    let band = |severity, hits: &[RuleHit]| assess(severity, hits, Bands::default()).band;
    // The vendor is certain.
    assert_eq!(band(Severity::Critical, &[known()]), Band::Stage2);
    // A rule of level high spoke, however little it weighs.
    let strong = hit("strong", Leaning::Malicious, Level::High, 100);
    assert_eq!(band(Severity::Medium, &[strong, known()]), Band::Stage2);
    // The rules have classified it.
    let weighty = hit("weighty", Leaning::Malicious, Level::Medium, 9_000);
    assert_eq!(
        band(Severity::Medium, &[weighty, known()]),
        Band::Classified
    );
    // It is no evidence: the score is what it would be without it.
    let scored = |hits: &[RuleHit]| assess(Severity::Critical, hits, Bands::default()).score_bp;
    assert_eq!(scored(&[known()]), scored(&[]));
    // A rule that leans the other way overrides nothing.
    let mut wrong = known();
    wrong.leaning = Leaning::Malicious;
    assert_ne!(band(Severity::Medium, &[wrong]), Band::Closed);
}

#[test]
fn reasons_come_heaviest_first_then_by_id() {
    let hits = [
        hit("b", Leaning::Malicious, Level::Low, 100),
        hit("c", Leaning::Benign, Level::Low, 900),
        hit("a", Leaning::Malicious, Level::Low, 100),
    ];
    let reasons = assess(Severity::Low, &hits, Bands::default()).reasons;
    let ids: Vec<&str> = reasons
        .iter()
        .map(|reason| reason.rule_id.as_str())
        .collect();
    assert_eq!(ids, ["c", "a", "b"]);
}

#[test]
fn names_on_the_wire() {
    let text = serde_json::to_string(&(
        Verdict::Critical,
        Leaning::Benign,
        Level::High,
        Band::Stage2,
    ));
    assert_eq!(
        text.expect("plain enums"),
        r#"["CRITICAL","benign","high","stage2"]"#
    );
}

fn any_severity() -> impl Strategy<Value = Severity> {
    prop::sample::select(vec![
        Severity::Unknown,
        Severity::Informational,
        Severity::Low,
        Severity::Medium,
        Severity::High,
        Severity::Critical,
    ])
}

fn any_hit() -> impl Strategy<Value = RuleHit> {
    let leaning = prop::sample::select(vec![Leaning::Malicious, Leaning::Benign]);
    let level = prop::sample::select(vec![
        Level::Informational,
        Level::Low,
        Level::Medium,
        Level::High,
        Level::Critical,
    ]);
    ("[a-f]{1,3}", leaning, level, any::<u16>())
        .prop_map(|(id, leaning, level, weight)| hit(&id, leaning, level, weight))
}

fn any_bands() -> impl Strategy<Value = Bands> {
    (any::<u16>(), any::<u16>()).prop_map(|(closed_to_bp, classified_from_bp)| Bands {
        closed_to_bp,
        classified_from_bp,
    })
}

proptest! {
    #[test]
    fn stays_within_bounds(
        severity in any_severity(),
        hits in prop::collection::vec(any_hit(), 0..12),
        bands in any_bands(),
    ) {
        let assessment = assess(severity, &hits, bands);
        prop_assert!(assessment.score_bp <= 10_000);
        prop_assert!(assessment.confidence_bp <= 10_000);
        prop_assert_eq!(assessment.reasons.len(), hits.len());
        if assessment.band == Band::Classified {
            prop_assert!(spoke(&hits, Leaning::Malicious));
        }
    }

    #[test]
    fn another_malicious_rule_never_lowers_the_score(
        severity in any_severity(),
        mut hits in prop::collection::vec(any_hit(), 0..12),
        mut more in any_hit(),
    ) {
        more.leaning = Leaning::Malicious;
        let before = assess(severity, &hits, Bands::default()).score_bp;
        hits.push(more);
        prop_assert!(assess(severity, &hits, Bands::default()).score_bp >= before);
    }

    #[test]
    fn the_order_of_the_rules_does_not_matter(
        severity in any_severity(),
        (hits, shuffled) in prop::collection::vec(any_hit(), 0..12)
            .prop_flat_map(|hits| (Just(hits.clone()), Just(hits).prop_shuffle())),
    ) {
        let one = assess(severity, &hits, Bands::default());
        let other = assess(severity, &shuffled, Bands::default());
        prop_assert_eq!(
            (one.verdict, one.score_bp, one.confidence_bp, one.band),
            (other.verdict, other.score_bp, other.confidence_bp, other.band)
        );
    }

    #[test]
    fn benign_patterns_never_outvote_a_strong_rule(
        severity in any_severity(),
        mut strong in any_hit(),
        benign in prop::collection::vec(any_hit(), 0..12),
    ) {
        strong.leaning = Leaning::Malicious;
        strong.level = strong.level.max(Level::High);
        let floor = strong.weight_bp.min(10_000);
        let mut hits: Vec<RuleHit> = benign
            .into_iter()
            .map(|hit| RuleHit { leaning: Leaning::Benign, ..hit })
            .collect();
        hits.push(strong);
        prop_assert!(assess(severity, &hits, Bands::default()).score_bp >= floor);
    }
    /// An override changes nothing but what stage 2 would have been asked, and never against a strong rule
    /// or a vendor that says critical.
    #[test]
    fn an_override_takes_from_stage_2_alone(
        severity in any_severity(),
        hits in prop::collection::vec(any_hit(), 0..12),
        bands in any_bands(),
    ) {
        let before = assess(severity, &hits, bands);
        let strong = hits.iter().any(RuleHit::is_strong);
        let mut more = hits;
        more.push(known());
        let after = assess(severity, &more, bands);
        prop_assert_eq!(after.score_bp, before.score_bp);
        let closes = before.band == Band::Stage2 && !strong && severity != Severity::Critical;
        prop_assert_eq!(after.band, if closes { Band::Closed } else { before.band });
        if before.band == Band::Classified {
            prop_assert_eq!(after.verdict, before.verdict);
        }
    }
}

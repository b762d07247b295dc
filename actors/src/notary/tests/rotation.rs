//! One change of the key after the other.

use std::sync::atomic::AtomicU8;

use vyrox_domain::host_protocol::AuditLog;

use super::*;
use crate::notary::RotateError;

/// When an overlap of five seconds ends that begins at once.
const UNTIL_MS: u64 = START_MS + 5000;

/// Keys that are made one after the other, and can or cannot be put in their place.
#[derive(Default)]
struct Row {
    made: AtomicU8,
    stuck: bool,
}

impl Row {
    fn made(&self) -> u8 {
        self.made.load(Ordering::Acquire)
    }
}

impl LogKeys for Row {
    fn load(&self) -> io::Result<Vec<Arc<dyn Signer>>> {
        let key = |seed: u8| -> Arc<dyn Signer> { Arc::new(signer(seed)) };
        Ok((1..=self.made() + 1).map(key).collect())
    }

    fn make(&self) -> io::Result<Arc<dyn Signer>> {
        let before = self.made.fetch_add(1, Ordering::AcqRel);
        Ok(Arc::new(signer(before + 2)))
    }

    fn settle(&self, _in_force: &[u8; 32]) -> io::Result<()> {
        if self.stuck {
            return Err(io::Error::other("no room"));
        }
        Ok(())
    }
}

/// An office that just began a log with these keys.
fn began(ground: &Ground, keys: &Arc<Row>) -> (Office, AuditLog) {
    let mut office = ground.office(&[], false);
    office.parts.keys = Arc::<Row>::clone(keys);
    let Some(AuditLogChange::Begun(log)) = office.open(None) else {
        panic!("no log began");
    };
    (office, log)
}

/// Whoever got a 503 tried again, and the second change took away the signature of the only key that
/// anybody outside knew.
#[test]
fn a_key_that_others_know_is_not_silenced_by_a_second_change() {
    let (ground, keys) = (Ground::new(), Arc::default());
    let (office, before) = began(&ground, &keys);
    assert_eq!(office.unwritten(Some(&before)), None);
    let rotated = office.rotate_key(5000, "ann".into()).unwrap();
    let again = office.rotate_key(5000, "ann".into());
    assert!(
        matches!(again, Err(RotateError::Overlapping { until_ms: UNTIL_MS })),
        "{again:?}"
    );
    assert_eq!((keys.made(), office.log().unwrap().keys.len()), (1, 2));
    // The host's chain may lack it; then that comes first.
    let Some(AuditLogChange::Rotated(missing)) = office.unwritten(Some(&before)) else {
        panic!("nothing is missing");
    };
    assert_eq!(
        (missing.before, &missing.after, missing.statement),
        (before, &rotated.after, rotated.statement)
    );
    assert_eq!(office.unwritten(Some(&rotated.after)), None);
    // One that is stolen is silenced at once, and no overlap is for ever.
    let stolen = office.rotate_key(0, "ann".into()).unwrap();
    assert_eq!(stolen.before, rotated.after);
    office.rotate_key(7000, "ann".into()).unwrap();
    ground.clock.0.store(START_MS + 7000, Ordering::Release);
    office.rotate_key(7000, "ann".into()).unwrap();
    assert_eq!(office.log().unwrap().keys.len(), 5);
}

/// The key in force could still lie where the next one is written, and was written over: nobody had it any
/// more.
#[test]
fn no_key_is_made_before_the_one_in_force_is_in_its_place() {
    let stuck = Row {
        stuck: true,
        ..Row::default()
    };
    let (ground, keys) = (Ground::new(), Arc::new(stuck));
    let (office, log) = began(&ground, &keys);
    let refused = office.rotate_key(0, "ann".into());
    assert!(matches!(refused, Err(RotateError::Key(_))), "{refused:?}");
    assert_eq!((keys.made(), office.unwritten(Some(&log))), (0, None));
}

//! A log that begins after the start: what kept it from being opened, or being made whole, has passed.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, atomic::AtomicBool},
};

use super::*;

/// Keys that cannot be read until somebody says so.
#[derive(Default)]
struct Late(AtomicBool);

impl LogKeys for Late {
    fn load(&self) -> io::Result<Vec<Arc<dyn Signer>>> {
        if self.0.load(Ordering::Acquire) {
            TwoKeys.load()
        } else {
            Err(io::Error::other("no room"))
        }
    }

    fn make(&self) -> io::Result<Arc<dyn Signer>> {
        TwoKeys.make()
    }

    fn settle(&self, in_force: &[u8; 32]) -> io::Result<()> {
        TwoKeys.settle(in_force)
    }
}

/// A key beside which the log's leaves cannot be made: once the store of a log is there that it has signed, a folder is in
/// their place.
#[derive(Clone)]
struct InTheWay {
    proof: PathBuf,
    leaves: Arc<Mutex<Option<PathBuf>>>,
}

impl InTheWay {
    fn new(proof: &Path) -> Self {
        Self {
            proof: proof.to_owned(),
            leaves: Arc::default(),
        }
    }

    fn is_gone(&self) {
        fs::remove_dir(self.leaves.lock().unwrap().as_ref().unwrap()).unwrap();
    }
}

impl Signer for InTheWay {
    fn public_key(&self) -> [u8; 32] {
        let leaves = self.leaves.lock().unwrap();
        if let Some(leaves) = leaves
            .as_ref()
            .filter(|_| self.proof.join("proof.redb").exists())
        {
            fs::create_dir(leaves).ok();
        }
        signer(1).public_key()
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        let text = String::from_utf8_lossy(message);
        let is_id =
            |line: &&str| line.len() == 32 && line.bytes().all(|byte| byte.is_ascii_hexdigit());
        if let Some(deployment) = text.lines().find(is_id) {
            let leaves = self.proof.join(format!("leaves-{deployment}"));
            *self.leaves.lock().unwrap() = Some(leaves);
        }
        signer(1).sign(message)
    }
}

impl LogKeys for InTheWay {
    fn load(&self) -> io::Result<Vec<Arc<dyn Signer>>> {
        Ok(vec![Arc::new(self.clone())])
    }

    fn make(&self) -> io::Result<Arc<dyn Signer>> {
        TwoKeys.make()
    }

    fn settle(&self, _in_force: &[u8; 32]) -> io::Result<()> {
        Ok(())
    }
}

fn is_unusable(office: &Office) -> bool {
    matches!(fault(office), Some(HostFault::Unusable(_)))
}

/// The host's chain had nothing of a log that began while the server ran, so whoever took it away before the next start
/// had another one begun in silence.
#[test]
fn a_log_that_begins_late_is_still_told_of() {
    let (ground, keys) = (Ground::new(), Arc::new(Late::default()));
    let mut office = ground.office(&[], false);
    office.parts.keys = Arc::<Late>::clone(&keys);
    assert_eq!((office.open(None), office.unwritten(None)), (None, None));
    assert!(is_unusable(&office));
    keys.0.store(true, Ordering::Release);
    office.tend();
    assert_eq!(fault(&office), None);
    let Some(AuditLogChange::Begun(log)) = office.unwritten(None) else {
        panic!("nothing is to be told");
    };
    // Until it is.
    assert!(office.unwritten(None).is_some());
    assert_eq!(office.unwritten(Some(&log)), None);
    office.finish();
    assert_eq!(ground.office(&[], false).open(Some(log)), None);
}

/// The store of a new log was made and the rest was not: the log that had just begun was taken for an old one that seems
/// empty, and waited for the word of a witness that takes nothing without leaves.
#[test]
fn a_log_of_which_only_a_part_could_be_made_has_just_begun_when_the_rest_is() {
    let ground = Ground::new();
    let keys = InTheWay::new(&ground.dir.path().join("proof"));
    let mut office = ground.office(&[7], true);
    office.parts.keys = Arc::new(keys.clone());
    assert_eq!(office.open(None), None);
    assert!(is_unusable(&office), "{:?}", fault(&office));
    assert!(ground.dir.path().join("proof/proof.redb").exists());
    keys.is_gone();
    keys.leaves.lock().unwrap().take();
    ground.clock.0.fetch_add(1, Ordering::AcqRel);
    office.tend();
    assert!(matches!(
        office.unwritten(None),
        Some(AuditLogChange::Begun(_))
    ));
    assert_eq!(
        fault(&office),
        Some(HostFault::Unheard),
        "nobody knows it yet"
    );
    assert_eq!(size(&office), 1, "and it is signed");
    let request = office.request(0).unwrap().unwrap();
    let cosigned = office.answered(0, &request, Ok(word(7, &request)));
    assert_eq!((cosigned, fault(&office)), (Next::Cosigned, None));
}

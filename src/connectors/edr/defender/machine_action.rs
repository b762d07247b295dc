//! Machine actions: what was asked for on a machine, by whomever, and how far it is. A machine has no
//! dependable mark of being isolated, so the newest of its actions tells.

use serde::Deserialize;
use vyrox_actors::edr::{EffectSeen, Reading};
use vyrox_domain::time::Timestamp;

use super::{
    super::{
        id::Id,
        reading::{HostLink, seen},
        reference,
    },
    task::{Deed, Errand, ISOLATE, TAKE_FILE, UNISOLATE},
};

/// One of them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MachineAction {
    id: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    status: Option<String>,
    scope: Option<String>,
    machine_id: Option<String>,
    requestor_comment: Option<String>,
    creation_date_time_utc: Option<String>,
    related_file_info: Option<RelatedFile>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RelatedFile {
    file_identifier: Option<String>,
}

/// How far one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    UnderWay,
    Succeeded,
    Failed,
    /// The word is none that is documented.
    Unknown,
}

/// Whether what was to be done on a machine is so. `known` is what the vendor called our request. `None`
/// where that cannot be told.
pub(super) fn read(
    actions: &[MachineAction],
    wanted: &Errand,
    known: Option<&str>,
) -> Option<Reading> {
    let own: Vec<&MachineAction> = actions
        .iter()
        .filter(|one| one.is_on(&wanted.machine))
        .collect();
    match &wanted.deed {
        Deed::Isolate | Deed::Unisolate => isolation(&own, wanted, known),
        Deed::TakeFile { sha1 } => file(&own, wanted, sha1, known),
    }
}

/// The machine's request of that kind which is under way: the one on account of which ours is refused.
pub(super) fn under_way(actions: &[MachineAction], wanted: &Errand) -> Option<String> {
    let same = actions.iter().filter(|one| {
        one.is_on(&wanted.machine) && one.does(&wanted.deed) && one.progress() == Progress::UnderWay
    });
    same.max_by_key(|one| one.at())?.name()
}

/// The newest action that did not fail tells how the machine is.
fn isolation(own: &[&MachineAction], wanted: &Errand, known: Option<&str>) -> Option<Reading> {
    let about = own
        .iter()
        .filter(|one| one.is(ISOLATE) || one.is(UNISOLATE));
    let (failed, others): (Vec<&MachineAction>, Vec<&MachineAction>) =
        about.partition(|one| one.progress() == Progress::Failed);
    let newest = others.into_iter().max_by_key(|one| one.at());
    let undo = wanted.deed == Deed::Unisolate;
    let link = match newest {
        Some(newest) => newest.link(undo)?,
        None => HostLink::Whole,
    };
    let effect = link.effect(undo);
    let ours_failed = failed
        .into_iter()
        .filter(|one| one.does(&wanted.deed) && one.is_ours(wanted, known))
        .filter(|one| newest.is_none_or(|newest| one.at() >= newest.at()))
        .max_by_key(|one| one.at());
    if let (EffectSeen::NotInEffect, Some(failed)) = (effect, ours_failed) {
        return Some(failed.reading(EffectSeen::Failed));
    }
    let Some(newest) = newest else {
        return Some(seen(effect, "never isolated"));
    };
    let reading = newest.reading(effect);
    Some(if newest.does(&wanted.deed) {
        reading
    } else {
        Reading {
            reference: None,
            ..reading
        }
    })
}

/// A file that was taken away once may have come again. So what was done before this action was proposed
/// tells nothing, unless it is ours or still goes on.
fn file(
    own: &[&MachineAction],
    wanted: &Errand,
    sha1: &str,
    known: Option<&str>,
) -> Option<Reading> {
    let about = own.iter().filter(|one| one.takes(sha1)).filter(|one| {
        one.is_ours(wanted, known)
            || one.progress() == Progress::UnderWay
            || one.at() >= wanted.proposed_at
    });
    let about: Vec<&MachineAction> = about.copied().collect();
    let newest = |progress: Progress| {
        let such = about.iter().filter(|one| one.progress() == progress);
        such.max_by_key(|one| one.at())
    };
    if let Some(done) = newest(Progress::Succeeded) {
        return Some(done.reading(EffectSeen::InEffect));
    }
    if let Some(going) = newest(Progress::UnderWay) {
        return Some(going.reading(EffectSeen::Pending));
    }
    if newest(Progress::Unknown).is_some() {
        return None;
    }
    let failed = newest(Progress::Failed).filter(|one| one.is_ours(wanted, known));
    Some(match failed {
        Some(failed) => failed.reading(EffectSeen::Failed),
        None => seen(EffectSeen::NotInEffect, "none"),
    })
}

impl MachineAction {
    /// What the vendor calls it.
    pub(super) fn name(&self) -> Option<String> {
        self.id.as_deref().and_then(reference)
    }

    /// Whether the vendor calls it that.
    pub(super) fn is_named(&self, name: &str) -> bool {
        self.id.as_deref() == Some(name)
    }

    fn is(&self, kind: &str) -> bool {
        self.kind.as_deref() == Some(kind)
    }

    fn is_on(&self, machine: &Id) -> bool {
        let id = self.machine_id.as_deref();
        id.is_some_and(|id| id.eq_ignore_ascii_case(machine.as_str()))
    }

    fn does(&self, deed: &Deed) -> bool {
        match deed {
            Deed::Isolate | Deed::Unisolate => self.is(deed.kind()),
            Deed::TakeFile { sha1 } => self.takes(sha1),
        }
    }

    fn takes(&self, sha1: &str) -> bool {
        let file = self.related_file_info.as_ref();
        let file = file.and_then(|file| file.file_identifier.as_deref());
        self.is(TAKE_FILE) && file.is_some_and(|file| file.eq_ignore_ascii_case(sha1))
    }

    /// By its name, or by our words in its comment.
    fn is_ours(&self, wanted: &Errand, known: Option<&str>) -> bool {
        let comment = self.requestor_comment.as_deref();
        comment.is_some_and(|comment| comment.contains(&wanted.mark))
            || known.is_some_and(|known| self.is_named(known))
    }

    fn at(&self) -> Timestamp {
        let at = self.creation_date_time_utc.as_deref();
        at.and_then(Timestamp::from_rfc3339)
            .unwrap_or(Timestamp::from_ms(0))
    }

    fn progress(&self) -> Progress {
        match self.status.as_deref() {
            Some("Pending" | "InProgress") => Progress::UnderWay,
            Some("Succeeded") => Progress::Succeeded,
            Some("Failed" | "TimeOut" | "Cancelled") => Progress::Failed,
            Some(_) | None => Progress::Unknown,
        }
    }

    /// How the machine is after it. A selective isolation lets some programs through, so whoever wants the
    /// machine cut off has not got that; whoever wants it back has not got that either.
    fn link(&self, undo: bool) -> Option<HostLink> {
        let scope = self.scope.as_deref();
        let selective = scope.is_some_and(|scope| scope.eq_ignore_ascii_case("Selective"));
        match (self.progress(), self.is(ISOLATE)) {
            (Progress::Succeeded | Progress::UnderWay, true) if selective && !undo => {
                Some(HostLink::Whole)
            }
            (Progress::Succeeded, true) => Some(HostLink::Cut),
            (Progress::UnderWay, true) => Some(HostLink::Cutting),
            (Progress::UnderWay, false) => Some(HostLink::Restoring),
            (Progress::Succeeded, false) => Some(HostLink::Whole),
            (Progress::Failed | Progress::Unknown, _) => None,
        }
    }

    fn reading(&self, effect: EffectSeen) -> Reading {
        let kind = self.kind.as_deref().unwrap_or_default();
        let status = self.status.as_deref().unwrap_or_default();
        Reading {
            reference: self.name(),
            ..seen(effect, &format!("{kind} {status}"))
        }
    }
}

#[cfg(test)]
mod tests;
